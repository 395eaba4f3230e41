"""What the checker looks for, one generator each: rows and what was seen of their files in, problems out."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from vnvision.data.look import Look
from vnvision.data.rows import Row
from vnvision.data.table import row_list

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

KINDS = (
    "outside root",
    "missing file",
    "wrong sha256",
    "unreadable image",
    "duplicate path",
    "same file, different labels",
    "same file across splits",
    "unknown label",
    "unlabelled training row",
    "wrong mask",
    "wrong mask values",
    "wrong boxes",
    "box outside the picture",
    "group across splits",
    "near-duplicate across splits",
    "missing value",
)
"""Every kind of problem, in the order they are reported."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        kind: one of ``KINDS``.
        row_lines: lines in the manifest file (the header is line 1), ascending.
        text: one line for people.
    """

    kind: str
    row_lines: tuple[int, ...]
    text: str


def file_problems(rows: Sequence[Row], looks: Sequence[Look]) -> Iterator[Problem]:
    """Files that are missing, changed or unreadable, and rows that name one image twice."""
    for row, look in zip(rows, looks, strict=True):
        for kind, text in look.problems:
            yield Problem(kind, (row.line,), f"row {row.line}: {text}")
    for path, same in _by((row.path, row) for row in rows):
        if len(same) > 1:
            text = f"{row_list(_lines(same))}: {path} is named {len(same)} times"
            yield Problem("duplicate path", _lines(same), text)
    pairs = zip(rows, looks, strict=True)
    for _, same in _by((look.digest, row) for row, look in pairs if look.digest is not None):
        paths = ", ".join(sorted({row.path for row in same})[:3])
        answers = {_answer(row) for row in same} - {None}
        if len(answers) > 1:
            text = f"{row_list(_lines(same))}: one image, {len(answers)} labels ({paths})"
            yield Problem("same file, different labels", _lines(same), text)
        if len(_splits(same)) > 1:
            text = f"{row_list(_lines(same))}: one image in {', '.join(_splits(same))} ({paths})"
            yield Problem("same file across splits", _lines(same), text)


def label_problems(rows: Sequence[Row], labels: Sequence[str] | None) -> Iterator[Problem]:
    """Labels that are not allowed, and training rows without any."""
    if labels is not None:
        named = ((label, row) for row in rows for label in _positive(row) if label not in labels)
        for label, wrong in _by(named):
            text = f"{row_list(_lines(wrong))}: label {label!r}, expected one of {', '.join(labels)}"
            yield Problem("unknown label", _lines(wrong), text)
    if any(_answer(row) is not None for row in rows):
        empty = [row for row in rows if row.split == "train" and _answer(row) is None]
        if empty:
            text = f"{row_list(_lines(empty))}: no label in train"
            yield Problem("unlabelled training row", _lines(empty), text)


def group_problems(rows: Sequence[Row]) -> Iterator[Problem]:
    """Leakage groups that lie in more than one split."""
    for key, members in _by((row.group_id, row) for row in rows if row.group_id is not None):
        if len(_splits(members)) > 1:
            text = f"{row_list(_lines(members))}: group {key} is in {', '.join(_splits(members))}"
            yield Problem("group across splits", _lines(members), text)


def cluster_problems(
    rows: Sequence[Row], clusters: Sequence[int], looks: Sequence[Look]
) -> Iterator[Problem]:
    """Near-duplicates, as numbered by ``clusters``, that lie in more than one split."""
    for _, members in _by(zip(clusters, zip(rows, looks, strict=True), strict=True)):
        found = [row for row, _ in members]
        # Equal bytes have their own kind of problem: here only pictures that differ as files.
        if len(_splits(found)) < 2 or len({look.digest for _, look in members}) < 2:
            continue
        shown = ", ".join(f"{row.path} ({row.split})" for row in found[:4] if row.split)
        more = f" and {len(found) - 4} more" if len(found) > 4 else ""
        text = f"{row_list(_lines(found))}: near-duplicates in {', '.join(_splits(found))}: {shown}{more}"
        yield Problem("near-duplicate across splits", _lines(found), text)


def cluster_warnings(rows: Sequence[Row], clusters: Sequence[int]) -> Iterator[str]:
    """How many near-duplicates there are, and those that disagree on the label."""
    groups = [members for _, members in _by(zip(clusters, rows, strict=True))]
    many = [members for members in groups if len(members) > 1]
    if many:
        count = sum(len(members) for members in many)
        yield f"{count} images are near-duplicates of others, in {len(many)} clusters"
    mixed = [members for members in many if len({_answer(row) for row in members} - {None}) > 1]
    if mixed:
        shown = "; ".join(row_list(_lines(members)) for members in mixed[:3])
        yield f"{len(mixed)} clusters of near-duplicates have different labels ({shown})"


def row_warnings(rows: Sequence[Row], *, other_truth: bool = False) -> Iterator[str]:
    """What is allowed but worth a look; rows with ``other_truth``, masks or boxes, need no label."""
    without = [row for row in rows if row.split is None]
    if without:
        yield f"{len(without)} of {len(rows)} rows have no split ({row_list(_lines(without))})"
    if not other_truth and all(_answer(row) is None for row in rows):
        yield "no row has a label"
    ungrouped = [row for row in rows if row.group_id is None]
    if ungrouped:
        yield f"{len(ungrouped)} of {len(rows)} rows have no group_id ({row_list(_lines(ungrouped))})"


def _positive(row: Row) -> list[str]:
    if row.labels is not None:
        return [label for label, value in row.labels.items() if value == 1]
    return [] if row.label is None else [row.label]


def _answer(row: Row) -> object:
    """What a row says of its image, comparable; None where it says nothing."""
    if row.labels is None:
        return row.label
    known = tuple(sorted((label, value) for label, value in row.labels.items() if value is not None))
    return known or None


def _by(items: Iterable[tuple[K, T]]) -> list[tuple[K, list[T]]]:
    """Items by key, keys in order of first appearance."""
    found: dict[K, list[T]] = {}
    for key, item in items:
        found.setdefault(key, []).append(item)
    return list(found.items())


def _lines(rows: Iterable[Row]) -> tuple[int, ...]:
    return tuple(sorted(row.line for row in rows))


def _splits(rows: Iterable[Row]) -> list[str]:
    return sorted({row.split for row in rows if row.split is not None})
