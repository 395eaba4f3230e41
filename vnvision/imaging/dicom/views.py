"""Values of interest: the header's tables and windows, or the caller's, as one function to 0..1."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from vnvision.errors import ConfigError, DataError
from vnvision.imaging import voi as windows
from vnvision.imaging.dicom import groups, lut
from vnvision.imaging.dicom.elements import Elements
from vnvision.imaging.dicom.lut import Lut

KEYWORDS = ("VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction")
FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
Request = Literal["header", "none"] | tuple[float, float]


@dataclass(frozen=True, slots=True)
class Voi:
    """A function from the modality's values to the share of the display range, 0 to 1.

    Attributes:
        share: the function; float64 of any shape.
        used: what it is, for ``meta["voi"]``.
        changes: it is more than the whole range from one end to the other.
    """

    share: Callable[[np.ndarray], np.ndarray]
    used: dict[str, Any] = field(default_factory=dict)
    changes: bool = True

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """The share of each value."""
        return self.share(values)


def check_request(request: Any, index: Any) -> None:
    """Refuse a ``voi`` that is none.

    Raises:
        ConfigError: naming what may be asked for.
    """
    if type(index) is not int or index < 0:
        raise ConfigError("voi_index", expected="0 or more", got=repr(index)[:40])
    if request in ("header", "none"):
        return
    pair = isinstance(request, tuple | list) and len(request) == 2
    if not pair or not all(isinstance(part, int | float) and math.isfinite(part) for part in request):
        raise ConfigError("voi", expected="'header', 'none' or (centre, width)", got=repr(request)[:60])
    if request[1] < 1:
        raise ConfigError("voi", expected="a width of 1 or more", got=str(request[1]))


def whole(bounds: tuple[float, float]) -> Voi:
    """All the values the header allows, from one end to the other."""
    low, high = bounds
    span = high - low or 1.0
    used = {"kind": "range", "low": low, "high": high}
    return Voi(lambda values: np.clip((values - low) / span, 0.0, 1.0), used, False)


def window(centre: float, width: float, function: str) -> Voi:
    """A window (PS3.3 C.11.2.1.2.1 LINEAR, C.11.2.1.3.1 SIGMOID, C.11.2.1.3.2 LINEAR_EXACT)."""
    used = {"kind": function, "centre": centre, "width": width}
    if function == "LINEAR":
        return Voi(lambda values: windows.window(values, (centre, width), (0.0, 1.0)), used)
    if function == "LINEAR_EXACT":
        return Voi(lambda values: np.clip((values - centre) / width + 0.5, 0.0, 1.0), used)

    def sigmoid(values: np.ndarray) -> np.ndarray:
        shown: np.ndarray = 1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - centre) / width, -700.0, 700.0)))
        return shown

    return Voi(sigmoid, used)


def from_table(table: Lut) -> Voi:
    """A VOI LUT."""
    return Voi(lambda values: table(values) / table.top, {"kind": "LUT"})


def from_header(elements: Elements, frame: int, index: int) -> Voi | None:
    """One of the header's views: its tables first, then its windows; None where it has none.

    Where a frame has its own window (Frame VOI LUT), that one counts.

    Raises:
        DataError: a wrong table or window, or fewer views than ``index`` asks for.
    """
    wanted = ("WindowCenter", "WindowWidth")
    tables = elements.items("VOILUTSequence")
    home = groups.holding(elements, frame, "FrameVOILUTSequence", *wanted)
    centres, widths = (home.numbers(name) for name in wanted)
    pairs = list(zip(centres, widths, strict=False))
    count = len(tables) + len(pairs)
    if index >= max(count, 1):
        raise DataError(f"{elements.name} has no view {index}", expected=f"voi_index below {count}")
    if index < len(tables):
        return from_table(lut.table(tables[index]))
    if not pairs:
        return None
    (centre, width), function = pairs[index - len(tables)], home.code("VOILUTFunction") or "LINEAR"
    if function not in FUNCTIONS:
        raise home.wrong("VOILUTFunction", ", ".join(FUNCTIONS), function)
    least = "1 or more" if function == "LINEAR" else "more than 0"
    if width <= 0 or (function == "LINEAR" and width < 1):
        problem = f"{elements.name}: WindowWidth of a {function} window"
        fix = "give voi=(centre, width), or voi='none'"
        raise DataError(problem, expected=least, got=str(width), fix=fix)
    return window(centre, width, function)
