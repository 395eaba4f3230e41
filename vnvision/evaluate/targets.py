"""Does the manifest ask what the model answers, and what is the truth."""

from __future__ import annotations

import numpy as np

from vnvision.data import boxes as box_cells
from vnvision.data import masks as mask_cells
from vnvision.data.boxes import row_boxes
from vnvision.data.manifest import Manifest, Row
from vnvision.data.masks import read_mask
from vnvision.errors import ConfigError, DataError
from vnvision.records import Detections
from vnvision.spec import TaskSpec

KINDS = ("classification", "multilabel")
DENSE = ("segmentation", "detection")


def known_targets(manifest: Manifest, task: TaskSpec) -> np.ndarray:
    """(N,) class index or (N, C) of 1 and 0, in the task's label order; -1 unknown.

    Raises:
        ConfigError: the task is neither classification nor multilabel.
        DataError: the manifest has labels the task has not, or is of the other kind; lists both.
    """
    if task.kind not in KINDS:
        fix = "vnvision face eval --data DATA --model BUNDLE" if task.kind == "embedding" else None
        raise ConfigError("this evaluation", expected=" or ".join(KINDS), got=task.kind, fix=fix)
    if manifest.is_multilabel != (task.kind == "multilabel"):
        raise DataError(
            f"{manifest.path.name} does not fit the model",
            expected="columns label:<id>" if task.kind == "multilabel" else "a column label",
            got="columns label:<id>" if manifest.is_multilabel else "a column label",
        )
    theirs, ours = manifest.label_ids(), task.label_ids
    strangers = set(theirs) ^ set(ours) if manifest.is_multilabel else set(theirs) - set(ours)
    if strangers:
        raise DataError(
            f"labels of {manifest.path.name} are not the model's ({', '.join(sorted(strangers))})",
            expected=", ".join(sorted(ours)),
            got=", ".join(theirs),
            fix="rename the labels in the manifest, or leave those rows out",
        )
    targets = manifest.targets(ours)
    if not (targets >= 0).any():
        raise DataError(
            f"no row of {manifest.path.name} has a known label",
            fix="fill the label column, or use another split",
        )
    return targets


def known_rows(targets: np.ndarray) -> np.ndarray:
    """(N,) bool: the rows with something to judge."""
    known = targets >= 0
    return known if targets.ndim == 1 else np.asarray(known.any(axis=1))


def known_truth(manifest: Manifest, task: TaskSpec) -> np.ndarray:
    """(N,) bool: the rows whose mask or boxes are known.

    Raises:
        ConfigError: the task is neither segmentation nor detection.
        DataError: no row's truth is known.
    """
    if task.kind not in DENSE:
        raise ConfigError("this evaluation", expected=" or ".join(DENSE), got=task.kind)
    column = mask_cells.COLUMN if task.kind == "segmentation" else box_cells.COLUMN
    known = np.array([bool(row.extra.get(column, "").strip()) for row in manifest.rows], dtype=bool)
    if not known.any():
        raise DataError(
            f"no row of {manifest.path.name} has a known {column} cell",
            expected=f"a column {column}",
            fix="fill it ('none' where there is nothing), or use another split",
        )
    return known


def true_boxes(manifest: Manifest, task: TaskSpec) -> list[Detections]:
    """The objects of rows whose boxes are all known, scores 1.

    Raises:
        DataError: a wrong cell (names its row), or labels that are not the model's (lists both).
    """
    index = {label: i for i, label in enumerate(task.label_ids)}
    found = [row_boxes(row, manifest.path.name) for row in manifest.rows]
    theirs = {label for one in found if one is not None for label in one.labels}
    if strangers := sorted(theirs - set(index)):
        raise DataError(
            f"labels of {manifest.path.name} are not the model's ({', '.join(strangers)})",
            expected=", ".join(sorted(index)),
            got=", ".join(sorted(theirs)),
            fix="rename the labels in the column boxes, or leave those rows out",
        )
    out = []
    for row, one in zip(manifest.rows, found, strict=True):
        if one is None:
            raise DataError(f"row {row.line} of {manifest.path.name} has no known boxes")
        labels = np.array([index[label] for label in one.labels], dtype=np.int64)
        out.append(Detections(one.boxes_xyxy_px, labels, np.ones(len(labels), np.float32)))
    return out


def true_mask(manifest: Manifest, row: Row, task: TaskSpec, size_px: tuple[int, int]) -> np.ndarray:
    """The mask (H, W) of a row whose mask is known.

    Raises:
        DataError: it is unknown, missing, damaged, of another size, or holds values that are no labels; names
            the row.
    """
    try:
        mask = read_mask(manifest, row, len(task.labels), size_px)
    except DataError as exc:
        raise DataError(f"row {row.line} of {manifest.path.name}: {exc}") from exc
    if mask is None:
        raise DataError(f"row {row.line} of {manifest.path.name} has no known mask")
    return mask
