"""Detection figures as a function of image weights, so that resamples cost one pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vnvision.metrics.detection_matching import Matches, average_precision
from vnvision.metrics.means import label_mean, ratio


class Finding:
    """Every figure as a function of image weights, prepared once.

    Args:
        low: the matches of each label down to a low score, at all IoU thresholds.
        kept: those at the stored thresholds, at IoU 0.5.
    """

    def __init__(self, low: Sequence[Matches], kept: Sequence[Matches]) -> None:
        self.low, self.kept = low, kept
        self.truths = np.stack([one.truths for one in low])  # (C, N)
        n = self.truths.shape[1]
        self.marked = np.stack([np.bincount(one.image, minlength=n) for one in kept])
        self.right = np.stack([np.bincount(one.image, weights=one.hit[0], minlength=n) for one in kept])
        self.present = np.asarray(self.truths.any(axis=1))

    def precisions(self, ap: np.ndarray) -> dict[str, np.ndarray]:
        """Average precision (T, C, b) as ``label_ap50``, ``label_ap`` (C, b), ``map50`` and ``map`` (b,)."""
        label = {"ap50": ap[0], "ap": ap.mean(axis=0)}
        out = {f"label_{name}": values for name, values in label.items()}
        return out | {f"m{name}": label_mean(values, self.present) for name, values in label.items()}

    def averaged(self, name: str) -> np.ndarray:
        """(C,) bool: the labels a headline figure is a mean over."""
        found = self.marked.any(axis=1) if name == "precision" else True
        return np.asarray(self.present & found)

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Headline figures (b,), and those of each label as ``label_<name>`` (C, b), under (N, b)."""
        out = self.precisions(np.stack([average_precision(one, weights) for one in self.low], axis=1))
        truths, marked, right = (side @ weights for side in (self.truths, self.marked, self.right))
        label = {
            "recall": ratio(right, truths),
            "precision": ratio(right, marked),
            "f1": np.where(truths > 0, ratio(2 * right, truths + marked), np.nan),
        }
        for name, values in label.items():
            out[name] = label_mean(values, self.averaged(name))
            out[f"label_{name}"] = values
        return out
