"""Numbers that may stay: written anew, within limits, and never spelling a text."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

PACKED = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
VRS = frozenset({*PACKED, "DS", "IS"})
TEXT_LIMIT = 1e6
"""A DS or IS of seven digits and more can be a patient's number."""
_FLOAT_LIMIT, _FLOAT_SMALLEST = 1e12, 1e-15
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_INTEGER = re.compile(r"[+-]?\d+")
_SPELT = re.compile(rb"[ -~]{6}")
_LONG = re.compile(rb"[ -~]{8,}")


def cleaned(values: Sequence[Any], vr: str, limit: float | None) -> list[Any] | None:
    """The numbers as they may be written, or None where one of them may not.

    DS and IS are held to ``limit`` (1e6 unless the attribute has its own). Binary numbers whose bytes hold
    six printable characters in a row are rounded (floats) or refused (integers): a name can be stored as one.
    """
    if vr in ("DS", "IS"):
        texts = [_decimal(value, vr, limit or TEXT_LIMIT) for value in values]
        return None if None in texts else texts
    if vr in ("FL", "FD"):
        floats = [_plain(float(value)) for value in values]
        if None in floats:
            return None
        return _rounded([value for value in floats if value is not None], vr)
    whole = [int(value) for value in values]
    return None if _spells(whole, vr) else whole


def vm_range(vm: str) -> tuple[int, int | None, int]:
    """(fewest, most or None, step) of a value multiplicity such as ``1``, ``1-3``, ``2-2n``."""
    low, _, high = vm.partition("-")
    if not high:
        return int(low), int(low), 1
    if high.endswith("n"):
        return int(low), None, int(high[:-1] or 1)
    return int(low), int(high), 1


def hides_text(data: bytes) -> bool:
    """Whether a lookup table spells something: eight printable characters in a row, five of them different.

    Ramps and steps, which is what tables are made of, do not count, whether an entry takes one byte or two.
    """
    runs = [match[0] for match in _LONG.finditer(data)]
    return any(_is_word(run) and not (_is_ramp(run[::2]) and _is_ramp(run[1::2])) for run in runs)


def _is_word(run: bytes) -> bool:
    windows = (run[at : at + 8] for at in range(len(run) - 7))
    return any(len(set(window)) >= 5 and not _is_ramp(window) for window in windows)


def _is_ramp(run: bytes) -> bool:
    steps = {(later > before) - (later < before) for before, later in pairwise(run)}
    return not {1, -1} <= steps


def _decimal(value: Any, vr: str, limit: float) -> str | None:
    text = str(getattr(value, "original_string", None) or value).strip()
    if vr == "IS":
        text = str(int(value)) if not _INTEGER.fullmatch(text) else text
        return text if len(text) <= 12 and abs(int(text)) < limit else None
    if not _DECIMAL.fullmatch(text) or len(text) > 16:
        number = float(value)
        if not math.isfinite(number):
            return None
        text = f"{number:.10g}"
    return text if len(text) <= 16 and abs(float(text)) < limit else None


def _plain(value: float) -> float | None:
    """A float whose bytes carry nothing but its value: one NaN, no denormals; None beyond 1e12."""
    if math.isnan(value):
        return math.nan
    if math.isinf(value):
        return value
    if abs(value) < _FLOAT_SMALLEST:
        return 0.0
    return value if abs(value) < _FLOAT_LIMIT else None


def _rounded(values: list[float], vr: str) -> list[float] | None:
    if not _spells(values, vr):
        return values
    coarse = [_coarse(value, vr) for value in values]
    return None if _spells(coarse, vr) else coarse


def _coarse(value: float, vr: str) -> float:
    """FD to single precision (7 digits), FL to 16 bits of mantissa (4 digits): the low bytes become 0."""
    if vr == "FD":
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    bits = struct.unpack("<I", struct.pack("<f", value))[0] & 0xFFFFFF00
    return float(struct.unpack("<f", struct.pack("<I", bits))[0])


def _spells(values: Sequence[float], vr: str) -> bool:
    layout = f"{len(values)}{PACKED[vr]}"
    return any(_SPELT.search(struct.pack(order + layout, *values)) for order in "<>")
