"""What the checker looks for in masks and boxes: what training would refuse, and likely slips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from vnvision.data import boxes, masks
from vnvision.data.findings import Problem
from vnvision.data.linked import stays_inside
from vnvision.data.look import Look
from vnvision.data.manifest import Manifest, leaves_root
from vnvision.data.rows import Row
from vnvision.data.table import row_list
from vnvision.errors import DataError

_ANY = 256
_MANY_VALUES = 32
Found = tuple[str, str]


@dataclass(frozen=True, slots=True)
class TruthRules:
    """What masks and boxes may hold; None allows anything.

    Attributes:
        n_mask_labels: labels of the task, background included: mask values run from 0 to one below.
        box_labels: label ids of boxes.
    """

    n_mask_labels: int | None = None
    box_labels: tuple[str, ...] | None = None


def truth_problems(
    manifest: Manifest, looks: Sequence[Look], rules: TruthRules, threads: int
) -> Iterator[Problem]:
    """Masks that are missing, damaged, of another size or with wrong values; boxes that are wrong or outside.

    Args:
        manifest: what is checked.
        looks: what was seen of each row's picture; without its size nothing is said of its truth.
        rules: what is allowed.
        threads: masks read at once.
    """

    def look(pair: tuple[Row, Look]) -> list[Found]:
        return [*_mask(manifest, *pair, rules), *_boxes(manifest, *pair, rules)]

    pairs = list(zip(manifest.rows, looks, strict=True))
    with ThreadPoolExecutor(threads) as pool:
        for (row, _), found in zip(pairs, pool.map(look, pairs), strict=True):
            for kind, text in found:
                yield Problem(kind, (row.line,), f"row {row.line}: {text}")


def truth_warnings(rows: Sequence[Row]) -> Iterator[str]:
    """How many rows leave their mask or boxes unknown where others do not."""
    for column in (masks.COLUMN, boxes.COLUMN):
        unknown = [row.line for row in rows if not row.extra.get(column, "").strip()]
        if 0 < len(unknown) < len(rows):
            yield (
                f"{len(unknown)} of {len(rows)} rows leave {column} empty, which means unknown "
                f"({row_list(unknown)}): write '{masks.NOTHING}' where there is nothing"
            )


def has_truth(rows: Sequence[Row]) -> bool:
    """Whether some row has a mask or boxes."""
    return any(row.extra.get(column, "").strip() for row in rows for column in (masks.COLUMN, boxes.COLUMN))


def _mask(manifest: Manifest, row: Row, look: Look, rules: TruthRules) -> Iterator[Found]:
    cell = masks.mask_cell(row)
    if leaves_root(cell):
        yield "outside root", f"mask {cell} is not relative to the root, or climbs out of it"
        return
    try:
        path = masks.mask_file(manifest, row)
        if path is None:
            return
        if not stays_inside(manifest.root, cell):
            yield "outside root", f"mask {cell} links to a place outside the root"
            return
        if look.size_px is None:
            if not path.is_file():
                yield "wrong mask", f"mask {cell} does not exist"
            return
        mask = masks.load_mask(path, _ANY, look.size_px)
    except DataError as exc:
        yield "wrong mask", f"mask {cell} {_reason(exc, cell)}"
        return
    except (OSError, RuntimeError, ValueError) as exc:
        yield "wrong mask", f"mask {cell}: {exc}"
        return
    if text := _values(np.flatnonzero(np.bincount(mask.ravel(), minlength=_ANY)), rules.n_mask_labels):
        yield "wrong mask values", f"mask {cell} {text}"


def _reason(exc: DataError, cell: str) -> str:
    """What is wrong without the path, which is said already."""
    facts = [f"{name} {value}" for name, value in (("expected", exc.expected), ("got", exc.got)) if value]
    return ", ".join([exc.problem.rpartition(cell)[2].strip() or exc.problem, *facts])


def _values(values: np.ndarray, n_labels: int | None) -> str | None:
    """What is wrong with the values of a mask; 0 and 255 alone are read as 0 and 1 for two labels."""
    shown = ", ".join(map(str, values[:6])) + (" …" if len(values) > 6 else "")
    two = set(values.tolist()) <= {0, 255}
    if len(values) > _MANY_VALUES:
        return f"holds {len(values)} values: saved as JPEG, or smoothed when resized?"
    if n_labels is not None and not (two and n_labels == 2) and values.max(initial=0) >= n_labels:
        return f"holds {shown}, expected label indices from 0 to {n_labels - 1}"
    if 255 in values and not two:
        return f"holds {shown}: 255 beside other values is no label"
    return None


def _boxes(manifest: Manifest, row: Row, look: Look, rules: TruthRules) -> Iterator[Found]:
    try:
        found = boxes.parse_boxes(row.extra.get(boxes.COLUMN, ""))
    except DataError as exc:
        yield "wrong boxes", str(exc)
        return
    if found is None:
        return
    strangers = sorted(set(found.labels) - set(rules.box_labels)) if rules.box_labels is not None else []
    if strangers:
        allowed = ", ".join(rules.box_labels or ())
        yield "unknown label", f"boxes of {', '.join(strangers)}, expected one of {allowed}"
    if look.size_px is None:
        return
    height, width = look.size_px
    sides = found.boxes_xyxy_px
    outside = (sides[:, :2] < 0).any(axis=1) | (sides[:, 2] > width) | (sides[:, 3] > height)
    if outside.any():
        first = int(np.flatnonzero(outside)[0])
        box = boxes.format_boxes(found.labels[first : first + 1], sides[first : first + 1])
        text = (
            f"{int(outside.sum())} of {len(found)} boxes reach outside the {width} x {height} picture ({box})"
        )
        yield "box outside the picture", text
