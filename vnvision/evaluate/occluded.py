"""What masks, helmets, rain and night cost: the same pairs of pictures, plain and with something drawn on.

The plain picture is the template, the drawn-on one of the other picture is the probe: people enrol with a
bare face and are met with a covered one. The threshold comes from the plain impostor comparisons and stays.
A probe in which the face is no longer found matches nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from vnvision.data.occlusion import KINDS
from vnvision.data.occlusion.apply import check_kinds
from vnvision.errors import DataError
from vnvision.evaluate.occluded_probes import PLAIN, Probes, Quality, look
from vnvision.faces.engine import FaceEngine
from vnvision.metrics.bootstrap import ClusterBootstrap, resample, summarise
from vnvision.metrics.identification import complement
from vnvision.metrics.intervals import rate_interval
from vnvision.metrics.pairs import code_subjects, float32_limit
from vnvision.metrics.subjects import SubjectCounts
from vnvision.metrics.thresholds import FmrThreshold, threshold_at_fmr
from vnvision.records import Metric
from vnvision.spec import Record


class OccludedKind(Record):
    """One kind of occlusion, on the probes only.

    Attributes:
        kind: its name; ``plain`` for none.
        tar: share of genuine comparisons that match.
        cost: TAR of plain probes less this TAR, the same pairs, resampled together by subject.
        fmr: share of impostor comparisons that match, probes with a face only.
        failure_to_detect: share of pictures in which the face is no longer found.
        detector_score: mean over the faces that are found.
        quality: mean of the quality asked for, over the faces that are found.
    """

    kind: str
    tar: Metric
    cost: Metric | None = None
    fmr: Metric
    failure_to_detect: Metric
    detector_score: Metric
    quality: Metric | None = None


class OccludedReport(Record):
    """``plain`` and every kind at one threshold. ``left_out``: pictures without a face even when plain."""

    threshold: FmrThreshold
    n_images: int
    n_subjects: int
    left_out: int
    seed: int
    strength: float
    plain: OccludedKind
    kinds: tuple[OccludedKind, ...]


def occluded_pairs(
    pictures: Sequence[tuple[str | Path | np.ndarray, str]],
    engine: FaceEngine,
    kinds: Sequence[str] = KINDS,
    *,
    target_fmr: float = 1e-3,
    strength: float = 1.0,
    quality: Quality | None = None,
    seed: int = 0,
    n_boot: int = 1000,
    progress: Callable[[int, int], None] | None = None,
) -> OccludedReport:
    """Embed every picture plain and with each kind drawn on, and compare plain with drawn on.

    All scores are held at once: for some thousand pictures.

    Args:
        pictures: (path or image, identity) each; the largest face counts.
        engine: detects, aligns and embeds.
        kinds: of occlusion.
        target_fmr: at which the threshold is set, on plain pictures.
        strength: of the occlusions.
        quality: (image, face) -> number, for the mean quality.
        seed: of the drawings and resamples; a picture's drawing depends on its place in the list.
        n_boot: resamples of subjects.
        progress: called as ``progress(done, total)``.

    Raises:
        ConfigError: an unknown kind, or a strength or rate out of range.
        DataError: an unreadable picture, or no genuine or no impostor pair.
    """
    check_kinds(kinds)
    looks, subjects, left_out = look(
        pictures, engine, kinds, strength=strength, quality=quality, seed=seed, progress=progress
    )
    codes, names = code_subjects(subjects)
    same, plain = codes[:, None] == codes[None], looks[PLAIN]
    if same.all() or len(codes) == len(names):
        raise DataError(
            "pictures make no pairs",
            expected="two of one person, and two persons",
            got=f"{len(codes)} with a face, of {len(names)} persons",
        )
    at = threshold_at_fmr((plain.embeddings @ plain.embeddings.T)[np.triu(~same)], target_fmr)
    limit = float32_limit(at.threshold)
    matches = {
        kind: (plain.embeddings @ probes.embeddings.T >= limit) & probes.found
        for kind, probes in looks.items()
    }
    bootstrap = ClusterBootstrap(codes.tolist(), n_boot, seed)
    rows = {kind: _row(kind, matches[kind], probes, bootstrap) for kind, probes in looks.items()}
    costs = {kind: _cost(matches[PLAIN], matches[kind], bootstrap) for kind in kinds}
    return OccludedReport(
        threshold=at,
        n_images=len(codes),
        n_subjects=len(names),
        left_out=left_out,
        seed=seed,
        strength=strength,
        plain=rows[PLAIN],
        kinds=tuple(rows[kind].model_copy(update={"cost": costs[kind]}) for kind in kinds),
    )


def _row(kind: str, match: np.ndarray, probes: Probes, bootstrap: ClusterBootstrap) -> OccludedKind:
    """Rates of one kind. ``match`` is (N, N): template, probe."""
    codes, size = bootstrap.codes, bootstrap.n_groups
    same = codes[:, None] == codes[None]
    # Plain pictures compare alike either way round: each pair once.
    pairs = np.triu(np.ones_like(same), 1) if kind == PLAIN else ~np.eye(len(codes), dtype=bool)
    first, second = np.nonzero(pairs & same)
    missed = SubjectCounts.from_comparisons(codes[first], codes[second], ~match[first, second], size)
    first, second = np.nonzero(pairs & ~same & probes.found)
    false = SubjectCounts.from_comparisons(codes[first], codes[second], match[first, second], size)
    lost = SubjectCounts.from_comparisons(codes, codes, ~probes.found, size)
    return OccludedKind(
        kind=kind,
        tar=complement(rate_interval(missed)),
        fmr=rate_interval(false),
        failure_to_detect=rate_interval(lost),
        detector_score=_mean(probes.scores, probes.found, bootstrap),
        quality=None if probes.qualities is None else _mean(probes.qualities, probes.found, bootstrap),
    )


def _cost(plain: np.ndarray, drawn: np.ndarray, bootstrap: ClusterBootstrap) -> Metric:
    """TAR lost, over the same genuine pairs, subjects resampled for both together."""
    same = bootstrap.codes[:, None] == bootstrap.codes[None]
    np.fill_diagonal(same, False)
    lost = ((plain.astype(np.int8) - drawn) * same).sum(axis=0).astype(np.float64)
    pairs = same.sum(axis=0).astype(np.float64)
    return _ratio(lost, pairs, bootstrap, n=int(pairs.sum()))


def _mean(values: np.ndarray, among: np.ndarray, bootstrap: ClusterBootstrap) -> Metric:
    """Mean of ``values`` (N,) where ``among``, with an interval over subjects."""
    return _ratio(np.where(among, values, 0.0), among.astype(np.float64), bootstrap, n=int(among.sum()))


def _ratio(top: np.ndarray, bottom: np.ndarray, bootstrap: ClusterBootstrap, *, n: int) -> Metric:
    """sum(top) / sum(bottom), both (N,), with a percentile interval over subjects."""

    def ratio(weights: np.ndarray) -> dict[str, np.ndarray]:
        above, below = top @ weights, bottom @ weights
        return {"ratio": np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 0)}

    value = float(top.sum() / bottom.sum()) if bottom.sum() else float("nan")
    draws = resample(ratio, bootstrap).get("ratio")
    return summarise(value, draws, n=n, n_groups=bootstrap.groups_of(bottom > 0))
