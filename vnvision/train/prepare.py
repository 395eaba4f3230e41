"""From configuration and manifest to the parts of a run, checked before anything long starts."""

from __future__ import annotations

import numpy as np
import torch

from vnvision.data import boxes, masks
from vnvision.data.boxes import row_boxes
from vnvision.data.manifest import Manifest, read_manifest
from vnvision.data.splits import group_folds
from vnvision.errors import ConfigError, DataError
from vnvision.models import embedder_input, input_statistics
from vnvision.models.dense import FPN_STRIDE_PX
from vnvision.spec import BoxSpec, Label, PreprocessSpec, TaskSpec
from vnvision.tasks import build_task
from vnvision.train.config import TrainConfig
from vnvision.train.data import Part
from vnvision.train.embedding_config import EmbeddingConfig
from vnvision.train.faces import check_classes, identities
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
        DataError: missing files, a group in two splits, an empty split, an unknown label.
    """
    manifest = read_manifest(config.data)
    if config.task in ("classification", "multilabel") and manifest.is_multilabel != (
        config.task == "multilabel"
    ):
        kind = "multilabel" if manifest.is_multilabel else "classification"
        raise ConfigError(f"{manifest.path} is a {kind} manifest", expected=f"task: {kind}", got=config.task)
    _no_group_crosses(manifest)
    if config.folds is None:
        train, val = manifest.split(config.train_split), manifest.split(config.val_split)
    else:
        train, val = _fold(config, manifest)
    spec = task_spec(config, manifest)
    if config.embedding is not None:
        column = config.embedding.identity
        train, val = (part.where(identities(part, column) >= 0) for part in (train, val))
        check_classes(identities(train, column), f"the training split of {manifest.path}")
        numbers = [identities(part, column) for part in (train, val)]
        return _part(train, spec, numbers[0]), _part(val, spec, numbers[1]), manifest
    return _part(_with_truth(train, spec), spec), _part(_with_truth(val, spec), spec), manifest


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
    """Files checked to be there, and targets: ``numbers`` where given, else the manifest's."""
    files = tuple(manifest.file(row) for row in manifest.rows)
    missing = [
        (row.line, row.path) for row, file in zip(manifest.rows, files, strict=True) if not file.is_file()
    ]
    if missing:
        line, path = missing[0]
        raise DataError(
            f"{manifest.path}: {len(missing)} of {len(files)} pictures missing, first in row {line}: {path}",
            fix="run: vnvision data check MANIFEST",
        )
    truth = truth_of(manifest, spec)
    raw = numbers if numbers is not None else np.zeros(len(manifest), np.int64)
    if truth is None and numbers is None:
        raw = manifest.targets(spec.label_ids)
    targets, known = build_task(spec).encode(raw)
    if not known.any():
        raise DataError(f"{manifest.path}: no row of a split has a known label")
    return Part(manifest, files, raw, torch.from_numpy(targets), torch.from_numpy(known), truth)


def _no_group_crosses(manifest: Manifest) -> None:
    splits: dict[str, set[str]] = {}
    for row, key in zip(manifest.rows, manifest.group_keys(), strict=True):
        if row.split:
            splits.setdefault(key, set()).add(row.split)
    crossing = sorted(key for key, names in splits.items() if len(names) > 1)
    if crossing:
        raise DataError(
            f"{manifest.path}: {len(crossing)} groups stand in several splits, the first is {crossing[0]!r}",
            fix="run: vnvision data check MANIFEST, then vnvision data split",
        )
