"""From the laboratory to the field: one model on two sets of pictures, side by side.

A model that learned on sheets of paper in a laboratory is asked about pictures from elsewhere. Both sides are
judged over the labels they share, with the same answers allowed, each with intervals by group.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vnvision.data.manifest import Manifest
from vnvision.errors import ConfigError, DataError
from vnvision.evaluate import LogitPredictor, field_notes
from vnvision.evaluate.field_overlap import near_duplicates, refuse_overlap
from vnvision.evaluate.field_records import FieldReport, FieldRow, FieldSide
from vnvision.evaluate.images import image_batches
from vnvision.metrics.classification import ClassificationResult, classification_metrics
from vnvision.metrics.scores import probabilities
from vnvision.records import Calibration, Metric

__all__ = ["FieldReport", "FieldRow", "FieldSide", "change", "evaluate_field"]

METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "ece")
SMALL_GROUPS = 30


def evaluate_field(
    predictor: LogitPredictor,
    lab: Manifest,
    field: Manifest,
    *,
    split: str = "test",
    field_split: str | None = None,
    check_copies: bool = True,
    batch_size: int = 32,
    n_boot: int = 1000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> FieldReport:
    """Judge a model on the lab's split and on the field's pictures.

    The model may give any of its answers on both sides; an answer outside the shared labels is wrong. Rows
    of labels that are not shared are left out and counted. The interval of the change is made from the two
    sides' own by the MOVER rule (Zou and Donner 2008, "Construction of confidence limits about effect
    measures: a general approach", Statistics in Medicine 27(10); for proportions Newcombe 1998, method 10):
    the sides share no group, so they are independent.

    Args:
        predictor: trained on rows of ``lab``; its ``calibration``, if any, is applied.
        lab: the manifest it was trained on, all splits: training rows are compared with the field's too.
        field: pictures taken elsewhere.
        split: rows of ``lab`` to judge.
        field_split: rows of ``field`` to judge; all unless given, as the model saw none of them.
        check_copies: look for near-duplicates between lab and field.
        batch_size: pictures at a time.
        n_boot: resamples of every interval.
        seed: of the resamples.
        progress: called with (pictures done, pictures in all) while predicting.

    Raises:
        ConfigError: the task is not classification, or a batch size below 1.
        DataError: the two share a group or a file, share fewer than two labels, a split is missing, or a
            picture cannot be read.
    """
    _check(predictor, batch_size)
    sides = (lab.split(split), field if field_split is None else field.split(field_split))
    refuse_overlap(lab, sides[1])
    theirs = [{row.label for row in side.rows if row.label is not None} for side in sides]
    shared = _shared(predictor, sides, theirs)
    copies = near_duplicates(lab, sides[1]) if check_copies else None
    kept = [side.where([row.label in shared for row in side.rows]) for side in sides]
    total, done, results = sum(map(len, kept)), 0, []
    for side in kept:
        step = None if progress is None else _from(progress, done, total)
        results.append(_judge(predictor, side, batch_size, n_boot, seed, step))
        done += len(side)
    about = [
        _side(whole, judged, shared, name)
        for whole, judged, name in zip(sides, kept, (split, field_split), strict=True)
    ]
    one, other = results
    return FieldReport(
        model=predictor.name,
        labels=shared,
        only_lab=tuple(sorted(theirs[0] - set(shared))),
        only_field=tuple(sorted(theirs[1] - set(shared))),
        lab=about[0],
        field=about[1],
        rows=tuple(_row(name, one.metrics[name], other.metrics[name]) for name in METRICS),
        recall=tuple(
            _row(name, one.per_class[name]["recall"], other.per_class[name]["recall"]) for name in shared
        ),
        near_duplicates=copies,
        warnings=field_notes.warnings(kept, copies, SMALL_GROUPS),
    )


def _check(predictor: LogitPredictor, batch_size: int) -> None:
    if predictor.task.kind != "classification":
        raise ConfigError("lab and field", expected="a classification model", got=predictor.task.kind)
    if batch_size < 1:
        raise ConfigError("batch_size", expected="1 or more", got=str(batch_size))


def _shared(
    predictor: LogitPredictor, sides: Sequence[Manifest], theirs: Sequence[set[str]]
) -> tuple[str, ...]:
    """Labels of the model that both sides have, in its order; two or more, or an error."""
    shared = tuple(label for label in predictor.task.label_ids if all(label in found for found in theirs))
    if len(shared) < 2:
        raise DataError(
            " and ".join(side.path.name for side in sides) + " share too few labels of the model",
            expected="two or more",
            got=", ".join(shared) or "none",
        )
    return shared


def change(lab: Metric, field: Metric) -> Metric:
    """Field less lab, with the MOVER interval of two independent measures.

    ``low = d - sqrt((f - f_low)^2 + (l_high - l)^2)``, ``high = d + sqrt((f_high - f)^2 + (l - l_low)^2)``.
    Not defined where one side is not; without interval where one side has none.
    """
    n = lab.n + field.n
    if lab.value is None or field.value is None:
        return Metric(value=None, n=n, level=field.level, note=field_notes.ONE_SIDE)
    value = field.value - lab.value
    if lab.low is None or lab.high is None or field.low is None or field.high is None:
        return Metric(value=value, n=n, level=field.level, note=field_notes.NO_INTERVAL)
    down = np.hypot(field.value - field.low, lab.high - lab.value)
    up = np.hypot(field.high - field.value, lab.value - lab.low)
    return Metric(value=value, low=float(value - down), high=float(value + up), n=n, level=field.level)


def _row(name: str, lab: Metric, field: Metric) -> FieldRow:
    return FieldRow(name=name, lab=lab, field=field, change=change(lab, field))


def _side(whole: Manifest, judged: Manifest, shared: Sequence[str], split: str | None) -> FieldSide:
    labels = [row.label for row in whole.rows]
    out = sorted({label for label in labels if label is not None and label not in shared})
    return FieldSide(
        name=whole.path.name,
        split=split,
        n=len(judged),
        n_groups=len(set(judged.group_keys())),
        manifest_sha256=whole.sha256,
        left_out={label: labels.count(label) for label in out},
        unlabelled=labels.count(None),
    )


def _judge(
    predictor: LogitPredictor,
    side: Manifest,
    batch_size: int,
    n_boot: int,
    seed: int,
    progress: Callable[[int, int], None] | None,
) -> ClassificationResult:
    """Metrics of one side; labels without a row there take no part in means over classes."""
    parts: list[np.ndarray] = []
    for images in image_batches(side, side.rows, batch_size):
        parts.append(np.asarray(predictor.logits(images, batch_size=batch_size)))
        if progress is not None:
            progress(sum(map(len, parts)), len(side))
    logits = np.concatenate(parts)
    labels = predictor.task.label_ids
    if logits.shape != (len(side), len(labels)) or not np.isfinite(logits).all():
        raise DataError(
            f"outputs for {side.path.name}", expected=f"({len(side)}, {len(labels)}) finite numbers"
        )
    calibration: Any = getattr(predictor, "calibration", None) or Calibration()
    p = probabilities(logits, "softmax", calibration.temperatures)
    return classification_metrics(
        p, side.targets(labels), side.group_keys(), labels, n_boot=n_boot, seed=seed
    )  # fmt: skip


def _from(progress: Callable[[int, int], None], start: int, total: int) -> Callable[[int, int], None]:
    return lambda done, _: progress(start + done, total)
