"""Classification metrics with group-bootstrap intervals, all resamples in one pass.

Definitions, chosen to agree with scikit-learn where it has the metric:

* accuracy: share right. Multi-label: share of known entries right at 0.5, mean over labels.
* balanced_accuracy: mean recall over the classes. Multi-label: mean of sensitivity and specificity.
* macro_f1: mean F1 over the classes that occur in the truth. Multi-label: F1 of "yes".
* auroc, auprc, sensitivity_at_specificity_90 and _95: of the last label where there are two classes, else
  one class against the rest, mean over classes. See ``ranking``.
* ece: top-label confidence against accuracy (multi-label: probability against presence). See ``calibration``.
* brier: squared distance between probabilities and truth (Brier 1950), over one class where there are two.
* nll: mean negative log-likelihood in nats.

A mean over classes keeps the same classes in every resample: one in which a class has no image leaves that
metric undefined there, it does not average over fewer.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vnvision.errors import DataError
from vnvision.metrics import notes
from vnvision.metrics.bootstrap import ClusterBootstrap, resample, summarise
from vnvision.metrics.statistics import RANKING, MultiLabel, SingleLabel, Statistic
from vnvision.records import Metric

HEADLINE = ("accuracy", "balanced_accuracy", "macro_f1", *RANKING, "ece", "brier", "nll")
PER_CLASS = ("precision", "recall", "f1", "auroc")
Kind = Literal["classification", "multilabel"]


@dataclass(frozen=True, slots=True)
class ClassificationResult:
    """Headline metrics by name, and per label id its precision, recall, f1, auroc and n."""

    metrics: dict[str, Metric]
    per_class: dict[str, dict[str, Metric]]


def classification_metrics(
    probabilities: np.ndarray,
    targets: np.ndarray,
    groups: Sequence[Hashable],
    label_ids: Sequence[str],
    *,
    kind: Kind = "classification",
    n_boot: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> ClassificationResult:
    """Every headline and per-class metric with its interval.

    Args:
        probabilities: (N, C) calibrated.
        targets: (N,) class index, all known; multi-label (N, C) of 1, 0 and -1 unknown.
        groups: (N,) one key an image; images of one group are drawn together.
        label_ids: (C,) in output order.
        kind: single-label or multi-label.
        n_boot: resamples; 0 for none.
        seed: of the resamples.
        level: coverage of the intervals.

    Raises:
        DataError: shapes disagree, or a single-label target is unknown or out of range.
    """
    probabilities, targets = np.asarray(probabilities, dtype=np.float64), np.asarray(targets)
    _check(probabilities, targets, groups, label_ids, kind)
    bootstrap = ClusterBootstrap(groups, n_boot, seed)
    if not bootstrap.n:
        nothing = Metric(value=None, n=0, level=level, note=notes.NO_IMAGES)
        return ClassificationResult(
            dict.fromkeys(HEADLINE, nothing),
            {i: dict.fromkeys((*PER_CLASS, "n"), nothing) for i in label_ids},
        )
    statistic: Statistic = (MultiLabel if kind == "multilabel" else SingleLabel)(probabilities, targets)
    point = {name: values[..., 0] for name, values in statistic(np.ones((bootstrap.n, 1))).items()}
    draws = resample(statistic, bootstrap)
    return ClassificationResult(
        _headline(statistic, point, draws, bootstrap, label_ids, level),
        {label: _of_class(c, statistic, point, draws, bootstrap, level) for c, label in enumerate(label_ids)},
    )


def _check(
    probabilities: np.ndarray,
    targets: np.ndarray,
    groups: Sequence[Hashable],
    label_ids: Sequence[str],
    kind: Kind,
) -> None:
    """Shapes and ranges, before anything is computed."""
    n = len(probabilities)
    if probabilities.ndim != 2 or probabilities.shape[1] != len(label_ids):
        raise DataError(
            "probabilities do not fit the labels",
            expected=f"(N, {len(label_ids)})",
            got=str(probabilities.shape),
        )
    shape = probabilities.shape if kind == "multilabel" else (n,)
    if targets.shape != shape:
        raise DataError("targets do not fit the probabilities", expected=str(shape), got=str(targets.shape))
    if len(groups) != n:
        raise DataError("groups do not fit the probabilities", expected=f"{n} keys", got=str(len(groups)))
    if kind == "classification" and n and not 0 <= targets.min() <= targets.max() < len(label_ids):
        raise DataError(
            "a target is not a class",
            expected=f"0..{len(label_ids) - 1}",
            got=f"{targets.min()}..{targets.max()}",
            fix="leave rows with an unknown label out",
        )


def _headline(
    statistic: Statistic,
    point: dict[str, np.ndarray],
    draws: dict[str, np.ndarray],
    bootstrap: ClusterBootstrap,
    label_ids: Sequence[str],
    level: float,
) -> dict[str, Metric]:
    """Metrics over all classes, each with a note naming classes it leaves out."""
    known = np.asarray(statistic.known.any(axis=0))
    n, n_groups = int(known.sum()), bootstrap.groups_of(known)
    single = isinstance(statistic, SingleLabel)
    out = {}
    for name in HEADLINE:
        why, note, groups = notes.NO_IMAGES, None, n_groups
        wanted = statistic.averaged(name)
        if wanted is not None:
            why = notes.FEW_CLASSES if single else notes.EMPTY_MACRO
            absent = [label for label, there in zip(label_ids, wanted, strict=True) if not there]
            note = notes.LEFT_OUT.format(labels=", ".join(absent)) if absent and wanted.any() else None
        proportion = name == "accuracy"
        if single and len(label_ids) == 2 and name.startswith("sensitivity"):
            proportion, groups = True, bootstrap.groups_of(statistic.truth[1])
        out[name] = summarise(
            float(point[name]), draws.get(name), n=n, n_groups=groups, why=why, note=note,
            proportion=proportion, reflect=name == "ece", level=level,
        )  # fmt: skip
    return out


def _of_class(
    c: int,
    statistic: Statistic,
    point: dict[str, np.ndarray],
    draws: dict[str, np.ndarray],
    bootstrap: ClusterBootstrap,
    level: float,
) -> dict[str, Metric]:
    """Precision, recall, f1, auroc and n of one class. Each ``n`` counts what that metric divides by."""
    truth, called, known = statistic.truth[c], statistic.called[c], statistic.known[c]
    absent = notes.CLASS_ABSENT if not truth.any() else notes.ONLY_CLASS
    measured = {
        "precision": (called, notes.NEVER_ANSWERED, True),
        "recall": (truth, notes.CLASS_ABSENT, True),
        "f1": (known, notes.CLASS_ABSENT, False),
        "auroc": (known, absent, False),
    }
    out = {}
    for name, (members, why, proportion) in measured.items():
        key = f"class_{name}"
        out[name] = summarise(
            float(point[key][c]), draws[key][c] if key in draws else None, n=int(members.sum()),
            n_groups=bootstrap.groups_of(members), why=why, proportion=proportion, level=level,
        )  # fmt: skip
    out["n"] = Metric(value=float(truth.sum()), n=int(truth.sum()), level=level)
    return out
