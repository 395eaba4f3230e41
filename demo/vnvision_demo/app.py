"""The demo as one ASGI application."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from vnvision_demo.settings import Settings
from vnvision_demo.station import Station

if TYPE_CHECKING:
    from fastapi import FastAPI
    from gradio.routes import App


def application(settings: Settings) -> tuple[ASGIApp, Station]:
    """Gradio behind the door, and the station to close when it ends.

    Args:
        settings: how to serve.
    """
    station = Station(settings)
    os.environ["GRADIO_TEMP_DIR"] = str(station.uploads.root)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"

    import gradio as gr
    from fastapi import FastAPI

    from vnvision_demo import page, theme
    from vnvision_demo.door.door import Door
    from vnvision_demo.lean import Lean

    # Gradio warns of a mode that is off here.
    warnings.filterwarnings("ignore", message="SSR mode is not supported", category=UserWarning)
    inner = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    gr.mount_gradio_app(
        inner,
        page.blocks(station),
        path="/",
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=settings.file_bytes,
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        theme=theme.theme(),
        css=theme.css(),
    )
    station.start()
    return Door(inner, station, Lean(_gradio_of(inner))), station


def _gradio_of(inner: FastAPI) -> App:
    """Gradio's application, as it was mounted."""
    from gradio.routes import App

    (found,) = [one for route in inner.routes if isinstance(one := getattr(route, "app", None), App)]
    return found
