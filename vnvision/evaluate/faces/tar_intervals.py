"""TAR at an FMR over all pairs, with the threshold's own noise in the interval wherever that is affordable.

In each resample of persons the threshold is found again, as ``metrics.comparisons.tar_at_fmr`` does for
listed pairs. Of the impostor comparisons only the highest scores can decide it: some times the share asked
for are kept, and the weight of all others is known from how often each person was drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vnvision.evaluate.faces import notes
from vnvision.evaluate.faces.population import Population
from vnvision.metrics.bootstrap import ClusterBootstrap, summarise
from vnvision.metrics.identification import complement
from vnvision.metrics.intervals import rate_interval
from vnvision.metrics.notes import join
from vnvision.metrics.pairs import float32_limit, iter_pairs_blocks
from vnvision.metrics.score_counts import ScoreCounts
from vnvision.metrics.subjects import SubjectCounts
from vnvision.metrics.thresholds import TOLERANCE, TarAtFmr

SPREAD = 4.0
"""How many times the comparisons that may match are kept: resamples rarely reach further."""

MOST_SCORES = 1 << 18
"""More are not resampled; the interval is then that of the threshold as it is, and says so."""


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores that can decide a threshold, and all genuine ones.

    Attributes:
        floor: every impostor score at or above it is here.
        impostor: (T,) from high to low.
        first: (T,) person codes.
        second: (T,) person codes.
        genuine: (G,) from low to high.
        who: (G,) person codes.
    """

    floor: float
    impostor: np.ndarray
    first: np.ndarray
    second: np.ndarray
    genuine: np.ndarray
    who: np.ndarray


def tar_at_fmrs(
    people: Population,
    counts: ScoreCounts,
    targets: Sequence[float],
    *,
    block: int = 2048,
    n_boot: int = 1000,
    seed: int = 0,
) -> tuple[TarAtFmr, ...]:
    """TAR at the threshold of each FMR, with an interval over persons."""
    found = [counts.threshold_at_fmr(target) for target in targets]
    missed = count_misses(people, [at.threshold for at in found])
    few = [target for target in targets if _kept(counts, target) <= MOST_SCORES]
    few = few if counts.n_genuine <= MOST_SCORES else []
    scores = collect(people, counts, max(few), block) if few else None
    out = []
    for at, one in zip(found, missed, strict=True):
        tar = complement(rate_interval(one))
        if scores is not None and at.target in few and tar.value is not None:
            draws = tar_draws(people, scores, at.target, n_boot, seed)
            n_persons = int((one.margin > 0).sum())
            tar = summarise(tar.value, draws, n=tar.n, n_groups=n_persons, proportion=True)
        else:
            tar = tar.model_copy(update={"note": join(tar.note, notes.FIXED_THRESHOLD)})
        out.append(TarAtFmr(at=at, tar=tar))
    return tuple(out)


def _kept(counts: ScoreCounts, target: float) -> float:
    return min(SPREAD * target, 1.0) * counts.n_impostor


def count_misses(people: Population, thresholds: Sequence[float]) -> list[SubjectCounts]:
    """Genuine comparisons and those below each threshold, by person."""
    limits = np.array([float32_limit(threshold) for threshold in thresholds])
    size = len(people.names)
    missed, pairs = np.zeros((len(limits), size)), np.zeros(size)
    for rows in people.parts:
        order = rows[np.argsort(people.subjects[rows], kind="stable")]
        codes = people.subjects[order]
        for own in np.split(order, np.flatnonzero(np.diff(codes)) + 1):
            if len(own) < 2:
                continue
            person = people.subjects[own[0]]
            for part in iter_pairs_blocks(people.embeddings[own], np.zeros(len(own), np.int64)):
                scores = part.genuine
                pairs[person] += len(scores)
                missed[:, person] += (scores[None, :] < limits[:, None]).sum(axis=1)
    everyone = np.arange(size)
    return [SubjectCounts.from_sums(everyone, everyone, errors, pairs, size) for errors in missed]


def collect(people: Population, counts: ScoreCounts, target: float, block: int = 2048) -> Scores:
    """One more pass: the impostor scores that can decide the threshold, and all genuine ones."""
    floor = counts.threshold_at_fmr(min(SPREAD * target, 1.0)).threshold
    found: list[tuple[np.ndarray, ...]] = []
    for rows in people.parts:
        codes = people.subjects[rows]
        for part in iter_pairs_blocks(people.take(rows), codes, block):
            a, b = part.false_matches(floor)
            genuine = part.genuine_at[0]
            scores = part.scores[a - part.row0, b - part.col0]
            found.append((scores, codes[a], codes[b], part.genuine, codes[genuine]))
    impostor, first, second, genuine, who = (np.concatenate(parts) for parts in zip(*found, strict=True))
    down, up = np.argsort(-impostor, kind="stable"), np.argsort(genuine, kind="stable")
    return Scores(floor, impostor[down], first[down], second[down], genuine[up], who[up])


def tar_draws(people: Population, scores: Scores, target: float, n_boot: int, seed: int) -> np.ndarray:
    """(n_boot,) TAR with the threshold found again in each resample of persons; NaN where not defined."""
    size = len(people.names)
    images = [np.bincount(people.subjects[rows], minlength=size).astype(float) for rows in people.parts]
    out = []
    for drawn in ClusterBootstrap(range(size), n_boot, seed).blocks():
        for weights in drawn.T:
            total = sum((weights @ n) ** 2 - (weights**2) @ n**2 for n in images) / 2
            own = weights[scores.who]
            if total <= 0 or own.sum() == 0:
                out.append(np.nan)
                continue
            running = np.cumsum(weights[scores.first] * weights[scores.second])
            too_many = int(np.searchsorted(running, target * total + TOLERANCE, side="right"))
            if too_many < len(running):
                refused = int(np.searchsorted(scores.genuine, scores.impostor[too_many], side="right"))
            else:
                refused = int(np.searchsorted(scores.genuine, scores.floor, side="left"))
            out.append(own[refused:].sum() / own.sum())
    return np.array(out)
