"""Heatmap, regions and boxes over the picture, so that the picture stays readable."""

from __future__ import annotations

import cv2
import numpy as np

from vnvision.clinic.results.context import Region
from vnvision.clinic.results.lettering import Colour
from vnvision.records import Box

HEAT_OPACITY, REGION_OPACITY = 0.55, 0.35
# Okabe and Ito's colours: told apart by people with any common colour vision.
_LABEL_COLOURS: tuple[Colour, ...] = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0),
    (204, 121, 167),
)  # fmt: skip


def label_colour(index: int) -> Colour:
    """The colour of a label or segment, from 0; after seven they repeat."""
    return _LABEL_COLOURS[index % len(_LABEL_COLOURS)]


def heat_colours(heat: np.ndarray) -> np.ndarray:
    """(H, W) 0..1 to (H, W, 3) uint8 RGB: dark to yellow, brighter is more (viridis' sibling inferno)."""
    levels = np.clip(np.rint(255 * heat), 0, 255).astype(np.uint8)
    colours: np.ndarray = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    return colours


def draw_heat(picture: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """The heatmap over an (H, W, 3) uint8 picture; where it is 0 the picture is untouched."""
    opacity = (HEAT_OPACITY * np.clip(heat, 0, 1))[..., np.newaxis]
    mixed = (1 - opacity) * picture + opacity * heat_colours(heat)
    shown: np.ndarray = np.rint(mixed).astype(np.uint8)
    return shown


def draw_regions(picture: np.ndarray, regions: tuple[Region, ...]) -> np.ndarray:
    """Each region tinted and outlined."""
    shown = picture.copy()
    thick = max(1, round(max(picture.shape[:2]) / 400))
    for region in regions:
        mask = cv2.resize(region.mask.astype(np.uint8), picture.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        colour = label_colour(region.number - 1)
        inside = mask > 0
        tinted = (1 - REGION_OPACITY) * shown[inside] + REGION_OPACITY * np.array(colour)
        shown[inside] = np.rint(tinted).astype(np.uint8)
        outlines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(shown, outlines, -1, colour, thick)
    return shown


def draw_boxes(
    picture: np.ndarray, boxes: tuple[Box, ...], label_ids: tuple[str, ...], scale: float
) -> np.ndarray:
    """Each box outlined in its label's colour.

    Args:
        picture: (H, W, 3) uint8, already scaled.
        boxes: in pixels of the source.
        label_ids: of the task, in order.
        scale: pixels of ``picture`` a pixel of the source.
    """
    shown = picture.copy()
    thick = max(1, round(max(picture.shape[:2]) / 400))
    for box in boxes:
        x0, y0, x1, y1 = (round(scale * edge) for edge in box.box_xyxy_px)
        cv2.rectangle(shown, (x0, y0), (x1 - 1, y1 - 1), label_colour(label_ids.index(box.label)), thick)
    return shown
