"""``vnvision demo``: the web page for clinics and farms."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer


def demo(
    host: Annotated[str, typer.Option(help="where to listen; 0.0.0.0 for the local network")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one")] = 7860,
    auth: Annotated[
        list[str] | None, typer.Option(metavar="NAME:PASSWORD", help="let in only these; may be repeated")
    ] = None,
    auth_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="the same, a line each, out of sight of other users")
    ] = None,
    https: Annotated[
        bool,
        typer.Option(
            "--https", help="encrypted, with a certificate made here; phones need it for the camera"
        ),
    ] = False,
    certificate: Annotated[
        Path | None, typer.Option(help="with --https: your own certificate (PEM) instead of one made here")
    ] = None,
    private_key: Annotated[Path | None, typer.Option(help="with --certificate: its key (PEM)")] = None,
    name: Annotated[
        list[str] | None, typer.Option(help="a further host name that the page is asked for by")
    ] = None,
    max_mb: Annotated[int, typer.Option(min=1, help="largest file that may be sent")] = 50,
    workers: Annotated[int, typer.Option(min=1, help="pictures answered at a time")] = 2,
    gallery: Annotated[Path | None, typer.Option(help="file of enrolled faces; default: your own")] = None,
) -> None:
    """Open the web page for clinics and farms. Everything stays on this machine."""
    from vnvision.errors import MissingExtraError

    if importlib.util.find_spec("gradio") is None:
        raise MissingExtraError("gradio", "demo")
    from vnvision_demo.start import start

    start(
        host=host,
        port=port,
        auth=auth or [],
        auth_file=auth_file,
        https=https,
        certificate=certificate,
        private_key=private_key,
        names=name or [],
        max_mb=max_mb,
        workers=workers,
        gallery=gallery,
    )
