"""A scope gate for labels that look nothing like each other: one gate a label, and the answer's one counts.

One Gaussian over leaves, cells and X-rays together has room for everything that lies between them. A router,
whose labels are whole collections, gets a gate for each.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from vnvision import atomic
from vnvision.errors import BundleError, DataError
from vnvision.runtime.picture_quality import QualityLimits
from vnvision.runtime.scope import OUT_OF_SCOPE, ScopeGate, fit_scope, packed, read_arrays

VERSION = 2


class Gate(Protocol):
    """What turns strange pictures away: ``ScopeGate`` or ``LabelGates``."""

    @property
    def limit(self) -> np.ndarray:
        """() scores above it are out of scope."""

    def score(
        self, features: np.ndarray, measures: np.ndarray, answers: np.ndarray | None = None
    ) -> np.ndarray:
        """(N,) the higher the stranger; ``answers`` are the model's logits (N, C)."""

    def reasons(
        self, features: np.ndarray, measures: np.ndarray, answers: np.ndarray | None = None
    ) -> list[tuple[str, ...]]:
        """Why not to answer, for each picture; empty for good ones."""

    def save(self, path: str | Path) -> Path:
        """Write it; equal gates give equal bytes."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelGates:
    """Gates in the order of the labels they were fitted on.

    Attributes:
        gates: one a label.
    """

    gates: tuple[ScopeGate, ...]

    @property
    def limit(self) -> np.ndarray:
        """Scores are in units of each gate's own limit."""
        return np.array(1.0)

    def scores(self, features: np.ndarray, measures: np.ndarray) -> np.ndarray:
        """(N, K): each gate's score over its limit; above 1 is out of that label's scope."""
        return np.stack([gate.score(features, measures) / gate.limit for gate in self.gates], axis=1)

    def score(
        self, features: np.ndarray, measures: np.ndarray, answers: np.ndarray | None = None
    ) -> np.ndarray:
        """(N,) float64: the score of the label that was answered; without answers, of the nearest label."""
        scores, labels = self._of_labels(features, measures, answers)
        own: np.ndarray = scores[np.arange(len(scores)), labels]
        return own

    def reasons(
        self, features: np.ndarray, measures: np.ndarray, answers: np.ndarray | None = None
    ) -> list[tuple[str, ...]]:
        """Why not to answer: quality by the limits of the label that was answered, then scope."""
        scores, labels = self._of_labels(features, measures, answers)
        limits = [QualityLimits(*gate.quality.tolist()) for gate in self.gates]
        found = []
        for row, label, own in zip(measures, labels.tolist(), scores, strict=True):
            found.append(limits[label].reasons(row) + ((OUT_OF_SCOPE,) if own[label] > 1 else ()))
        return found

    def _of_labels(
        self, features: np.ndarray, measures: np.ndarray, answers: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        scores = self.scores(features, measures)
        labels = scores.argmin(axis=1) if answers is None else answers.argmax(axis=1)
        if answers is not None and answers.shape != scores.shape:
            raise DataError(
                "the scope gates belong to another model",
                expected=f"answers {scores.shape}",
                got=str(answers.shape),
            )
        return scores, labels

    def save(self, path: str | Path) -> Path:
        """Write ``scope.npz``: the arrays of ``ScopeGate``, each with the labels as its first axis."""
        arrays = {
            item.name: np.stack([getattr(gate, item.name) for gate in self.gates])
            for item in fields(ScopeGate)
        }
        return atomic.write_bytes(path, packed(VERSION, arrays))


def fit_label_gates(
    features: np.ndarray,
    measures: np.ndarray,
    groups: Sequence[Hashable],
    labels: np.ndarray,
    *,
    val_features: np.ndarray,
    val_measures: np.ndarray,
    val_groups: Sequence[Hashable],
    val_labels: np.ndarray,
    keep: float = 0.95,
    **options: Any,
) -> LabelGates:
    """``fit_scope`` for the pictures of each label.

    Args:
        features, measures, groups: of training pictures, see ``fit_scope``.
        labels: (N,) 0 to K - 1.
        val_features, val_measures, val_groups, val_labels: of validation pictures.
        keep: share of a label's pictures to let through.
        **options: ``directions``.

    Raises:
        DataError: a label with too few pictures or groups.
    """
    gates = []
    for label in range(int(labels.max()) + 1):
        rows, held = np.flatnonzero(labels == label), np.flatnonzero(val_labels == label)
        if not len(held):
            raise DataError(f"label {label} has no validation picture to fit its scope gate on")
        gates.append(
            fit_scope(
                features[rows],
                measures[rows],
                [groups[row] for row in rows.tolist()],
                val_features=val_features[held],
                val_measures=val_measures[held],
                val_groups=[val_groups[row] for row in held.tolist()],
                keep=keep,
                **options,
            )
        )
    # All gates in one file need arrays of one shape: as many directions as the poorest label has.
    kept = min(len(gate.directions) for gate in gates)
    if any(len(gate.directions) != kept for gate in gates):
        return fit_label_gates(
            features,
            measures,
            groups,
            labels,
            val_features=val_features,
            val_measures=val_measures,
            val_groups=val_groups,
            val_labels=val_labels,
            keep=keep,
            **{**options, "directions": kept},
        )
    return LabelGates(tuple(gates))


def load_gate(path: str | Path) -> ScopeGate | LabelGates:
    """Read a gate of either kind.

    Raises:
        BundleError: the file is missing, damaged, or of another version.
    """
    version, arrays = read_arrays(path)
    if version != VERSION:
        return ScopeGate.load(path)
    names = {item.name for item in fields(ScopeGate)}
    count = {len(np.atleast_1d(array)) for array in arrays.values()}
    whole = set(arrays) == names and all(array.ndim > 0 for array in arrays.values())
    if not whole or len(count) != 1 or count == {0}:
        raise BundleError(f"the scope gates {path} do not fit together", fix="export the model again")
    parts = range(count.pop())
    return LabelGates(
        tuple(ScopeGate(**{name: array[part] for name, array in arrays.items()}) for part in parts)
    )
