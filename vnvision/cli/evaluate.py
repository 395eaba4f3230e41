"""``vnvision eval RUN_OR_BUNDLE --data MANIFEST --split test --out DIR --json``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def evaluate(
    subject: Annotated[Path, typer.Argument(metavar="RUN_OR_BUNDLE", help="run folder or bundle folder")],
    data: Annotated[Path | None, typer.Option(help="manifest; a run knows its own")] = None,
    split: Annotated[str, typer.Option(help="rows to measure on")] = "test",
    out: Annotated[Path | None, typer.Option(help="folder for report.json and report.html")] = None,
    language: Annotated[str, typer.Option(help="vi or en")] = "en",
    as_json: Annotated[bool, typer.Option("--json", help="print the report as JSON")] = False,
) -> None:
    """Measure a run or a bundle on one split, with intervals."""
    from vnvision import api
    from vnvision.cli.show import bar, print_report
    from vnvision.errors import ConfigError

    if language not in ("vi", "en"):
        raise ConfigError("unknown language", expected="vi or en", got=language)
    chosen: Literal["vi", "en"] = "vi" if language == "vi" else "en"
    with bar("evaluating", quiet=as_json) as progress:
        report = api.evaluate(subject, data=data, split=split, out=out, language=chosen, progress=progress)
    if as_json:
        print(report.to_json())
        return
    print_report(report)
    if out is not None:
        print(f"report  {out / 'report.html'}")
