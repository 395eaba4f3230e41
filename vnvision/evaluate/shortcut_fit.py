"""The probe's classifier: scaled inputs and logistic regression, nothing that could be called a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vnvision.errors import MissingExtraError

STRENGTHS = (0.003, 0.03, 0.3)
_FOLDS = 4


def fit_predict(
    features: np.ndarray,
    targets: np.ndarray,
    groups: Sequence[str],
    asked: np.ndarray,
    n_classes: int,
    *,
    strengths: Sequence[float] | None = None,
) -> tuple[np.ndarray, tuple[float, ...]]:
    """Learn from some rows, answer for others.

    Classes weigh the same. The regularisation is the one of ``STRENGTHS`` with the best balanced accuracy in
    cross-validation over the training rows, groups kept whole; the rows asked about play no part.

    Args:
        features: (N, D) of the training rows.
        targets: (N,) class index; or (N, C) of 1, 0 and -1 unknown, each column on its own.
        groups: (N,) keys.
        asked: (M, D).
        n_classes: C.
        strengths: of an earlier call, to be used again.

    Returns:
        (M, C) probabilities: a class without a training row gets 0, a column with one answer only gets it;
        and the strengths used, one a column.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    if targets.ndim == 1:
        strength = strengths[0] if strengths else _strength(features, targets, groups)
        return _one(features, targets, asked, n_classes, strength), (strength,)
    out, used = np.zeros((len(asked), n_classes)), []
    for column in range(n_classes):
        known = targets[:, column] >= 0
        mine = [group for group, there in zip(groups, known, strict=True) if there]
        answers = targets[known, column]
        used.append(strengths[column] if strengths else _strength(features[known], answers, mine))
        out[:, column] = 0.5
        if known.any():
            out[:, column] = _one(features[known], answers, asked, 2, used[-1])[:, 1]
    return out, tuple(used)


def shuffled(targets: np.ndarray, groups: Sequence[str], seed: int) -> np.ndarray:
    """Targets dealt out again between groups: each group gets the labels of another, in turn.

    Pictures of one group stay alike in label, as they are in truth: shuffled one by one, they would make the
    control look surer than it is.
    """
    codes = np.unique(np.array(groups, dtype=str), return_inverse=True)[1]
    order = np.random.default_rng(seed).permutation(codes.max(initial=0) + 1)
    here, there = np.argsort(codes, kind="stable"), np.argsort(order[codes], kind="stable")
    out = np.empty_like(targets)
    out[there] = targets[here]
    return out


def _one(
    features: np.ndarray, targets: np.ndarray, asked: np.ndarray, n_classes: int, strength: float
) -> np.ndarray:
    there = np.unique(targets)
    out = np.zeros((len(asked), n_classes))
    if len(there) == 1:
        out[:, there[0]] = 1.0
        return out
    probe = _pipeline(strength)
    probe.fit(features, targets)
    out[:, there] = probe.predict_proba(asked)
    return out


def _strength(features: np.ndarray, targets: np.ndarray, groups: Sequence[str]) -> float:
    """The regularisation that serves best within the training rows; the middle one if unknown."""
    if len(np.unique(targets)) < 2:
        return STRENGTHS[1]
    _pipeline(STRENGTHS[1])
    from sklearn.metrics import balanced_accuracy_score

    codes = np.unique(np.array(groups, dtype=str), return_inverse=True)[1]
    scores = {strength: [0.0] for strength in STRENGTHS}
    for train, held in _folds(targets, codes):
        if len(np.unique(targets[train])) < 2:
            continue
        for strength in STRENGTHS:
            answers = _pipeline(strength).fit(features[train], targets[train]).predict(features[held])
            scores[strength].append(balanced_accuracy_score(targets[held], answers))
    if all(len(found) == 1 for found in scores.values()):
        return STRENGTHS[1]
    return max(STRENGTHS, key=lambda strength: sum(scores[strength]))


def _folds(targets: np.ndarray, codes: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    from sklearn.model_selection import StratifiedGroupKFold

    smallest = min(len(np.unique(codes[targets == target])) for target in np.unique(targets))
    count = min(_FOLDS, smallest)
    if count < 2:
        return []
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=0)
    return list(splitter.split(np.zeros((len(targets), 1)), targets, codes))


def _pipeline(strength: float) -> Any:
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError as exc:
        raise MissingExtraError("scikit-learn", "eval") from exc
    fit = LogisticRegression(C=strength, class_weight="balanced", max_iter=2000)
    return make_pipeline(StandardScaler(), fit)
