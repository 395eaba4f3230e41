"""The training configuration: YAML and ``key=value`` words -> one frozen record, checked whole."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from vnvision.data.augment import PRESETS, AugmentSpec
from vnvision.errors import ConfigError
from vnvision.hub.cards import card_names
from vnvision.records import LesionRule
from vnvision.spec import Label, Record, SeveritySpec, explain
from vnvision.train.embedding_config import EmbeddingConfig
from vnvision.train.teachers_config import TeachersConfig

MONITORS = {
    "classification": ("accuracy", "balanced_accuracy"),
    "multilabel": ("accuracy", "balanced_accuracy"),
    "segmentation": ("dice", "iou"),
    "detection": ("map50",),
    "embedding": ("tar", "eer"),
}
"""The validation figures of each task; the first is monitored unless the config says otherwise."""


class PhaseConfig(Record):
    """A stretch of training. What it leaves out is taken from the level above."""

    epochs: int | None = Field(default=None, ge=1)
    train: str = Field(default="all", description="first stage that learns: 'all', 'head', 'blocks.5', ...")
    cache_views: int = Field(
        default=0,
        ge=0,
        description="0: read pictures every epoch; V: keep what the frozen part makes of V views",
    )
    adapt_norm: int = Field(
        default=0, ge=0, description="batches to measure the frozen part's BatchNorm statistics on, before it"
    )
    size_px: int | None = Field(default=None, ge=16)
    lr: float | None = Field(default=None, gt=0)
    layer_decay: float | None = Field(default=None, gt=0, le=1)
    augment: AugmentSpec | str | None = None
    validate_every: int = Field(default=1, ge=0, description="epochs between validations; 0: only at the end")


class TrainConfig(Record):
    """Everything that decides a run. ``vnvision train CONFIG --print-config`` shows it resolved."""

    name: str = "model"
    task: Literal["classification", "multilabel", "segmentation", "detection", "embedding"] = "classification"
    domain: Literal["crop", "clinic", "face", "other"] = "other"
    data: str = Field(
        description="manifest, CSV or Parquet; embedding also .rec with .idx, or shards of data pack"
    )
    output: str | None = None
    resume: bool = False
    labels: tuple[Label, ...] | None = None
    positive: str | None = Field(default=None, description="the label that sensitivity is about")
    texts: str | None = Field(default=None, description="set of label texts, of vnvision.hub.set_names()")
    card: str | None = Field(default=None, description="card of the exported model, of vnvision.hub.cards")
    severity: SeveritySpec | None = Field(default=None, description="segmentation: the diseased share")
    embedding: EmbeddingConfig | None = Field(
        default=None, description="face training: head, classes, protocols"
    )
    train_split: str = "train"
    val_split: str = "val"
    test_split: str | None = "test"
    folds: int | None = Field(default=None, ge=2, description="group cross-validation on train and val")
    fold: int = Field(default=0, ge=0)

    backbone: str = Field(
        default="tf_efficientnet_lite0",
        description="timm name, or of vnvision.models.EMBEDDERS for embedding",
    )
    cut: str | None = Field(
        default=None, description="classifiers: the last block to keep, as blocks.4; the rest is left off"
    )
    weights: str = "offline"
    decoder: Literal["unet", "fpn"] = Field(default="unet", description="segmentation; detection is on fpn")
    encoder_depth: int = Field(
        default=5,
        ge=3,
        le=5,
        description="segmentation with unet: feature maps read; 4 leaves off the one at stride 32",
    )
    norm: Literal["batch", "group"] = "batch"
    drop_rate: float = Field(default=0.2, ge=0, lt=1)
    drop_path_rate: float = Field(default=0.0, ge=0, lt=1)

    size_px: int = Field(default=224, ge=16)
    flip_average: bool = Field(default=False, description="classifiers, deployed: mean with the mirror image")
    geometry: Literal["squash", "crop", "letterbox", "strips"] = "squash"
    interpolation: Literal["bilinear", "bicubic", "area"] = "bilinear"
    augment: AugmentSpec | str = "light"
    mixup: float = Field(default=0.0, ge=0)
    cutmix: float = Field(default=0.0, ge=0)
    mix_probability: float = Field(default=1.0, ge=0, le=1)

    epochs: int = Field(default=20, ge=1)
    phases: tuple[PhaseConfig, ...] = (PhaseConfig(),)
    batch_size: int = Field(default=32, ge=1, description="over all processes")
    accumulate: int = Field(default=1, ge=1)
    optimiser: Literal["adamw", "sgd", "lamb"] = "adamw"
    lr: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.05, ge=0)
    layer_decay: float | None = Field(default=None, gt=0, le=1)
    warmup: float = Field(default=0.1, ge=0, lt=1, description="share of a phase's steps")
    min_lr_ratio: float = Field(default=0.01, ge=0, le=1)
    clip_norm: float | None = Field(default=1.0, gt=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    distill: TeachersConfig | None = Field(
        default=None, description="classifiers: other runs to learn from; faces have embedding.distill"
    )
    balance: Literal["none", "sampler", "loss"] = "none"
    logit_adjust: float = Field(
        default=0.0, ge=0, le=2, description="classification: 1 aims at balanced accuracy, 0.5 half the way"
    )
    sync_bn: bool = Field(default=True, description="share BatchNorm statistics between GPUs")
    ema: float | None = Field(default=None, gt=0, lt=1)

    monitor: Literal["auto", "accuracy", "balanced_accuracy", "dice", "iou", "map50", "tar", "nll"] = Field(
        default="auto", description="auto: accuracy, dice, map50 or tar, as the task has it"
    )
    patience: int | None = Field(default=None, ge=1, description="validations without a better one")
    checkpoint_steps: int | None = Field(default=None, ge=1, description="default: once an epoch")

    seed: int = 0
    workers: int = Field(default=2, ge=0)
    threads: int | None = Field(default=None, ge=1)
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int | Literal["auto"] = "auto"
    num_nodes: int = Field(default=1, ge=1)
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = "auto"
    compile: Literal["auto", True, False] = "auto"
    channels_last: Literal["auto", True, False] = "auto"
    checkpointing: bool = Field(
        default=False, description="embedding: compute activations again in the backward pass, to save memory"
    )
    resident: Literal["auto", True, False] = Field(
        default=False, description="embedding: keep all pictures on the device; auto: on a GPU with room"
    )
    low_resolution: float = Field(
        default=0.0, ge=0, le=1, description="resident: chance of a picture shrunk and enlarged again"
    )
    low_resolution_scale: tuple[float, float] = (0.25, 0.75)
    cuda_graphs: bool = Field(default=False, description="CUDA: replay the network's step as a graph")
    scope: bool | Literal["labels"] = Field(
        default=True, description="classifiers: fit the gate that knows strange pictures; labels: one a label"
    )
    scope_keep: float = Field(
        default=0.95, gt=0, lt=1, description="share of its own pictures to let through"
    )
    scope_pictures: int = Field(default=1000, ge=16, description="training pictures that it is fitted on")
    lesions: LesionRule | None = Field(
        default=None, description="classifiers without a healthy class: what counts as a lesion"
    )
    risk: float | None = Field(
        default=None, gt=0, lt=1, description="classifiers: largest share of wrong answers among those given"
    )
    n_boot: int = Field(default=1000, ge=0, description="bootstrap draws of the reports")
    tensorboard: bool = True
    export: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for place, value in [
            ("augment", self.augment),
            *((f"phases.{i}", p.augment) for i, p in self._numbered),
        ]:
            if isinstance(value, str) and value not in PRESETS:
                raise ValueError(f"{place}: unknown preset {value!r}, expected one of {sorted(PRESETS)}")
        if self.folds is not None and self.fold >= self.folds:
            raise ValueError(f"fold must be below folds={self.folds}, got {self.fold}")
        if not self.phases:
            raise ValueError("phases must not be empty; leave it out for a single phase")
        for index, phase in self._numbered:
            if phase.cache_views and phase.train == "all":
                raise ValueError(f"phases.{index}: cache_views needs a frozen part, but train is 'all'")
            if phase.adapt_norm and phase.train == "all":
                raise ValueError(f"phases.{index}: adapt_norm needs a frozen part, but train is 'all'")
        if self.card is not None and self.card not in card_names():
            raise ValueError(f"card: no card {self.card!r}, there are: {', '.join(card_names())}")
        self._check_task()
        return self

    def _check_task(self) -> None:
        """What a task cannot do is refused before anything is read."""
        if self.monitor not in ("auto", "nll", *MONITORS[self.task]):
            raise ValueError(f"monitor: {self.task} has {', '.join(MONITORS[self.task])} or nll")
        if (self.severity is not None) and self.task != "segmentation":
            raise ValueError("severity belongs to task: segmentation")
        if (self.embedding is not None) != (self.task == "embedding"):
            raise ValueError("embedding belongs to task: embedding, which needs it")
        if self.resident is not False and self.task != "embedding":
            raise ValueError("resident belongs to task: embedding")
        if self.low_resolution and self.resident is not True:
            raise ValueError("low_resolution needs resident: true")
        if self.flip_average and self.task not in ("classification", "multilabel"):
            raise ValueError("flip_average belongs to classifiers; faces have embedding.flip_average")
        classifies = self.task in ("classification", "multilabel")
        own = {"cut": self.cut, "lesions": self.lesions}
        if not classifies and (set_ := [name for name, value in own.items() if value is not None]):
            raise ValueError(f"{' and '.join(set_)} belong to classifiers")
        if self.encoder_depth != 5 and (self.task != "segmentation" or self.decoder != "unet"):
            raise ValueError("encoder_depth belongs to task: segmentation with decoder: unet")
        if self.dense and self.geometry == "strips":
            raise ValueError(f"geometry: strips cuts objects in two; {self.task} takes letterbox")
        if self.logit_adjust and self.task != "classification":
            raise ValueError("logit_adjust belongs to task: classification")
        if self.logit_adjust and self.balance != "none":
            raise ValueError(f"logit_adjust and balance: {self.balance} both balance the labels; take one")
        if self.scope == "labels" and self.task != "classification":
            raise ValueError("scope: labels belongs to task: classification")
        if self.distill is not None:
            self._check_distill()
        if self.embedding is not None:
            self._check_embedding(self.embedding)
        if not self.dense:
            return
        refused = {
            "mixup": self.mixup > 0, "cutmix": self.cutmix > 0, "balance": self.balance != "none",
            "label_smoothing": self.label_smoothing > 0, "norm": self.norm != "batch",
            "layer_decay": self.layer_decay is not None,
            **{f"phases.{i}.cache_views": p.cache_views > 0 for i, p in self._numbered},
            **{f"phases.{i}.layer_decay": p.layer_decay is not None for i, p in self._numbered},
        }  # fmt: skip
        if names := [name for name, set_ in refused.items() if set_]:
            raise ValueError(f"{self.task} does not take {', '.join(names)}")
        specs = [self.phase_augment(i) for i, _ in self._numbered]
        if self.task == "detection" and any(spec.rotate_deg for spec in specs):
            raise ValueError("detection takes no rotate_deg: a turn mirrors objects in without their boxes")
        if self.task == "segmentation" and self.labels is None:
            raise ValueError("segmentation needs labels, the background first")

    def _check_distill(self) -> None:
        if self.task != "classification":
            raise ValueError("distill belongs to task: classification; faces have embedding.distill")
        frozen = [f"phases.{i}.train: {p.train}" for i, p in self._numbered if p.train != "all"]
        if frozen:
            raise ValueError(f"distill needs the whole picture in every phase; not {', '.join(frozen)}")

    def _check_embedding(self, embedding: EmbeddingConfig) -> None:
        refused = {
            "mixup": self.mixup > 0, "cutmix": self.cutmix > 0, "balance": self.balance == "loss",
            "label_smoothing": self.label_smoothing > 0, "norm": self.norm != "batch",
            "monitor: nll": self.monitor == "nll", "labels": self.labels is not None,
            "folds": self.folds is not None,
            "accumulate and balance with images_per_identity": embedding.images_per_identity is not None
            and (self.accumulate > 1 or self.balance != "none"),
            **{f"phases.{i}.cache_views": p.cache_views > 0 for i, p in self._numbered},
        }  # fmt: skip
        if names := [name for name, set_ in refused.items() if set_]:
            raise ValueError(f"embedding does not take {', '.join(names)}")
        if embedding.distill is not None and embedding.distill.teacher == "start" and self.weights == "none":
            raise ValueError("embedding.distill.teacher is start, but weights is none: nothing to keep")
        if embedding.lora is not None and self.weights == "none":
            raise ValueError("embedding.lora changes a trained network, but weights is none")
        if embedding.lora is not None and self.ema is not None:
            raise ValueError("embedding.lora takes no ema")
        if embedding.qat is not None:
            self._check_qat()
        if embedding.images_per_identity and self.batch_size % embedding.images_per_identity:
            raise ValueError(
                f"batch_size must be a multiple of images_per_identity={embedding.images_per_identity}"
            )

    def _check_qat(self) -> None:
        refused = {
            "weights: none": self.weights == "none", "checkpointing": self.checkpointing,
            "layer_decay": self.layer_decay is not None,
            **{f"phases.{i}.train: {p.train}": p.train != "all" for i, p in self._numbered},
            **{f"phases.{i}.layer_decay": p.layer_decay is not None for i, p in self._numbered},
            **{f"phases.{i}.size_px": p.size_px not in (None, self.size_px) for i, p in self._numbered},
        }  # fmt: skip
        if names := [name for name, set_ in refused.items() if set_]:
            raise ValueError(f"embedding.qat trains a whole, trained network; it takes no {', '.join(names)}")

    @property
    def dense(self) -> bool:
        """Whether the truth is a mask or boxes."""
        return self.task in ("segmentation", "detection")

    @property
    def monitored(self) -> str:
        """The figure that decides which validation was the best."""
        return MONITORS[self.task][0] if self.monitor == "auto" else self.monitor

    @property
    def _numbered(self) -> list[tuple[int, PhaseConfig]]:
        return list(enumerate(self.phases))

    def phase_epochs(self, index: int) -> int:
        """Epochs of a phase; the top level's where it states none."""
        return self.phases[index].epochs or self.epochs

    def phase_augment(self, index: int) -> AugmentSpec:
        """Augmentation of a phase, presets resolved."""
        own = self.phases[index].augment
        value: AugmentSpec | str = self.augment if own is None else own
        return PRESETS[value] if isinstance(value, str) else value


def load_config(
    source: str | Path | Mapping[str, Any], overrides: Mapping[str, Any] | None = None
) -> TrainConfig:
    """Read a YAML file or a mapping, put overrides on top, expand ``${VARIABLES}``.

    Raises:
        ConfigError: unreadable YAML, unset variables, or wrong and unknown keys, all of them listed.
    """
    values = dict(source) if isinstance(source, Mapping) else _read_yaml(Path(source))
    for key, value in (overrides or {}).items():
        _put(values, key.split("."), value, key)
    values = _expand(values)
    try:
        return TrainConfig.model_validate(values)
    except ValidationError as exc:
        where = "config" if isinstance(source, Mapping) else str(source)
        raise ConfigError(f"{where}: {explain(exc)}") from exc


def parse_overrides(words: Iterable[str]) -> dict[str, Any]:
    """``key=value`` words -> a mapping; values are read as YAML, so ``lr=3e-4`` and ``ema=null`` work.

    Raises:
        ConfigError: words without ``=``, all of them listed.
    """
    pairs = [(word, *word.partition("=")) for word in words]
    bad = [word for word, key, sign, _ in pairs if not sign or not key]
    if bad:
        raise ConfigError(f"cannot read {' '.join(bad)}", expected="key=value, as in epochs=10")
    return {key: _scalar(text) for _, key, _, text in pairs}


def to_yaml(config: TrainConfig) -> str:
    """The resolved configuration, ready to be trained from again."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _scalar(text: str) -> Any:
    try:
        return float(text) if re.fullmatch(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+", text) else yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(f"cannot read config {path}", got=exc.strerror or str(exc)) from exc
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path} is not valid YAML", got=str(exc)) from exc
    if not isinstance(values, dict):
        raise ConfigError(f"{path} is not a configuration", expected="key: value lines")
    return values


def _put(values: dict[str, Any], keys: list[str], value: Any, whole: str) -> None:
    for key in keys[:-1]:
        inner = values.setdefault(key, {})
        if isinstance(inner, str) and key == "augment" and inner in PRESETS:
            inner = values[key] = PRESETS[inner].model_dump(mode="json")
        if isinstance(inner, list) and keys[1].isdigit() and int(keys[1]) < len(inner):
            return _put(inner[int(keys[1])], keys[2:], value, whole)
        if not isinstance(inner, dict):
            raise ConfigError(f"cannot set {whole}", got=f"{key} is {inner!r}, which has no keys")
        values = inner
    values[keys[-1]] = value
    return None


def _expand(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _expand(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_expand(inner) for inner in value]
    if isinstance(value, str):
        unset = [name for name in re.findall(r"\$\{(\w+)\}", value) if name not in os.environ]
        if unset:
            raise ConfigError(f"{value} names a variable that is not set", fix=f"export {unset[0]}=FOLDER")
        return re.sub(r"\$\{(\w+)\}", lambda found: os.environ[found.group(1)], value)
    return value
