"""Grey values: stored -> modality -> values of interest -> displayed (PS3.3 C.11.1, C.11.2; PS3.4 N.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vnvision.errors import DataError
from vnvision.imaging.dicom import groups, lut
from vnvision.imaging.dicom.elements import Elements
from vnvision.imaging.dicom.header import Header
from vnvision.imaging.dicom.lut import Lut
from vnvision.imaging.dicom.views import Voi

KEYWORDS = (
    "ModalityLUTSequence", "RescaleSlope", "RescaleIntercept", "RescaleType", "PixelPaddingValue",
    "PixelPaddingRangeLimit",
)  # fmt: skip
_TABLE_BYTES = 2


@dataclass(frozen=True, slots=True)
class Modality:
    """From stored values to the modality's own, such as Hounsfield units.

    Attributes:
        table: a Modality LUT; it goes before the rescale, as in pydicom.
        slope: and
        intercept: of the rescale.
        unit: Rescale Type, or what the LUT is said to give.
    """

    table: Lut | None = None
    slope: float = 1.0
    intercept: float = 0.0
    unit: str | None = None

    @property
    def changes(self) -> bool:
        """Values do not stay what they are."""
        return self.table is not None or (self.slope, self.intercept) != (1.0, 0.0)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Values of any shape; float64 (pydicom's own steps, so that they are equal to the last bit)."""
        if self.table is not None:
            return self.table(values).astype(np.float64)
        found = values.astype(np.float64)
        if self.changes:
            found *= self.slope
            found += self.intercept
        return found

    def bounds(self, head: Header) -> tuple[float, float] | None:
        """Least and greatest value the header allows; None for floating point pixels."""
        if self.table is not None:
            return 0.0, float(self.table.top)
        if head.is_float:
            return None
        low, high = _stored_bounds(head)
        ends = (low * self.slope + self.intercept, high * self.slope + self.intercept)
        return min(ends), max(ends)


def modality(elements: Elements, frame: int) -> Modality:
    """The modality transform of a frame.

    Raises:
        DataError: a slope of 0, or a wrong table.
    """
    items = elements.items("ModalityLUTSequence")
    if items:
        return Modality(lut.table(items[0]), unit=items[0].code("ModalityLUTType"))
    wanted = ("RescaleSlope", "RescaleIntercept")
    home = groups.holding(elements, frame, "PixelValueTransformationSequence", *wanted)
    slope, intercept = (home.number(name) for name in wanted)
    if slope is None or intercept is None:
        return Modality()
    if slope == 0:
        raise elements.wrong("RescaleSlope", "a number other than 0", "0")
    unit = home.code("RescaleType") or ("HU" if elements.code("Modality") == "CT" else None)  # C.8.2.1.1
    return Modality(None, slope, intercept, None if unit == "US" else unit)  # US: unspecified


def padding(elements: Elements, head: Header) -> tuple[int, int] | None:
    """Least and greatest stored value of pixels that only fill the picture up (C.7.5.1.1.2)."""
    ends = [elements.integer("PixelPaddingValue"), elements.integer("PixelPaddingRangeLimit")]
    if ends[0] is None or head.is_float:
        return None
    span = 1 << head.allocated
    low = -(span >> 1) if head.signed else 0
    found = [(end - low) % span + low for end in ends if end is not None]  # US where SS was meant, and back
    return min(found), max(found)


def displayed(
    stored: np.ndarray, head: Header, change: Modality, voi: Voi, fill: tuple[int, int] | None
) -> np.ndarray:
    """The picture as it is meant to be seen: uint8 or uint16 of the same shape, white highest.

    uint8 where at most 8 bits are stored and neither the modality nor the values of interest change them,
    uint16 otherwise; the whole range of the type either way. MONOCHROME1 is turned round at the end, and
    padding is black.
    """
    small = head.stored <= 8 and not head.is_float and not change.changes and not voi.changes
    dtype, top = (np.uint8, 255) if small else (np.uint16, 65535)

    def show(values: np.ndarray) -> np.ndarray:
        share = voi(change(values))
        share = 1.0 - share if head.photometric == "MONOCHROME1" else share
        picture = np.rint(np.nan_to_num(share) * top).astype(dtype)
        if fill is not None:
            picture[(values >= fill[0]) & (values <= fill[1])] = 0
        return picture

    return _through_table(stored, show)


def measured(stored: np.ndarray, change: Modality) -> np.ndarray:
    """The modality's values: float32 of the same shape, computed in float64."""
    return _through_table(stored, lambda values: change(values).astype(np.float32))


def _through_table(stored: np.ndarray, work: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """``work(stored)``, by a table of all levels where that is cheaper."""
    levels = 1 << 8 * stored.dtype.itemsize
    if stored.dtype.kind not in "iu" or stored.dtype.itemsize > _TABLE_BYTES or stored.size < levels:
        with np.errstate(all="ignore"):  # floating point pixels may be infinite or no number
            return work(stored)
    low = int(np.iinfo(stored.dtype).min)
    table = work(np.arange(low, low + levels))
    found: np.ndarray = table[stored.astype(np.int32) - low]
    return found


def _stored_bounds(head: Header) -> tuple[int, int]:
    if head.signed:
        return -(1 << head.stored - 1), (1 << head.stored - 1) - 1
    return 0, (1 << head.stored) - 1


def no_range(name: str) -> DataError:
    """The error for floating point pixels that nothing says how to show."""
    return DataError(
        f"{name} holds floating point values and no window",
        expected="a window in the header",
        got="none",
        fix="give voi=(centre, width), or voi='none' for the values themselves",
    )
