"""Measures, colours and small shapes of the PDF pages, and what they need to be made at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vnvision.errors import DataError, MissingExtraError
from vnvision.report.faces.pdf import register_fonts
from vnvision.report.faces.pdf_drawing import ACCENT, QUIET

WIDTH = 523.0
"""Points between the margins of A4."""

CAUTION_BACK, CAUTION_LINE, CAUTION_INK = "#fdf1d8", "#e3b65a", "#5c3d00"
NOTE_BACK, NOTE_LINE, NOTE_INK = "#e6e8f7", "#8d93cf", "#2b2f6b"
SIZES = {  # points: size, leading, space before
    "text": (9.2, 12.2, 1.5),
    "small": (7.6, 9.8, 0),
    "kind": (8.8, 11, 0),
    "name": (16, 19.5, 0),
    "h2": (10.6, 13.5, 6),
    "h3": (9.2, 12, 2),
    "big": (20, 24, 0),
    "words": (12, 15.5, 0),
    "tile": (17, 21, 0),
    "strong": (9.2, 12.2, 2),
    "notice": (10.5, 13.5, 0),
}
IN_BOLD = {"kind", "name", "h2", "h3", "big", "words", "tile", "notice", "strong"}
INKS = {"small": QUIET, "kind": ACCENT, "big": ACCENT, "h3": ACCENT}


def ready() -> None:
    """Load reportlab and the fonts.

    Raises:
        MissingExtraError: reportlab is not installed.
        DataError: the fonts that ship with vnvision are not there.
    """
    try:
        import reportlab.platypus  # noqa: F401
    except ImportError as exc:
        raise MissingExtraError("reportlab", "eval") from exc
    try:
        register_fonts()
    except OSError as exc:
        raise DataError(
            "the font of the PDF pages cannot be read",
            got=exc.strerror or str(exc),
            fix="install vnvision again",
            vietnamese="không đọc được phông chữ của trang PDF; hãy cài lại vnvision",
        ) from exc


def strip(parts: Sequence[tuple[float, float, str]], width: float, height: float) -> Any:
    """Coloured parts of a strip: start and length as shares of its width, colour as ``#rrggbb``."""
    from reportlab.graphics.shapes import Drawing, Rect
    from reportlab.lib.colors import HexColor

    drawing = Drawing(width, height)
    for start, length, colour in parts:
        if length > 0:
            drawing.add(
                Rect(start * width, 0, length * width, height, fillColor=HexColor(colour), strokeColor=None)
            )
    return drawing


def height_of(story: Sequence[Any]) -> float:
    """Points that flowables take, one below the other."""
    total = 0.0
    for flow in story:
        total += flow.wrap(WIDTH, 10_000)[1] + flow.getSpaceBefore() + flow.getSpaceAfter()
    return total
