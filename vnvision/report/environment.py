"""The Jinja environment of every page."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from vnvision.errors import MissingExtraError

SHARED = resources.files("vnvision.report") / "templates"


def page_environment(own: Traversable = SHARED) -> Any:
    """Templates of a folder, and the shared ones that they include.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, FunctionLoader, StrictUndefined
    except ImportError as exc:
        raise MissingExtraError("jinja2", "eval") from exc

    def load(name: str) -> str:
        file = own / name
        return (file if file.is_file() else SHARED / name).read_text("utf-8")

    return Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(load),
    )
