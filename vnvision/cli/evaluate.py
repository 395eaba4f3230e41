"""``vnvision eval RUN_OR_BUNDLE --data MANIFEST --split test --field MANIFEST --out DIR --json``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from vnvision.evaluate.field import FieldReport


def evaluate(
    subject: Annotated[Path, typer.Argument(metavar="RUN_OR_BUNDLE", help="run folder or bundle folder")],
    data: Annotated[Path | None, typer.Option(help="manifest; a run knows its own")] = None,
    split: Annotated[str, typer.Option(help="rows to measure on")] = "test",
    out: Annotated[Path | None, typer.Option(help="folder for report.json and report.html")] = None,
    field: Annotated[
        Path | None,
        typer.Option(help="manifest of pictures taken elsewhere: both numbers side by side, in field.html"),
    ] = None,
    field_split: Annotated[
        str | None, typer.Option(help="rows of --field to measure on; default: all, none was trained on")
    ] = None,
    language: Annotated[str, typer.Option(help="vi or en")] = "en",
    as_json: Annotated[bool, typer.Option("--json", help="print the report as JSON")] = False,
) -> None:
    """Measure a run or a bundle on one split, with intervals; with --field also in the field."""
    from vnvision import api
    from vnvision.cli.show import bar, print_report
    from vnvision.errors import ConfigError

    if language not in ("vi", "en"):
        raise ConfigError("unknown language", expected="vi or en", got=language)
    if field_split is not None and field is None:
        raise ConfigError("--field-split without --field", fix="add --field MANIFEST")
    chosen: Literal["vi", "en"] = "vi" if language == "vi" else "en"
    judged: Any = subject
    source = data
    if field is not None:  # one predictor for both: loading a run takes seconds
        judged, own = api.open_predictor(subject)
        source = data or (Path(own) if own is not None else None)
    with bar("evaluating", quiet=as_json) as progress:
        report = api.evaluate(judged, data=source, split=split, out=out, language=chosen, progress=progress)
    compared = None
    if field is not None and source is not None:
        compared = _compare(judged, source, field, split, field_split, out, chosen, as_json)
    if as_json:
        print(report.to_json() if compared is None else _joined(report.to_json(), compared))
        return
    print_report(report)
    if compared is not None:
        _show_field(compared)
    if out is not None:
        print(f"report  {out / 'report.html'}")
        if compared is not None:
            print(f"field   {out / 'field.html'}")


def _compare(
    predictor: Any,
    lab: Path,
    field: Path,
    split: str,
    field_split: str | None,
    out: Path | None,
    language: Literal["vi", "en"],
    quiet: bool,
) -> FieldReport:
    """Both sides, and their page where a folder was asked for."""
    from vnvision.cli.show import bar
    from vnvision.data.manifest import read_manifest
    from vnvision.evaluate.field import evaluate_field

    with bar("lab and field", quiet=quiet) as progress:
        report = evaluate_field(
            predictor, read_manifest(lab), read_manifest(field), split=split, field_split=field_split,
            progress=progress,
        )  # fmt: skip
    if out is not None:
        from vnvision.report.field_page import write_field_page

        write_field_page(out, field=report, labels=predictor.task.labels, language=language)
    return report


def _joined(report: str, compared: FieldReport) -> str:
    """Both reports as one JSON object: the evaluation's own keys, and ``field``."""
    import json

    return json.dumps(
        json.loads(report) | {"field": compared.model_dump(mode="json")}, ensure_ascii=False, indent=2
    )  # fmt: skip


def _show_field(report: FieldReport) -> None:
    """Lab, field and change as aligned lines."""
    from vnvision.cli.show import figure

    lab, field = report.lab, report.field
    print(f"lab: {lab.n} pictures, {lab.n_groups} groups; field: {field.n} pictures, {field.n_groups} groups")
    print(f"  {'':<20}{'lab':<24}{'field':<24}change")
    for row in report.rows:
        print(f"  {row.name:<20}{figure(row.lab):<24}{figure(row.field):<24}{figure(row.change)}")
    for side, name in ((lab, "lab"), (field, "field")):
        for label, n in side.left_out.items():
            print(f"  left out: {n} {name} pictures of {label}, which the other side lacks")
    for text in report.warnings:
        print(f"  note: {text}")
