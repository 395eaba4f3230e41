"""The same figures for each value of a manifest column, such as each region."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from vnvision.data.manifest import Manifest, Row
from vnvision.evaluate import notes
from vnvision.metrics.classification import Kind, classification_metrics
from vnvision.records import GroupRow
from vnvision.spec import TaskSpec

METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "auroc")
MOST_VALUES = 30
_FIELDS = ("label", "split", "group_id", "region", "source", "licence", "consent")


def cell(row: Row, column: str) -> str:
    """A row's value in any column, empty where it has none."""
    return (getattr(row, column) if column in _FIELDS else row.extra.get(column)) or ""


def group_rows(
    probabilities: np.ndarray,
    targets: np.ndarray,
    manifest: Manifest,
    task: TaskSpec,
    columns: Sequence[str],
    *,
    n_boot: int = 1000,
    seed: int = 0,
) -> tuple[tuple[GroupRow, ...], tuple[str, ...]]:
    """One row a value of each column, the most frequent first, and warnings.

    A column without any value is skipped. Rows without a value in a column that others fill are one row
    with the value "". At most ``MOST_VALUES`` values a column.

    Args:
        probabilities: (N, C).
        targets: (N,) or (N, C), of the manifest's rows.
        manifest: those rows.
        task: the model's.
        columns: manifest columns.
        n_boot: resamples.
        seed: of the resamples.
    """
    kind: Kind = "multilabel" if task.kind == "multilabel" else "classification"
    keys = manifest.group_keys()
    rows, warnings = [], []
    for column in columns:
        values = [cell(row, column) for row in manifest.rows]
        counts = sorted(Counter(values).items(), key=lambda item: (item[0] == "", -item[1], item[0]))
        if not any(values):
            continue
        if len(counts) > MOST_VALUES:
            warnings.append(notes.MANY_VALUES.format(column=column, count=len(counts), shown=MOST_VALUES))
        for value, n in counts[:MOST_VALUES]:
            inside = np.flatnonzero([v == value for v in values])
            result = classification_metrics(
                probabilities[inside], targets[inside], [keys[i] for i in inside], task.label_ids,
                kind=kind, n_boot=n_boot, seed=seed,
            )  # fmt: skip
            metrics = {name: result.metrics[name] for name in METRICS}
            rows.append(GroupRow(column=column, value=value, n=n, metrics=metrics))
    return tuple(rows), tuple(warnings)
