"""Look-up tables: modality, VOI and palette tables share one shape (PS3.3 C.11.1, C.11.2, C.7.6.3.1.5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vnvision.imaging.dicom.elements import Elements


@dataclass(frozen=True, slots=True)
class Lut:
    """A table: values below ``first`` get its first entry, values past its end the last.

    Attributes:
        entries: (N,) int64.
        first: the input value of the first entry.
        bits: an entry lies in 0..2^bits - 1.
    """

    entries: np.ndarray
    first: int
    bits: int

    @property
    def top(self) -> int:
        """The largest value an entry may have."""
        return (1 << self.bits) - 1

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Entries for values of any shape and number type; fractions are cut off downwards."""
        steps = np.floor(values.astype(np.float64)) - self.first
        index = np.clip(np.nan_to_num(steps), 0, len(self.entries) - 1).astype(np.int64)
        found: np.ndarray = np.minimum(self.entries[index], self.top)
        return found


def descriptor(elements: Elements, keyword: str) -> tuple[int, int, int]:
    """Number of entries (0 stands for 65,536), first input value, and bits an entry.

    Raises:
        DataError: no such element, or numbers that make no sense.
    """
    numbers = elements.numbers(keyword)
    if len(numbers) != 3:
        raise elements.wrong(keyword, "three numbers", f"{len(numbers)}")
    count, first, bits = (int(number) for number in numbers)
    if not 0 <= count <= 65536 or not 1 <= bits <= 16:
        raise elements.wrong(keyword, "up to 65,536 entries of 1 to 16 bits", f"{count} of {bits} bits")
    return count or 65536, first, bits


def table(item: Elements) -> Lut:
    """The table of one item of a Modality or VOI LUT Sequence.

    Raises:
        DataError: a wrong descriptor, or fewer entries than it says.
    """
    count, first, bits = descriptor(item, "LUTDescriptor")
    return Lut(item.words("LUTData", count), first, bits)
