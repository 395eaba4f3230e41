"""Boxes as maps of object centres: what a detector is trained on."""

from __future__ import annotations

import math

import numpy as np

POSITIVE_RADIUS = 1  # cells around a centre whose box is learned too


def centre_maps(
    boxes_xyxy_px: np.ndarray, labels: np.ndarray, n_labels: int, size_px: tuple[int, int], stride_px: int
) -> np.ndarray:
    """Draw the training maps of one picture.

    A centre is a Gaussian of a third of the box's half sides (after Zhou et al. 2019, "Objects as Points",
    section 3, with the box's own aspect as in TTFNet, Liu et al. 2020), its peak exactly 1. Boxes are learned
    in the cells next to the centre, smaller boxes over larger ones.

    Args:
        boxes_xyxy_px: (N, 4), inside the picture.
        labels: (N,) label indices.
        n_labels: C.
        size_px: height and width of the picture.
        stride_px: pixels a cell.

    Returns:
        (C + 5, h, w) float32: heat, distances to the four sides in cells, weight of these.
    """
    height, width = math.ceil(size_px[0] / stride_px), math.ceil(size_px[1] / stride_px)
    maps = np.zeros((n_labels + 5, height, width), np.float32)
    boxes = np.asarray(boxes_xyxy_px, np.float64) / stride_px
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    for index in np.argsort(-area, kind="stable"):
        _draw(maps, boxes[index], int(labels[index]), n_labels)
    return maps


def _draw(maps: np.ndarray, box: np.ndarray, label: int, n_labels: int) -> None:
    height, width = maps.shape[1:]
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    column, row = min(max(int(x), 0), width - 1), min(max(int(y), 0), height - 1)
    sigma_x, sigma_y = max((box[2] - box[0]) / 6, 0.5), max((box[3] - box[1]) / 6, 0.5)
    bell = np.outer(
        np.exp(-0.5 * ((np.arange(height) - row) / sigma_y) ** 2),
        np.exp(-0.5 * ((np.arange(width) - column) / sigma_x) ** 2),
    )
    bell[bell < 1e-3] = 0
    np.maximum(maps[label], bell, out=maps[label])
    reach = POSITIVE_RADIUS if min(sigma_x, sigma_y) > 0.5 else 0
    for r in range(max(row - reach, 0), min(row + reach + 1, height)):
        for c in range(max(column - reach, 0), min(column + reach + 1, width)):
            sides = c + 0.5 - box[0], r + 0.5 - box[1], box[2] - c - 0.5, box[3] - r - 0.5
            if min(sides) > 0:
                maps[n_labels : n_labels + 4, r, c] = sides
                maps[n_labels + 4, r, c] = 1.0 if (r, c) == (row, column) else 0.3
