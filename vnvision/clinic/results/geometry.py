"""Where the picture lies in the patient, and how large its pixels are, as far as the header says so."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from vnvision.clinic.results.source import Source

_CENTIMETRES = 3  # PS3.3, C.8.5.5.1.15: physical units of an ultrasound region
_TISSUE_2D = 1


@dataclass(frozen=True, slots=True)
class Plane:
    """The plane of a picture in the patient (PS3.3, C.7.6.2), all lengths in mm.

    Attributes:
        frame_of_reference: its UID.
        position: x, y, z of the first pixel's centre.
        orientation: direction cosines of the rows, then of the columns.
        spacing: between rows, between columns.
        thickness: of the slice, None where unknown.
    """

    frame_of_reference: str
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, float]
    thickness: float | None


def plane_of(source: Source) -> Plane | None:
    """The picture's plane; None unless frame, position, orientation and spacing are all stated."""
    uid = str(source.header.get("FrameOfReferenceUID") or "")
    position = _numbers(_lookup(source, "PlanePositionSequence", "ImagePositionPatient"), 3)
    orientation = _numbers(_lookup(source, "PlaneOrientationSequence", "ImageOrientationPatient"), 6)
    spacing = _pixel_spacing(source)
    if not uid or position is None or orientation is None or spacing is None:
        return None
    rows, columns = np.array(orientation[:3]), np.array(orientation[3:])
    # PS3.3, C.7.6.2.1.1: unit vectors at right angles.
    if not np.allclose([rows @ rows, columns @ columns, rows @ columns], [1, 1, 0], atol=1e-2):
        return None
    thickness = _numbers(_lookup(source, "PixelMeasuresSequence", "SliceThickness"), 1)
    return Plane(uid, position, orientation, spacing, thickness[0] if thickness else None)


def spacing_mm(source: Source, mask: np.ndarray) -> tuple[float, float] | None:
    """Row and column spacing inside the patient where the mask lies, or None.

    Pixel Spacing counts; Imager Pixel Spacing of a radiograph does not: it is measured at the detector, and
    the body lies in front of it (PS3.3, C.7.6.3.1.3). In ultrasound the scale belongs to a region of the
    screen (PS3.3, C.8.5.5), which must hold the whole mask.

    Args:
        source: the image.
        mask: (H, W) bool.
    """
    spacing = _pixel_spacing(source)
    if spacing is not None:
        return spacing
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    if not rows.size:
        return None
    for region in source.header.get("SequenceOfUltrasoundRegions") or ():
        scale = _region_scale(region)
        box = _numbers(
            [region.get(f"RegionLocation{side}") for side in ("MinX0", "MinY0", "MaxX1", "MaxY1")], 4
        )
        if scale is None or box is None:
            continue
        if box[0] <= columns[0] and columns[-1] <= box[2] and box[1] <= rows[0] and rows[-1] <= box[3]:
            return scale
    return None


def patient_orientation(source: Source) -> list[str]:
    """Patient Orientation (PS3.3, C.7.6.1.1.1) of rows and columns; empty where the header does not say."""
    stated = source.header.get("PatientOrientation")
    if stated is not None and not isinstance(stated, str) and len(stated) == 2 and all(stated):
        return [str(part) for part in stated]
    orientation = _numbers(_lookup(source, "PlaneOrientationSequence", "ImageOrientationPatient"), 6)
    if orientation is None:
        return []
    return [_direction(orientation[:3]), _direction(orientation[3:])]


def _direction(cosines: tuple[float, ...]) -> str:
    """``LA``: to the left, and a little to anterior. Axes: x to left, y to posterior, z to head."""
    letters = [("L", "R"), ("P", "A"), ("H", "F")]
    order = sorted(range(3), key=lambda axis: -abs(cosines[axis]))
    return "".join(letters[axis][cosines[axis] < 0] for axis in order if abs(cosines[axis]) > 0.1)


def _pixel_spacing(source: Source) -> tuple[float, float] | None:
    spacing = _numbers(_lookup(source, "PixelMeasuresSequence", "PixelSpacing"), 2)
    return (spacing[0], spacing[1]) if spacing and min(spacing) > 0 else None


def _region_scale(region: Dataset) -> tuple[float, float] | None:
    units = [region.get(f"PhysicalUnits{axis}Direction") for axis in "XY"]
    delta = _numbers([region.get("PhysicalDeltaY"), region.get("PhysicalDeltaX")], 2)
    if region.get("RegionSpatialFormat") != _TISSUE_2D or units != [_CENTIMETRES] * 2 or delta is None:
        return None
    return (10 * abs(delta[0]), 10 * abs(delta[1])) if delta[0] and delta[1] else None


def _lookup(source: Source, group: str, keyword: str) -> Any:
    """A value of the frame's functional groups, or of the header itself."""
    for item in source.groups:
        inner = item.get(group)
        if inner and keyword in inner[0]:
            return inner[0][keyword].value
    return source.header.get(keyword)


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    """So many finite numbers, or None."""
    parts = [value] if count == 1 and not hasattr(value, "__len__") else value
    try:
        found = tuple(float(part) for part in parts)
    except (TypeError, ValueError):
        return None
    return found if len(found) == count and all(map(math.isfinite, found)) else None
