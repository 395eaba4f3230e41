"""Records that travel between layers. All frozen; JSON both ways, ``Sample`` apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from vnvision.spec import Record, TaskSpec

SCHEMA_VERSION = 1
PRESENT_FROM = 0.5
"""From this probability on a label of a multi-label answer counts as present."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One image in memory with what is known of it.

    Attributes:
        image: (H, W, C) uint8, uint16 or float32; C is 1 (grey) or 3 (RGB).
        label: class index, -1 unknown.
        labels: (C,) int8 for multi-label: 1, 0, or -1 unknown; None otherwise.
        mask: (H, W) uint8 class indices or None.
        boxes_xyxy_px: (N, 4) float32 or None.
        box_labels: (N,) int64 or None.
        spacing_mm: row and column spacing or None.
    """

    image: np.ndarray
    label: int = -1
    labels: np.ndarray | None = None
    identity: str | None = None
    mask: np.ndarray | None = None
    boxes_xyxy_px: np.ndarray | None = None
    box_labels: np.ndarray | None = None
    spacing_mm: tuple[float, float] | None = None
    group_id: str | None = None
    region: str | None = None
    source: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What a detector found in one image, best first.

    Attributes:
        boxes_xyxy_px: (N, 4) float32, pixels of the image as read.
        labels: (N,) int64 label indices.
        scores: (N,) float32 in 0..1.
    """

    boxes_xyxy_px: np.ndarray
    labels: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)


class Face(Record):
    """One detected face, in pixels of the image it was found in."""

    box_xyxy_px: tuple[float, float, float, float]
    landmarks_px: Annotated[tuple[tuple[float, float], ...], Field(min_length=5, max_length=5)]
    score: float
    embedding: tuple[float, ...] | None = None
    quality: dict[str, float] | None = None


class _Answer(Record):
    abstained: bool = False
    reasons: tuple[str, ...] = ()
    source: str | None = None


class ClassPrediction(_Answer):
    """Calibrated probabilities over the labels, in label order."""

    kind: Literal["classification", "multilabel"] = "classification"
    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    severity: float | None = None

    @property
    def top(self) -> str:
        """The most probable label's id."""
        return self.labels[max(range(len(self.labels)), key=self.probabilities.__getitem__)]

    @property
    def confidence(self) -> float:
        """Probability of ``top``."""
        return max(self.probabilities)


class EmbeddingPrediction(_Answer):
    """A unit-norm embedding (D,)."""

    kind: Literal["embedding"] = "embedding"
    embedding: tuple[float, ...]


class Box(Record):
    """One detection in pixels of the image as read."""

    box_xyxy_px: tuple[float, float, float, float]
    label: str
    score: float


class DetectionPrediction(_Answer):
    """Boxes, and how many of each label."""

    kind: Literal["detection"] = "detection"
    boxes: tuple[Box, ...]
    counts: dict[str, int] = {}


class MaskPrediction(_Answer):
    """A class mask (H, W) as run lengths: ``mask_rle`` holds (label index, run) row by row.

    ``areas_px`` counts the pixels of each label; ``severity`` is the diseased share, 0 to 1, None where the
    task has none or nothing of the whole was found.
    """

    kind: Literal["segmentation"] = "segmentation"
    size_px: tuple[int, int]
    mask_rle: tuple[tuple[int, int], ...]
    areas_px: dict[str, int] = {}
    severity: float | None = None

    def mask(self) -> np.ndarray:
        """(H, W) uint8 label indices."""
        values, runs = np.array(self.mask_rle, dtype=np.int64).reshape(-1, 2).T
        return np.repeat(values.astype(np.uint8), runs).reshape(self.size_px)

    @model_validator(mode="after")
    def _covers(self) -> Self:
        total = sum(run for _, run in self.mask_rle)
        if total != self.size_px[0] * self.size_px[1]:
            raise ValueError(f"mask_rle covers {total} pixels of {self.size_px[0] * self.size_px[1]}")
        if any(not 0 <= label <= 255 or run < 1 for label, run in self.mask_rle):
            raise ValueError("mask_rle holds labels from 0 to 255 and runs from 1")
        return self


Prediction = Annotated[
    ClassPrediction | EmbeddingPrediction | DetectionPrediction | MaskPrediction, Field(discriminator="kind")
]


class Metric(Record):
    """A measured value with its interval. ``None`` means not defined on this data, never 0.

    ``n`` counts the images (or pairs) it was measured on, ``level`` is the interval's coverage.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = Field(ge=0)
    level: float = 0.95
    note: str | None = None


class OperatingPoint(Record):
    """A threshold and what it does, on a stated population."""

    threshold: float
    scale: Literal["cosine", "probability"]
    target: str = Field(description="the rate asked for, as in 'fmr=1e-4' or 'specificity=0.90'")
    label: str | None = None
    achieved: Metric
    population: str
    n: int = Field(ge=0)
    manifest_sha256: Sha256


class AbstentionRule(Record):
    """What ``abstain_below`` was chosen for, and what it kept on the data it was chosen on.

    ``selective_risk``: with probability 1 - ``delta`` over the draw of that data, answers given are wrong in
    at most ``risk`` of cases (Geifman & El-Yaniv 2017, "Selective Classification for Deep Neural Networks",
    algorithm 1). It holds for data like that it was fitted on, and not for a change of camera or place.
    """

    method: Literal["selective_risk"] = "selective_risk"
    risk: float = Field(gt=0, lt=1)
    delta: float = Field(gt=0, lt=1)
    bound: float | None = Field(default=None, description="the bound reached; None: no limit could keep it")
    coverage: float = Field(ge=0, le=1)
    n: int = Field(ge=0)


class LesionRule(Record):
    """For a classifier that knows diseases and no healthy leaf: answer only where lesions are seen.

    A leaf whose share of area that is not its own green (``runtime.lesions.lesion_share``) stays below
    ``least_share`` looks healthy, which the model has no word for.
    """

    method: Literal["own_green_lab"] = "own_green_lab"
    least_share: float = Field(gt=0, lt=1)
    fitted_on: str = Field(default="nothing", description="which healthy and diseased leaves chose the limit")


class Calibration(Record):
    """How raw scores become calibrated answers, and when not to answer."""

    temperatures: Annotated[tuple[float, ...], Field(min_length=1)] = (1.0,)
    abstain_below: float | None = Field(default=None, ge=0, le=1)
    abstention: AbstentionRule | None = None
    scope_file: str | None = None
    scope_sha256: Sha256 | None = None
    lesions: LesionRule | None = Field(default=None, description="None: a healthy leaf is no special case")
    fitted_on: str = "nothing"
    n: int = Field(default=0, ge=0)
    manifest_sha256: Sha256 | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if min(self.temperatures) <= 0:
            raise ValueError(f"temperatures must be positive, got {self.temperatures}")
        if (self.scope_file is None) != (self.scope_sha256 is None):
            raise ValueError("scope_file and scope_sha256 go together")
        return self


class GroupRow(Record):
    """The metrics of one part of the data."""

    column: str = Field(description="the manifest column, such as 'region'")
    value: str
    n: int = Field(ge=0)
    metrics: dict[str, Metric]


class Mistake(Record):
    """One wrong answer; of masks and boxes, one picture answered badly.

    For these ``truth`` and ``answer`` are outlines as text (``vnvision.evaluate.outlines``), and
    ``probability`` is how far they agree, 0 to 1.
    """

    path: str
    truth: str
    answer: str
    probability: float


class EvalReport(Record):
    """How good a model is on one split of one manifest."""

    schema_version: int = SCHEMA_VERSION
    task: TaskSpec
    split: str
    n: int = Field(ge=0)
    n_groups: int = Field(ge=0)
    manifest_sha256: Sha256
    metrics: dict[str, Metric]
    per_class: dict[str, dict[str, Metric]] = {}
    groups: tuple[GroupRow, ...] = ()
    operating_points: tuple[OperatingPoint, ...] = ()
    calibration: Calibration = Calibration()
    confusion: tuple[tuple[int, ...], ...] = ()
    curves: dict[str, tuple[tuple[float, float], ...]] = {}
    reliability: tuple[tuple[float, float, int], ...] = Field(
        default=(), description="mean confidence, accuracy, count of each bin"
    )
    mistakes: tuple[Mistake, ...] = ()
    data: dict[str, Any] = Field(default={}, description="what the data was: counts, licences, sources")
    model: dict[str, Any] = Field(default={}, description="which model: name, parameters, commit, run")
    warnings: tuple[str, ...] = ()


class Judgement(Record):
    """What an exported file's coarser numbers cost on pictures whose truth is known.

    Attributes:
        split: which pictures of the calibration manifest.
        n: how many.
        metric: accuracy, tar_fmr0.001, dice or map50.
        original: of the trained network.
        target: of the exported file, through its own engine and preprocessing.
        change: target less original, paired, with its interval over groups where it can be resampled.
        agreement: part of the pictures with the same answer; of masks the mean Dice between the two.
        cosine_mean: of embeddings, between original and file.
        cosine_min: its least value.
        further: changes of other metrics, such as tar_fmr0.0001.
    """

    split: str
    n: int = Field(ge=0)
    manifest_sha256: Sha256
    metric: str
    original: float | None
    target: float | None
    change: Metric
    agreement: float | None = None
    cosine_mean: float | None = None
    cosine_min: float | None = None
    further: dict[str, float] = {}


class TargetRecord(Record):
    """One exported file of a bundle."""

    file: str
    engine: Literal[
        "onnxruntime", "openvino", "ncnn", "litert", "executorch", "mnn", "coreml", "rknn", "torch"
    ]
    precision: Literal["fp32", "fp16", "int8-weights", "int8"] = "fp32"
    proven_by: str = Field(default="", description="what ran the file in the parity gate")
    p50_ms: float | None = Field(
        default=None, gt=0, description="one picture on the exporting machine, preprocessing not counted"
    )
    converter_took: tuple[Literal["range", "normalise", "colour", "layout"], ...] = Field(
        default=(), description="preprocessing steps inside the file, so that the runtime leaves them out"
    )
    extra_files: tuple[str, ...] = ()
    calibration: Calibration = Calibration()
    operating_points: tuple[OperatingPoint, ...] = ()
    parity: dict[str, float] = {}
    judged: Judgement | None = None


class Licences(Record):
    """Licence of each part, as SPDX ids or plain words."""

    code: str = "Apache-2.0"
    weights: str
    training_data: tuple[str, ...] = ()


class BundleManifest(Record):
    """``manifest.json`` of a bundle: what it is, what is in it, where it comes from."""

    schema_version: int = SCHEMA_VERSION
    name: str
    task: TaskSpec
    targets: dict[str, TargetRecord]
    golden: str = "golden.npz"
    files: dict[str, Sha256]
    licences: Licences
    provenance: dict[str, Any] = {}
    synthetic: bool = False

    @model_validator(mode="after")
    def _files_are_listed(self) -> Self:
        wanted = {self.golden}
        for target in self.targets.values():
            wanted |= {target.file, *target.extra_files}
            wanted |= {target.calibration.scope_file} if target.calibration.scope_file else set()
        missing = sorted(str(name) for name in wanted - set(self.files))
        if missing:
            raise ValueError(f"files without a hash: {missing}")
        bad = [name for name in self.files if name.startswith(("/", "\\")) or ".." in name or ":" in name]
        if bad:
            raise ValueError(f"file names must stay inside the bundle: {bad}")
        return self
