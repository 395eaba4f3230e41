"""Open-set search in a gallery: who is found, and who is found that is not there.

A probe is *mated* where its subject is enrolled. A search answers with enrolled subjects in order of score,
those at or above the threshold. TPIR is the share of mated searches whose answer holds the right subject at
rank R or better; FPIR the share of non-mated searches that answer with anybody. A subject enrolled with
several images scores with the best of them. Terms after ISO/IEC 19795-1.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vnvision.errors import ConfigError, DataError
from vnvision.metrics.intervals import rate_interval
from vnvision.metrics.pairs import code_subjects
from vnvision.metrics.subjects import SubjectCounts
from vnvision.metrics.thresholds import FmrThreshold, threshold_at_fmr
from vnvision.records import Metric
from vnvision.spec import Record

_BLOCK_CELLS = 1 << 22


class TpirAtFpir(Record):
    """TPIR at the threshold for one FPIR.

    ``at`` holds the threshold, the FPIR asked for and achieved, and whether the non-mated searches, which
    ``at.n_impostor`` counts, are enough to support it.
    """

    at: FmrThreshold
    rank: int
    tpir: Metric
    fpir: Metric


@dataclass(frozen=True, slots=True, eq=False)
class Searches:
    """What searches found, one row a probe.

    Attributes:
        top_score: (P,) best score of any enrolled subject.
        mate_score: (P,) score of the probe's own subject; NaN where non-mated.
        mate_rank: (P,) 1 and up, ties counted against it; 0 where non-mated.
        subjects: (P,) codes 0..S-1 of the probes' subjects.
        n_enrolled: subjects in the gallery.
    """

    top_score: np.ndarray
    mate_score: np.ndarray
    mate_rank: np.ndarray
    subjects: np.ndarray
    n_enrolled: int

    @property
    def mated(self) -> np.ndarray:
        """(P,) bool, the subject is enrolled."""
        return self.mate_rank > 0


def search(
    probes: np.ndarray,
    gallery: np.ndarray,
    probe_subjects: Sequence[Hashable] | np.ndarray,
    gallery_subjects: Sequence[Hashable] | np.ndarray,
) -> Searches:
    """Search every probe in the gallery, exactly, in blocks of probes: no (P, G) matrix is held.

    Args:
        probes: (P, D) unit-norm.
        gallery: (G, D) unit-norm.
        probe_subjects: (P,).
        gallery_subjects: (G,).

    Raises:
        DataError: shapes disagree, a side is empty, or an embedding is not finite.
    """
    if probes.ndim != 2 or gallery.ndim != 2 or probes.shape[1] != gallery.shape[1]:
        raise DataError("embeddings do not fit", expected=f"(P, D), {gallery.shape}", got=str(probes.shape))
    if not len(gallery):
        raise DataError("the gallery is empty", expected="one image or more", got="0")
    rows = max(1, _BLOCK_CELLS // len(gallery))
    columns = np.asarray(gallery, np.float32).T

    def blocks() -> Iterator[np.ndarray]:
        for at in range(0, len(probes), rows):
            yield np.asarray(probes[at : at + rows], np.float32) @ columns

    return search_blocks(blocks(), probe_subjects, gallery_subjects)


def search_blocks(
    blocks: Iterable[np.ndarray],
    probe_subjects: Sequence[Hashable] | np.ndarray,
    gallery_subjects: Sequence[Hashable] | np.ndarray,
) -> Searches:
    """What searches found, from scores of probes (rows, in order) with the whole gallery (columns).

    Args:
        blocks: (b, G) scores each, P rows in all.
        probe_subjects: (P,).
        gallery_subjects: (G,).

    Raises:
        DataError: the blocks do not add up to (P, G), a side is empty, or a score is not finite.
    """
    n_probes, n_gallery = len(probe_subjects), len(gallery_subjects)
    if not n_probes or not n_gallery:
        raise DataError("nothing to search", expected="probes and a gallery", got=f"{n_probes}, {n_gallery}")
    codes, _ = code_subjects([*gallery_subjects, *probe_subjects])
    enrolled, wanted = codes[:n_gallery], codes[n_gallery:]
    # Codes run in order of first appearance, so the enrolled subjects are 0 .. n_enrolled - 1.
    n_enrolled = int(enrolled.max()) + 1
    order = np.argsort(enrolled, kind="stable")
    starts = np.searchsorted(enrolled[order], np.arange(n_enrolled))
    top, mate = np.empty(n_probes), np.full(n_probes, np.nan)
    rank, at = np.zeros(n_probes, np.int64), 0
    for block in blocks:
        _check_block(block, at, n_probes, n_gallery)
        end = at + len(block)
        best = np.maximum.reduceat(block[:, order], starts, axis=1)
        top[at:end] = best.max(axis=1)
        rows = np.flatnonzero(wanted[at:end] < n_enrolled)
        own = best[rows, wanted[at:end][rows]]
        mate[at + rows] = own
        rank[at + rows] = (best[rows] >= own[:, None]).sum(axis=1)
        at = end
    if at != n_probes:
        raise DataError("scores do not fit", expected=f"{n_probes} rows", got=str(at))
    return Searches(top, mate, rank, wanted, n_enrolled)


def _check_block(block: np.ndarray, at: int, n_probes: int, n_gallery: int) -> None:
    """Refuse scores that do not fit the rows from ``at`` on, or are not finite."""
    if block.ndim != 2 or block.shape[1] != n_gallery or at + len(block) > n_probes:
        raise DataError("scores do not fit", expected=f"{n_probes} x {n_gallery}", got=str(block.shape))
    if not np.isfinite(block).all():
        raise DataError("a score is not finite", expected="cosines", got="NaN or infinity")


def _share(errors: np.ndarray, subjects: np.ndarray, level: float) -> Metric:
    """The share of searches that err, with its interval over the probes' subjects."""
    n = int(subjects.max()) + 1 if len(subjects) else 0
    return rate_interval(SubjectCounts.from_comparisons(subjects, subjects, errors, n), level=level)


def complement(metric: Metric) -> Metric:
    """The share of searches that do not err."""
    if metric.value is None:
        return metric
    flipped = {
        "value": 1 - metric.value,
        "low": None if metric.high is None else 1 - metric.high,
        "high": None if metric.low is None else 1 - metric.low,
    }
    return metric.model_copy(update=flipped)


def tpir_at_fpir(
    searches: Searches, target: float, *, rank: int | None = 1, level: float = 0.95
) -> TpirAtFpir:
    """TPIR at the smallest threshold whose FPIR is at most ``target``.

    The threshold comes from the best scores of the non-mated searches. Intervals are over the probes'
    subjects, for the gallery and the threshold as they are.

    Args:
        searches: what was found.
        target: FPIR asked for, above 0, up to 1.
        rank: the right subject must be this high; None for any rank.
        level: coverage of the intervals.

    Raises:
        DataError: no mated or no non-mated search.
        ConfigError: ``target`` is outside (0, 1], or ``rank`` below 1.
    """
    if rank is not None and rank < 1:
        raise ConfigError("rank is too small", expected="1 or more", got=str(rank))
    mated = searches.mated
    if not mated.any() or mated.all():
        raise DataError(
            "TPIR at FPIR needs both kinds of search",
            expected="mated and non-mated probes",
            got=f"{int(mated.sum())} and {int((~mated).sum())}",
        )
    at = threshold_at_fmr(searches.top_score[~mated], target)
    deep = searches.n_enrolled if rank is None else rank
    missed = (searches.mate_score[mated] < at.threshold) | (searches.mate_rank[mated] > deep)
    return TpirAtFpir(
        at=at,
        rank=deep,
        tpir=complement(_share(missed, searches.subjects[mated], level)),
        fpir=_share(searches.top_score[~mated] >= at.threshold, searches.subjects[~mated], level),
    )


def cmc(searches: Searches, max_rank: int = 20, *, level: float = 0.95) -> tuple[Metric, ...]:
    """Cumulative match characteristic: the share of mated searches with the mate at rank 1, 2, .. K.

    No threshold, so this is closed-set: it says nothing about people who are not enrolled.

    Args:
        searches: what was found; non-mated searches are left out.
        max_rank: K; no more than the enrolled subjects are returned.
        level: coverage of the intervals.

    Raises:
        DataError: no mated search.
        ConfigError: ``max_rank`` is below 1.
    """
    if max_rank < 1:
        raise ConfigError("max_rank is too small", expected="1 or more", got=str(max_rank))
    mated = searches.mated
    if not mated.any():
        raise DataError("a CMC needs mated searches", expected="one or more", got="0")
    ranks, subjects = searches.mate_rank[mated], searches.subjects[mated]
    return tuple(
        complement(_share(ranks > k, subjects, level))
        for k in range(1, min(max_rank, searches.n_enrolled) + 1)
    )
