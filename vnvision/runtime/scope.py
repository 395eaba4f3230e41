"""The scope gate: is this a picture of the kind the model was trained on. Numpy only, no further network.

Two distances to the training pictures, each a Mahalanobis distance to one Gaussian: of the pooled features
that the classifier takes in, scaled to unit length (Mueller & Hein 2025, "Mahalanobis++: Improving OOD
Detection via Feature Normalization"; after Lee et al. 2018), and of how the crop looks (``picture_quality``).
Both are fitted on training pictures *as training augments them*: fitted on clean ones the gate refuses other
light, another phone and a little blur, which the model was taught to bear. The score is the sum of the two,
each in units of its own spread over training pictures held out.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from vnvision import atomic
from vnvision.errors import BundleError, DataError
from vnvision.metrics.scope import Gaussian, conformal_limit, fit_gaussian, group_folds, unit_length
from vnvision.runtime.picture_quality import MEASURES, NOISE, QualityLimits, fit_limits

OUT_OF_SCOPE = "out_of_scope"
SCOPE_FILE = "scope.npz"
DIRECTIONS = 16
_LOOKS = len(MEASURES) - 1  # sharpness is a difference of two others
_FOLDS = 4
_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class ScopeGate:
    """What was learnt of the training pictures, and the limit.

    Attributes:
        centre, directions, variances: of unit-length features (F,), see ``metrics.scope.Gaussian``.
        look_centre: (10,) mean of the looks.
        look_precision: (10, 10) inverse covariance.
        units: (2,) spread of each distance on held-out training pictures.
        limit: () scores above it are out of scope.
        quality: (3,) see ``QualityLimits``.
        facts: (3,) the share to keep, validation pictures, groups among them.
    """

    centre: np.ndarray
    directions: np.ndarray
    variances: np.ndarray
    look_centre: np.ndarray
    look_precision: np.ndarray
    units: np.ndarray
    limit: np.ndarray
    quality: np.ndarray
    facts: np.ndarray

    def distances(self, features: np.ndarray, measures: np.ndarray) -> np.ndarray:
        """(N, 2): Mahalanobis distance of features (N, F) and of the looks, from measures (N, 11).

        Raises:
            DataError: arrays of another width.
        """
        if features.shape[1:] != self.centre.shape or measures.shape[1:] != (len(MEASURES),):
            raise DataError(
                "the scope gate belongs to another model",
                expected=f"(N, {len(self.centre)}) features, (N, {len(MEASURES)}) measures",
                got=f"{features.shape}, {measures.shape}",
            )
        seen = Gaussian(self.centre, self.directions, self.variances).distance(unit_length(features))
        off = measures[:, :_LOOKS] - self.look_centre
        looks = np.sqrt(np.einsum("ni,ij,nj->n", off, self.look_precision, off).clip(0))
        return np.stack([seen, looks], axis=1)

    def score(
        self, features: np.ndarray, measures: np.ndarray, answers: np.ndarray | None = None
    ) -> np.ndarray:
        """(N,) float64, the higher the stranger; see ``distances``. Answers do not matter here."""
        total: np.ndarray = (self.distances(features, measures) / self.units).sum(axis=1)
        return total

    def reasons(
        self, features: np.ndarray, measures: np.ndarray, answers: np.ndarray | None = None
    ) -> list[tuple[str, ...]]:
        """Why not to answer, for each picture: its quality first, then scope; empty for good ones."""
        strange = self.score(features, measures) > self.limit
        limits = QualityLimits(*self.quality.tolist())
        pairs = zip(measures, strange.tolist(), strict=True)
        return [limits.reasons(row) + ((OUT_OF_SCOPE,) if out else ()) for row, out in pairs]

    def save(self, path: str | Path) -> Path:
        """Write ``scope.npz``; equal gates give equal bytes."""
        arrays = {item.name: getattr(self, item.name) for item in fields(self)}
        return atomic.write_bytes(path, packed(_VERSION, arrays))

    @classmethod
    def load(cls, path: str | Path) -> ScopeGate:
        """Read what ``save`` wrote.

        Raises:
            BundleError: the file is missing, damaged, or of another version.
        """
        version, found = read_arrays(path)
        if version != _VERSION or set(found) != {field.name for field in fields(cls)}:
            raise BundleError(
                f"{path} is no scope gate that this version can apply", fix="update vnvision, or export again"
            )
        return cls(**found)


def fit_scope(
    features: np.ndarray,
    measures: np.ndarray,
    groups: Sequence[Hashable],
    *,
    val_features: np.ndarray,
    val_measures: np.ndarray,
    val_groups: Sequence[Hashable],
    keep: float = 0.95,
    directions: int = DIRECTIONS,
) -> ScopeGate:
    """Fit the gate on training pictures and set its limit on validation pictures.

    Args:
        features: (N, F) pooled features of training pictures, augmented views among them.
        measures: (N, 11) of the same crops, see ``picture_quality.measure``.
        groups: N keys; a group's pictures and views are held out together where the units are measured.
        val_features: (M, F) of validation pictures as they are.
        val_measures: (M, 11).
        val_groups: M keys.
        keep: share of pictures in scope to let through, see ``conformal_limit``.
        directions: of the features' covariance that are kept apart.

    Raises:
        DataError: too few pictures or groups, or arrays that do not fit.
    """
    _check(features, measures, groups)
    gate = _ungated(features, measures, directions)
    _, held_out = _held_out(features, measures, groups, directions)
    gate = replace(gate, units=_units(held_out))
    limit = conformal_limit(gate.score(val_features, val_measures), val_groups, keep)
    facts = np.array([keep, len(val_features), len(set(val_groups))], np.float64)
    return replace(gate, limit=np.array(limit), facts=facts)


def fit_scope_alone(
    features: np.ndarray,
    measures: np.ndarray,
    groups: Sequence[Hashable],
    plain: np.ndarray,
    *,
    keep: float = 0.95,
    directions: int = DIRECTIONS,
) -> ScopeGate:
    """As ``fit_scope`` where no pictures can be spared for the limit: it is set on distances out of fold.

    Each picture is judged by a gate that saw nothing of its group; these gates saw fewer pictures than the
    one that is kept, so their distances err upwards, and the limit lets a little more through than ``keep``.

    Args:
        features: (N, F), augmented views among them.
        measures: (N, 11).
        groups: N keys, views with their picture.
        plain: (N,) bool, which rows are pictures as they are: the limit is set on these.
        keep: share of pictures in scope to let through.
        directions: of the features' covariance that are kept apart.

    Raises:
        DataError: too few pictures or groups, or arrays that do not fit.
    """
    _check(features, measures, groups)
    order, held_out = _held_out(features, measures, groups, directions)
    distances = np.empty_like(held_out)
    distances[order] = held_out
    units = _units(distances)
    scores, keys = (
        (distances[plain] / units).sum(axis=1),
        [key for key, one in zip(groups, plain, strict=True) if one],
    )
    gate = replace(_ungated(features, measures, directions), units=units)
    facts = np.array([keep, len(keys), len(set(keys))], np.float64)
    return replace(gate, limit=np.array(conformal_limit(scores, keys, keep)), facts=facts)


def _check(features: np.ndarray, measures: np.ndarray, groups: Sequence[Hashable]) -> None:
    if not len(features) == len(measures) == len(groups) or len(set(groups)) < 2 * _FOLDS:
        raise DataError(
            "the scope gate cannot be fitted",
            expected=f"features, measures and groups of equal length, {2 * _FOLDS} groups or more",
            got=f"{len(features)}, {len(measures)} and {len(groups)}, {len(set(groups))} groups",
        )


def _held_out(
    features: np.ndarray, measures: np.ndarray, groups: Sequence[Hashable], directions: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows in the order of folds, and their (N, 2) distances to gates that saw nothing of their groups."""
    fold = group_folds(groups, _FOLDS)
    found = [
        _ungated(features[fold != k], measures[fold != k], directions).distances(
            features[fold == k], measures[fold == k]
        )
        for k in range(_FOLDS)
    ]
    return np.argsort(fold, kind="stable"), np.concatenate(found)


def _units(distances: np.ndarray) -> np.ndarray:
    """The spread of each distance; 1 where there is none."""
    units = distances.std(axis=0)
    return np.where(units > 0, units, 1.0)


def _ungated(features: np.ndarray, measures: np.ndarray, directions: int) -> ScopeGate:
    """Both Gaussians and the limits of quality, without units and limit."""
    seen, looks = fit_gaussian(unit_length(features), directions), measures[:, :_LOOKS]
    covariance = np.cov(looks, rowvar=False) + np.diag(NOISE[:_LOOKS] ** 2)
    return ScopeGate(
        centre=seen.centre,
        directions=seen.directions,
        variances=seen.variances,
        look_centre=looks.mean(axis=0),
        look_precision=np.linalg.inv(covariance),
        units=np.ones(2),
        limit=np.array(np.finfo(np.float64).max),
        quality=np.array(fit_limits(measures)),
        facts=np.zeros(3),
    )


def read_arrays(path: str | Path) -> tuple[int, dict[str, np.ndarray]]:
    """Version and arrays of a gate's file, all of them finite.

    Raises:
        BundleError: the file is missing or damaged, or holds NaN.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as exc:
        raise BundleError(f"cannot read the scope gate {path}", got=str(exc)[:200]) from exc
    version = found.pop("version", np.array(0))
    if not all(np.isfinite(value).all() for value in found.values()):
        raise BundleError(f"the scope gate {path} holds NaN or infinity", fix="export the model again")
    return int(version) if version.shape == () else 0, found


def packed(version: int, arrays: Mapping[str, np.ndarray]) -> bytes:
    """A gate's file: a ``.npz`` with neither clock nor platform in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in {"version": np.array(version), **arrays}.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asarray(array), allow_pickle=False)
            archive.writestr(entry, content.getvalue())
    return buffer.getvalue()
