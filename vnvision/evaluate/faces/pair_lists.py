"""Lists of pairs to compare: LFW's ``pairs.txt``, and the pairs of a ``.bin`` set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from unicodedata import normalize

import numpy as np

from vnvision.errors import DataError

_BIN_FOLDS = 10


@dataclass(frozen=True, slots=True, eq=False)
class PairList:
    """Pairs of images, as rows of an ``EmbeddedFaces``.

    Attributes:
        first: (P,) rows.
        second: (P,) rows.
        first_subject: (P,) who the first image shows; equal names are one person.
        second_subject: (P,).
        folds: (P,) int.
        named: the names are persons; False where each pair has made-up ones.
    """

    first: np.ndarray
    second: np.ndarray
    first_subject: tuple[str, ...]
    second_subject: tuple[str, ...]
    folds: np.ndarray
    named: bool = True

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True, slots=True)
class NamedPair:
    """One line of ``pairs.txt``: persons and the number of the image of each, and its fold."""

    first: tuple[str, int]
    second: tuple[str, int]
    fold: int


def read_pairs_txt(path: str | Path) -> list[NamedPair]:
    """Read pairs in LFW's form (Huang et al. 2007, UMass Amherst report 07-49).

    The first line holds the number of folds and of pairs of each kind a fold, or that number alone for one
    fold. Then come, fold by fold, lines ``name n m`` of one person and lines ``name n other m`` of two.
    Names are taken in Unicode form NFC, as in ``pairs_of_names``.

    Raises:
        DataError: unreadable, a line of another form, or another number of lines than the first line says.
    """
    try:
        lines = normalize("NFC", Path(path).read_text("utf-8-sig")).splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        got = exc.strerror or str(exc) if isinstance(exc, OSError) else "not UTF-8"
        raise DataError(f"cannot read {path}", expected="a list of pairs in LFW's form", got=got) from exc
    rows = [(number, line.split()) for number, line in enumerate(lines, 1) if line.strip()]
    header = rows[0][1] if rows else []
    if not 1 <= len(header) <= 2 or not all(re.fullmatch(r"[1-9]\d*", cell) for cell in header):
        raise DataError(
            f"{path}: line 1", expected="folds and pairs a fold, as in '10 300'", got=" ".join(header)[:40]
        )
    folds, each = (1, int(header[0])) if len(header) == 1 else (int(header[0]), int(header[1]))
    if len(rows) - 1 != 2 * each * folds:
        raise DataError(f"{path}: number of pairs", expected=str(2 * each * folds), got=str(len(rows) - 1))
    return [
        _pair(cells, at // (2 * each), f"{path}: line {number}")
        for at, (number, cells) in enumerate(rows[1:])
    ]


def _pair(cells: list[str], fold: int, where: str) -> NamedPair:
    same = len(cells) == 3
    numbers = cells[1:] if same else cells[1::2]
    if len(cells) not in (3, 4) or not all(re.fullmatch(r"\d+", number) for number in numbers):
        raise DataError(where, expected="'name n m' or 'name n other m'", got=" ".join(cells)[:60])
    first, second = (int(number) for number in numbers)
    return NamedPair((cells[0], first), (cells[0] if same else cells[2], second), fold)


def pairs_of_names(pairs: Sequence[NamedPair], paths: Sequence[str]) -> PairList:
    """Find the images of named pairs: image 3 of a person is ``name_0003`` or ``name/3`` of any suffix.

    Raises:
        DataError: an image is missing or there twice.
    """
    index: dict[tuple[str, int], list[int]] = {}
    for row, path in enumerate(paths):
        for key in _keys(path):
            index.setdefault(key, []).append(row)

    def row_of(key: tuple[str, int]) -> int:
        rows = index.get(key, [])
        if len(rows) != 1:
            raise DataError(
                f"image {key[1]} of {key[0]} is named by the pairs",
                expected="one image",
                got="none" if not rows else ", ".join(paths[row] for row in rows[:3]),
            )
        return rows[0]

    return PairList(
        np.array([row_of(pair.first) for pair in pairs], dtype=np.int64),
        np.array([row_of(pair.second) for pair in pairs], dtype=np.int64),
        tuple(pair.first[0] for pair in pairs),
        tuple(pair.second[0] for pair in pairs),
        np.array([pair.fold for pair in pairs], dtype=np.int64),
    )


def _keys(path: str) -> set[tuple[str, int]]:
    """Names under which a pair may mean this image."""
    pure = PurePosixPath(normalize("NFC", path).replace("\\", "/"))
    found = re.fullmatch(r"(.+)_(\d+)", pure.stem)
    keys = {(found[1], int(found[2]))} if found else set()
    if re.fullmatch(r"\d+", pure.stem) and pure.parent.name:
        keys.add((pure.parent.name, int(pure.stem)))
    return keys


def pairs_in_order(same: Sequence[bool], folds: int = _BIN_FOLDS) -> PairList:
    """The pairs of a ``.bin`` set: rows 0 and 1, 2 and 3, ..; folds are equal runs of pairs.

    The set does not say who is shown, so every pair gets persons of its own.

    Args:
        same: (P,) whether a pair shows one person.
        folds: how many; no more than there are pairs.
    """
    n = len(same)
    fold = np.arange(n) * min(folds, n) // max(n, 1)
    return PairList(
        np.arange(n) * 2,
        np.arange(n) * 2 + 1,
        tuple(f"pair {i}" for i in range(n)),
        tuple(f"pair {i}" if one else f"pair {i}, other" for i, one in enumerate(same)),
        fold,
        named=False,
    )
