"""The ``.idx`` beside a ``.rec``: where each record starts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vnvision.errors import DataError

_CHUNK = 1 << 22
_DIGITS = 18  # of any number that int64 holds


def read_index(path: Path, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Keys and offsets (N,) int64 of an ``.idx``: a line ``key<TAB>offset`` a record.

    Args:
        path: the index.
        size: of the ``.rec``; no record can start behind it.

    Raises:
        DataError: unreadable, other lines, a key twice, or an offset where no record can start.
    """
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise DataError(f"cannot read {path}", got=exc.strerror or str(exc)) from exc
    keys, offsets = _numbers(data, path)
    wrong = (offsets < 0) | (offsets >= size) | (offsets % 4 != 0) | (keys < 0)
    if wrong.any():
        line = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"{path}: line {line + 1} does not fit the .rec",
            expected=f"a key, and a multiple of 4 below {size}",
            got=f"{keys[line]} {offsets[line]}",
        )
    if has_twice(keys):
        raise DataError(f"{path} has a key twice", expected="each key once")
    return keys, offsets


def has_twice(keys: np.ndarray) -> bool:
    """Whether a number is in (N,) more than once. By sorting: ``np.unique`` hashes, ten times slower."""
    ordered = np.sort(keys)
    return bool((ordered[1:] == ordered[:-1]).any())


def _numbers(data: bytes, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The two columns, some lines at a time: ten million take seconds, and no object each."""
    parts, start = [np.empty((0, 2), np.int64)], 0
    while start < len(data):
        end = data.find(b"\n", start + _CHUNK) + 1 or len(data)
        chunk = data[start:end] if data[end - 1 : end] == b"\n" else data[start:end] + b"\n"
        values = _parsed(np.frombuffer(chunk, np.uint8))
        if values is None:
            line = data.count(b"\n", 0, start) + 1
            got = f"other text from line {line} on"
            raise DataError(f"{path} is no index", expected="two whole numbers a line", got=got)
        parts.append(values)
        start = end
    table = np.concatenate(parts)
    return table[:, 0].copy(), table[:, 1].copy()


def _parsed(text: np.ndarray) -> np.ndarray | None:
    """(N, 2) int64 of the lines of a text of bytes; None where they are not two numbers each."""
    digit = (text >= 48) & (text <= 57)
    line_end = text == 10
    if not (digit | line_end | np.isin(text, (9, 13, 32))).all():
        return None
    edges = np.flatnonzero(np.diff(digit.astype(np.int8), prepend=0))
    first, behind = edges[::2], edges[1::2]  # the last byte is a line end
    lines = np.cumsum(line_end)[first]
    wanted = np.repeat(np.arange(int(line_end.sum())), 2)
    lengths = behind - first
    if not np.array_equal(lines, wanted) or lengths.max(initial=0) > _DIGITS:
        return None
    values = np.zeros(len(first), np.int64)
    for place in range(int(lengths.max(initial=0))):
        some = lengths > place
        values[some] += (text[behind[some] - 1 - place].astype(np.int64) - 48) * 10**place
    return values.reshape(-1, 2)
