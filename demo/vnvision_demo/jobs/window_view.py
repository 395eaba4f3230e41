"""A decoded picture as levels, and what a window makes of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from vnvision.errors import ConfigError
from vnvision.imaging.depth import to_uint8
from vnvision.imaging.voi import window as windowed
from vnvision.records import Sample
from vnvision_demo.jobs.window_header import COLOUR, Facts, Preset, Told

Window = tuple[float, float]
_LEVELS = 65536
_RANGE = Preset("range", "Toàn dải", "Whole range")
_PICTURE = Preset("picture", "Theo ảnh", "As in this picture")


@dataclass(slots=True)
class View:
    """A picture that was decoded once.

    Attributes:
        facts: what may be shown beside it.
        presets: ways to show it, the file's own first.
        slider: least and greatest value that a window may be about.
        default: id of the preset to begin with.
    """

    facts: Facts
    presets: tuple[Preset, ...]
    slider: tuple[float, float]
    default: str
    levels: np.ndarray = field(repr=False)
    low: float = 0.0
    step: float = 1.0
    inverted: bool = False
    padding: tuple[float, float] | None = None
    whole: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    @property
    def bytes(self) -> int:
        """Held in memory."""
        return self.levels.nbytes + sum(image.nbytes for image in self.whole.values())

    def preset(self, name: str) -> Preset:
        """A preset by its id.

        Raises:
            ConfigError: there is none of that id.
        """
        for one in self.presets:
            if one.id == name:
                return one
        known = ", ".join(one.id for one in self.presets)
        raise ConfigError(
            "there is no such preset",
            expected=known,
            got=name[:40],
            vietnamese=f"không có chế độ hiển thị này; hãy chọn một trong: {known}",
        )


def of_colour(image: np.ndarray, facts: Facts) -> View:
    """Colour, which has no windows: 8 bits are enough."""
    return View(facts, (COLOUR,), (0.0, 255.0), COLOUR.id, to_uint8(image))


def of_picture(sample: Sample) -> View:
    """A picture that is no DICOM file; its levels are its units."""
    image = sample.image
    facts = Facts(str(sample.meta["format"]), (image.shape[0], image.shape[1]), bits=8 * image.itemsize)
    if image.shape[2] == 3:
        return of_colour(image, replace(facts, colour=True))
    top = float(np.iinfo(image.dtype).max)
    levels = np.ascontiguousarray(image[:, :, 0])
    held = (float(levels.min()), float(levels.max()))
    return View(facts, _ranges((0.0, top), held), (0.0, top), "range", levels)


def of_values(sample: Sample, told: Told) -> View:
    """The modality's values as 16-bit levels: whole numbers as they are, others in 65,536 steps."""
    values = sample.image[:, :, 0]
    finite = values if np.isfinite(values).all() else values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    whole = high - low < _LEVELS and bool((np.rint(finite) == finite).all())
    step = 1.0 if whole else (high - low) / (_LEVELS - 1)
    shifted = (np.nan_to_num(values, nan=low, posinf=high, neginf=low) - np.float32(low)) / np.float32(step)
    levels = np.clip(np.rint(shifted, out=shifted), 0, _LEVELS - 1, out=shifted).astype(np.uint16)
    padding = sample.meta.get("padding")
    held = _held(finite, padding) or (low, high)
    bounds = told.bounds or held
    presets = (*told.presets, *_ranges(bounds, held))
    slider = (min(bounds[0], low), max(bounds[1], high))
    return View(told.facts, presets, slider, presets[0].id, levels, low, step, told.inverted, _ends(padding))


def _held(values: np.ndarray, padding: object) -> tuple[float, float] | None:
    """Least and greatest value of the picture itself."""
    ends = _ends(padding)
    if ends is not None:
        values = values[(values < ends[0]) | (values > ends[1])]
    return (float(values.min()), float(values.max())) if values.size else None


def _ends(padding: object) -> tuple[float, float] | None:
    if not isinstance(padding, tuple | list) or len(padding) != 2:
        return None
    return float(min(padding)), float(max(padding))


def _ranges(bounds: Window, held: Window) -> tuple[Preset, Preset]:
    return replace(_RANGE, window=_window(bounds)), replace(_PICTURE, window=_window(held))


def _window(ends: tuple[float, float]) -> Window:
    """The linear window whose ramp begins at one value and ends at the other (PS3.3 C.11.2.1.2.1)."""
    width = max(1.0, ends[1] - ends[0] + 1)
    return (ends[0] + ends[1] + 1) / 2, width


def checked(window: tuple[float, ...]) -> Window:
    """Centre and width.

    Raises:
        ConfigError: they are none.
    """
    good = len(window) == 2 and all(np.isfinite(window)) and window[1] >= 1
    if not good:
        raise ConfigError(
            "a window is wrong",
            expected="centre and width, the width 1 or more",
            got=repr(window)[:60],
            vietnamese="cửa sổ không hợp lệ: cần tâm và độ rộng, độ rộng từ 1 trở lên",
        )
    return float(window[0]), float(window[1])


def shown(view: View, window: Window) -> np.ndarray:
    """(H, W) uint8 by a table of all levels."""
    count = 256 if view.levels.dtype == np.uint8 else _LEVELS
    values = view.low + view.step * np.arange(count)
    shown = windowed(values, window, (0.0, 255.0))
    table = np.rint(255.0 - shown if view.inverted else shown).astype(np.uint8)
    if view.padding is not None:
        half = view.step / 2 if view.step != 1.0 else 0.0
        table[(values >= view.padding[0] - half) & (values <= view.padding[1] + half)] = 0
    shown_levels: np.ndarray = table[view.levels]
    return shown_levels
