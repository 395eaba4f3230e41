"""Error rates of held-out people pooled over folds, before and after, with paired intervals over people.

Every fold is judged by its own model at that model's own LFW threshold; errors and comparisons are then added
up. Scores of several models are not one scale, so a score is read as its distance from its model's LFW
threshold. People are drawn again, the same for before and after; thresholds from LFW are held fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from regional.faces import FaceSet
from vnvision.evaluate.faces.pair_lists import PairList
from vnvision.metrics.bootstrap import ClusterBootstrap
from vnvision.metrics.pairs import code_subjects, iter_pairs_blocks
from vnvision.metrics.thresholds import TOLERANCE, threshold_at_fmr
from vnvision.metrics.verification import fold_accuracy

FMR = 1e-3
ROWS = ("all", "korean", "japanese", "chinese")


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """All comparisons within each held-out fold.

    Attributes:
        margin: (P,) float64 score less the LFW threshold of the fold's model.
        first: (P,) subject code.
        second: (P,) subject code; equal for a genuine comparison.
        fold: (P,).
        group: (P,) group of both pictures, or empty where they differ.
        n_subjects: S.
    """

    margin: np.ndarray
    first: np.ndarray
    second: np.ndarray
    fold: np.ndarray
    group: np.ndarray
    n_subjects: int

    def of_row(self, row: str) -> Pairs:
        """Comparisons within one group; ``all`` keeps those across groups too."""
        kept = np.ones(len(self.margin), bool) if row == "all" else self.group == row
        codes, names = code_subjects(np.concatenate([self.first[kept], self.second[kept]]))
        first, second = np.split(codes, 2)
        return Pairs(self.margin[kept], first, second, self.fold[kept], self.group[kept], len(names))


def lfw_threshold(embeddings: np.ndarray, people: np.ndarray) -> float:
    """The threshold with an FMR of 1e-3 over all pairs of LFW pictures."""
    impostor = np.concatenate([block.impostor for block in iter_pairs_blocks(embeddings, people)])
    return threshold_at_fmr(impostor, FMR).threshold


def lfw_right(embeddings: np.ndarray, pairs: PairList) -> np.ndarray:
    """(P,) bool, which pairs of LFW's official folds are answered rightly at the other folds' threshold."""
    scores = np.einsum("nd,nd->n", embeddings[pairs.first], embeddings[pairs.second])
    same = np.array([a == b for a, b in zip(pairs.first_subject, pairs.second_subject, strict=True)])
    found = fold_accuracy(scores, same, pairs.folds)
    limits = np.array(found.thresholds)[np.searchsorted(np.unique(pairs.folds), pairs.folds)]
    return (scores >= limits) == same


def held_out_pairs(
    faces: FaceSet, folds: np.ndarray, embeddings: Sequence[np.ndarray], thresholds: Sequence[float]
) -> Pairs:
    """Compare the people of each fold with each other, by the embeddings of that fold's model.

    Args:
        faces: N pictures.
        folds: (N,) from 0; -1 is left out.
        embeddings: by fold, (N, D) of all pictures, of which those of the fold are used.
        thresholds: by fold, the model's LFW threshold.
    """
    codes, names = code_subjects(faces.people)
    parts = []
    for fold, (rows, limit) in enumerate(zip(embeddings, thresholds, strict=True)):
        members = np.flatnonzero(folds == fold)
        i, j = (members[side] for side in np.triu_indices(len(members), 1))
        scores = np.einsum("nd,nd->n", rows[i], rows[j]).astype(np.float64)
        group = np.where(faces.groups[i] == faces.groups[j], faces.groups[i], "")
        parts.append((scores - limit, codes[i], codes[j], np.full(len(i), fold), group))
    return Pairs(*(np.concatenate(column) for column in zip(*parts, strict=True)), len(names))


class Rates:
    """Rates of one row of the table as functions of how often each person was drawn.

    ``own_tar`` is the TAR at the row's own FMR of 1e-3 over the pooled margins, ``own_tar_by_fold`` with a
    threshold for each fold, where few comparisons allow hardly any false match.
    """

    def __init__(self, pairs: Pairs) -> None:
        self.n_subjects = pairs.n_subjects
        same = pairs.first == pairs.second
        down = np.argsort(-pairs.margin[~same], kind="stable")
        up = np.argsort(pairs.margin[same], kind="stable")
        self.impostor, self.genuine = pairs.margin[~same][down], pairs.margin[same][up]
        self.a, self.b = pairs.first[~same][down], pairs.second[~same][down]
        self.own, self.genuine_fold = pairs.first[same][up], pairs.fold[same][up]
        self.impostor_fold = pairs.fold[~same][down]

    def __call__(self, weights: np.ndarray) -> dict[str, float]:
        """Rates under weights (S,)."""
        pair, single = weights[self.a] * weights[self.b], weights[self.own]
        if not pair.sum() or not single.sum():
            return dict.fromkeys(("fmr", "tar", "own_tar", "own_tar_by_fold"), float("nan"))
        by_fold = 0.0
        for fold in np.unique(self.genuine_fold):
            i, g = self.impostor_fold == fold, self.genuine_fold == fold
            by_fold += _accepted(self.impostor[i], pair[i], self.genuine[g], single[g], FMR)
        return {
            "fmr": float(pair[self.impostor >= 0].sum() / pair.sum()),
            "tar": float(single[self.genuine >= 0].sum() / single.sum()),
            "own_tar": self.tar_at(FMR, weights),
            "own_tar_by_fold": by_fold / single.sum(),
        }

    def tar_at(self, fmr: float, weights: np.ndarray) -> float:
        """TAR at the threshold of an FMR over the pooled margins; NaN where nothing was drawn."""
        pair, single = weights[self.a] * weights[self.b], weights[self.own]
        if not pair.sum() or not single.sum():
            return float("nan")
        return _accepted(self.impostor, pair, self.genuine, single, fmr) / float(single.sum())

    @property
    def n(self) -> tuple[int, int]:
        """Genuine and impostor comparisons."""
        return len(self.genuine), len(self.impostor)


def _accepted(
    impostor: np.ndarray, pair: np.ndarray, genuine: np.ndarray, single: np.ndarray, fmr: float
) -> float:
    """Genuine weight above the threshold of an FMR; impostors from high to low, genuine from low up."""
    running = np.cumsum(pair)
    too_many = int(np.searchsorted(running, fmr * running[-1] + TOLERANCE, "right")) if len(pair) else 0
    refused = np.searchsorted(genuine, impostor[too_many], "right") if too_many < len(pair) else 0
    return float(single[refused:].sum())


@dataclass(frozen=True, slots=True)
class Change:
    """One rate before and after, the change, its interval, and the verdict."""

    before: float
    after: float
    change: float
    low: float
    high: float
    verdict: str


def changes(
    before: Pairs, after: Pairs, n_boot: int, seed: int, rows: Sequence[str] = ROWS
) -> dict[str, dict[str, Change]]:
    """Each row's rates, with 95 % percentile intervals of the change over people drawn again in both."""
    return {row: _changes(Rates(before.of_row(row)), Rates(after.of_row(row)), n_boot, seed) for row in rows}


def _changes(before: Rates, after: Rates, n_boot: int, seed: int) -> dict[str, Change]:
    def both(weights: np.ndarray) -> tuple[dict[str, float], dict[str, float]]:
        first, second = before(weights), after(weights)
        # What the start would accept if its threshold were moved to the new FMR: is it more than that?
        first["tar_at_new_fmr"] = before.tar_at(second["fmr"], weights)
        return first, second | {"tar_at_new_fmr": second["tar"]}

    draw = ClusterBootstrap(range(before.n_subjects), n_boot, seed)
    drawn = [both(column) for block in draw.blocks() for column in block.T]
    first, second = both(np.ones(before.n_subjects))
    return {
        name: change_of(first[name], second[name], np.array([b[name] - a[name] for a, b in drawn]))
        for name in first
    }


def change_of(before: float, after: float, draws: np.ndarray) -> Change:
    """The verdict is ``shown`` only where the interval of the change leaves out 0."""
    defined = draws[np.isfinite(draws)]
    low, high = np.quantile(defined, [0.025, 0.975]) if len(defined) else (np.nan, np.nan)
    verdict = "shown" if low > 0 or high < 0 else "not shown"
    return Change(before, after, after - before, float(low), float(high), verdict)


def accuracy_change(
    before: np.ndarray, after: Sequence[np.ndarray], subjects: Sequence[str], n_boot: int, seed: int
) -> Change:
    """LFW accuracy of the start and, on average, of the models of all folds; drawn by the first person."""
    gain = np.mean(after, axis=0) - before
    statistic: Callable[[np.ndarray], np.ndarray] = lambda w: (gain @ w) / w.sum(axis=0)  # noqa: E731
    draws = np.concatenate([statistic(w) for w in ClusterBootstrap(subjects, n_boot, seed).blocks()])
    return change_of(float(before.mean()), float(np.mean(after)), draws)
