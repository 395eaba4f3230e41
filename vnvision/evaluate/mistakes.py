"""The wrong answers a model was surest of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vnvision.records import Mistake

MOST = 24


def worst_mistakes(
    probabilities: np.ndarray,
    targets: np.ndarray,
    paths: Sequence[str],
    label_ids: Sequence[str],
    most: int = MOST,
) -> tuple[Mistake, ...]:
    """Up to ``most`` wrong answers, the most confident first; equally confident ones in row order.

    Args:
        probabilities: (N, C) calibrated.
        targets: (N,) class index; or (N, C) of 1, 0 and -1 unknown, where each label is an answer of its
            own, written ``label=1`` or ``label=0``.
        paths: (N,) relative to the manifest's root.
        label_ids: (C,).
        most: how many at most.
    """
    if targets.ndim == 1:
        answers = probabilities.argmax(axis=1)
        rows = np.flatnonzero(answers != targets)
        sure = probabilities[rows, answers[rows]]
        order = rows[np.argsort(-sure, kind="stable")][:most]
        return tuple(
            Mistake(
                path=paths[i],
                truth=label_ids[targets[i]],
                answer=label_ids[answers[i]],
                probability=float(probabilities[i, answers[i]]),
            )
            for i in order
        )
    yes = probabilities >= 0.5
    confidence = np.where(yes, probabilities, 1 - probabilities)
    wrong = np.argwhere((targets >= 0) & (yes != (targets == 1)))
    sure = confidence[wrong[:, 0], wrong[:, 1]]
    return tuple(
        Mistake(
            path=paths[i],
            truth=f"{label_ids[c]}={targets[i, c]}",
            answer=f"{label_ids[c]}={int(yes[i, c])}",
            probability=float(confidence[i, c]),
        )
        for i, c in wrong[np.argsort(-sure, kind="stable")][:most]
    )
