"""The part of a training configuration that only face training has."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from vnvision.spec import Record


class ProtocolConfig(Record):
    """Aligned faces that every validation embeds and compares, all pairs.

    Attributes:
        name: in figures, as ``korean`` in ``val_korean_tar``.
        data: a manifest of aligned crops with the identity column, or an InsightFace ``.bin`` set.
        split: of the manifest; all rows without it.
        where: ``COLUMN=VALUE`` conditions.
        group: column of demographic groups, each a figure of its own.
        within: column whose values must agree for two pictures to be compared.
        fmr: false match rate that TAR is stated at.
    """

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    data: str
    split: str | None = None
    where: tuple[str, ...] = ()
    group: str | None = None
    within: str | None = None
    fmr: float = Field(default=1e-3, gt=0, le=1)


class LoraConfig(Record):
    """Low-rank updates beside frozen weights (Hu et al. 2021), merged into them when training ends."""

    rank: int = Field(default=8, ge=1)
    alpha: float = Field(default=8.0, gt=0)
    targets: tuple[str, ...] = Field(
        default=(), description="layers, by shell pattern as blocks.*.conv; all that can be, if empty"
    )


class DistillConfig(Record):
    """A pull towards another model's embeddings.

    Attributes:
        teacher: a bundle or run folder, or ``start``: the network as it was before training.
        weight: of the pull; the head's loss has weight ``EmbeddingConfig.margin_weight``.
        loss: ``cosine`` (1 - cosine), ``mse`` of unit embeddings, or ``relational`` (cosines between the
            pictures of a batch), which fits any embedding sizes.
    """

    teacher: str = "start"
    weight: float = Field(default=1.0, gt=0)
    loss: Literal["cosine", "mse", "relational"] = "cosine"


class QatConfig(Record):
    """Training that rounds weights and activations as 8-bit integers will; see ``QuantOptions``.

    BatchNorm is folded first, so the network must be trained already. What is validated, reported and saved
    is the rounded network.
    """

    activations: Literal["uint8", "int8", "int8_symmetric"] = "uint8"
    weight_bits: Literal[7, 8] = Field(default=8, description="7: x86 processors without VNNI")
    percentile: float | None = Field(
        default=None, gt=50, le=100, description="cut ranges there; minimum and maximum if null"
    )
    momentum: float = Field(default=0.95, ge=0, lt=1, description="share of the old range kept a step")
    observe_steps: int | None = Field(default=None, ge=1, description="then ranges stand still; null: never")
    keep_float: tuple[str, ...] = Field(default=(), description="layers by pattern, first or last")
    pre_activation: bool = Field(default=True, description="round before a PReLU too, as ONNX Runtime needs")
    learned_steps: bool = Field(default=False, description="steps learn, as factors on measured ones")
    calibration_batches: int = Field(
        default=8, ge=0, description="training batches that ranges are measured on before the first step"
    )
    equalise: float | None = Field(
        default=None, ge=0, le=1, description="rescale channels first, on the same batches; 0.7 did best"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.equalise is not None and self.calibration_batches == 0:
            raise ValueError("equalise measures ranges, so it needs calibration_batches above 0")
        return self

    def options(self) -> dict[str, Any]:
        """What ``QuantOptions`` takes."""
        return self.model_dump(exclude={"calibration_batches", "equalise"})


class EmbeddingConfig(Record):
    """How faces become embeddings, and what teaches them."""

    size: int = Field(default=512, ge=2, description="length of an embedding")
    identity: str = Field(default="identity", description="column that names the person")
    group: str | None = Field(default=None, description="column of demographic groups, for reports")
    head: str = Field(default="arcface", description="one of vnvision.losses.margin.HEADS")
    head_options: dict[str, Any] = Field(default={}, description="of the head, as margin_rad: 0.4")
    margin_weight: float = Field(default=1.0, ge=0, description="0: distillation alone")
    sample_rate: float = Field(default=1.0, gt=0, le=1, description="chance of a class to be compared")
    filter_cosine: float | None = Field(default=None, gt=0, lt=1, description="drop negatives above it")
    images_per_identity: int | None = Field(
        default=None, ge=2, description="K: batches of batch_size / K people with K pictures each"
    )
    fmr: float = Field(default=1e-3, gt=0, le=1, description="false match rate that TAR is stated at")
    protocols: tuple[ProtocolConfig, ...] = ()
    best_by: str | None = Field(
        default=None,
        description="protocol whose TAR chooses the best checkpoint; the validation split's if null",
    )
    flip_average: bool = Field(default=False, description="deployed: mean with the mirrored face")
    lora: LoraConfig | None = None
    distill: DistillConfig | None = None
    qat: QatConfig | None = Field(default=None, description="train on for 8-bit integers")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [protocol.name for protocol in self.protocols]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"protocols repeat: {', '.join(repeated)}")
        if self.best_by is not None and self.best_by not in names:
            raise ValueError(
                f"best_by: no protocol {self.best_by!r}, there are: {', '.join(names) or 'none'}"
            )
        if self.qat is not None and self.lora is not None:
            raise ValueError("qat takes no lora: merge it first, by a run without qat")
        if self.head_options and self.margin_weight == 0:
            raise ValueError("head_options without a head: margin_weight is 0")
        if self.margin_weight == 0 and self.distill is None:
            raise ValueError("margin_weight 0 leaves nothing to learn from; add distill")
        return self
