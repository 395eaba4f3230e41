"""Embeddings of an exported file against those of the original: TAR at low FMR, and thresholds again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vnvision.data.manifest import Manifest
from vnvision.errors import DataError
from vnvision.faces.calibrate import calibrate
from vnvision.metrics.bootstrap import summarise
from vnvision.metrics.comparisons import Comparisons, tar_draws
from vnvision.metrics.thresholds import threshold_at_fmr
from vnvision.records import Judgement, OperatingPoint
from vnvision.runtime.answers import unit_norm

FMR = (1e-3, 1e-4)
_BOOT = 300
MOST_ROWS = 1500


def judge_embeddings(
    original: np.ndarray, target: np.ndarray, part: Manifest, facts: dict[str, Any]
) -> Judgement:
    """Change of the TAR at FMR 1e-3 and 1e-4, each side at a threshold of its own.

    Over all pairs of the first ``MOST_ROWS`` rows whose person is known.

    Args:
        original: (N, D) raw embeddings.
        target: (N, D) raw embeddings of the exported file.
        part: the rows they are of; with a column ``identity`` for the TAR.
        facts: what else goes into the record.
    """
    one, other = unit_norm(original), unit_norm(target)
    cosine = (one * other).sum(axis=1)
    figures = {"cosine_mean": float(cosine.mean()), "cosine_min": float(cosine.min())}
    people = identities(part)
    known = np.flatnonzero([bool(name) for name in people])[:MOST_ROWS]
    names = [people[i] for i in known]
    if len(set(names)) < 2 or len(set(names)) == len(names):
        change = summarise(float("nan"), None, n=0, n_groups=0)
        return Judgement(**facts, metric="tar_fmr0.001", original=None, target=None, change=change, **figures)
    pairs = [comparisons(x[known], names) for x in (one, other)]
    tars = {fmr: [_tar(pair, fmr) for pair in pairs] for fmr in FMR}
    draws = tar_draws(pairs[1], FMR[0], _BOOT, 0) - tar_draws(pairs[0], FMR[0], _BOOT, 0)
    first = tars[FMR[0]]
    return Judgement(
        **facts,
        metric=f"tar_fmr{FMR[0]:g}",
        original=first[0],
        target=first[1],
        change=summarise(first[1] - first[0], draws, n=len(pairs[0].genuine), n_groups=len(set(names))),
        further={f"tar_fmr{fmr:g}": after - before for fmr, (before, after) in tars.items() if fmr != FMR[0]},
        **figures,
    )


def points_again(
    before: Sequence[OperatingPoint], found: np.ndarray, part: Manifest, population: str
) -> tuple[OperatingPoint, ...]:
    """The thresholds that hold the rates asked for among a target's own embeddings (N, D).

    Where the people are too few for any of them there are no thresholds: those of the original are of other
    embeddings and must not be used.
    """
    from vnvision.tasks.embedding import embedded  # loads torch, which bench does without

    rates = sorted({float(point.target.partition("=")[2]) for point in before if "fmr=" in point.target})
    people = tuple(identities(part))
    if not rates or not any(people):
        return ()
    paths = tuple(row.path for row in part.rows)
    faces = embedded(found, {"identity": people}, paths=paths, manifest_sha256=part.sha256)
    try:
        return calibrate(faces, rates, population=population).points
    except DataError:
        return ()


def identities(part: Manifest) -> list[str]:
    """Who each row shows; empty where it is not known."""
    return [row.extra.get("identity") or row.group_id or "" for row in part.rows]


def comparisons(rows: np.ndarray, names: Sequence[str]) -> Comparisons:
    """Every pair of unit rows (N, D) once."""
    codes = np.unique(names, return_inverse=True)[1]
    a, b = np.triu_indices(len(rows), 1)
    scores = (rows @ rows.T)[a, b]
    same = codes[a] == codes[b]
    return Comparisons(
        scores[same],
        codes[a][same],
        scores[~same],
        np.stack([codes[a][~same], codes[b][~same]], axis=1),
        int(codes.max()) + 1,
    )


def _tar(pairs: Comparisons, fmr: float) -> float:
    return float((pairs.genuine >= threshold_at_fmr(pairs.impostor, fmr).threshold).mean())
