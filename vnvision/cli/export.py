"""``vnvision export RUN --target T --out DIR``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    run: Annotated[Path, typer.Argument(help="run folder")],
    target: Annotated[list[str] | None, typer.Option(help="onnx, openvino; may be repeated")] = None,
    out: Annotated[Path | None, typer.Option(help="bundle folder; default RUN/bundle")] = None,
    overwrite: Annotated[bool, typer.Option(help="replace an existing bundle")] = False,
) -> None:
    """Write a bundle whose every target was proven equal to the trained model."""
    from vnvision import api
    from vnvision.records import BundleManifest

    bundle = api.export(run, targets=target or ("onnx", "openvino"), out=out, overwrite=overwrite)
    manifest = BundleManifest.load(bundle / "manifest.json")
    print(f"bundle  {bundle}")
    for name, record in manifest.targets.items():
        figures = ", ".join(f"{key} {value:.3g}" for key, value in record.parity.items())
        print(f"  {name:<10}{record.file}  {record.precision}  {figures}")
