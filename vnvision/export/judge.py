"""What coarser numbers cost: original and exported file on pictures whose truth is known.

Golden images prove that a file computes the same thing. An 8-bit file does not, so it is asked for answers
instead: accuracy, TAR at low FMR, Dice, mAP. Cosines alone would pass a face model whose errors all lie among
the hardest impostors.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from vnvision.data.manifest import Manifest
from vnvision.errors import DataError, ExportError
from vnvision.evaluate import evaluate, fit_calibration
from vnvision.evaluate.images import image_batches
from vnvision.evaluate.targets import known_rows, known_targets
from vnvision.export.judge_dense import DENSE_METRIC, MaskJudge
from vnvision.export.judge_faces import judge_embeddings, points_again
from vnvision.export.original import Original
from vnvision.export.paired import mean_change
from vnvision.records import Calibration, Judgement, Metric, OperatingPoint
from vnvision.runtime import Predictor

if TYPE_CHECKING:
    pass

MAX_DROP = 0.02
LEAST_AGREEMENT = 0.90
LEAST_COSINE = 0.90
OUT_OF_SCOPE, MORE_OUT_OF_SCOPE = "out_of_scope", 0.10
_BATCH = 32


class Judge:
    """Compares exported files with the original on one part of a manifest.

    Args:
        original: the trained network.
        part: the rows to judge on, none of the test split.
        split: their name, for the record.
        max_drop: how far the metric may fall, 0..1; a loss whose interval lies below 0 is refused as well.
    """

    def __init__(
        self, original: Original, part: Manifest, split: str = "val", *, max_drop: float = MAX_DROP
    ) -> None:
        self.task, self.part, self.split, self.max_drop = original.task, part, split, max_drop
        self._original = original
        self._truth: np.ndarray | None = None
        if self.task.kind in ("classification", "multilabel"):
            self._truth = known_targets(part, self.task)
        self._answers = None if self._dense else self._run(original)
        self._masks = MaskJudge(original, part) if self.task.kind == "segmentation" else None

    @property
    def _dense(self) -> bool:
        return self.task.kind in DENSE_METRIC

    def __call__(self, predictor: Predictor) -> tuple[Judgement, np.ndarray | None]:
        """The judgement on one loaded target, and its raw outputs (N, D) where they are kept."""
        if self._masks is not None:
            return self._masks(predictor, self._facts()), None
        if self._dense:
            return self._boxes(predictor), None
        assert self._answers is not None
        found = self._run(predictor)
        if self.task.kind == "embedding":
            return judge_embeddings(self._answers, found, self.part, self._facts()), found
        judged = self._labels(found)
        return judged.model_copy(update={"further": self._scope_change(predictor)}), found

    def require(self, found: Judgement, target: str) -> None:
        """Refuse a target whose answers are worse.

        Raises:
            ExportError: naming the figures that are outside.
        """
        change, failures = found.change, []
        if change.value is not None and change.value < -self.max_drop:
            failures.append(f"{found.metric} falls by {-change.value:.4f} (at most {self.max_drop:g})")
        elif change.high is not None and change.high < 0:
            failures.append(f"{found.metric} falls, between {-change.high:.4f} and {-(change.low or 0):.4f}")
        if found.agreement is not None and found.agreement < LEAST_AGREEMENT:
            failures.append(f"same answer for {found.agreement:.1%} (at least {LEAST_AGREEMENT:.0%})")
        strangers = found.further.get(OUT_OF_SCOPE, 0.0)
        if strangers > MORE_OUT_OF_SCOPE:
            failures.append(f"{strangers:+.1%} of them out of scope (at most {MORE_OUT_OF_SCOPE:+.0%})")
        if found.cosine_mean is not None and found.cosine_mean < LEAST_COSINE:
            failures.append(f"mean cosine {found.cosine_mean:.4f} (at least {LEAST_COSINE:g})")
        if failures:
            raise ExportError(
                f"target {target} answers worse than the original on {found.n} {found.split} pictures and is "
                "refused: " + "; ".join(failures),
                fix="calibrate on more and more varied pictures, or train for 8 bits (embedding.qat)",
            )

    def calibration(self, before: Calibration, found: np.ndarray | None) -> Calibration:
        """Temperatures and the limit of abstention fitted again on a target's own answers (N, C)."""
        if found is None or self._truth is None:
            return before
        rule = before.abstention
        after = fit_calibration(
            found,
            self._truth,
            self.task,
            groups=self.part.group_keys(),
            risk=None if rule is None else rule.risk,
            fitted_on=self.split,
            manifest_sha256=self.part.sha256,
        )
        kept = {name: getattr(before, name) for name in ("scope_file", "scope_sha256", "lesions")}
        return after.model_copy(update=kept)

    def points(
        self, before: Sequence[OperatingPoint], found: np.ndarray | None
    ) -> tuple[OperatingPoint, ...]:
        """Face thresholds for the same rates, on a target's own embeddings (N, D)."""
        if found is None or self.task.kind != "embedding":
            return tuple(before)
        return points_again(before, found, self.part, f"{self.split} split of {self._original.name}")

    def _facts(self) -> dict[str, Any]:
        return {"split": self.split, "n": len(self.part), "manifest_sha256": self.part.sha256}

    def _run(self, predictor: Original | Predictor) -> np.ndarray:
        """Raw outputs (N, D) of every row; aligned faces are read as crops."""
        aligned = self.task.preprocess.geometry == "align"
        crops = aligned and isinstance(predictor, Predictor)
        ask: Any = predictor.logits_of_crops if crops else predictor.logits  # type: ignore[union-attr]
        rows = list(self.part.rows)
        parts = [ask(images, batch_size=_BATCH) for images in image_batches(self.part, rows, _BATCH)]
        if not parts:
            raise DataError(f"{self.part.path} has no {self.split} rows to judge on")
        return np.concatenate(parts)

    def _labels(self, found: np.ndarray) -> Judgement:
        assert self._truth is not None
        assert self._answers is not None
        known = known_rows(self._truth)
        truth = self._truth[known]
        if self.task.kind == "classification":
            one, other = (x[known].argmax(axis=1) for x in (self._answers, found))
            agreement = float((one == other).mean())
            right = [(answer == truth).astype(np.float64) for answer in (one, other)]
        else:
            one, other = (x[known] > 0 for x in (self._answers, found))
            agreement = float((one == other).mean())
            asked = truth >= 0
            right = [
                ((answer == (truth == 1)) & asked).sum(axis=1) / asked.sum(axis=1) for answer in (one, other)
            ]
        groups = [key for key, kept in zip(self.part.group_keys(), known, strict=True) if kept]
        return Judgement(
            **self._facts() | {"n": int(known.sum())},
            metric="accuracy",
            original=float(right[0].mean()),
            target=float(right[1].mean()),
            change=mean_change(right[1] - right[0], groups),
            agreement=agreement,
        )

    def _scope_change(self, predictor: Predictor) -> dict[str, float]:
        """How many more pictures of its own kind the scope gate turns away by the target's features."""
        gate = predictor.scope
        if gate is None:
            return {}
        refused = np.zeros(2)
        for images in image_batches(self.part, list(self.part.rows), _BATCH):
            scores = self._original.scope_score(images, gate), predictor.scope_score(images, _BATCH)
            refused += [(score > gate.limit).sum() for score in scores]
        return {OUT_OF_SCOPE: float((refused[1] - refused[0]) / len(self.part))}

    @cached_property
    def _map50(self) -> float | None:
        return self._map50_of(self._original)

    def _map50_of(self, predictor: Original | Predictor) -> float | None:
        return evaluate(predictor, self.part, self.split, n_boot=0).metrics["map50"].value

    def _boxes(self, predictor: Predictor) -> Judgement:
        """mAP of both; it is not a mean over pictures, so the change has no paired interval."""
        before, after = self._map50, self._map50_of(predictor)
        change = None if before is None or after is None else after - before
        metric = Metric(value=change, n=len(self.part), note="no interval: mAP is not a mean over pictures")
        return Judgement(**self._facts(), metric="map50", original=before, target=after, change=metric)
