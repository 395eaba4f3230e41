"""Pictures of a clinic under a window that follows the slider."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np

from vnvision.imaging import read
from vnvision.imaging.depth import to_uint8
from vnvision.imaging.dicom import read_dicom
from vnvision.imaging.isolated import IsolatedReader
from vnvision_demo.jobs.window_header import Preset, read_header
from vnvision_demo.jobs.window_view import View, checked, of_colour, of_picture, of_values, shown

Window = tuple[float, float]


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
            return _sized(view.levels, max_side).copy()  # what is kept stays as it is
        asked = view.preset(window or view.default) if isinstance(window, str | None) else None
        chosen = asked.window if asked is not None else window
        if isinstance(chosen, tuple | list):
            grey = shown(view, checked(tuple(chosen)))
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
            return _sized(view.levels, max_side).copy()
        grey = shown(view, checked(tuple(window)))
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
            return of_picture(sample)
        told = read_header(path, frame, self._max_pixels)
        if told.facts.colour:
            if frame:
                sample = read_dicom(path, frame=frame, max_pixels=self._max_pixels)
            return of_colour(sample.image, told.facts)
        sample = read_dicom(path, frame=frame, voi="none", max_pixels=self._max_pixels)
        return of_values(sample, told)

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


def _sized(image: np.ndarray, max_side: int | None) -> np.ndarray:
    factor = 1.0 if max_side is None else max_side / max(image.shape[:2])
    if factor >= 1:
        return image
    size = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
