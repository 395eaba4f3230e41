"""What a model expects and answers, as data that travels with its weights."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vnvision import atomic
from vnvision.errors import ConfigError, VnvisionError


class Record(BaseModel):
    """Frozen, strict record: unknown keys are errors, JSON goes both ways without loss."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, ser_json_inf_nan="constants")

    def to_json(self) -> str:
        """Indented JSON text; ``from_json`` gives an equal record back."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, indent=2, allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes, where: str = "", error: type[VnvisionError] = ConfigError) -> Self:
        """Parse JSON text.

        Args:
            text: the JSON.
            where: the file or place it came from, named in the error.
            error: the error type to raise.

        Raises:
            VnvisionError: ``error``, listing every wrong or unknown key in one line.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as exc:
            raise error(f"{where or cls.__name__} is not a valid {cls.__name__}: {explain(exc)}") from exc

    @classmethod
    def load(cls, path: str | Path, error: type[VnvisionError] = ConfigError) -> Self:
        """Read a record from a JSON file; an unreadable file raises ``error`` naming it."""
        try:
            text = Path(path).read_bytes()
        except OSError as exc:
            raise error(f"cannot read {path}", got=exc.strerror or str(exc)) from exc
        return cls.from_json(text, str(path), error)

    def save(self, path: str | Path) -> Path:
        """Write the record atomically."""
        return atomic.write_text(path, self.to_json() + "\n")

    def fingerprint(self) -> str:
        """First 16 hex digits of the SHA-256 of the canonical JSON (sorted keys, no spaces)."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def explain(exc: ValidationError) -> str:
    """All problems of a pydantic error in one line: ``a.b: message; c: message``."""
    parts = []
    for item in exc.errors(include_url=False):
        place = ".".join(str(part) for part in item["loc"]) or "value"
        got = "" if item["type"] in ("missing", "extra_forbidden") else f" (got {item['input']!r:.80})"
        text = "unknown key" if item["type"] == "extra_forbidden" else item["msg"]
        parts.append(f"{place}: {text}{got}")
    return "; ".join(parts)


class Label(Record):
    """One class. ``id`` is what manifests hold; ``vi`` and ``en`` are what people read."""

    id: str = Field(min_length=1)
    vi: str = ""
    en: str = ""

    def text(self, language: Literal["vi", "en"]) -> str:
        """The reader's text, or the id in words where none was given."""
        return getattr(self, language) or self.id.replace("_", " ")


class PreprocessSpec(Record):
    """From a decoded image to the model's input, in this order.

    1. VOI window (centre, width) in input units, where given (DICOM PS3.3 C.11.2.1.2, linear).
    2. Colour: the image arrives RGB (or grey) and leaves in ``colour`` order.
    3. Geometry: ``squash`` (ignore aspect), ``crop`` (shorter side to ``size / crop_pct``, centre crop),
       ``letterbox`` (fit and pad with ``pad_value``), ``strips`` (a long picture cut and stacked, see
       ``imaging.strips``, then as ``squash``), ``align`` (five landmarks to the 112 px template) or ``none``
       (must already have the size).
    4. Range: ``(x - low) / (high - low)`` with ``input_range``.
    5. Normalise: ``(x - mean) / std``, mean and std in units of that 0..1 range.

    The result is float32 NCHW. Steps 4 and 5 are what a converter may take into its own file.
    """

    size_px: tuple[int, int] = Field(description="height, width")
    colour: Literal["rgb", "bgr", "grey"] = "rgb"
    input_dtype: Literal["uint8", "uint16", "float32"] = "uint8"
    input_range: tuple[float, float] = (0.0, 255.0)
    geometry: Literal["squash", "crop", "letterbox", "strips", "align", "none"] = "squash"
    crop_pct: float = Field(default=1.0, gt=0, le=1)
    pad_value: float = 0.0
    interpolation: Literal["nearest", "bilinear", "bicubic", "area"] = "bilinear"
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    flip_average: bool = False
    voi_window: tuple[float, float] | None = None

    @property
    def channels(self) -> int:
        """1 for grey, else 3."""
        return 1 if self.colour == "grey" else 3

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if min(self.size_px) < 1 or max(self.size_px) > 16384:
            raise ValueError(f"size_px must lie in 1..16384, got {self.size_px}")
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ValueError(f"mean and std need {self.channels} values for colour {self.colour!r}")
        if min(self.std) <= 0:
            raise ValueError("std must be positive")
        if self.input_range[1] <= self.input_range[0]:
            raise ValueError("input_range must be (low, high) with low < high")
        return self


class SeveritySpec(Record):
    """Which labels of a mask make up a diseased share: area of ``diseased`` over area of ``whole``."""

    diseased: tuple[str, ...] = Field(min_length=1)
    whole: tuple[str, ...] = Field(min_length=1, description="holds the diseased labels too")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if outside := sorted(set(self.diseased) - set(self.whole)):
            raise ValueError(f"diseased labels must be part of whole, missing there: {outside}")
        return self


class BoxSpec(Record):
    """How a detector's dense output (N, C + 4, h, w) becomes boxes.

    The first C planes are logits of "an object of this label has its centre in this cell", the last four the
    distances from the cell's centre to the left, top, right and bottom side, in cells. A cell is
    ``stride_px`` pixels of the model's input wide and high. Cells above the label's threshold that no
    neighbour exceeds are objects (Zhou et al. 2019, "Objects as Points", section 3); what overlaps a better
    box of its label by more than ``nms_iou`` is dropped.
    """

    stride_px: int = Field(default=4, ge=1)
    thresholds: tuple[float, ...] = Field(default=(0.3,), min_length=1, description="one, or one a label")
    nms_iou: float = Field(default=0.6, gt=0, le=1)
    max_boxes: int = Field(default=500, ge=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not all(0 <= value <= 1 for value in self.thresholds):
            raise ValueError(f"thresholds are probabilities, got {self.thresholds}")
        return self


TaskKind = Literal["classification", "multilabel", "embedding", "segmentation", "detection"]


class TaskSpec(Record):
    """What is asked of a model and how its output is read."""

    kind: TaskKind
    preprocess: PreprocessSpec
    labels: tuple[Label, ...] = ()
    embedding_dim: int | None = Field(default=None, gt=0)
    score: Literal["softmax", "sigmoid", "cosine"] = "softmax"
    positive: str | None = Field(
        default=None, description="the label that sensitivity is about, as malignant"
    )
    texts: str | None = Field(default=None, description="set of label texts, of vnvision.hub.set_names()")
    severity: SeveritySpec | None = None
    boxes: BoxSpec | None = None

    @property
    def label_ids(self) -> tuple[str, ...]:
        """Ids in output order."""
        return tuple(label.id for label in self.labels)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ids = self.label_ids
        if len(set(ids)) != len(ids):
            raise ValueError(f"labels repeat: {sorted({i for i in ids if ids.count(i) > 1})}")
        wanted = {"classification": "softmax", "multilabel": "sigmoid", "embedding": "cosine"}.get(self.kind)
        if wanted and self.score != wanted:
            raise ValueError(f"{self.kind} is scored by {wanted}, got {self.score}")
        if self.kind == "embedding" and self.embedding_dim is None:
            raise ValueError("an embedding task needs embedding_dim")
        if self.kind in ("classification", "segmentation") and len(ids) < 2:
            raise ValueError(f"{self.kind} needs two labels or more, got {len(ids)}")
        if self.kind in ("multilabel", "detection") and not ids:
            raise ValueError(f"{self.kind} needs labels")
        self._check_parts(ids)
        return self

    def _check_parts(self, ids: tuple[str, ...]) -> None:
        if self.positive is not None and self.positive not in ids:
            raise ValueError(f"positive must be one of the labels, got {self.positive!r}")
        if (self.severity is not None) and self.kind != "segmentation":
            raise ValueError(f"severity belongs to segmentation, not to {self.kind}")
        if self.severity is not None and (unknown := sorted(set(self.severity.whole) - set(ids))):
            raise ValueError(f"severity names labels that there are none of: {unknown}")
        if (self.boxes is not None) != (self.kind == "detection"):
            raise ValueError(f"boxes must be given for detection and nothing else, the kind is {self.kind}")
        if self.preprocess.geometry == "strips" and self.kind in ("segmentation", "detection"):
            raise ValueError(f"geometry strips cuts objects in two: not for {self.kind}; take letterbox")
        if self.boxes is not None and len(self.boxes.thresholds) not in (1, len(ids)):
            raise ValueError(f"boxes.thresholds needs 1 or {len(ids)} values")


def config_json(value: Any) -> str:
    """Canonical JSON of plain data: sorted keys, no spaces. Equal data gives equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
