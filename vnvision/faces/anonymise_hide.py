"""Heads in a picture made unrecognisable: the pixels of it, no files."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Literal, get_args

import cv2
import numpy as np

from vnvision.errors import ConfigError, DataError
from vnvision.faces.quality.regions import HEAD_CENTRE, HEAD_HALF
from vnvision.imaging.align import similarity, template
from vnvision.records import Face

Method = Literal["blur", "pixelate", "fill"]
METHODS: tuple[Method, ...] = get_args(Method)

# Across the shorter side of the head's box, some two thirds of it over the face. Chosen on half of the people
# of asianfaces_dev (crc32 of the identity even), so that nobody is told apart and the detector sees no face
# any more: training/benchmarks/face_anonymise.py.
CELLS = MappingProxyType[Method, int]({"blur": 4, "pixelate": 6, "fill": 1})
_BLUR = 0.7  # standard deviation over the side of a cell
_MARGIN = 1.2  # of the head's ellipse
# Of a detector's box, which ends at brows and chin: an ellipse that holds its corners, and more above.
_BOX_WIDER, _BOX_TALLER, _BOX_UP = 1.45, 1.6, 0.06
_STEPS = 72


def hide_faces(
    image: np.ndarray, faces: Sequence[Face], method: Method = "blur", *, cells: int | None = None
) -> np.ndarray:
    """A picture with every head hidden; outside of the heads every pixel stays as it is.

    What was there is thrown away, not only mixed: ``blur`` and ``pixelate`` keep the mean colours of
    ``cells`` squares across the head and draw them anew, smooth or as squares; ``fill`` keeps nothing.

    Args:
        image: (H, W, C) uint8 or uint16.
        faces: found in it.
        method: ``blur``, ``pixelate`` or ``fill``.
        cells: squares across the shorter side of a head's box, the part beyond the picture's edge counted;
            None takes ``CELLS``.

    Returns:
        (H, W, C), of its own memory, the same dtype.

    Raises:
        ConfigError: another method, or fewer than 1 cell.
        DataError: another shape or dtype.
    """
    _refuse_others(image, method, cells)
    out, count = image.copy(), CELLS[method] if cells is None else cells
    for face in faces:
        outlines = _outlines(face, (image.shape[0], image.shape[1]))
        mask = _painted(outlines, (image.shape[0], image.shape[1]))
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not len(rows):
            continue
        box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        inside = mask[box]
        out[box][inside] = _drawn(out[box], method, count, _extent(outlines))[inside]
    return out


def _refuse_others(image: np.ndarray, method: Method, cells: int | None) -> None:
    if method not in METHODS or (cells is not None and cells < 1):
        raise ConfigError(
            "faces cannot be hidden this way",
            expected=f"{', '.join(METHODS)}; 1 cell or more",
            got=f"{method}, {cells}",
            vietnamese=f"không có cách che {method!r}; hãy chọn {', '.join(METHODS)}",
        )
    if image.ndim != 3 or image.dtype not in (np.uint8, np.uint16) or not image.size:
        raise DataError(
            "faces cannot be hidden in this array",
            expected="(H, W, C) uint8 or uint16",
            got=f"{image.shape} {image.dtype}",
        )


def head_mask(face: Face, size_px: tuple[int, int]) -> np.ndarray:
    """(H, W) bool, where a face's head is: hair, ears, chin and a margin, all of the detector's box.

    Two ellipses: that of a head placed by the landmarks, which turns with it, and one over the widened box,
    which holds where the landmarks are wrong, as in profiles. Where they span no face the whole widened
    box is taken.

    Args:
        face: found in a picture of this size.
        size_px: height and width of the picture.
    """
    return _painted(_outlines(face, size_px), size_px)


def _outlines(face: Face, size_px: tuple[int, int]) -> list[np.ndarray]:
    """Polygons that hold the head, (N, 2) int32 each; they may leave the picture."""
    x0, y0, x1, y1 = face.box_xyxy_px
    width, height = x1 - x0, y1 - y0
    middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2 - _BOX_UP * height])
    half = np.array([_BOX_WIDER * width, _BOX_TALLER * height]) / 2
    try:
        to_crop = similarity(np.asarray(face.landmarks_px, np.float64), template())
        places = _circle() * np.array(HEAD_HALF) * _MARGIN + np.array(HEAD_CENTRE)
        back = np.linalg.inv(to_crop[:, :2])
        found = [(places - to_crop[:, 2]) @ back.T, middle + _circle() * half]
    except (DataError, np.linalg.LinAlgError):
        found = [middle + half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])]
    limit = 4.0 * max(size_px)  # OpenCV takes 16-bit shifts of whole numbers
    return [np.rint(np.clip(outline, -limit, limit)).astype(np.int32) for outline in found]


def _painted(outlines: Sequence[np.ndarray], size_px: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(size_px, np.uint8)
    for outline in outlines:
        cv2.fillPoly(mask, [outline], 1)
    return mask.astype(bool)


def _extent(outlines: Sequence[np.ndarray]) -> tuple[int, int]:
    """Width and height of the whole head in pixels, those beyond the picture too."""
    width, height = np.ptp(np.concatenate(outlines), axis=0) + 1
    return int(width), int(height)


def _circle() -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, _STEPS, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _drawn(part: np.ndarray, method: Method, cells: int, whole: tuple[int, int]) -> np.ndarray:
    """(h, w, C): the visible box as it is drawn anew, in cells no smaller than those of the whole head.

    Args:
        part: what of the head's box lies in the picture.
        method: one of ``METHODS``.
        cells: across the shorter side of the whole head.
        whole: width and height of the whole head in pixels.
    """
    height, width = part.shape[:2]
    if method == "fill":
        return np.full_like(part, np.iinfo(part.dtype).max // 2)
    short = min(whole)
    size = _whole_cells(width, whole[0], cells, short), _whole_cells(height, whole[1], cells, short)
    few = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    if method == "pixelate":
        big = cv2.resize(few, (width, height), interpolation=cv2.INTER_NEAREST)
    else:
        big = cv2.resize(few, (width, height), interpolation=cv2.INTER_LINEAR)
        if size != (1, 1):  # one colour stays one
            big = cv2.GaussianBlur(big, (0, 0), max(0.5, _BLUR * short / cells))
    drawn: np.ndarray = big.reshape(part.shape)
    return drawn


def _whole_cells(visible: int, extent: int, cells: int, short: int) -> int:
    """How many cells of the whole head fit into the visible side; 1 where not even one does."""
    across = round(cells * extent / short)
    return max(1, min(visible, across * visible // extent))
