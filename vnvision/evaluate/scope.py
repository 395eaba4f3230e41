"""Fitting a scope gate over a manifest, and how well it tells pictures of other kinds apart. No torch."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vnvision.data.augment import Augmenter, AugmentSpec
from vnvision.data.manifest import Manifest
from vnvision.errors import ModelError
from vnvision.evaluate.images import image_batches
from vnvision.imaging import Preprocessor
from vnvision.imaging.depth import to_uint8
from vnvision.metrics.bootstrap import ClusterBootstrap, resample, share, summarise
from vnvision.metrics.ranking import RankedScores
from vnvision.records import Metric
from vnvision.runtime.label_scope import Gate, fit_label_gates
from vnvision.runtime.picture_quality import measure_all
from vnvision.runtime.scope import fit_scope
from vnvision.runtime.target import CropModel

MOST_PICTURES = 1000
_BATCH = 16


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a model saw of N pictures.

    Attributes:
        answers: (N, C) raw logits.
        features: (N, F).
        measures: (N, 11), see ``runtime.picture_quality``.
    """

    answers: np.ndarray
    features: np.ndarray
    measures: np.ndarray


def fit_gate(
    predictor: CropModel,
    train: Manifest,
    val: Manifest,
    *,
    augment: AugmentSpec | None = None,
    views: int = 2,
    keep: float = 0.95,
    most: int = MOST_PICTURES,
    seed: int = 0,
    by_label: bool = False,
) -> Gate:
    """Fit the scope gate of a classifier.

    Args:
        predictor: the model.
        train: pictures it was trained on.
        val: pictures it was not trained on; they set the limit.
        augment: what training did to pictures; None fits the pictures as they are, and a gate that refuses
            other light or another phone.
        views: of each training picture: one as it is, the others augmented.
        keep: share of pictures in scope to let through.
        most: training pictures to look at, drawn where there are more.
        seed: of the draw and the augmentation.
        by_label: one gate a label, for labels that look nothing like each other.

    Raises:
        ModelError: the model gives no features.
        DataError: a picture cannot be read, or there are too few.
    """
    rows = np.arange(len(train))
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(len(rows), most, replace=False))
    part = train.where(rows)
    parts = [look(predictor, _crops(predictor, part))]
    spec = predictor.task.preprocess
    if augment is not None and spec.input_dtype == "uint8":
        parts += [
            look(predictor, _augmented(predictor, part, augment, seed, view)) for view in range(1, views)
        ]
    held = look(predictor, _crops(predictor, val))
    features = np.concatenate([seen.features for seen in parts])
    measures = np.concatenate([seen.measures for seen in parts])
    groups = part.group_keys() * len(parts)
    validation: dict[str, Any] = {
        "val_features": held.features,
        "val_measures": held.measures,
        "val_groups": val.group_keys(),
    }
    if not by_label:
        return fit_scope(features, measures, groups, keep=keep, **validation)
    labels, ids = np.tile(part.targets(predictor.task.label_ids), len(parts)), predictor.task.label_ids
    validation["val_labels"] = val.targets(ids)
    return fit_label_gates(features, measures, groups, labels, keep=keep, **validation)


def look(predictor: CropModel, crops: Iterator[np.ndarray]) -> Seen:
    """What the gate and the report need of some crops, read a batch at a time."""
    spec = predictor.task.preprocess
    answers, features, measures = [], [], []
    for batch in _batches(crops):
        outputs = predictor.run_crops(batch)
        if outputs.features is None:
            raise ModelError(f"the model of {predictor.name} gives no features", fix="export it again")
        answers.append(outputs.answer)
        features.append(outputs.features)
        measures.append(measure_all(batch, spec))
    if not answers:
        raise ModelError("no pictures to look at")
    return Seen(np.concatenate(answers), np.concatenate(features), np.concatenate(measures))


def outside_figures(
    inside: np.ndarray,
    outside: np.ndarray,
    limit: float,
    *,
    inside_groups: Sequence[Hashable],
    outside_groups: Sequence[Hashable],
    n_boot: int = 1000,
    seed: int = 0,
) -> dict[str, Metric]:
    """How well a gate's scores tell pictures in scope from others, with intervals over groups.

    Args:
        inside: (N,) scores of pictures in scope.
        outside: (M,) scores of pictures that are not.
        limit: scores at or below it are accepted.
        inside_groups: N keys.
        outside_groups: M keys.
        n_boot: resamples.
        seed: of the resamples.

    Returns:
        ``auroc`` of the score, ``false_accept`` (share of the others accepted), ``kept`` (share of those in
        scope accepted).
    """
    scores = np.concatenate([inside, outside])
    strange = np.arange(len(scores)) >= len(inside)
    groups = [("in", key) for key in inside_groups] + [("out", key) for key in outside_groups]
    bootstrap = ClusterBootstrap(groups, n_boot, seed)
    ranked = RankedScores(scores, strange)
    value = float(ranked.metrics(np.ones((len(scores), 1)))["auroc"][0])
    draws = resample(lambda weights: {"auroc": ranked.metrics(weights)["auroc"]}, bootstrap)
    accepted = scores <= limit
    return {
        "auroc": summarise(value, draws.get("auroc"), n=len(scores), n_groups=bootstrap.n_groups),
        "false_accept": share(accepted, strange, bootstrap),
        "kept": share(accepted, ~strange, bootstrap),
    }


def _crops(predictor: CropModel, manifest: Manifest) -> Iterator[np.ndarray]:
    for images in image_batches(manifest, manifest.rows, _BATCH):
        for image in images:
            yield predictor.preprocessor.geometry(image)


def _augmented(
    predictor: CropModel, manifest: Manifest, augment: AugmentSpec, seed: int, view: int
) -> Iterator[np.ndarray]:
    """Crops as training makes them, keyed like there by (seed, epoch, row)."""
    spec = predictor.task.preprocess
    change = Augmenter(augment, spec.size_px, geometry=spec.geometry, interpolation=spec.interpolation)
    rgb = Preprocessor(spec.model_copy(update={"colour": "grey" if spec.colour == "grey" else "rgb"}))
    row = 0
    for images in image_batches(manifest, manifest.rows, _BATCH):
        for image in images:
            picture = rgb.geometry(image) if spec.geometry == "letterbox" else to_uint8(image)
            picture = np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture
            yield _coloured(change(picture, (seed, view, row)), spec.colour)
            row += 1


def _coloured(crop: np.ndarray, colour: str) -> np.ndarray:
    """An RGB crop in the order of the model."""
    if colour == "grey":
        return np.asarray(crop.mean(axis=2, keepdims=True).round().astype(crop.dtype))
    return np.ascontiguousarray(crop[..., ::-1]) if colour == "bgr" else crop


def _batches(crops: Iterator[np.ndarray]) -> Iterator[list[np.ndarray]]:
    batch: list[np.ndarray] = []
    for crop in crops:
        batch.append(crop)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
