"""Tables with other column names than a manifest's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from vnvision.data.importers.found import Found, safe_name
from vnvision.data.rowchecks import check_rows
from vnvision.data.rows import LABEL_PREFIX, PLAIN, parse_rows
from vnvision.data.table import read_table
from vnvision.errors import ConfigError, DataError


def read(source: Path, root: Path, columns: Mapping[str, str]) -> Found:
    """Read a table, renaming columns.

    Args:
        source: ``.csv`` or ``.parquet``.
        root: folder that its image paths are relative to.
        columns: column of the table -> manifest column. Columns not named keep their names.

    Raises:
        ConfigError: a manifest column that does not exist.
        DataError: a column that the table does not have, an unsafe path, or anything ``read_manifest``
            would refuse.
    """
    table = read_table(source)
    for theirs, ours in columns.items():
        if ours not in ("path", *PLAIN) and not ours.startswith(LABEL_PREFIX):
            swapped = theirs in ("path", *PLAIN)
            raise ConfigError(
                f"columns: {ours} is no manifest column",
                expected=f"path, {LABEL_PREFIX}<id>, {', '.join(PLAIN)}",
                fix="write table column = manifest column" if swapped else None,
            )
    missing = [name for name in columns if name not in table.header]
    if missing:
        raise DataError(
            f"{source} has no column {', '.join(missing)}", expected=f"one of {', '.join(table.header)}"
        )
    header = tuple(columns.get(name, name) for name in table.header)
    if len(set(header)) < len(header):
        twice = sorted({name for name in header if header.count(name) > 1})
        raise DataError(f"{source}: two columns would be called {', '.join(twice)}", fix="rename one of them")
    rows, problems = parse_rows(replace(table, header=header), str(source))
    problems += check_rows(rows)
    if problems:
        raise DataError(f"{source}: " + "; ".join(problems))
    if not root.is_dir():
        raise DataError("image_root is no folder", got=str(root))
    named = (replace(row, path=safe_name(row.path, f"{source} row {row.line}")) for row in rows)
    return Found(tuple(named), root)
