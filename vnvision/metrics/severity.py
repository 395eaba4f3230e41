"""Severity: the diseased share of a leaf or an organ."""

from __future__ import annotations

import numpy as np

from vnvision.spec import SeveritySpec


def severity_of(mask: np.ndarray, label_ids: tuple[str, ...], spec: SeveritySpec) -> float | None:
    """Diseased over whole area of a mask (H, W) of label indices, 0 to 1; None where there is no whole."""
    counts = np.bincount(mask.reshape(-1), minlength=len(label_ids))
    index = {label: i for i, label in enumerate(label_ids)}
    whole = sum(int(counts[index[label]]) for label in spec.whole)
    diseased = sum(int(counts[index[label]]) for label in spec.diseased)
    return diseased / whole if whole else None
