"""One row of a manifest: its columns, and how cells become one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from vnvision.data.table import Table, row_list
from vnvision.errors import DataError

SPLITS = ("train", "val", "test")
SPLIT_ALIASES = {"validation": "val", "valid": "val"}
GOVERNANCE = ("sha256", "licence", "consent")
"""Columns without which data cannot be traced to a right to use it."""

PLAIN = ("label", "split", "group_id", "region", "source", "licence", "consent", "sha256")
LABEL_PREFIX, IDENTITY = "label:", "identity"
_LABEL_VALUES: dict[str, int | None] = {"": None, "1": 1, "0": 0, "1.0": 1, "0.0": 0}
_WRONG = -1


@dataclass(frozen=True, slots=True)
class Row:
    """One image of a manifest.

    Attributes:
        line: line in the file, the header being line 1; 0 for a row made by hand.
        path: as written, relative to the manifest's root.
        label: class id; None = unknown.
        labels: multi-label: 1, 0 or None = unknown by label id; None where there are no such columns.
        split: train, val, test or None.
        group_id: leakage group (patient, plant, burst); never crosses splits. From the column ``group_id``,
            else ``identity`` (of faces ``group`` is a demographic column, left in ``extra``), else ``group``.
        region: where the image was taken.
        source: the data set or device it comes from.
        licence: SPDX id or plain words.
        consent: how consent was given, or why none is needed.
        sha256: of the image file, 64 hex digits.
        extra: every other column, empty cells included.
    """

    line: int
    path: str
    label: str | None = None
    labels: dict[str, int | None] | None = field(default=None, hash=False)
    split: str | None = None
    group_id: str | None = None
    region: str | None = None
    source: str | None = None
    licence: str | None = None
    consent: str | None = None
    sha256: str | None = None
    extra: dict[str, str] = field(default_factory=dict, hash=False)


def split_name(text: str) -> str | None:
    """The canonical name of a split, or None for a name that is none."""
    name = SPLIT_ALIASES.get(text, text)
    return name if name in SPLITS else None


def parse_rows(table: Table, where: str) -> tuple[list[Row], list[str]]:
    """Rows of a table, and one line for each kind of wrong cell.

    Raises:
        DataError: the header is wrong: ``where`` names the file.
    """
    _check_header(table.header, where)
    columns = dict(zip(table.header, zip(*table.cells, strict=True), strict=True))
    problems: list[str] = []
    count = len(table.cells)

    def optional(name: str) -> list[str | None]:
        return [cell.strip() or None for cell in columns[name]] if name in columns else [None] * count

    faces = IDENTITY in columns
    group = next((name for name in ("group_id", IDENTITY, "group") if name in columns), "group_id")
    splits = optional("split")
    wrong = [i for i, split in enumerate(splits) if split is not None and split_name(split) is None]
    if wrong:
        got = ", ".join(sorted({str(splits[i]) for i in wrong})[:5])
        lines = [table.lines[i] for i in wrong]
        problems.append(f"split of {row_list(lines)}: expected one of {', '.join(SPLITS)}, got {got}")
    label_columns = [name for name in table.header if name.startswith(LABEL_PREFIX)]
    # Of faces, the person is the leakage group, and a column group is a demographic one.
    known = {"path", *PLAIN, *label_columns} | (set() if faces else {"group"})
    extra = [name for name in table.header if name not in known]
    rows = map(
        Row,
        table.lines,
        columns["path"],
        optional("label"),
        _labels(columns, label_columns, table.lines, problems),
        [split if split is None else split_name(split) for split in splits],
        optional(group),
        optional("region"),
        optional("source"),
        optional("licence"),
        optional("consent"),
        [digest and digest.lower() for digest in optional("sha256")],
        [
            dict(zip(extra, cells, strict=True))
            for cells in zip(*(columns[name] for name in extra), strict=True)
        ]
        or [{} for _ in range(count)],
    )
    return list(rows), problems


def _extras(names: list[str], columns: dict[str, tuple[str, ...]]) -> list[dict[str, str]]:
    return [
        dict(zip(names, cells, strict=True)) for cells in zip(*map(columns.__getitem__, names), strict=True)
    ]


def _labels(
    columns: dict[str, tuple[str, ...]], names: list[str], lines: Sequence[int], problems: list[str]
) -> Sequence[dict[str, int | None] | None]:
    ids = [name.removeprefix(LABEL_PREFIX).strip() for name in names]
    parsed = []
    for name in names:
        values = [_LABEL_VALUES.get(cell.strip(), _WRONG) for cell in columns[name]]
        wrong = [i for i, value in enumerate(values) if value == _WRONG]
        if wrong:
            got = ", ".join(sorted({columns[name][i] for i in wrong})[:5])
            place = row_list([lines[i] for i in wrong])
            problems.append(f"{name} of {place}: expected 1, 0 or empty (unknown), got {got}")
        parsed.append(values)
    if not names:
        return [None] * len(lines)
    return [dict(zip(ids, values, strict=True)) for values in zip(*parsed, strict=True)]


def _check_header(header: Sequence[str], where: str) -> None:
    names = ", ".join(header)
    if "path" not in header:
        near = next((name for name in header if name.lower() in ("path", "file", "filename", "image")), None)
        fix = f"rename the column {near!r} to 'path'" if near else None
        if len(header) == 1 and re.search("[;\t|]", header[0]):
            fix = "separate the cells by commas"
        raise DataError(f"{where} has no column path", expected="a column path", got=names[:200], fix=fix)
    if "group" in header and "group_id" in header and IDENTITY not in header:
        raise DataError(f"{where} has both group and group_id", expected="one of the two", fix="drop one")
    ids = [name.removeprefix(LABEL_PREFIX).strip() for name in header if name.startswith(LABEL_PREFIX)]
    if ids and "label" in header:
        raise DataError(
            f"{where} has both label and label:<id> columns",
            expected="label for one class an image, or label:<id> for several",
            got=names[:200],
        )
    if "" in ids or len(set(ids)) < len(ids):
        raise DataError(f"{where}: label:<id> columns", expected="a different id in each", got=names[:200])
