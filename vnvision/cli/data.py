"""``vnvision data``: bring pictures in, check them, split and select them, probe them, say what they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from vnvision.cli import data_duplicates, data_pack

app = typer.Typer(
    help="Bring pictures in, check, split, select, probe, pack and describe them.", no_args_is_help=True
)
app.command("pack")(data_pack.pack)
app.command("duplicates")(data_duplicates.duplicates)


@app.command("check")
def check(
    manifest: Annotated[Path, typer.Argument(help="CSV or Parquet manifest")],
    near_duplicates: Annotated[bool, typer.Option(help="look for near-duplicates across splits")] = True,
    strict: Annotated[bool, typer.Option(help="missing sha256, licence or consent are errors")] = False,
    mask_labels: Annotated[
        int | None, typer.Option(min=2, help="how many labels the masks may hold, the background included")
    ] = None,
    box_label: Annotated[
        list[str] | None, typer.Option(help="a label the boxes may have; may be repeated")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Report every problem with its row numbers; exit code 1 where there is one."""
    from vnvision.cli.show import bar
    from vnvision.data.check import check_manifest
    from vnvision.data.manifest import read_manifest

    table = read_manifest(manifest)
    with bar("checking", quiet=as_json) as progress:
        result = check_manifest(
            table,
            near_duplicates=near_duplicates,
            strict=strict,
            progress=progress,
            mask_labels=mask_labels,
            box_labels=box_label,
        )
    if as_json:
        print(result.to_json())
    else:
        for problem in result.problems:
            print(f"{problem.kind}: {problem.text}")
        for warning in result.warnings:
            print(f"note: {warning}")
        print(f"{manifest}: {len(table)} rows, {len(result.problems)} problems")
    if not result.ok:
        raise typer.Exit(1)


@app.command("import")
def import_(
    source: Annotated[
        Path, typer.Argument(help="class or person folders, DICOM folder, CSV, COCO, MedMNIST or .rec")
    ],
    out: Annotated[Path, typer.Option(help="folder for manifest.csv")],
    kind: Annotated[
        str | None,
        typer.Option(help="imagefolder, people, csv, coco, medmnist, dicom or rec; default: by what it is"),
    ] = None,
    licence: Annotated[str | None, typer.Option()] = None,
    consent: Annotated[str | None, typer.Option()] = None,
    source_name: Annotated[str | None, typer.Option(help="where the pictures come from")] = None,
    region: Annotated[str | None, typer.Option()] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="CSV columns: theirs=ours, may be repeated")
    ] = None,
    label: Annotated[list[str] | None, typer.Option(help="MedMNIST: class names in order, repeated")] = None,
    image_root: Annotated[Path | None, typer.Option(help="CSV and COCO: folder of the pictures")] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="DICOM: key of the patients' pseudonyms, 64 hex digits")
    ] = None,
    hash_files: Annotated[
        bool, typer.Option("--hash/--no-hash", help="write a sha256 for each picture")
    ] = True,
) -> None:
    """Write a manifest for a data set. Pictures stay where they are; MedMNIST and .rec are unpacked."""
    from vnvision.cli.show import bar
    from vnvision.data.importers import import_data

    with bar("importing") as progress:
        path = import_data(
            source, out, kind=kind, licence=licence, consent=consent, source_name=source_name, region=region,
            columns=_pairs(column or []), labels=label, image_root=image_root, key_file=key_file,
            hash_files=hash_files, progress=progress,
        )  # fmt: skip
    print(f"manifest  {path}")


@app.command("split")
def split(
    manifest: Annotated[Path, typer.Argument()],
    out: Annotated[Path, typer.Option(help="manifest to write")],
    train: Annotated[float, typer.Option(min=0, max=1)] = 0.7,
    val: Annotated[float, typer.Option(min=0, max=1)] = 0.15,
    test: Annotated[float, typer.Option(min=0, max=1)] = 0.15,
    seed: int = 0,
) -> None:
    """Assign train, val and test: groups and near-duplicates stay together, classes stay in proportion."""
    from vnvision.cli.show import bar
    from vnvision.data.manifest import read_manifest, write_manifest
    from vnvision.data.neardup import near_duplicate_clusters
    from vnvision.data.splits import assign_splits
    from vnvision.errors import ConfigError

    if out.exists():
        raise ConfigError(f"{out} exists", fix="choose another name with --out")
    table = read_manifest(manifest)
    with bar("looking for near-duplicates") as progress:
        files = [table.file(row) for row in table.rows]
        clusters = near_duplicate_clusters(files, progress=progress)
    wanted = {name: share for name, share in (("train", train), ("val", val), ("test", test)) if share > 0}
    rows = assign_splits(table, wanted, seed=seed, clusters=clusters)
    print(f"manifest  {write_manifest(rows, out)}")


@app.command("select")
def select(
    manifest: Annotated[Path, typer.Argument()],
    where: Annotated[
        list[str],
        typer.Option(
            help="COLUMN=VALUE; repeated: one column's values are alternatives, all columns must fit"
        ),
    ],
    out: Annotated[Path, typer.Option(help="manifest to write, in the pictures' folder or above it")],
    invert: Annotated[bool, typer.Option("--invert", help="all the other rows")] = False,
    mixed: Annotated[
        str, typer.Option(help="groups with rows on both sides: refuse, drop or split")
    ] = "refuse",
) -> None:
    """Part of a manifest, by its columns: one capture, one farm, one phone."""
    from vnvision.data.manifest import read_manifest
    from vnvision.data.select import select_rows, write_selection

    wanted: dict[str, list[str]] = {}
    for word in where:
        column, value = next(iter((_pairs([word], "--where", "COLUMN=VALUE") or {}).items()))
        wanted.setdefault(column, []).append(value)
    chosen = select_rows(read_manifest(manifest), wanted, invert=invert, mixed=cast(Any, mixed))
    written = write_selection(chosen, out)
    groups = len(set(written.group_keys()))
    print(f"manifest  {out}  {len(written)} rows, {groups} groups, sha256 {written.sha256}")


@app.command("probe")
def probe(
    manifest: Annotated[Path, typer.Argument(help="CSV or Parquet manifest with splits")],
    split: Annotated[str, typer.Option(help="rows to ask about; a look at test counts as one")] = "val",
    out: Annotated[Path | None, typer.Option(help="folder for shortcuts.json and shortcuts.html")] = None,
    language: Annotated[str, typer.Option(help="vi or en")] = "en",
    as_json: Annotated[bool, typer.Option("--json", help="print the report as JSON")] = False,
) -> None:
    """How far the label can be told from thumbnail, exposure, border, background or file alone."""
    from vnvision.cli.show import bar
    from vnvision.cli.show_shortcuts import print_shortcuts
    from vnvision.data.manifest import read_manifest
    from vnvision.errors import ConfigError
    from vnvision.evaluate.shortcuts import probe_shortcuts

    if language not in ("vi", "en"):
        raise ConfigError("unknown language", expected="vi or en", got=language)
    with bar("probing", quiet=as_json) as progress:
        report = probe_shortcuts(read_manifest(manifest), test=split, progress=progress)
    page = None
    if out is not None:
        from vnvision.report.field_page import write_field_page

        page = write_field_page(out, shortcuts=report, language=cast(Any, language))
    if as_json:
        print(report.to_json())
        return
    print_shortcuts(report, cast(Any, language))
    if page is not None:
        print(f"report  {page}")


@app.command("card")
def card(
    manifest: Annotated[Path, typer.Argument()],
    out: Annotated[Path | None, typer.Option(help="Markdown file; default: print it")] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Describe a data set: counts, groups, regions, licences, sizes, what is missing."""
    from vnvision import atomic
    from vnvision.data.card import data_card, describe
    from vnvision.data.manifest import read_manifest

    table = read_manifest(manifest)
    text = json.dumps(describe(table), ensure_ascii=False, indent=2) if as_json else data_card(table)
    if out is None:
        print(text)
    else:
        print(f"card  {atomic.write_text(out, text)}")


def _pairs(words: list[str], option: str = "--column", form: str = "theirs=ours") -> dict[str, str] | None:
    from vnvision.errors import ConfigError

    bad = [word for word in words if "=" not in word]
    if bad:
        raise ConfigError(f"cannot read {option} {' '.join(bad)}", expected=form)
    return dict(word.split("=", 1) for word in words) or None
