"""Millimetres a pixel, and where the header says so."""

from __future__ import annotations

import math

from vnvision.errors import DataError
from vnvision.imaging.dicom import groups
from vnvision.imaging.dicom.elements import Elements

KEYWORDS = (
    "PixelSpacing", "PixelSpacingCalibrationType", "ImagerPixelSpacing", "NominalScannedPixelSpacing",
    "SequenceOfUltrasoundRegions",
)  # fmt: skip
_CENTIMETRES, _TWO_DIMENSIONS = 3, 1
Spacing = tuple[tuple[float, float] | None, str | None]


def spacing_mm(elements: Elements, frame: int) -> Spacing:
    """Distance between rows and between columns in millimetres, and what it is; None and None if unknown.

    The first of: Pixel Measures of the frame (C.7.6.16.2.1), Pixel Spacing (10.7.1), Imager Pixel Spacing
    (at the detector, so that things in the body are smaller than it says), Nominal Scanned Pixel Spacing,
    and the calibrated regions of an ultrasound picture where all of them agree (C.8.5.5). An unusable value
    counts as absent.
    """
    measures = groups.group(elements, frame, "PixelMeasuresSequence")
    if measures is not None and (found := _pair(measures, "PixelSpacing")):
        return found, "PixelSpacing of the frame"
    if found := _pair(elements, "PixelSpacing"):
        calibrated = elements.code("PixelSpacingCalibrationType")
        return found, "PixelSpacing" + (f", calibrated by {calibrated.lower()}" if calibrated else "")
    if found := _pair(elements, "ImagerPixelSpacing"):
        return found, "ImagerPixelSpacing: at the detector, not corrected for magnification"
    if found := _pair(elements, "NominalScannedPixelSpacing"):
        return found, "NominalScannedPixelSpacing: of the film or paper that was scanned"
    return _ultrasound(elements)


def _pair(elements: Elements, keyword: str) -> tuple[float, float] | None:
    try:
        found = elements.numbers(keyword)
    except DataError:
        return None
    sound = len(found) == 2 and all(0 < part < math.inf for part in found)
    return (found[0], found[1]) if sound else None


def _ultrasound(elements: Elements) -> Spacing:
    """Of regions with spatial axes in centimetres; a frame with several scales has no one spacing."""
    try:
        regions = elements.items("SequenceOfUltrasoundRegions")
        found = {spacing for region in regions if (spacing := _region(region)) is not None}
    except DataError:
        return None, None
    if len(found) == 1:
        return found.pop(), "ultrasound region calibration"
    return None, "ultrasound regions of different scales" if found else None


def _region(region: Elements) -> tuple[float, float] | None:
    kinds = [region.integer(f"PhysicalUnits{axis}Direction") for axis in "XY"]
    if kinds != [_CENTIMETRES, _CENTIMETRES] or region.integer("RegionSpatialFormat") != _TWO_DIMENSIONS:
        return None
    across, down = (abs(region.number(f"PhysicalDelta{axis}") or 0.0) * 10 for axis in "XY")
    return (round(down, 9), round(across, 9)) if across > 0 and down > 0 else None
