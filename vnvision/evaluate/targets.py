"""Does the manifest ask what the model answers, and what is the truth."""

from __future__ import annotations

import numpy as np

from vnvision.data.manifest import Manifest
from vnvision.errors import ConfigError, DataError
from vnvision.spec import TaskSpec

KINDS = ("classification", "multilabel")


def known_targets(manifest: Manifest, task: TaskSpec) -> np.ndarray:
    """(N,) class index or (N, C) of 1 and 0, in the task's label order; -1 unknown.

    Raises:
        ConfigError: the task is neither classification nor multilabel.
        DataError: the manifest has labels the task has not, or is of the other kind; lists both.
    """
    if task.kind not in KINDS:
        raise ConfigError("this evaluation", expected=" or ".join(KINDS), got=task.kind)
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
