"""How good the model is on photographs it did not see, told without flattery."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np

from vnvision.data.manifest import Manifest, Row
from vnvision.evaluate.classification import evaluate_logits
from vnvision.metrics.calibration import fit_temperature
from vnvision.metrics.classification import classification_metrics
from vnvision.metrics.scores import probabilities
from vnvision.metrics.selective import confidence, fit_abstention
from vnvision.records import Calibration, EvalReport, Metric
from vnvision.spec import TaskSpec
from vnvision.teach.head import out_of_fold
from vnvision.teach.look import Seen

SPLIT, SOURCE = "cross-validation", "photographs"
REPEATS, MANY = 3, 600
"""Rounds of folds; one round for more than ``MANY`` photographs, whose folds differ little."""
RISK, LEAST_COVERAGE = 0.1, 0.5
"""Answers given shall be wrong in at most this share; a limit that withholds more than half is not kept."""


@dataclass(frozen=True, slots=True)
class Score:
    """The report, and the calibration that was fitted on the same out-of-fold answers."""

    report: EvalReport
    calibration: Calibration


def measured(
    seen: Seen,
    groups: np.ndarray,
    task: TaskSpec,
    model: dict[str, Any],
    *,
    private: bool,
    seed: int,
    step: Callable[[int, int], None],
) -> Score:
    """Repeated nested cross-validation over groups, every resample of the interval over groups too.

    Args:
        seen: the photographs.
        groups: (N,).
        task: the model's.
        model: what the report says of it.
        private: file names are not told, as of patients.
        seed: of folds and resamples.
        step: called with (folds done, folds in all).
    """
    targets = np.array([photo.target for photo in seen.photos], np.int64)
    n, repeats = len(targets), REPEATS if len(targets) <= MANY else 1
    count = len(task.labels)
    logits = out_of_fold(seen.features, targets, groups, count, repeats=repeats, seed=seed, step=step)
    manifest = listing(seen, groups, task, private=private)
    stacked, truth = logits.reshape(-1, count), np.tile(targets, repeats)
    temperatures = fit_temperature(stacked, truth)
    p = probabilities(logits[0], "softmax", temperatures)
    limit, rule = _limit(p, targets, groups)
    calibration = Calibration(
        temperatures=temperatures, abstain_below=limit, abstention=rule, fitted_on=SPLIT, n=n,
        manifest_sha256=manifest.sha256,
    )  # fmt: skip
    report = evaluate_logits(
        logits[0], manifest, task, split=SPLIT, calibration=calibration, model=model, seed=seed, columns=(),
        data=_described(manifest),
    )  # fmt: skip
    all_rounds = classification_metrics(
        probabilities(stacked, "softmax", temperatures), truth, np.tile(groups, repeats).tolist(),
        task.label_ids, seed=seed,
    )  # fmt: skip
    metrics = {key: _counted(one, repeats) for key, one in all_rounds.metrics.items()}
    per_class = {
        label: {key: _counted(one, repeats, count=key == "n") for key, one in found.items()}
        for label, found in all_rounds.per_class.items()
    }
    told = report.model_copy(
        update={"metrics": {**report.metrics, **metrics}, "per_class": per_class, "warnings": ()}
    )
    return Score(told, calibration)


def listing(seen: Seen, groups: np.ndarray, task: TaskSpec, *, private: bool) -> Manifest:
    """The photographs as a manifest; its hash stands for which they were, what they show and their groups."""
    ids = task.label_ids
    rows = tuple(
        Row(
            line=i + 1,
            path=digest[:16] if private else photo.shown,
            label=ids[photo.target],
            group_id=str(group),
            sha256=digest,
        )
        for i, (photo, digest, group) in enumerate(
            zip(seen.photos, seen.digests, groups.tolist(), strict=True)
        )
    )
    lines = "\n".join(f"{row.sha256} {row.label} {row.group_id}" for row in rows)
    place = Path(SOURCE)
    return Manifest(rows, place, place, sha256(lines.encode()).hexdigest())


def _described(manifest: Manifest) -> dict[str, Any]:
    """What the report says of the photographs, which nobody needs to open again."""
    labels = [row.label or "" for row in manifest.rows]
    groups = len(set(manifest.group_keys()))
    told = {"name": SOURCE, "sha256": manifest.sha256, "rows": len(manifest), "groups": groups}
    return {"manifest": told, "labels": {label: labels.count(label) for label in dict.fromkeys(labels)}}


def guessing(targets: Sequence[int] | np.ndarray) -> float:
    """Accuracy of always naming the commonest class."""
    counts = np.bincount(np.asarray(targets))
    return float(counts.max() / counts.sum())


def _limit(p: np.ndarray, targets: np.ndarray, groups: np.ndarray) -> tuple[float | None, Any]:
    with catch_warnings():
        simplefilter("ignore")
        limit, rule = fit_abstention(
            confidence(p, "classification"), p.argmax(axis=1) == targets, groups.tolist(), RISK
        )
    if rule is None or rule.bound is None or rule.coverage < LEAST_COVERAGE:
        return None, None
    return limit, rule


def _counted(one: Metric, repeats: int, *, count: bool = False) -> Metric:
    """Photographs, not photographs times rounds; of a metric that is a count its value too."""
    value = one.value / repeats if count and one.value is not None else one.value
    return one.model_copy(update={"n": one.n // repeats, "value": value})
