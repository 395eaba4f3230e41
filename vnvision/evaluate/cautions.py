"""What a reader must know before believing the figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vnvision.data.manifest import Manifest
from vnvision.evaluate import notes
from vnvision.evaluate.targets import known_rows
from vnvision.records import Calibration
from vnvision.spec import TaskSpec

SMALL_IMAGES, SMALL_GROUPS, RARE = 100, 30, 10


def cautions(
    manifest: Manifest, targets: np.ndarray, task: TaskSpec, calibration: Calibration, split: str
) -> tuple[str, ...]:
    """Warnings about the data, worst first.

    Args:
        manifest: the split's rows, unknown ones included.
        targets: of those rows, -1 unknown.
        task: the model's.
        calibration: as applied.
        split: the split's name.
    """
    known = known_rows(targets)
    kept, truth = manifest.where(known), targets[known]
    return (
        *_about_size(kept),
        *_about_classes(truth, task),
        *_about_groups(kept),
        *_about_unknown(targets, known),
        *_about_calibration(manifest, calibration, split),
        *(notes.MANIFEST.format(text=text) for text in manifest.warnings),
    )


def about_data(described: Mapping[str, Any]) -> tuple[str, ...]:
    """Of what a description of the data warns of, the parts that bear on the figures: shortcuts, imbalance.

    Size and missing columns are said elsewhere, of the rows that were judged.
    """
    head, tail = notes.UNEVEN.partition("{")[0], notes.SHORTCUT.rpartition("}")[2]
    return tuple(
        text for text in described.get("warnings", ()) if text.startswith(head) or text.endswith(tail)
    )


def _about_size(kept: Manifest) -> list[str]:
    groups = len(set(kept.group_keys()))
    small = len(kept) < SMALL_IMAGES or groups < SMALL_GROUPS
    return [notes.SMALL.format(images=len(kept), groups=groups)] if small else []


def _about_classes(truth: np.ndarray, task: TaskSpec) -> list[str]:
    wanted = truth[:, None] == np.arange(len(task.labels)) if truth.ndim == 1 else truth == 1
    counts = wanted.sum(axis=0)
    missing = [label for label, n in zip(task.label_ids, counts, strict=True) if n == 0]
    rare = [label for label, n in zip(task.label_ids, counts, strict=True) if 0 < n < RARE]
    out = [notes.CLASS_MISSING.format(labels=", ".join(missing))] if missing else []
    return out + ([notes.CLASS_RARE.format(limit=RARE, labels=", ".join(rare))] if rare else [])


def _about_groups(kept: Manifest) -> list[str]:
    without = sum(row.group_id is None for row in kept.rows)
    if without == len(kept):
        return [notes.NO_GROUPS]
    return [notes.SOME_WITHOUT_GROUP.format(count=without, images=len(kept))] if without else []


def _about_unknown(targets: np.ndarray, known: np.ndarray) -> list[str]:
    rows = int((~known).sum())
    out = [notes.UNKNOWN_LEFT_OUT.format(count=rows)] if rows else []
    entries = int((targets[known] < 0).sum())
    if entries:
        out.append(notes.UNKNOWN_ENTRIES.format(count=entries, entries=targets[known].size))
    return out


def _about_calibration(manifest: Manifest, calibration: Calibration, split: str) -> list[str]:
    names = (split, f"split {split!r}")
    same = calibration.manifest_sha256 == manifest.sha256 and calibration.fitted_on in names
    return [notes.SAME_DATA] if same and calibration.n else []
