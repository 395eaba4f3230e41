"""Folds without a common person, and other sets without a person of the folds."""

from __future__ import annotations

import re

import numpy as np

from regional.faces import FaceSet

# A training picture from elsewhere nearer than this to anybody in the folds is left out.
ELSEWHERE = 0.45


def assign_folds(faces: FaceSet, n_folds: int, seed: int) -> np.ndarray:
    """(N,) the fold of each picture: whole people, each group and its people with pairs spread evenly.

    People who look alike are not kept together: that would put the hardest impostors into one fold and count
    them five times too often.
    """
    names, people = np.unique(faces.people, return_inverse=True)
    counts = np.bincount(people)
    group_of = [str(faces.groups[people == person][0]) for person in range(len(names))]
    # Those with most pictures first, so that single pictures even the folds out; the seed settles ties.
    shuffled = np.random.default_rng(seed).permutation(len(names))
    fold_of = np.empty(len(names), int)
    load = {group: np.zeros(n_folds) for group in group_of}
    for person in sorted(shuffled, key=lambda one: -counts[one]):
        sizes = load[group_of[person]]
        fold_of[person] = int(np.argmin(sizes))
        sizes[fold_of[person]] += counts[person]
    return fold_of[people]


def without_the_same_people(others: FaceSet, faces: FaceSet) -> FaceSet:
    """Leave out whoever in ``others`` has the name of somebody in ``faces``, or looks like one of them."""
    known = {_letters(name) for name in faces.people}
    like = (others.embeddings @ faces.embeddings.T).max(axis=1) > ELSEWHERE
    named = np.array([_letters(name) in known for name in others.people])
    out = set(others.people[like | named])
    return others.rows(np.array([name not in out for name in others.people]))


def _letters(name: str) -> str:
    """``chinese:yang-mi`` -> ``yangmi``."""
    return re.sub(r"[^a-z]", "", str(name).rsplit(":", 1)[-1].lower())
