"""TensorProto: what it says it holds, and what it does hold."""

from __future__ import annotations

import struct

from vnvision.runtime.guard.limits import check_values
from vnvision.runtime.guard.refusal import UnfitError, shown
from vnvision.runtime.guard.wire import Message, varint

# onnx.proto TensorProto.DataType: bits of one value.
_BITS = {1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128,
         16: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4}  # fmt: skip
# The field of values by their kind: its number and the least bytes of a value.
_FIXED, _VARINTS = {4: 4, 10: 8}, (5, 7, 11)
_SMALL = 16


def check_tensor(tensor: Message, name: str) -> None:
    """Refuse a TensorProto whose values lie elsewhere, or are not as many as its shape says.

    Raises:
        UnfitError: see above; the engine would read another file, or allocate what the shape says.
    """
    where = shown(name, 60)
    if tensor.chunks.get(13) or tensor.numbers.get(13) or any(tensor.numbers.get(14, ())):
        raise UnfitError(
            "keeps weights outside itself", expected="weights inside the file", got=_places(tensor, where)
        )
    kind = tensor.number(2)
    if kind not in _BITS:
        raise UnfitError(
            f"has a tensor of a type that models of pictures have not ({where})", got=f"type {kind}"
        )
    count = check_values(where, tensor.integers(1))
    raw = tensor.one(9)
    if raw is not None:
        held, wanted = len(raw), (count * _BITS[kind] + 7) // 8
        exact = held == wanted
    else:
        fixed = sum(len(chunk) // size for field, size in _FIXED.items() for chunk in tensor.chunks[field])
        # A varint has a byte or more, so there are at most as many values as bytes.
        held = fixed + sum(_most(tensor, field) for field in _VARINTS)
        wanted = (count * _BITS[kind] + 31) // 32 if _BITS[kind] < 8 else count
        exact = held >= wanted
    if not exact:
        raise UnfitError(
            f"has a tensor that is not as long as it says ({where})",
            expected=f"{wanted} {'bytes' if raw is not None else 'values'}",
            got=str(held),
        )


def small_values(tensor: Message) -> tuple[float, ...] | None:
    """The values of a tensor of at most 16 numbers that a shape or a scale could be; None of any other."""
    kind, raw = tensor.number(2), tensor.one(9)
    letter = {1: "f", 6: "i", 7: "q", 11: "d"}.get(kind)
    if letter is None:
        return None
    if raw is None:
        if kind in (6, 7):
            field = 5 if kind == 6 else 7
            if _most(tensor, field) > 10 * _SMALL:
                return None
            values = tensor.integers(field)
            return tuple(values) if 0 < len(values) <= _SMALL else None
        raw = memoryview(b"".join(bytes(chunk) for chunk in tensor.chunks[4 if kind == 1 else 10][:_SMALL]))
    count, rest = divmod(len(raw), struct.calcsize(f"<{letter}"))
    return struct.unpack(f"<{count}{letter}", raw) if 0 < count <= _SMALL and not rest else None


def _most(tensor: Message, field: int) -> int:
    return len(tensor.numbers.get(field, ())) + sum(map(len, tensor.chunks.get(field, ())))


def _places(tensor: Message, where: str) -> str:
    """The file names of a tensor's external data, for the message."""
    places = []
    for chunk in tensor.chunks[13][:8]:
        at, text = 0, list[str]()
        try:
            while at < len(chunk) and len(text) < 2:
                _, at = varint(chunk, at)
                size, at = varint(chunk, at)
                text.append(str(chunk[at : at + size], "utf-8", "replace"))
                at += size
        except UnfitError:
            break
        if text[:1] == ["location"]:
            places += text[1:]
    return f"{where} in {', '.join(shown(repr(place), 80) for place in places) or 'another file'}"
