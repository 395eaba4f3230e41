"""Elements of a data set as plain Python values. Nothing outside this package sees an object of pydicom's."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from vnvision.errors import DataError
from vnvision.imaging.dicom.faults import reading

_CODE = re.compile(r"[A-Z0-9 _]{1,16}")
_UID = re.compile(r"[0-9.]{1,64}")


@dataclass(frozen=True, slots=True)
class Elements:
    """A data set or an item of a sequence.

    Attributes:
        dataset: pydicom's object.
        name: of the file, for messages.
        little: whether its words are little endian.
    """

    dataset: Any
    name: str
    little: bool = True

    def wrong(self, keyword: str, expected: str, got: str) -> DataError:
        """The error for an element that cannot be used."""
        return DataError(
            f"{self.name}: {keyword}", expected=expected, got=got, fix="the file breaks the DICOM standard"
        )

    def value(self, keyword: str) -> Any:
        """The element's value as pydicom gives it; None where it is absent or empty.

        Raises:
            DataError: it cannot be understood.
        """
        with reading(self.name, keyword):
            if keyword not in self.dataset:
                return None
            value = self.dataset[keyword].value
            return None if value is None or (hasattr(value, "__len__") and not len(value)) else value

    def numbers(self, keyword: str) -> tuple[float, ...]:
        """All values of a numeric element, () where it is absent.

        Raises:
            DataError: a value is no finite number.
        """
        value = self.value(keyword)
        if value is None:
            return ()
        with reading(self.name, keyword):
            if isinstance(value, bytes):  # the standard lets a value be signed or not; its context was lost
                items: list[Any] = np.frombuffer(value, "<u2" if self.little else ">u2").tolist()
            else:
                items = [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)
            found = tuple(float(item) for item in items)
        if not all(map(math.isfinite, found)):
            raise self.wrong(keyword, "finite numbers", ", ".join(map(str, found))[:60])
        return found

    def number(self, keyword: str) -> float | None:
        """The first value of a numeric element, None where it is absent.

        Raises:
            DataError: it is no finite number.
        """
        found = self.numbers(keyword)
        return found[0] if found else None

    def integer(self, keyword: str) -> int | None:
        """The first value of an element of whole numbers, None where it is absent.

        Raises:
            DataError: it is no whole number.
        """
        found = self.number(keyword)
        if found is None:
            return None
        if not found.is_integer():
            raise self.wrong(keyword, "a whole number", str(found))
        return int(found)

    def required(self, keyword: str) -> int:
        """The first value of an element of whole numbers that every image has.

        Raises:
            DataError: it is absent, or no whole number.
        """
        found = self.integer(keyword)
        if found is None:
            raise self.wrong(keyword, "a whole number", "none")
        return found

    def code(self, keyword: str) -> str | None:
        """A code string in capitals; None where it is absent, or free text that may say anything."""
        value = self._text(keyword).upper()
        return value if _CODE.fullmatch(value) else None

    def uid(self, keyword: str) -> str | None:
        """A unique identifier; None where it is absent or none."""
        value = self._text(keyword)
        return value if _UID.fullmatch(value) else None

    def text(self, keyword: str) -> str | None:
        """Free text in one line of at most 64 letters; None where it is absent."""
        value = " ".join("".join(c if c.isprintable() else " " for c in self._text(keyword)).split())
        return value[:64] or None

    def identifier(self, keyword: str) -> str | None:
        """Text as it stands, without padding; None where it is absent or empty."""
        return self._text(keyword) or None

    def _text(self, keyword: str) -> str:
        try:
            value = self.value(keyword)
        except DataError:
            return ""  # nothing that pixels depend on
        if value is not None and not isinstance(value, str) and hasattr(value, "__iter__"):
            value = next(iter(value), None)
        return "" if value is None else str(value).strip("\0 \t\r\n")

    def items(self, keyword: str) -> list[Elements]:
        """The items of a sequence, [] where it is absent.

        Raises:
            DataError: the element is no sequence.
        """
        value = self.value(keyword)
        if value is None:
            return []
        with reading(self.name, keyword):
            found = list(value)
            if not all(hasattr(item, "group_dataset") for item in found):
                raise TypeError("no sequence of items")
            return [Elements(item, self.name, self.little) for item in found]

    def words(self, keyword: str, count: int) -> np.ndarray:
        """``count`` table entries of up to 16 bits: (count,) int64.

        They come as a list of numbers, or as bytes: two an entry, or one where there are too few for two.

        Raises:
            DataError: there are fewer.
        """
        value = self.value(keyword)
        if isinstance(value, bytes):
            if not self.little and len(value) % 2 == 0:
                value = np.frombuffer(value, ">u2").astype("<u2").tobytes()
            wide = len(value) >= 2 * count
            found = np.frombuffer(value[: len(value) // 2 * 2] if wide else value, "<u2" if wide else "u1")
        else:
            found = np.array(self.numbers(keyword))
        if len(found) < count:
            raise self.wrong(keyword, f"{count} entries", f"{len(found)}")
        return found[:count].astype(np.int64) & 0xFFFF
