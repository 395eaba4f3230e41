"""``COLUMN=VALUE``: which rows a user means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vnvision.errors import DataError


def column_of(columns: Mapping[str, Sequence[str]], name: str) -> Sequence[str]:
    """A column by name.

    Raises:
        DataError: there is none of that name.
    """
    if name not in columns:
        known = ", ".join(sorted(columns)) or "none"
        raise DataError(
            f"no column {name!r}", expected=f"one of {known}", fix="name a column of the manifest"
        )
    return columns[name]


def rows_where(columns: Mapping[str, Sequence[str]], conditions: Sequence[str], n: int) -> list[int]:
    """Numbers of the rows that fit every condition, out of ``n``.

    Args:
        columns: by name, (N,) text each.
        conditions: ``COLUMN=VALUE`` each.
        n: rows.

    Raises:
        DataError: no condition, no such column, or nothing fits.
    """
    rows = list(range(n))
    for condition in conditions:
        name, sign, value = (part.strip() for part in condition.partition("="))
        if not sign:
            raise DataError("a condition is wrong", expected="COLUMN=VALUE", got=condition)
        cells = column_of(columns, name)
        there = ", ".join(sorted({cells[i] for i in rows})[:10])
        rows = [i for i in rows if cells[i] == value]
        if not rows:
            raise DataError(f"no row with {condition}", expected=f"one of {there}")
    return rows
