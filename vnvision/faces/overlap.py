"""Whether two sets show the same people: what has to be known before one is trained on and the other tested.

Names do not tell: sets spell them differently, or number people. Templates do, as far as the threshold goes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vnvision.errors import ConfigError, DataError
from vnvision.faces.embedded import EmbeddedFaces
from vnvision.faces.overlap_records import BY, By, Overlap, OverlapPair
from vnvision.metrics.pairs import code_subjects, float32_limit

_MOST = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class _People:
    """Templates in the order of people: (N, D), (N,) codes, names, (C + 1,) bounds, (N,) rows of the set."""

    templates: np.ndarray
    codes: np.ndarray
    names: tuple[str, ...]
    bounds: np.ndarray
    rows: np.ndarray


def find_overlap(
    first: EmbeddedFaces,
    second: EmbeddedFaces,
    threshold: float,
    *,
    by: By = "centroid",
    identity: str = "identity",
    block: int = 2048,
) -> Overlap:
    """Pairs of people, one of each set, whose cosine reaches the threshold.

    Every person is compared with every other, exactly, in blocks: memory is that of the templates and of
    one block of ``block`` x ``block`` scores.

    Args:
        first: the one set.
        second: the other, made with the same model.
        threshold: cosine. One that was measured on single pictures says nothing exact of centroids, which
            have less noise: look at the pairs.
        by: ``centroid`` compares the mean of each person's templates, ``best`` their two most alike pictures,
            which finds more, and more by chance.
        identity: column that names the person.
        block: rows and columns of a block.

    Raises:
        DataError: templates of two models, no identity, or more pairs than could be looked at.
        ConfigError: an unknown way to compare, a block below 1, or a threshold that is no cosine.
    """
    if by not in BY:
        raise ConfigError("how people are compared", expected=" or ".join(BY), got=str(by))
    if block < 1 or not -1 <= threshold <= 1:
        got = f"{block}, {threshold:g}"
        raise ConfigError("block and threshold", expected="1 or more, and a cosine", got=got)
    if first.model != second.model or first.embeddings.shape[1] != second.embeddings.shape[1]:
        raise DataError(
            "the two sets were embedded with different models",
            expected=first.model or "one model",
            got=second.model or "none named",
            fix="embed both with the same model",
        )
    one, two = _people(first, identity, "first"), _people(second, identity, "second")
    left, right = (_centroids(p) if by == "centroid" else p.templates for p in (one, two))
    found = _above(left, right, one, two, threshold, by, block)
    pairs = [_pair(a, b, cosine, one, two, (first, second), block) for (a, b), cosine in found.items()]
    pairs.sort(key=lambda pair: (-pair.cosine, pair.first, pair.second))
    return Overlap(tuple(pairs), len(one.names), len(two.names), len(left) * len(right), float(threshold), by)


def _people(faces: EmbeddedFaces, identity: str, which: str) -> _People:
    who = faces.column(identity)
    rows = np.array([i for i, ok in enumerate(faces.found.tolist()) if ok and who[i]], np.int64)
    if not len(rows):
        raise DataError(
            f"no picture of the {which} set has both a template and an identity",
            expected="one or more",
            got=f"0 of {len(who)}",
        )
    codes, names = code_subjects([who[i] for i in rows.tolist()])
    order = np.argsort(codes, kind="stable")
    templates = np.asarray(faces.embeddings[rows[order]], np.float32)
    bounds = np.searchsorted(codes[order], np.arange(len(names) + 1))
    return _People(templates, codes[order], tuple(map(str, names)), bounds, rows[order])


def _centroids(people: _People) -> np.ndarray:
    """(C, D) float32 unit-norm means of each person's templates."""
    sums = np.add.reduceat(people.templates.astype(np.float64), people.bounds[:-1], axis=0)
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    means: np.ndarray = (sums / np.maximum(norms, 1e-12)).astype(np.float32)
    return means


def _above(
    left: np.ndarray, right: np.ndarray, one: _People, two: _People, threshold: float, by: By, block: int
) -> dict[tuple[int, int], float]:
    """The highest cosine of each pair of people that reaches the threshold."""
    limit = float32_limit(threshold)
    found: dict[tuple[int, int], float] = {}
    for row0 in range(0, len(left), block):
        for col0 in range(0, len(right), block):
            scores = left[row0 : row0 + block] @ right[col0 : col0 + block].T
            rows, cols = np.nonzero(scores >= limit)
            values = scores[rows, cols].tolist()
            if by == "best":
                rows, cols = one.codes[rows + row0] - row0, two.codes[cols + col0] - col0
            for a, b, value in zip((rows + row0).tolist(), (cols + col0).tolist(), values, strict=True):
                found[a, b] = max(value, found.get((a, b), -2.0))
            if len(found) > _MOST:
                raise DataError(
                    "more pairs than can be looked at",
                    expected=f"at most {_MOST:,}",
                    got=f"{len(found):,} or more at cosine {threshold:g}",
                    fix="take a higher threshold",
                )
    return found


def _pair(
    a: int,
    b: int,
    cosine: float,
    one: _People,
    two: _People,
    sets: tuple[EmbeddedFaces, EmbeddedFaces],
    block: int,
) -> OverlapPair:
    """With the two most alike pictures."""
    mine, theirs = slice(*one.bounds[a : a + 2].tolist()), slice(*two.bounds[b : b + 2].tolist())
    best, at = -2.0, (0, 0)
    for start in range(mine.start, mine.stop, block):
        scores = one.templates[start : min(start + block, mine.stop)] @ two.templates[theirs].T
        row, col = np.unravel_index(int(scores.argmax()), scores.shape)
        if scores[row, col] > best:
            best, at = float(scores[row, col]), (start + int(row), theirs.start + int(col))
    return OverlapPair(
        one.names[a],
        two.names[b],
        float(cosine),
        mine.stop - mine.start,
        theirs.stop - theirs.start,
        sets[0].paths[int(one.rows[at[0]])],
        sets[1].paths[int(two.rows[at[1]])],
        best,
    )
