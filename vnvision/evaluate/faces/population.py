"""Stored templates as what a protocol compares: one row a usable image, persons as codes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from vnvision.errors import DataError
from vnvision.evaluate.faces import notes
from vnvision.evaluate.faces.records import FailureCount
from vnvision.faces.embedded import EmbeddedFaces
from vnvision.metrics.differential import FEW_SUBJECTS_LIMIT, Enrolment, failure_to_enrol
from vnvision.metrics.pairs import code_subjects
from vnvision.records import Metric


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """The images that have a template and an identity.

    Attributes:
        embeddings: (N, D) float32 unit-norm.
        subjects: (N,) int64 person codes.
        names: person of each code.
        groups: (N,) demographic group, empty where unknown; None where no group column was named.
        parts: image indices that may be compared with each other, one array a value of ``within``.
        rows: (N,) row of each image in the ``EmbeddedFaces``.
    """

    embeddings: np.ndarray
    subjects: np.ndarray
    names: tuple[str, ...]
    groups: tuple[str, ...] | None
    parts: tuple[np.ndarray, ...]
    rows: np.ndarray

    def of_group(self, group: str) -> tuple[np.ndarray, ...]:
        """``parts`` with the images of one group only."""
        mine = np.array([name == group for name in self.groups or ()], dtype=bool)
        return tuple(part[mine[part]] for part in self.parts)

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Embeddings of some images; no copy where they are all images in order."""
        if len(rows) == len(self.embeddings) and np.array_equal(rows, np.arange(len(rows))):
            return self.embeddings
        return self.embeddings[rows]


def population(
    faces: EmbeddedFaces, *, identity: str = "identity", group: str | None = None, within: str | None = None
) -> Population:
    """Leave out images without a template or an identity.

    Args:
        faces: stored templates.
        identity: column that names the person.
        group: column of demographic groups.
        within: column whose values must agree for two images to be compared; an image without one is compared
            with none.

    Raises:
        DataError: a column is missing or empty, or nothing is left.
    """
    who = faces.column(identity)
    usable = faces.found & np.array([bool(name) for name in who], dtype=bool)
    rows = np.flatnonzero(usable)
    if not len(rows):
        raise DataError(
            "no image has both a template and an identity",
            expected="one or more",
            got=f"0 of {len(who)}",
            fix=f"fill the column {identity}, or check the reasons why no template was made",
        )
    codes, names = code_subjects([who[i] for i in rows.tolist()])
    groups = tuple(faces.column(group)[i] for i in rows.tolist()) if group is not None else None
    parts: tuple[np.ndarray, ...] = (np.arange(len(rows)),)
    if within is not None:
        column = np.array(faces.column(within))[rows]
        parts = tuple(np.flatnonzero(column == value) for value in np.unique(column) if value)
        if not parts:
            raise DataError(f"column {within!r} is empty", expected="a value for each image")
    embeddings = faces.embeddings if usable.all() else faces.embeddings[rows]
    return Population(embeddings, codes, tuple(str(name) for name in names), groups, parts, rows)


def enrolment(faces: EmbeddedFaces, identity: str, group: str | None) -> Enrolment:
    """Every image as an attempt to enrol; one without an identity is its own person."""
    who = faces.columns.get(identity, faces.paths)
    subjects = [name or f"path\0{path}" for name, path in zip(who, faces.paths, strict=True)]
    groups = faces.column(group) if group is not None else ("all",) * len(subjects)
    return Enrolment(subjects, groups, ~faces.found)


def failures(faces: EmbeddedFaces) -> tuple[FailureCount, ...]:
    """Images without a template by reason, the most frequent first; what follows a colon is left out."""
    counted = Counter(reason.partition(":")[0] for reason in faces.reasons if reason)
    return tuple(
        FailureCount(reason=reason, n=n)
        for reason, n in sorted(counted.items(), key=lambda it: (-it[1], it[0]))
    )


def overall_failure(faces: EmbeddedFaces, identity: str) -> Metric:
    """Failure-to-enrol rate of all images together."""
    return failure_to_enrol(enrolment(faces, identity, None))["all"]


def cautions(faces: EmbeddedFaces, identity: str | None, n_subjects: int, within: str | None) -> list[str]:
    """What a reader must know of the images before any rate.

    Args:
        faces: all images.
        identity: column without which an image is left out; None where persons are named elsewhere.
        n_subjects: persons compared.
        within: as in ``population``.
    """
    said = []
    failed = int((~faces.found).sum())
    unnamed = sum(1 for name in faces.column(identity) if not name) if identity is not None else 0
    if failed:
        said.append(notes.NO_TEMPLATE.format(failed=failed, images=len(faces.paths)))
    if unnamed:
        said.append(notes.NO_IDENTITY.format(images=unnamed))
    if 0 < n_subjects < FEW_SUBJECTS_LIMIT:
        said.append(notes.FEW_PERSONS.format(subjects=n_subjects, limit=FEW_SUBJECTS_LIMIT))
    if within is not None:
        said.append(notes.WITHIN.format(column=within))
    if not faces.model:
        said.append(notes.NO_MODEL)
    return said
