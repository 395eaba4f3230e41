"""The wire format of Protocol Buffers, read without trusting it (protobuf.dev, "Encoding")."""

from __future__ import annotations

from collections import defaultdict

from vnvision.runtime.guard.refusal import UnfitError

MOST_FIELDS = 2_000_000
"""Of one file: an EfficientNet has some 10,000; a gigabyte of two-byte fields would fill the memory."""
_DAMAGED = "is damaged or cut off"


class Budget:
    """How many fields may still be read of one file."""

    def __init__(self, fields: int = MOST_FIELDS) -> None:
        self.left = fields

    def spend(self) -> None:
        """Count one field; UnfitError when there are too many."""
        self.left -= 1
        if self.left < 0:
            raise UnfitError("has too many parts", expected=f"at most {MOST_FIELDS}")


class Message:
    """One message's fields by number, in file order: numbers as int, everything of a length as memoryview.

    Unknown fields are kept, as every reader must. One that appears twice where the format has it once is
    refused by ``one`` and ``number``: readers merge them or take the last.

    Raises:
        UnfitError: the bytes are no message.
    """

    def __init__(self, data: memoryview, budget: Budget) -> None:
        self.numbers: defaultdict[int, list[int]] = defaultdict(list)
        self.chunks: defaultdict[int, list[memoryview]] = defaultdict(list)
        at, end = 0, len(data)
        while at < end:
            budget.spend()
            key, at = varint(data, at)
            field, kind = key >> 3, key & 7
            if not field:
                raise UnfitError(_DAMAGED)
            if kind == 0:
                value, at = varint(data, at)
                self.numbers[field].append(value)
                continue
            if kind == 2:
                size, at = varint(data, at)
            elif kind in (1, 5):
                size = 8 if kind == 1 else 4
            else:
                raise UnfitError(_DAMAGED)
            if size > end - at:
                raise UnfitError(_DAMAGED)
            self.chunks[field].append(data[at : at + size])
            at += size

    def one(self, field: int) -> memoryview | None:
        """A field of a length that may appear once."""
        self._once(field)
        return self.chunks[field][0] if field in self.chunks else None

    def number(self, field: int) -> int:
        """A number that may appear once; 0, the format's default, where it does not."""
        self._once(field)
        return self.numbers[field][0] if field in self.numbers else 0

    def text(self, field: int) -> str:
        """A text that may appear once; bytes that are no UTF-8 are replaced."""
        found = self.one(field)
        return "" if found is None else str(found, "utf-8", "replace")

    def integers(self, field: int, most: int = 4096) -> list[int]:
        """Repeated int64, packed or not; UnfitError where there could be more than ``most``."""
        if len(self.numbers.get(field, ())) + sum(map(len, self.chunks.get(field, ()))) // 10 > most:
            raise UnfitError("has too many numbers in one place", expected=f"at most {most}")
        found = list(self.numbers[field]) if field in self.numbers else []
        for chunk in self.chunks.get(field, ()):
            at = 0
            while at < len(chunk):
                value, at = varint(chunk, at)
                found.append(value)
        return [signed(value) for value in found]

    def _once(self, field: int) -> None:
        count = len(self.numbers.get(field, ())) + len(self.chunks.get(field, ()))
        if count > 1:
            raise UnfitError(f"has its field {field} twice where there can be one")


def varint(data: memoryview, at: int) -> tuple[int, int]:
    """A base-128 number and where the next byte is."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise UnfitError(_DAMAGED)
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at


def signed(value: int) -> int:
    """int64 of its 64 bits."""
    return value - (1 << 64) if value >> 63 else value
