"""What makes the rows of a manifest wrong or incomplete, in words, with row numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from vnvision.data.rows import GOVERNANCE, IDENTITY, LABEL_PREFIX, PLAIN, SPLITS, Row
from vnvision.data.table import row_list

_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Gap:
    """A governance column that is missing or has empty cells."""

    column: str
    lines: tuple[int, ...]
    text: str


def check_rows(rows: Sequence[Row]) -> list[str]:
    """What makes rows unusable: one line for each kind of problem, with row numbers."""
    problems: list[str] = []

    def report(name: str, expected: str, wrong: Callable[[str], bool]) -> None:
        values = [getattr(row, name) for row in rows]
        bad = {value for value in set(values) if value is not None and wrong(value)}
        if bad:
            lines = [row.line for row, value in zip(rows, values, strict=True) if value in bad]
            got = ", ".join(sorted(repr(value)[:60] for value in bad)[:3])
            problems.append(f"{name} of {row_list(lines)}: expected {expected}, got {got}")

    one_line = "text on one line"
    report("path", f"a file name, {one_line}", lambda text: not text.strip() or bool(_CONTROL.search(text)))
    for name in ("label", "group_id", "region", "source", "licence", "consent"):
        report(
            name, f"{one_line}, no space around it", lambda text: text != text.strip() or _has_control(text)
        )
    report("split", f"one of {', '.join(SPLITS)}", lambda text: text not in SPLITS)
    report("sha256", "64 hex digits", lambda text: _SHA256.fullmatch(text) is None)
    return problems


def _has_control(text: str) -> bool:
    return _CONTROL.search(text) is not None


def check_extra(rows: Iterable[Row]) -> list[str]:
    """What would not survive writing rows made by hand: extra columns, and multi-label ids and values."""
    problems: list[str] = []
    keys: set[str] = set()
    ids: set[str] = set()
    both, values, nul = [], [], []
    for row in rows:
        keys.update(row.extra)
        ids.update(row.labels or ())
        if row.labels is not None and row.label is not None:
            both.append(row.line)
        if any(value not in (0, 1, None) for value in (row.labels or {}).values()):
            values.append(row.line)
        if any("\0" in text for item in row.extra.items() for text in item):
            nul.append(row.line)
    reserved = {"path", *PLAIN} | (set() if IDENTITY in keys else {"group"})
    taken = sorted(
        key
        for key in keys
        if key in reserved or key.startswith(LABEL_PREFIX) or not key or key != key.strip()
    )
    if taken:
        problems.append(f"extra columns cannot be called {', '.join(map(repr, taken))}")
    if nul:
        problems.append(f"extra columns of {row_list(nul)} hold a NUL character")
    if any(not name or name != name.strip() or _has_control(name) for name in ids):
        problems.append("labels: expected ids on one line, not empty, with no space around them")
    if both or (ids and any(row.label is not None for row in rows)):
        problems.append("rows have both label and labels: expected one of the two")
    if values:
        problems.append(f"labels of {row_list(values)}: expected 1, 0 or None")
    return problems


def gaps(rows: Sequence[Row], header: Sequence[str] | None = None) -> list[Gap]:
    """Governance columns without a value in some rows.

    Args:
        rows: the rows.
        header: the file's columns, to tell a missing column from an empty one.
    """
    found = []
    for column in GOVERNANCE:
        lines = tuple(row.line for row in rows if getattr(row, column) is None)
        if not lines:
            continue
        if header is not None and column not in header:
            hint = " (rename license to licence)" if column == "licence" and "license" in header else ""
            text = f"no column {column}{hint}"
        elif len(lines) == len(rows):
            text = f"no row has a {column}"
        else:
            text = f"{len(lines)} of {len(rows)} rows have no {column} ({row_list(lines)})"
        found.append(Gap(column, lines, text))
    return found
