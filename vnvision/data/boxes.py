"""Boxes as a manifest's cell: ``WBC 260 177 491 376; RBC 78 336 184 435``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vnvision.data.rows import Row
from vnvision.errors import DataError

COLUMN, NOTHING = "boxes", "none"


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """The objects of one picture.

    Attributes:
        labels: N label ids.
        boxes_xyxy_px: (N, 4) float32: left, top, right, bottom in pixels of the picture as read.
    """

    labels: tuple[str, ...]
    boxes_xyxy_px: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def parse_boxes(cell: str) -> Boxes | None:
    """Read a cell; empty gives None (unknown), ``none`` gives no boxes (known to hold nothing).

    Raises:
        DataError: something that is not ``label xmin ymin xmax ymax``, or a box without area.
    """
    cell = cell.strip()
    if not cell:
        return None
    labels, corners = [], []
    for item in () if cell == NOTHING else filter(None, (part.strip() for part in cell.split(";"))):
        label, *numbers = item.split()
        try:
            box = [float(number) for number in numbers]
        except ValueError:
            box = []
        if len(box) != 4 or not all(map(math.isfinite, box)) or box[2] <= box[0] or box[3] <= box[1]:
            raise DataError(
                "a box is wrong",
                expected="label xmin ymin xmax ymax with xmin < xmax, ymin < ymax",
                got=item[:80],
            )
        labels.append(label)
        corners.append(box)
    return Boxes(tuple(labels), np.array(corners, dtype=np.float32).reshape(-1, 4))


def format_boxes(labels: Sequence[str], boxes_xyxy_px: np.ndarray) -> str:
    """The cell of some boxes; ``none`` where there are none.

    Raises:
        DataError: a label that a cell cannot hold.
    """
    bad = sorted({label for label in labels if not label or ";" in label or label.split() != [label]})
    if bad:
        raise DataError(
            "a label cannot stand in a boxes cell", expected="no space and no ';'", got=repr(bad[0])
        )
    items = (
        f"{label} {' '.join(f'{float(side):g}' for side in box)}"
        for label, box in zip(labels, boxes_xyxy_px, strict=True)
    )
    return "; ".join(items) or NOTHING


def row_boxes(row: Row, where: str) -> Boxes | None:
    """The boxes of a manifest's row.

    Raises:
        DataError: as ``parse_boxes``, naming ``where`` and the row.
    """
    try:
        return parse_boxes(row.extra.get(COLUMN, ""))
    except DataError as exc:
        raise DataError(f"{where}: row {row.line}: {exc}") from exc
