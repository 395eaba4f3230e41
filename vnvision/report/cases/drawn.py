"""The picture and the answer drawn over it, made anew as small JPEGs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from io import BytesIO

import cv2
import numpy as np

from vnvision.errors import DataError
from vnvision.imaging import overlay as overlays
from vnvision.imaging.depth import to_uint8
from vnvision.imaging.voi import window
from vnvision.records import DetectionPrediction, MaskPrediction
from vnvision.spec import PreprocessSpec

SIDE_PX, SMALL_PX, THUMBNAIL_PX = 900, 420, 160
_QUALITY, _THUMBNAIL_QUALITY = 86, 78
# Warm ones first: they stand out on leaves and on stained slides.
COLOURS = tuple("#{:02x}{:02x}{:02x}".format(*overlays.COLOURS[i]) for i in (5, 1, 3, 6, 2, 0, 4))
HEAT_SCALE = ("#420a68", "#932667", "#dd513a", "#fca50a", "#fcffa4")
"""Stops of the overlay's colours (inferno, without its black end), from little to much."""


def colours_of(label_ids: Sequence[str], first: Sequence[str] = ()) -> dict[str, str]:
    """A colour for each label; the warmest for those that the answer is about, ``first``.

    After seven they repeat.
    """
    order = sorted(range(len(label_ids)), key=lambda i: (label_ids[i] not in first, i))
    return {label_ids[i]: COLOURS[rank % len(COLOURS)] for rank, i in enumerate(order)}


def visible(image: np.ndarray, spec: PreprocessSpec) -> np.ndarray:
    """Any image a model takes as (H, W, 3) uint8 RGB for people, its longer side ``SMALL_PX`` to ``SIDE_PX``.

    Args:
        image: (H, W, 1) grey or (H, W, 3) RGB: uint8, uint16, or float32 in the model's input range.
        spec: the model's preprocessing, for the window and the range.

    Raises:
        DataError: another shape or type.
    """
    if image.ndim != 3 or image.shape[2] not in (1, 3) or 0 in image.shape:
        raise DataError(
            "this picture cannot be shown", expected="(H, W, 1) or (H, W, 3)", got=str(image.shape)
        )
    factor = min(1.0, SIDE_PX / max(image.shape[:2]))
    if factor < 1:
        size = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    image = _levels(image.reshape(*image.shape[:2], -1), spec)
    image = np.ascontiguousarray(np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image)
    if max(image.shape[:2]) < SMALL_PX:  # so that lines drawn over it stay thin
        times = -(-SMALL_PX // max(image.shape[:2]))
        size = image.shape[1] * times, image.shape[0] * times
        image = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
    return image


def _levels(image: np.ndarray, spec: PreprocessSpec) -> np.ndarray:
    """Levels as uint8: through the model's window where it has one, else the whole range of the type."""
    if spec.voi_window is not None and image.dtype != np.uint8:
        return np.rint(window(image, spec.voi_window, (0.0, 255.0))).astype(np.uint8)
    if image.dtype in (np.uint8, np.uint16):
        return to_uint8(image)
    if image.dtype != np.float32 or not np.isfinite(image).all():
        raise DataError(
            "this picture cannot be shown", expected="finite uint8, uint16 or float32", got=str(image.dtype)
        )
    low, high = spec.input_range
    return np.rint(np.clip((image - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def with_heat(picture: np.ndarray, heatmap: np.ndarray) -> np.ndarray:
    """A heatmap (H, W) of 0 to 1 over a picture (h, w, 3) of any size; where it is 0 nothing changes.

    Raises:
        DataError: the map is not one plane of numbers.
    """
    if heatmap.ndim != 2 or 0 in heatmap.shape or not np.isfinite(heatmap).all():
        raise DataError("the heatmap is wrong", expected="(H, W) of finite numbers", got=str(heatmap.shape))
    size = (picture.shape[1], picture.shape[0])
    how = cv2.INTER_AREA if heatmap.shape[1] > size[0] else cv2.INTER_LINEAR
    heat = np.clip(cv2.resize(heatmap.astype(np.float32), size, interpolation=how), 0, 1)
    return overlays.overlay(picture, heat)


def with_mask(
    picture: np.ndarray, answer: MaskPrediction, colours: Mapping[int, str], tinted: Collection[int]
) -> np.ndarray:
    """Areas outlined in their label's colour.

    Args:
        picture: (h, w, 3).
        answer: a mask of the picture's proportions, at its own size.
        colours: label indices to draw, and their colours.
        tinted: those to tint as well, so that what the answer is about stands out.
    """
    size = (picture.shape[1], picture.shape[0])
    mask = cv2.resize(answer.mask(), size, interpolation=cv2.INTER_NEAREST)
    table = [_rgb(colours.get(index, "#000000")) for index in range(1, 256)]
    about, drawn = np.isin(mask, list(tinted)), np.isin(mask, list(colours))
    rims = np.where(drawn & ~about, mask, 0).astype(np.uint8)
    areas = np.where(drawn & about, mask, 0).astype(np.uint8)
    outlined = overlays.overlay_mask(picture, rims, 0.0, table)
    return overlays.overlay_mask(outlined, areas, colours=table)


def with_boxes(
    picture: np.ndarray, answer: DetectionPrediction, colours: Mapping[str, str], size_px: tuple[int, int]
) -> np.ndarray:
    """Boxes outlined in their label's colour, over a dark rim so that they show on any ground.

    Args:
        picture: (h, w, 3).
        answer: boxes in pixels of the picture as read.
        colours: of each label.
        size_px: height and width of the picture as read.
    """
    drawn, thick = picture.copy(), _line_px(picture)
    scale = np.array([picture.shape[1] / size_px[1], picture.shape[0] / size_px[0]] * 2)
    for rim, width in ((True, thick + 2), (False, thick)):
        for box in answer.boxes:
            x0, y0, x1, y1 = np.rint(np.array(box.box_xyxy_px) * scale).astype(int).tolist()
            ink = (20, 20, 20) if rim else _rgb(colours[box.label])
            cv2.rectangle(drawn, (x0, y0), (x1 - 1, y1 - 1), ink, width)
    return drawn


def jpeg(picture: np.ndarray) -> bytes:
    """(h, w, 3) uint8 as a JPEG that holds pixels and nothing else."""
    return _encoded(picture, _QUALITY)


def thumbnail(picture: np.ndarray) -> bytes:
    """The same, small: whole, no side over ``THUMBNAIL_PX``."""
    factor = min(1.0, THUMBNAIL_PX / max(picture.shape[:2]))
    size = max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor))
    return _encoded(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), _THUMBNAIL_QUALITY)


def _encoded(picture: np.ndarray, quality: int) -> bytes:
    from PIL import Image

    stream = BytesIO()
    Image.fromarray(picture).save(stream, format="JPEG", quality=quality, optimize=True)
    return stream.getvalue()


def _line_px(picture: np.ndarray) -> int:
    return max(1, round(max(picture.shape[:2]) / 300))


def _rgb(text: str) -> tuple[int, int, int]:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)
