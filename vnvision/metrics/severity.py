"""Severity: the diseased share of a leaf or an organ, and how far a model is off.

Errors are in percentage points of the share. Limits of agreement are mean difference plus and minus 1.96
standard deviations of the differences (Bland and Altman 1986, "Statistical methods for assessing agreement
between two methods of clinical measurement", Lancet 327, 307-310): for 95 in 100 images the model's share is
expected to lie between them above or below the true one.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from vnvision.errors import DataError
from vnvision.metrics import dense_notes, notes
from vnvision.metrics.bootstrap import ClusterBootstrap, resample, share, summarise
from vnvision.metrics.means import ratio
from vnvision.records import Metric
from vnvision.spec import SeveritySpec

HEADLINE = ("severity_mae", "severity_bias", "severity_loa_low", "severity_loa_high", "severity_undefined")
_LIMIT = 1.96
_POINTS = 100.0


def severity_of(mask: np.ndarray, label_ids: tuple[str, ...], spec: SeveritySpec) -> float | None:
    """Diseased over whole area of a mask (H, W) of label indices, 0 to 1; None where there is no whole."""
    counts = np.bincount(mask.reshape(-1), minlength=len(label_ids))
    index = {label: i for i, label in enumerate(label_ids)}
    whole = sum(int(counts[index[label]]) for label in spec.whole)
    diseased = sum(int(counts[index[label]]) for label in spec.diseased)
    return diseased / whole if whole else None


def severity_metrics(
    truth: Sequence[float | None] | np.ndarray,
    answer: Sequence[float | None] | np.ndarray,
    groups: Sequence[Hashable],
    *,
    n_boot: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Metric]:
    """Mean absolute error, bias (answer minus truth) and limits of agreement, in percentage points.

    ``severity_undefined`` is the share, 0 to 1, of images with a true share for which the answer has none;
    they are left out of the other figures, which say how many.

    Args:
        truth: (N,) shares 0 to 1, None or NaN where there is no whole.
        answer: (N,) shares 0 to 1, None or NaN where none was found.
        groups: (N,) one key an image.
        n_boot: resamples; 0 for none.
        seed: of the resamples.
        level: coverage of the intervals.

    Raises:
        DataError: lengths differ, or a share is outside 0 to 1.
    """
    true, said = (np.array(side, dtype=np.float64) for side in (truth, answer))
    _check(true, said, groups)
    bootstrap = ClusterBootstrap(groups, n_boot, seed)
    known = np.isfinite(true)
    both = known & np.isfinite(said)
    off = np.where(both, _POINTS * (said - true), 0.0)

    def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
        total = both @ weights
        bias = ratio(off @ weights, total)
        spread = np.sqrt(np.maximum(ratio((off**2) @ weights - total * bias**2, total - 1), 0.0))
        return {
            "severity_mae": ratio(np.abs(off) @ weights, total),
            "severity_bias": bias,
            "severity_loa_low": bias - _LIMIT * spread,
            "severity_loa_high": bias + _LIMIT * spread,
        }

    n, n_groups = int(both.sum()), bootstrap.groups_of(both)
    point, draws = statistic(np.ones((len(true), 1))), resample(statistic, bootstrap)
    gone = int((known & ~both).sum())
    note = dense_notes.NO_WHOLE.format(count=gone, images=int(known.sum())) if gone else None
    out = {}
    for name, value in point.items():
        why = dense_notes.TOO_FEW if "loa" in name and n else dense_notes.NO_SHARE
        out[name] = summarise(
            float(value[0]), draws.get(name), n=n, n_groups=n_groups, why=why, note=note, level=level
        )
    out["severity_undefined"] = share(known & ~both, known, bootstrap, why=notes.NO_IMAGES)
    return out


def _check(true: np.ndarray, said: np.ndarray, groups: Sequence[Hashable]) -> None:
    if not true.shape == said.shape == (len(groups),):
        got = f"{len(true)}, {len(said)}, {len(groups)}"
        raise DataError("truth, answer and groups differ in length", expected="the same number", got=got)
    for side in (true, said):
        values = side[np.isfinite(side)]
        if len(values) and not 0 <= values.min() <= values.max() <= 1:
            raise DataError("a share", expected="0 to 1", got=f"{values.min():g} to {values.max():g}")
