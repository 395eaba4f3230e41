"""A list of pairs in folds, as in LFW: accuracy over folds, TAR at FMR, and rates by group."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from vnvision.errors import DataError
from vnvision.evaluate.faces import notes
from vnvision.evaluate.faces.differential import groups_of_persons
from vnvision.evaluate.faces.pair_lists import PairList
from vnvision.faces.embedded import EmbeddedFaces
from vnvision.metrics.comparisons import Comparisons, tar_at_fmr
from vnvision.metrics.group_counts import GroupCounts, count_pairs
from vnvision.metrics.score_counts import ScoreCounts
from vnvision.metrics.thresholds import FmrThreshold, TarAtFmr, threshold_at_fmr
from vnvision.metrics.verification import FoldAccuracy, fold_accuracy


@dataclass(frozen=True, slots=True, eq=False)
class ScoredPairs:
    """Pairs whose images both have a template.

    Attributes:
        scores: (P,) float32 cosines.
        pairs: the pairs, in the same order.
        left_out: pairs without a score.
    """

    scores: np.ndarray
    pairs: PairList
    left_out: int

    @property
    def same(self) -> np.ndarray:
        """(P,) bool."""
        both = zip(self.pairs.first_subject, self.pairs.second_subject, strict=True)
        return np.array([a == b for a, b in both], dtype=bool)

    @property
    def n_subjects(self) -> int:
        """Persons in any pair."""
        return len({*self.pairs.first_subject, *self.pairs.second_subject})


def score_pairs(faces: EmbeddedFaces, pairs: PairList) -> ScoredPairs:
    """Compare the images of each pair.

    Raises:
        DataError: a pair names a row that is not there, or not both kinds of pair are left.
    """
    n = len(faces.paths)
    rows = np.concatenate([pairs.first, pairs.second])
    if len(rows) and (rows.min() < 0 or rows.max() >= n):
        raise DataError(
            "a pair names an image that is not there", expected=f"rows below {n}", got=str(rows.max())
        )
    there = faces.found[pairs.first] & faces.found[pairs.second]
    kept = np.flatnonzero(there)
    some = PairList(
        pairs.first[kept],
        pairs.second[kept],
        tuple(pairs.first_subject[i] for i in kept.tolist()),
        tuple(pairs.second_subject[i] for i in kept.tolist()),
        pairs.folds[kept],
        pairs.named,
    )
    first, second = (np.asarray(faces.embeddings[rows], np.float32) for rows in (some.first, some.second))
    scored = ScoredPairs(np.einsum("nd,nd->n", first, second), some, len(pairs) - len(kept))
    same = scored.same
    if not same.any() or same.all():
        raise DataError(
            "pairs of both kinds are needed",
            expected="pairs of one person and of two",
            got=f"{int(same.sum())} and {int((~same).sum())}",
        )
    return scored


def score_counts(scored: ScoredPairs) -> ScoreCounts:
    """The scores in fine bins."""
    return ScoreCounts().add(scored.scores[scored.same], scored.scores[~scored.same])


def folds(scored: ScoredPairs) -> FoldAccuracy | None:
    """Accuracy over folds; None for a single fold."""
    if len(np.unique(scored.pairs.folds)) < 2:
        return None
    return fold_accuracy(scored.scores, scored.same, scored.pairs.folds)


def tar_at_fmrs(
    scored: ScoredPairs, targets: Sequence[float], n_boot: int, seed: int
) -> tuple[TarAtFmr, ...]:
    """TAR at each FMR; every resample of persons finds its own threshold."""
    pairs = Comparisons.from_pairs(scored.scores, scored.pairs.first_subject, scored.pairs.second_subject)
    return tuple(tar_at_fmr(pairs, target=target, n_boot=n_boot, seed=seed) for target in targets)


def groups_of(faces: EmbeddedFaces, scored: ScoredPairs, group: str) -> dict[str, str]:
    """The group of each person.

    Raises:
        DataError: a person is in two groups.
    """
    column = faces.column(group)
    rows = np.concatenate([scored.pairs.first, scored.pairs.second]).tolist()
    names = (*scored.pairs.first_subject, *scored.pairs.second_subject)
    return groups_of_persons((name, column[row]) for name, row in zip(names, rows, strict=True))


def threshold(
    scored: ScoredPairs, target: float, reference: str | None, group_of: dict[str, str] | None
) -> FmrThreshold:
    """The threshold for an FMR on the impostor pairs of all, or of one group.

    Raises:
        DataError: the group has no impostor pair.
    """
    impostor = ~scored.same
    if reference is not None and group_of is not None:
        sides = zip(scored.pairs.first_subject, scored.pairs.second_subject, strict=True)
        impostor &= np.array([group_of[a] == reference == group_of[b] for a, b in sides], dtype=bool)
    if not impostor.any():
        raise DataError(f"no impostor pair within the reference group {reference}", fix="give a threshold")
    return threshold_at_fmr(scored.scores[impostor], target)


def count_groups(scored: ScoredPairs, group_of: dict[str, str] | None, at: float) -> GroupCounts:
    """Errors at one threshold by group; one group of everybody where none are known."""
    a, b = scored.pairs.first_subject, scored.pairs.second_subject
    groups: dict[Hashable, str | None] = dict.fromkeys([*a, *b], "all")
    groups.update(group_of or {})
    return count_pairs(scored.scores, a, b, groups, at)


def cautions(scored: ScoredPairs) -> list[str]:
    """What a reader must know of the pairs."""
    said = []
    if scored.left_out:
        pairs = len(scored.pairs) + scored.left_out
        said.append(notes.PAIRS_LEFT_OUT.format(left=scored.left_out, pairs=pairs))
    if not scored.pairs.named:
        said.append(notes.NO_PERSONS)
    return said
