"""Every image with every other, streamed in blocks: no N x N matrix is held.

The first pass counts scores in fine bins, which gives curves and thresholds. The second counts errors at the
chosen threshold by pair of persons, which gives rates with intervals.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vnvision.errors import DataError
from vnvision.evaluate.faces.merging import merge_groups, renumbered
from vnvision.evaluate.faces.population import Population
from vnvision.evaluate.faces.records import ScoreHistogram
from vnvision.metrics.group_counts import GroupCounts, count_all_pairs
from vnvision.metrics.pairs import code_subjects, iter_pairs_blocks
from vnvision.metrics.score_counts import ScoreCounts

HISTOGRAM_BINS = 128


def count_scores(people: Population, parts: Sequence[np.ndarray], block: int = 2048) -> ScoreCounts:
    """First pass: scores of every pair of images of a part, in fine bins."""
    counts = ScoreCounts()
    for rows in parts:
        for pairs in iter_pairs_blocks(people.take(rows), people.subjects[rows], block):
            counts.add_block(pairs)
    return counts


def check_comparisons(counts: ScoreCounts, where: str) -> None:
    """Refuse data on which nothing can be said.

    Raises:
        DataError: there is no genuine or no impostor comparison.
    """
    if not counts.n_genuine:
        raise DataError(
            f"no genuine comparison in {where}", expected="a person with two images", fix="add second images"
        )
    if not counts.n_impostor:
        raise DataError(f"no impostor comparison in {where}", expected="two persons", fix="add persons")


def count_groups(
    people: Population, groups: Sequence[str], threshold: float, block: int = 2048
) -> GroupCounts:
    """Second pass: errors at one threshold by group and by pair of persons.

    Args:
        people: who is compared.
        groups: (N,) group of each image, empty where unknown.
        threshold: cosine.
        block: rows and columns held at a time.

    Raises:
        DataError: a person is in two groups, or no group is known.
    """
    labels = np.array(groups)
    if len(people.parts) == 1 and len(people.parts[0]) == len(people.embeddings):
        return count_all_pairs(people.embeddings, people.subjects, groups, threshold, block=block)
    counted = []
    for rows in people.parts:
        known = rows[labels[rows] != ""]
        if not len(known):
            continue
        own = labels[known].tolist()
        part = count_all_pairs(people.take(known), people.subjects[known], own, threshold, block=block)
        codes = np.array(code_subjects(people.subjects[known])[1], dtype=np.int64)
        counted.append(_renumber(part, codes, len(people.names)))
    sizes = {
        str(name): (len(np.unique(people.subjects[labels == name])), int((labels == name).sum()))
        for name in np.unique(labels[labels != ""])
    }
    if not counted:
        raise DataError("no image with a known group", expected="a group for each image", got="none")
    merged = merge_groups(counted, len(people.names), sizes)
    return GroupCounts(
        threshold,
        merged.groups,
        merged.n_subjects,
        merged.n_images,
        merged.genuine,
        merged.impostor,
        int((labels == "").sum()),
    )


def _renumber(part: GroupCounts, codes: np.ndarray, n_subjects: int) -> GroupCounts:
    return GroupCounts(
        part.threshold,
        part.groups,
        part.n_subjects,
        part.n_images,
        {name: renumbered(one, codes, n_subjects) for name, one in part.genuine.items()},
        {cell: renumbered(one, codes, n_subjects) for cell, one in part.impostor.items()},
    )


def histogram(counts: ScoreCounts, bins: int = HISTOGRAM_BINS) -> ScoreHistogram:
    """Scores in ``bins`` bins over [-1, 1], without the empty ones at both ends.

    A score of 1 and above is in the last bin.
    """

    def coarse(fine: np.ndarray) -> np.ndarray:
        folded = fine[:-1].copy()
        folded[-1] += fine[-1]
        return folded.reshape(bins, -1).sum(axis=1)

    genuine, impostor = coarse(counts.genuine), coarse(counts.impostor)
    there = np.flatnonzero(genuine + impostor)
    low, high = (int(there[0]), int(there[-1]) + 1) if len(there) else (0, bins)
    width = 2 / bins
    return ScoreHistogram(
        low=-1 + low * width,
        high=-1 + high * width,
        genuine=tuple(genuine[low:high].tolist()),
        impostor=tuple(impostor[low:high].tolist()),
    )
