"""From configuration and manifest to the parts of a run, checked before anything long starts."""

from __future__ import annotations

import numpy as np
import torch

from vnvision.data import boxes, masks
from vnvision.data.boxes import row_boxes
from vnvision.data.manifest import Manifest, read_manifest
from vnvision.data.records.sources import is_packed
from vnvision.data.rows import split_name
from vnvision.data.splits import group_folds
from vnvision.errors import ConfigError, DataError
from vnvision.models import embedder_input, input_statistics
from vnvision.models.dense import FPN_STRIDE_PX
from vnvision.spec import BoxSpec, Label, PreprocessSpec, TaskSpec
from vnvision.tasks import build_task
from vnvision.train.checks import all_there, no_group_crosses, same_data
from vnvision.train.config import TrainConfig
from vnvision.train.data import Part
from vnvision.train.embedding_config import EmbeddingConfig
from vnvision.train.faces import check_classes, identities
from vnvision.train.packed import images_of, open_data, splits_of
from vnvision.train.truth import truth_of


def task_spec(config: TrainConfig, manifest: Manifest) -> TaskSpec:
    """The task: labels as configured or as the training split has them, preprocessing as the weights want."""
    if config.embedding is not None:
        return _embedding_spec(config, config.embedding)
    ids = box_labels(manifest) if config.task == "detection" else manifest.label_ids()
    labels = config.labels or tuple(Label(id=label) for label in ids)
    mean, std = input_statistics(config.backbone, config.weights)
    preprocess = PreprocessSpec(
        size_px=(config.size_px, config.size_px),
        geometry=config.geometry,
        interpolation=config.interpolation,
        mean=mean,
        std=std,
        flip_average=config.flip_average,
    )
    if config.task == "classification" and len(labels) < 2:
        raise DataError(f"{manifest.path} has too few labels", expected="two or more", got=str(len(labels)))
    return TaskSpec(
        kind=config.task,
        labels=labels,
        preprocess=preprocess,
        score="softmax" if config.task in ("classification", "segmentation") else "sigmoid",
        positive=config.positive,
        texts=config.texts,
        severity=config.severity,
        boxes=BoxSpec(stride_px=FPN_STRIDE_PX) if config.task == "detection" else None,
    )


def _embedding_spec(config: TrainConfig, embedding: EmbeddingConfig) -> TaskSpec:
    """Deployed, faces are cut out by their landmarks; training reads crops that were cut out before."""
    mean, std = embedder_input(config.backbone, config.weights)
    preprocess = PreprocessSpec(
        size_px=(config.size_px, config.size_px),
        geometry="align",
        mean=mean,
        std=std,
        flip_average=embedding.flip_average,
    )
    return TaskSpec(kind="embedding", preprocess=preprocess, embedding_dim=embedding.size, score="cosine")


def parts(config: TrainConfig) -> tuple[Part, Part, Manifest]:
    """Training part, validation part, and the whole manifest.

    Raises:
        ConfigError: a packed set for another task than face training, or a resumed run's data was changed.
        DataError: missing files, a group in two splits, an empty split, an unknown label.
    """
    if config.embedding is not None:
        return _face_parts(config, config.embedding)
    if is_packed(config.data):
        raise ConfigError(
            f"{config.data} holds packed pictures, which only face training reads",
            expected="a manifest, .csv or .parquet",
            got=f"task: {config.task}",
        )
    manifest = read_manifest(config.data)
    same_data(config, manifest)
    if config.task in ("classification", "multilabel") and manifest.is_multilabel != (
        config.task == "multilabel"
    ):
        kind = "multilabel" if manifest.is_multilabel else "classification"
        raise ConfigError(f"{manifest.path} is a {kind} manifest", expected=f"task: {kind}", got=config.task)
    no_group_crosses(manifest)
    if config.folds is None:
        train, val = manifest.split(config.train_split), manifest.split(config.val_split)
    else:
        train, val = _fold(config, manifest)
    spec = task_spec(config, manifest)
    return _part(_with_truth(train, spec), spec), _part(_with_truth(val, spec), spec), manifest


def _face_parts(config: TrainConfig, embedding: EmbeddingConfig) -> tuple[Part, Part, Manifest]:
    """Of a manifest or a packed set; the validation part is empty where a protocol chooses instead."""
    column = embedding.identity
    manifest = open_data(config.data, (embedding.group,) if embedding.group else (), identity=column)
    same_data(config, manifest)
    no_group_crosses(manifest)
    spec = task_spec(config, manifest)
    found = []
    for part in _face_splits(config, embedding, manifest):
        numbers = identities(part, column) if len(part) else np.empty(0, np.int64)
        known = numbers >= 0
        found.append(_part(part if known.all() else part.where(known), spec, numbers[known]))
    train, val = found
    check_classes(train.raw, f"the training split of {manifest.path}")
    return train, val, manifest


def _face_splits(
    config: TrainConfig, embedding: EmbeddingConfig, manifest: Manifest
) -> tuple[Manifest, Manifest]:
    """Training and validation rows. A set without splits is all training data."""
    there = splits_of(manifest)
    if split_name(config.val_split) in there:
        return manifest.split(config.train_split), manifest.split(config.val_split)
    if embedding.best_by is None:
        names = ", ".join(sorted(there))
        raise DataError(
            f"{manifest.path} has no split {config.val_split!r} to validate on",
            expected=f"one of {names}" if there else "a column split",
            fix="or validate on other faces: add embedding.protocols, and name one in embedding.best_by",
        )
    return manifest.split(config.train_split) if there else manifest, manifest.where([])


def box_labels(manifest: Manifest) -> tuple[str, ...]:
    """Every label of the ``boxes`` column, sorted."""
    cells = (row_boxes(row, str(manifest.path)) for row in manifest.rows)
    return tuple(sorted({label for boxes in cells if boxes is not None for label in boxes.labels}))


def _with_truth(manifest: Manifest, spec: TaskSpec) -> Manifest:
    """The rows whose mask or boxes are known; all rows of other tasks."""
    column = {"segmentation": masks.COLUMN, "detection": boxes.COLUMN}.get(spec.kind)
    if column is None:
        return manifest
    known = [bool(row.extra.get(column, "").strip()) for row in manifest.rows]
    if not any(known):
        raise DataError(
            f"{manifest.path}: no row of a split has a known {column}",
            expected=f"a column {column}",
            fix=f"fill it; {masks.NOTHING!r} says that a picture holds nothing",
        )
    return manifest.where(np.array(known))


def _fold(config: TrainConfig, manifest: Manifest) -> tuple[Manifest, Manifest]:
    """One fold of a group cross-validation over train and val; test rows are not touched."""
    names = {config.train_split, config.val_split}
    pool = manifest.where([i for i, row in enumerate(manifest.rows) if row.split in names])
    targets = np.zeros(len(pool), np.int64)
    if not config.dense:
        targets = pool.targets(task_spec(config, manifest).label_ids)
    fold = group_folds(targets, pool.group_keys(), config.folds or 2, seed=config.seed)
    return pool.where(np.flatnonzero(fold != config.fold)), pool.where(np.flatnonzero(fold == config.fold))


def _part(manifest: Manifest, spec: TaskSpec, numbers: np.ndarray | None = None) -> Part:
    """Pictures checked to be there, and targets: ``numbers`` where given, else the manifest's."""
    images = images_of(manifest)
    if isinstance(images, tuple):  # those of a packed set were looked at when it was opened
        all_there(manifest, images)
    truth = truth_of(manifest, spec)
    raw = numbers if numbers is not None else np.zeros(len(manifest), np.int64)
    if truth is None and numbers is None:
        raw = manifest.targets(spec.label_ids)
    targets, known = build_task(spec).encode(raw)
    if len(known) and not known.any():
        raise DataError(f"{manifest.path}: no row of a split has a known label")
    return Part(manifest, images, raw, torch.from_numpy(targets), torch.from_numpy(known), truth)
