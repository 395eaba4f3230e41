"""From raw outputs and a manifest to an ``EvalReport``."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Literal

import numpy as np

from vnvision.data.card import describe
from vnvision.data.manifest import Manifest
from vnvision.errors import DataError
from vnvision.evaluate.cautions import about_data, cautions
from vnvision.evaluate.mistakes import worst_mistakes
from vnvision.evaluate.operating import operating_points
from vnvision.evaluate.subsets import group_rows
from vnvision.evaluate.targets import known_rows, known_targets
from vnvision.metrics import notes
from vnvision.metrics.bootstrap import ClusterBootstrap, share
from vnvision.metrics.calibration import choose_temperatures, reliability_bins
from vnvision.metrics.classification import Kind, classification_metrics
from vnvision.metrics.ranking import roc_curve
from vnvision.metrics.scores import probabilities as to_probabilities
from vnvision.metrics.selective import confidence as confidence_of
from vnvision.metrics.selective import fit_abstention, selective_curve
from vnvision.records import PRESENT_FROM, Calibration, EvalReport, Metric
from vnvision.spec import TaskSpec

CURVE_POINTS = 200


def evaluate_logits(
    logits: np.ndarray,
    manifest: Manifest,
    task: TaskSpec,
    *,
    split: str,
    calibration: Calibration | None = None,
    model: dict[str, Any] | None = None,
    n_boot: int = 1000,
    seed: int = 0,
    columns: Sequence[str] = ("region",),
    data: dict[str, Any] | None = None,
) -> EvalReport:
    """Judge raw outputs on one split.

    Args:
        logits: (N, C) raw outputs, one row a manifest row. Rows with an unknown label are not looked at.
        manifest: the split's rows.
        task: classification or multilabel.
        split: its name, for the record.
        calibration: applied before anything is measured.
        model: which model, JSON-ready, for the record.
        n_boot: resamples of every interval.
        seed: of the resamples.
        columns: manifest columns whose values are judged one by one; a column that is absent is skipped.
        data: what the data was; described from the manifest unless given.

    Raises:
        ConfigError: the task is of another kind.
        DataError: labels, shapes or values do not fit, or no row has a known label.
    """
    calibration = calibration or Calibration()
    logits, targets = np.asarray(logits), known_targets(manifest, task)
    known = known_rows(targets)
    _check_logits(logits, known, manifest, task)
    kept, truth = manifest.where(known), targets[known]
    p = to_probabilities(logits[known], _score(task), calibration.temperatures)
    groups = kept.group_keys()
    kind: Kind = "multilabel" if task.kind == "multilabel" else "classification"
    result = classification_metrics(p, truth, groups, task.label_ids, kind=kind, n_boot=n_boot, seed=seed)
    rows, warnings = group_rows(p, truth, kept, task, columns, n_boot=n_boot, seed=seed)
    confidence, correct = _confidence(p, truth)
    data = describe(manifest) if data is None else data
    metrics, curves = result.metrics, _roc_curves(p, truth, task.label_ids)
    if truth.ndim == 1:
        metrics = metrics | _abstention(confidence, correct, groups, calibration, n_boot, seed)
        curves["selective"] = _thinned(*selective_curve(confidence, correct)[1:])
    return EvalReport(
        task=task,
        split=split,
        n=len(kept),
        n_groups=len(set(groups)),
        manifest_sha256=manifest.sha256,
        metrics=metrics,
        per_class=result.per_class,
        groups=rows,
        operating_points=operating_points(
            p, truth, task.label_ids, groups, population=f"{manifest.path.name}, {split}",
            manifest_sha256=manifest.sha256, n_boot=n_boot, seed=seed, positive=task.positive,
        ),
        calibration=calibration,
        confusion=_confusion(p, truth),
        curves=curves,
        reliability=reliability_bins(confidence, correct),
        mistakes=worst_mistakes(p, truth, [row.path for row in kept.rows], task.label_ids),
        data={key: value for key, value in data.items() if key != "warnings"},
        model=model or {},
        warnings=(*cautions(manifest, targets, task, calibration, split), *about_data(data), *warnings),
    )  # fmt: skip


def fit_calibration(
    logits: np.ndarray,
    targets: np.ndarray,
    task: TaskSpec,
    *,
    groups: Sequence[Hashable] | None = None,
    risk: float | None = None,
    fitted_on: str = "val",
    manifest_sha256: str | None = None,
) -> Calibration:
    """Temperatures, and on request a confidence limit below which not to answer.

    Args:
        logits: (N, C) raw outputs on data the model was not trained on.
        targets: (N,) class index, or (N, C); -1 unknown.
        task: classification or multilabel.
        groups: N keys; every picture is its own group unless given.
        risk: the largest share of wrong answers among those given, see ``fit_abstention``; no limit unless
            given. A multi-label answer is right where every known label is.
        fitted_on: name of the split, for the record.
        manifest_sha256: of its manifest.
    """
    kind: Kind = "multilabel" if task.kind == "multilabel" else "classification"
    keys = list(range(len(logits))) if groups is None else list(groups)
    temperatures = choose_temperatures(logits, targets, keys, kind)
    known = known_rows(targets)
    p, truth = to_probabilities(logits[known], _score(task), temperatures), targets[known]
    if kind == "classification":
        right = p.argmax(axis=1) == truth
    else:
        right = np.where(truth >= 0, (p >= PRESENT_FROM) == (truth == 1), True).all(axis=1)
    kept = [key for key, known_ in zip(keys, known, strict=True) if known_]
    limit, rule = fit_abstention(confidence_of(p, kind), right, kept, risk)
    return Calibration(
        temperatures=temperatures,
        abstain_below=limit,
        abstention=rule,
        fitted_on=fitted_on,
        n=int(known.sum()),
        manifest_sha256=manifest_sha256,
    )


def _score(task: TaskSpec) -> Literal["softmax", "sigmoid"]:
    """How logits are read."""
    return "sigmoid" if task.kind == "multilabel" else "softmax"


def _check_logits(logits: np.ndarray, known: np.ndarray, manifest: Manifest, task: TaskSpec) -> None:
    """Shape, and finite wherever they are looked at."""
    shape = (len(manifest), len(task.labels))
    if logits.shape != shape:
        raise DataError("logits do not fit the manifest", expected=str(shape), got=str(logits.shape))
    bad = np.flatnonzero(known & ~np.isfinite(logits).all(axis=1))
    if len(bad):
        lines = ", ".join(str(manifest.rows[i].line) for i in bad[:5])
        raise DataError(
            f"the model's outputs for {len(bad)} rows of {manifest.path.name} are not numbers (rows {lines})",
            expected="finite logits",
        )


def _confidence(p: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Confidence and whether it was justified: of each answer, or of each known entry of multi-label."""
    if truth.ndim == 1:
        return p.max(axis=1), p.argmax(axis=1) == truth
    known = truth >= 0
    return p[known], truth[known] == 1


def _confusion(p: np.ndarray, truth: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """Counts, truth by row and answer by column; empty for multi-label."""
    if truth.ndim == 2:
        return ()
    classes = p.shape[1]
    cells = np.bincount(truth * classes + p.argmax(axis=1), minlength=classes**2)
    return tuple(tuple(int(n) for n in row) for row in cells.reshape(classes, classes))


def _roc_curves(
    p: np.ndarray, truth: np.ndarray, label_ids: Sequence[str]
) -> dict[str, tuple[tuple[float, float], ...]]:
    """``roc:<label>`` -> points; of two classes only the last, whose mirror image the first is."""
    curves = {}
    for c, label in enumerate(label_ids):
        if truth.ndim == 1 and len(label_ids) == 2 and c == 0:
            continue
        known = np.ones(len(truth), bool) if truth.ndim == 1 else truth[:, c] >= 0
        positive = (truth == c) if truth.ndim == 1 else truth[known, c] == 1
        points = roc_curve(p[known, c], positive, CURVE_POINTS)
        if points:
            curves[f"roc:{label}"] = tuple(points)
    return curves


def _thinned(x: np.ndarray, y: np.ndarray) -> tuple[tuple[float, float], ...]:
    """Points of a curve, at most ``CURVE_POINTS``, ends kept."""
    picked = np.unique(np.linspace(0, len(x) - 1, min(len(x), CURVE_POINTS)).round().astype(int))
    return tuple((float(x[i]), float(y[i])) for i in picked)


def _abstention(
    confidence: np.ndarray,
    correct: np.ndarray,
    groups: Sequence[str],
    calibration: Calibration,
    n_boot: int,
    seed: int,
) -> dict[str, Metric]:
    """Where the model may withhold its answer: how often it answers, and how often it is right then."""
    if calibration.abstain_below is None:
        return {}
    bootstrap = ClusterBootstrap(groups, n_boot, seed)
    nothing = calibration.abstention is not None and calibration.abstention.bound is None
    kept = (confidence >= calibration.abstain_below) & (not nothing)
    return {
        "coverage": share(kept, np.ones(len(kept), bool), bootstrap),
        "selective_accuracy": share(correct, kept, bootstrap, why=notes.NOTHING_KEPT),
    }
