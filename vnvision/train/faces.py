"""What face training adds to a run: people as classes, their centres, LoRA, a teacher."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from vnvision.data.manifest import Manifest
from vnvision.errors import DataError, ModelError
from vnvision.losses.distillation import (
    cosine_distillation_loss,
    embedding_mse_loss,
    relational_distillation_loss,
)
from vnvision.losses.margin import build_head
from vnvision.losses.partial_fc import PartialFC
from vnvision.models.lora import LoraConv2d, LoraLinear, add_lora, merge_lora
from vnvision.runtime import load_bundle
from vnvision.spec import PreprocessSpec, TaskSpec
from vnvision.tasks.embedding import EmbeddingTask, Pull
from vnvision.train.embedding_config import DistillConfig, EmbeddingConfig
from vnvision.train.packed import cells
from vnvision.train.teachers import frozen, input_change, input_line

_LOSSES = {
    "cosine": cosine_distillation_loss,
    "mse": embedding_mse_loss,
    "relational": relational_distillation_loss,
}
Embed = Callable[[torch.Tensor], torch.Tensor]


def identities(manifest: Manifest, column: str) -> np.ndarray:
    """(N,) int64, people numbered in order of their sorted names; -1 where the cell is empty.

    Raises:
        DataError: no such column.
    """
    numbers = cells(manifest, column).by_name()
    if not (numbers >= 0).any():
        raise DataError(f"{manifest.path}: no row names a person", expected=f"a column {column}")
    return numbers


def build_criterion(config: EmbeddingConfig, n_classes: int, seed: int) -> PartialFC | None:
    """Class centres with the configured head; None where only a teacher teaches.

    Raises:
        ConfigError: an unknown head or option.
    """
    if config.margin_weight == 0:
        return None
    # UniFace's bias starts from how many classes a step compares.
    sampled = {"sampled_share": config.sample_rate} if config.head == "uniface" else {}
    head = build_head(config.head, **{**sampled, **config.head_options})
    return PartialFC(
        head,
        n_classes,
        config.size,
        sample_rate=config.sample_rate,
        sub_centres=head.sub_centres,
        filter_cosine=config.filter_cosine,
        seed=seed,
    )


def embedding_task(
    spec: TaskSpec, config: EmbeddingConfig, criterion: PartialFC | None, pull: Pull | None
) -> EmbeddingTask:
    """The task of a run."""
    return EmbeddingTask(
        spec,
        criterion=criterion,
        margin_weight=config.margin_weight,
        pull=pull,
        pull_weight=1.0 if config.distill is None else config.distill.weight,
        fmr=config.fmr,
    )


def reading(spec: PreprocessSpec) -> PreprocessSpec:
    """How training reads a picture: faces are cut out already, and only brought to size."""
    return spec.model_copy(update={"geometry": "squash"}) if spec.geometry == "align" else spec


def with_lora(net: torch.nn.Module, config: EmbeddingConfig) -> list[str]:
    """Add the configured low-rank updates; names of the layers that got one."""
    if config.lora is None:
        return []
    return add_lora(net, config.lora.rank, config.lora.alpha, config.lora.targets or ("*",))


def learn_lora_only(net: torch.nn.Module) -> None:
    """Of a network with LoRA only the updates learn; norms keep their statistics. Nothing else changes."""
    parts = [module for module in net.modules() if isinstance(module, (LoraLinear, LoraConv2d))]
    if not parts:
        return
    learning = {id(p) for part in parts for side in (part.down, part.up) for p in side.parameters()}
    for parameter in net.parameters():
        parameter.requires_grad_(parameter.requires_grad and id(parameter) in learning)


def has_lora(net: torch.nn.Module) -> bool:
    """Whether low-rank updates stand beside the network's weights."""
    return any(isinstance(module, (LoraLinear, LoraConv2d)) for module in net.modules())


def plain_state(net: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The network's weights with LoRA merged into them; the network itself stays as it is."""
    if not has_lora(net):
        return dict(net.state_dict())
    merged = copy.deepcopy(net)
    merge_lora(merged)
    return dict(merged.state_dict())


def build_pull(
    config: DistillConfig | None, start: torch.nn.Module | None, preprocess: PreprocessSpec
) -> Pull | None:
    """The pull towards the teacher's embeddings of the same (augmented) pictures.

    Args:
        config: None for no teacher.
        start: the network before any training, where it is the teacher.
        preprocess: what the student's inputs went through, undone for a teacher that wants another.

    Raises:
        ModelError: the teacher is no embedder, or wants pictures of another size.
    """
    if config is None:
        return None
    embed = _teacher(Path(config.teacher), preprocess) if start is None else frozen(start)
    loss = _LOSSES[config.loss]

    def pull(embeddings: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        return loss(embeddings, embed(inputs))

    return pull


def _teacher(folder: Path, student: PreprocessSpec) -> Embed:
    """A run's best network in torch, or a bundle through its engine."""
    if (folder / "best").is_dir():
        from vnvision.train.predictor import load_run

        run = load_run(folder)
        _check(folder, run.task, student)
        change = input_change(student, run.task.preprocess)
        network = frozen(run.net)
        return lambda inputs: network(change(inputs))
    bundle = load_bundle(folder)
    _check(folder, bundle.task, student)

    def embed(inputs: torch.Tensor) -> torch.Tensor:
        crops = _pictures(inputs, student)
        found = bundle.logits_of_crops(crops, len(crops))
        return torch.from_numpy(found).to(inputs.device)

    return embed


def _check(folder: Path, task: TaskSpec, student: PreprocessSpec) -> None:
    spec = task.preprocess
    fits = task.kind == "embedding" and spec.size_px == student.size_px and spec.colour == student.colour
    if not fits:
        raise ModelError(
            f"{folder} cannot teach here",
            expected=f"an embedder of {student.colour} pictures {student.size_px} px",
            got=f"{task.kind} of {spec.colour} pictures {spec.size_px} px",
        )


def _pictures(inputs: torch.Tensor, spec: PreprocessSpec) -> list[np.ndarray]:
    """Normalised (N, C, h, w) back to uint8 pictures (h, w, C)."""
    factor, offset = (part.to(inputs) for part in input_line(spec))
    pictures = ((inputs - offset) / factor).round().clamp(0, 255).to(torch.uint8)
    return list(pictures.permute(0, 2, 3, 1).contiguous().cpu().numpy())


def check_classes(codes: np.ndarray, what: str) -> int:
    """How many people there are.

    Raises:
        DataError: fewer than two.
    """
    n = int(codes.max(initial=-1)) + 1
    if n < 2:
        raise DataError(f"{what} shows too few people", expected="two or more", got=str(n))
    return n
