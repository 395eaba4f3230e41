"""Part of a manifest, by the values of its columns: one capture, one farm, one phone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from vnvision.data.manifest import Manifest, Row, read_manifest, write_manifest
from vnvision.errors import ConfigError, DataError

Mixed = Literal["refuse", "drop", "split"]
MIXED: tuple[Mixed, ...] = ("refuse", "drop", "split")
_FIELDS = ("path", "label", "split", "group_id", "region", "source", "licence", "consent", "sha256")
_PATHS = ("mask",)  # extra columns that hold paths relative to the root
_SHOWN = 12


def select_rows(
    manifest: Manifest,
    where: Mapping[str, Sequence[str]],
    *,
    invert: bool = False,
    mixed: Mixed = "refuse",
) -> Manifest:
    """The rows whose columns have the wanted values; with ``invert`` all the others.

    Several values of one column are alternatives; several columns must all fit. An empty value stands for an
    empty cell. A selection and its inverse share no row and, unless ``mixed`` is ``split``, no group.

    Args:
        manifest: any rows.
        where: column -> values. ``group`` means ``group_id``; ``label:<id>`` takes 1, 0 or empty.
        invert: the other rows.
        mixed: what becomes of a group with rows on both sides: an error, dropped from both, or split.

    Returns:
        the rows in file order, with the root, path and hash of the manifest they come from.

    Raises:
        ConfigError: no condition, or an unknown ``mixed``.
        DataError: a column or value that no row has (lists those there are), groups on both sides under
            ``refuse``, or no row left.
    """
    if not where or not all(where.values()):
        raise ConfigError("nothing to select by", expected="column=value", got=str(dict(where)))
    if mixed not in MIXED:
        raise ConfigError("mixed", expected=", ".join(MIXED), got=str(mixed))
    chosen = np.ones(len(manifest), bool)
    for column, values in where.items():
        cells = _cells(manifest, column)
        _check_values(manifest, column, cells, values)
        chosen &= np.isin(np.array(cells, dtype=object), list(values))
    both = _on_both_sides(manifest, chosen)
    if both and mixed == "refuse":
        raise DataError(
            f"{manifest.path}: {len(both)} groups have rows inside and outside the selection",
            got=", ".join(both[:5]),
            fix="drop those groups with mixed=drop (--mixed drop), or split them with mixed=split",
        )
    kept = chosen ^ invert
    if mixed == "drop":
        kept &= ~np.isin(np.array(manifest.group_keys(), dtype=object), both)
    if not kept.any():
        raise DataError(f"{manifest.path}: no row is left", got=_words(where, invert))
    return manifest.where(kept)


def write_selection(manifest: Manifest, out: str | Path) -> Manifest:
    """Write rows as a manifest of their own, and read it back: paths stay relative and right.

    Args:
        manifest: the rows.
        out: ``.csv`` or ``.parquet`` in the manifest's root or a folder above it.

    Raises:
        ConfigError: ``out`` exists.
        DataError: ``out`` lies elsewhere: a path would have to climb out of its folder.
    """
    out = Path(out)
    if out.exists():
        raise ConfigError(f"{out} exists", fix="choose another name")
    root, folder = manifest.root.resolve(), out.parent.resolve()
    if not root.is_relative_to(folder):
        raise DataError(
            f"images lie in {manifest.root}, outside the folder of {out.name}",
            expected="that folder or one above it",
            got=str(out.parent),
            fix=f"write it to {manifest.root / out.name}",
        )
    prefix = PurePosixPath(root.relative_to(folder).as_posix())
    rows = [_moved(row, prefix) for row in manifest.rows]
    return read_manifest(write_manifest(rows, out))


def _moved(row: Row, prefix: PurePosixPath) -> Row:
    """A row seen from a folder further up."""
    if prefix == PurePosixPath():
        return row
    extra = dict(row.extra)
    for name in _PATHS:
        if extra.get(name) and extra[name] != "none":
            extra[name] = (prefix / extra[name]).as_posix()
    return replace(row, path=(prefix / row.path).as_posix(), extra=extra)


def _cells(manifest: Manifest, column: str) -> list[str]:
    """A column's cells as text, empty where a row has none."""
    demographic = any("group" in row.extra for row in manifest.rows)
    column = "group_id" if column == "group" and not demographic else column
    if column in _FIELDS:
        cells = [getattr(row, column) or "" for row in manifest.rows]
        if any(cells):
            return cells
    elif column.startswith("label:") and manifest.is_multilabel:
        label = column.removeprefix("label:")
        if label in manifest.label_ids():
            known = [(row.labels or {}).get(label) for row in manifest.rows]
            return ["" if value is None else str(value) for value in known]
    elif any(column in row.extra for row in manifest.rows):
        return [row.extra.get(column, "") for row in manifest.rows]
    there = [name for name in _FIELDS if any(getattr(row, name) for row in manifest.rows)]
    there += [f"label:{label}" for label in manifest.label_ids()] if manifest.is_multilabel else []
    there += list(dict.fromkeys(key for row in manifest.rows for key in row.extra))
    raise DataError(f"{manifest.path} has no column {column!r}", expected=f"one of {', '.join(there)}")


def _check_values(manifest: Manifest, column: str, cells: list[str], values: Sequence[str]) -> None:
    there = Counter(cells)
    absent = [value for value in values if value not in there]
    if absent:
        names = [name or repr(name) for name, _ in there.most_common(_SHOWN)]
        more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
        raise DataError(
            f"{manifest.path}: column {column} has no value {', '.join(map(repr, absent))}",
            expected=f"one of {', '.join(names)}{more}",
        )


def _on_both_sides(manifest: Manifest, chosen: np.ndarray) -> list[str]:
    """Groups with rows inside and outside a selection, in order of first appearance."""
    sides: dict[str, set[bool]] = {}
    for key, inside in zip(manifest.group_keys(), chosen.tolist(), strict=True):
        sides.setdefault(key, set()).add(inside)
    return [key for key, found in sides.items() if len(found) == 2]


def _words(where: Mapping[str, Sequence[str]], invert: bool) -> str:
    text = ", ".join(f"{column}={'|'.join(values)}" for column, values in where.items())
    return f"not ({text})" if invert else text
