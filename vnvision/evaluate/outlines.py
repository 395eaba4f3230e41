"""Shapes on a picture as one line of text, so that a report can draw them without the model or the mask.

``WBC 260 177 491 376; RBC 78 336 184 435``: a label (percent-encoded where it holds a space or a semicolon)
and four sides of a box, as in a manifest's boxes, or six numbers and more for the corners of a polygon. In
pixels of the picture as read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

import cv2
import numpy as np

from vnvision.records import Detections

_FINENESS = 300
_MOST = 80


@dataclass(frozen=True, slots=True)
class Shape:
    """A label and the corners (x, y) of its outline, closed."""

    label: str
    points: tuple[tuple[float, float], ...]


def mask_outlines(mask: np.ndarray, label_ids: Sequence[str]) -> str:
    """Outlines of every label but the first in a mask (H, W), the ``_MOST`` largest; holes are outlines too.

    Corners are rounded to a 300th of the picture's longer side: right for a look, not for measuring.
    """
    tolerance = max(mask.shape) / _FINENESS
    found: list[tuple[float, str]] = []
    for index, label in enumerate(label_ids[1:], 1):
        part = (mask == index).astype(np.uint8)
        for contour in cv2.findContours(part, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]:
            corners = cv2.approxPolyDP(contour, tolerance, True)[:, 0]
            if len(corners) < 3:
                x, y, wide, tall = cv2.boundingRect(contour)
                corners = np.array([(x, y), (x + wide, y), (x + wide, y + tall), (x, y + tall)])
            found.append((cv2.contourArea(contour), _line(label, corners.ravel())))
    found.sort(key=lambda item: -item[0])
    return "; ".join(text for _, text in found[:_MOST])


def box_outlines(boxes: Detections, label_ids: Sequence[str]) -> str:
    """Boxes, best first."""
    pairs = zip(boxes.boxes_xyxy_px, boxes.labels.tolist(), strict=True)
    return "; ".join(_line(label_ids[label], np.round(sides, 1)) for sides, label in pairs)


def _line(label: str, numbers: np.ndarray) -> str:
    return f"{quote(label)} {' '.join(f'{float(number):g}' for number in numbers)}"


def parse_outlines(text: str) -> tuple[Shape, ...] | None:
    """Shapes of such a line; None where it is something else."""
    shapes = []
    for item in filter(None, (part.strip() for part in text.split(";"))):
        label, *words = item.split()
        try:
            numbers = [float(word) for word in words]
        except ValueError:
            return None
        if len(numbers) == 4:
            x0, y0, x1, y1 = numbers
            numbers = [x0, y0, x1, y0, x1, y1, x0, y1]
        if len(numbers) < 6 or len(numbers) % 2:
            return None
        shapes.append(Shape(unquote(label), tuple(zip(numbers[::2], numbers[1::2], strict=True))))
    return tuple(shapes)
