"""Pictures of a clinic under a window that follows the slider."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from vnvision.errors import ConfigError
from vnvision.imaging import read
from vnvision.imaging.depth import to_uint8
from vnvision.imaging.dicom import read_dicom
from vnvision.imaging.isolated import IsolatedReader
from vnvision.imaging.voi import window as windowed
from vnvision.records import Sample
from vnvision_demo.jobs.window_header import Facts, Preset, Told, read_header

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


class Viewer:
    """Decodes a picture once and shows it under any window.

    Holds decoded pictures up to a number of bytes, the last one used in any case. May be shared by threads.

    Args:
        reader: decodes files from strangers in processes of its own. DICOM is decoded there first, so that a
            file that breaks its decoder breaks it there, and then here for the values themselves.
        max_bytes: of decoded pictures.
        max_pixels: of one picture.
    """

    def __init__(
        self,
        reader: IsolatedReader | None = None,
        *,
        max_bytes: int = 256 << 20,
        max_pixels: int = 50_000_000,
    ) -> None:
        self._reader, self._max_bytes, self._max_pixels = reader, max_bytes, max_pixels
        self._kept: OrderedDict[tuple[str, int, int, int], View] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, path: str | Path, *, frame: int = 0) -> View:
        """Decode a picture, or take it from those that were decoded.

        Args:
            path: a DICOM file or any picture that ``vnvision.imaging.read`` takes.
            frame: of a DICOM file with several, from 0.

        Raises:
            DataError: as ``read`` and ``read_dicom``.
            MissingExtraError: a DICOM file, where pydicom or its codec is not installed.
        """
        key = self._key(Path(path), frame)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        view = self._decoded(str(path), frame)
        with self._lock:
            self._kept[key] = view
            self._kept.move_to_end(key)
            self._make_room()
        return view

    def preview(
        self,
        path: str | Path,
        window: Window | str | None = None,
        *,
        frame: int = 0,
        max_side: int | None = 1600,
    ) -> np.ndarray:
        """The picture as (h, w, 3) uint8 RGB.

        Args:
            path: as for ``open``.
            window: centre and width in the picture's units, a preset's id, or None for its default. Colour
                pictures have no windows and are shown as they are.
            frame: as for ``open``.
            max_side: the longer side at most; None keeps the picture's own size.

        Raises:
            ConfigError: an unknown preset, or a width below 1.
            DataError: as ``open``.
        """
        view = self.open(path, frame=frame)
        if view.facts.colour:
            return _sized(view.levels, max_side)
        asked = view.preset(window or view.default) if isinstance(window, str | None) else None
        chosen = asked.window if asked is not None else window
        if isinstance(chosen, tuple | list):
            grey = _shown(view, _checked(tuple(chosen)))
        else:
            assert asked is not None  # a preset without a window
            grey = self._as_stated(view, str(path), frame, asked)
        return np.asarray(cv2.cvtColor(_sized(grey, max_side), cv2.COLOR_GRAY2RGB))

    def under(self, view: View, window: Window, *, max_side: int | None = 1600) -> np.ndarray:
        """A picture that was opened before, (h, w, 3) uint8 RGB, under another window; its file may be gone.

        Raises:
            ConfigError: a width below 1.
        """
        if view.facts.colour:
            return _sized(view.levels, max_side)
        grey = _shown(view, _checked(tuple(window)))
        return np.asarray(cv2.cvtColor(_sized(grey, max_side), cv2.COLOR_GRAY2RGB))

    def forget(self, path: str | Path) -> None:
        """Let go of a picture that is to be deleted."""
        with self._lock:
            for key in [key for key in self._kept if key[0] == str(path)]:
                del self._kept[key]

    def clear(self) -> None:
        """Let go of all pictures."""
        with self._lock:
            self._kept.clear()

    def _key(self, path: Path, frame: int) -> tuple[str, int, int, int]:
        try:
            info = path.stat()
        except (OSError, ValueError):
            return str(path), 0, 0, frame  # reading it says what is wrong
        return str(path), info.st_mtime_ns, info.st_size, frame

    def _decoded(self, path: str, frame: int) -> View:
        load = self._reader.read if self._reader is not None else read
        sample = load(path, max_pixels=self._max_pixels)
        if sample.meta["format"] != "DICOM":
            return _of_picture(sample)
        told = read_header(path, frame, self._max_pixels)
        if told.facts.colour:
            if frame:
                sample = read_dicom(path, frame=frame, max_pixels=self._max_pixels)
            return View(told.facts, told.presets, (0.0, 255.0), "colour", to_uint8(sample.image))
        sample = read_dicom(path, frame=frame, voi="none", max_pixels=self._max_pixels)
        return _of_values(sample, told)

    def _as_stated(self, view: View, path: str, frame: int, preset: Preset) -> np.ndarray:
        """A view of the file's that is no linear window, as ``read_dicom`` shows it; made once."""
        if preset.id not in view.whole:
            sample = read_dicom(path, frame=frame, voi_index=preset.index or 0, max_pixels=self._max_pixels)
            with self._lock:
                view.whole[preset.id] = to_uint8(sample.image)
                self._make_room()
        return view.whole[preset.id]

    def _make_room(self) -> None:
        while len(self._kept) > 1 and sum(view.bytes for view in self._kept.values()) > self._max_bytes:
            self._kept.popitem(last=False)


def _of_picture(sample: Sample) -> View:
    image = sample.image
    facts = Facts(str(sample.meta["format"]), (image.shape[0], image.shape[1]), bits=8 * image.itemsize)
    if image.shape[2] == 3:
        colour = Preset("colour", "Màu gốc", "Colour")
        return View(replace(facts, colour=True), (colour,), (0.0, 255.0), "colour", to_uint8(image))
    top = float(np.iinfo(image.dtype).max)
    levels = np.ascontiguousarray(image[:, :, 0])
    held = (float(levels.min()), float(levels.max()))
    return View(facts, _ranges((0.0, top), held), (0.0, top), "range", levels)


def _of_values(sample: Sample, told: Told) -> View:
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


def _checked(window: tuple[float, ...]) -> Window:
    good = len(window) == 2 and all(np.isfinite(window)) and window[1] >= 1
    if not good:
        raise ConfigError(
            "a window is wrong",
            expected="centre and width, the width 1 or more",
            got=repr(window)[:60],
            vietnamese="cửa sổ không hợp lệ: cần tâm và độ rộng, độ rộng từ 1 trở lên",
        )
    return float(window[0]), float(window[1])


def _shown(view: View, window: Window) -> np.ndarray:
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


def _sized(image: np.ndarray, max_side: int | None) -> np.ndarray:
    factor = 1.0 if max_side is None else max_side / max(image.shape[:2])
    if factor >= 1:
        return image
    size = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
