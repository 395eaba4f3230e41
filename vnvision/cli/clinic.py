"""``vnvision clinic deidentify``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from vnvision.cli import show

if TYPE_CHECKING:
    from vnvision.clinic.deidentify import Options, Summary

app = typer.Typer(help="DICOM for clinics. Research use, not a medical device.", no_args_is_help=True)

RETAIN = "dates, shifted-dates, patient, device, institution, uids, safe-private, icc-profile"
CLEAN = "descriptors, graphics, structured"


@app.callback()
def _clinic() -> None:
    """DICOM for clinics. Research use, not a medical device."""


@app.command("deidentify")
def deidentify(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="DICOM file, or folder of them; never changed")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="new or empty folder, apart from IN")],
    key: Annotated[
        Path | None,
        typer.Option(help="file with the secret key of the pseudonyms; default: VNVISION_PSEUDONYM_KEY"),
    ] = None,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="create the key file named by --key first")
    ] = False,
    retain: Annotated[
        list[str] | None, typer.Option(help=f"keep what PS3.15 removes; may repeat: {RETAIN}")
    ] = None,
    clean: Annotated[
        list[str] | None, typer.Option(help=f"clean instead of remove; may repeat: {CLEAN}")
    ] = None,
    blank: Annotated[
        list[str] | None,
        typer.Option(metavar="X,Y,W,H", help="rectangle to blacken in every image; may repeat"),
    ] = None,
    linkage: Annotated[
        Path | None,
        typer.Option(help="write who is who to this file, outside OUT; whoever has it can undo everything"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """De-identify DICOM files after PS3.15 Annex E (Basic Profile, with an allow-list on top).

    The same key gives a patient the same pseudonym in every run. Text drawn into the pictures is not removed:
    read the warnings and look at the images. Exit code 1 where a file could not be processed.
    """
    from vnvision.clinic.deidentify import deidentify_folder

    options = _options(retain, clean, blank)
    secret = _key(key, new_key, out)
    with show.bar("files", quiet=as_json) as progress:
        summary = deidentify_folder(source, out, options, secret, progress, linkage=linkage)
    _show(summary, options, as_json)
    for failure in summary.failures:
        print(f"{failure.source}: {failure.detail}", file=sys.stderr)
    if linkage:
        print(f"who is who: {linkage}; keep it apart from the output", file=sys.stderr)
    if summary.failures:
        raise typer.Exit(1)


def _show(summary: Summary, options: Options, as_json: bool) -> None:
    from vnvision.clinic.deidentify.looks import WARNINGS
    from vnvision.clinic.deidentify.report import public

    if as_json:
        print(json.dumps(public(summary, options) | {"out": summary.out}, ensure_ascii=False))
        return
    print(
        f"{len(summary.outcomes)} of {summary.files} files de-identified, {summary.patients} patients, "
        f"{summary.repeated} repeated, {len(summary.failures)} not processed"
    )
    for code, count in summary.warnings.items():
        english, vietnamese = WARNINGS[code]
        print(f"  {count} x {code}: {english} | {vietnamese}")
    print(f"wrote {summary.out} (report: deidentification.json, deidentification.csv)")


def _options(retain: list[str] | None, clean: list[str] | None, blank: list[str] | None) -> Options:
    from vnvision.clinic.deidentify.options import Clean, Options, Retain

    return Options(
        retain=frozenset(cast("list[Retain]", _known("--retain", retain, get_args(Retain)))),
        clean=frozenset(cast("list[Clean]", _known("--clean", clean, get_args(Clean)))),
        blank_px=tuple(_box(text) for text in blank or ()),
    )


def _known(option: str, chosen: list[str] | None, known: tuple[str, ...]) -> list[str]:
    from vnvision.errors import ConfigError

    for name in chosen or ():
        if name not in known:
            raise ConfigError(
                f"{option} {name} is unknown",
                expected=", ".join(known),
                vietnamese=f"không có lựa chọn {option} {name}; hãy dùng: {', '.join(known)}",
            )
    return chosen or []


def _box(text: str) -> tuple[int, int, int, int]:
    from vnvision.errors import ConfigError

    parts = text.split(",")
    if len(parts) != 4 or not all(part.strip().isascii() and part.strip().isdigit() for part in parts):
        raise ConfigError(
            "--blank is no rectangle",
            expected="X,Y,WIDTH,HEIGHT in pixels, such as 0,0,200,40",
            got=text,
            vietnamese="--blank phải ghi X,Y,RỘNG,CAO tính bằng điểm ảnh, ví dụ 0,0,200,40",
        )
    x, y, width, height = (int(part) for part in parts)
    return x, y, width, height


def _key(path: Path | None, new: bool, out: Path) -> bytes:
    from vnvision.errors import ConfigError
    from vnvision.imaging.dicom.pseudonym import KEY_VARIABLE, create_key_file, read_key

    if new and path is None:
        raise ConfigError(
            "--new-key needs a place for the key",
            expected="--key FILE",
            vietnamese="--new-key cần biết nơi cất khoá; hãy thêm --key TỆP",
        )
    if path is not None and out.resolve() in (path.resolve(), *path.resolve().parents):
        raise ConfigError(
            "the key would lie in the output folder",
            expected="a place outside it",
            got=str(path),
            vietnamese="khoá phải cất ngoài thư mục kết quả",
        )
    if new and path is not None:
        print(f"new key: {create_key_file(path)}; keep a copy: without it pseudonyms change", file=sys.stderr)
    secret = read_key(path)
    if secret is None:
        raise ConfigError(
            "no key for the pseudonyms",
            expected=f"--key FILE, or {KEY_VARIABLE}",
            fix="make one with --key FILE --new-key",
            vietnamese="thiếu khoá tạo mã thay tên; hãy tạo bằng --key TỆP --new-key",
        )
    return secret
