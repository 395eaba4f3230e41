"""Other runs that teach this one: their answers to the same (augmented) pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from vnvision.errors import ModelError
from vnvision.spec import PreprocessSpec, TaskSpec
from vnvision.tasks.classification import Teaching
from vnvision.train.predictor import RunPredictor, load_run
from vnvision.train.teachers_config import TeachersConfig

Change = Callable[[torch.Tensor], torch.Tensor]


def build_teaching(config: TeachersConfig | None, spec: TaskSpec) -> Teaching | None:
    """What the configured teachers say of a batch of the student's inputs.

    Args:
        config: None for no teacher.
        spec: the student's task.

    Raises:
        ModelError: a folder is no run, or a run of another task, other labels or another colour order.
    """
    if config is None:
        return None
    teachers = [_teacher(Path(folder), spec) for folder in config.runs]
    answers = _mean_answer(teachers, config.temperature, config.one_a_batch)
    return Teaching(answers, config.weight, config.temperature)


def _mean_answer(teachers: Sequence[Change], temperature: float, one_a_batch: bool) -> Change:
    @torch.no_grad()
    def answers(inputs: torch.Tensor) -> torch.Tensor:
        # The loss is linear in what they say; torch is seeded by the step, so a resumed run draws alike.
        asked = [teachers[int(torch.randint(len(teachers), ()))]] if one_a_batch else teachers
        found = [functional.softmax(teacher(inputs).float() / temperature, dim=1) for teacher in asked]
        return torch.stack(found).mean(dim=0)

    return answers


def _teacher(folder: Path, student: TaskSpec) -> Change:
    run = load_run(folder)
    _check(folder, run, student)
    net, size = frozen(run.net), run.task.preprocess.size_px
    change = input_change(student.preprocess, run.task.preprocess)

    def logits(inputs: torch.Tensor) -> torch.Tensor:
        if tuple(inputs.shape[-2:]) != size:
            inputs = functional.interpolate(inputs, size, mode="bilinear", antialias=True)
        return net(change(inputs))

    return logits


def _check(folder: Path, run: RunPredictor, student: TaskSpec) -> None:
    task = run.task
    wanted, given = ", ".join(student.label_ids), ", ".join(task.label_ids)
    same = (task.kind, task.label_ids, task.preprocess.colour) == (
        student.kind, student.label_ids, student.preprocess.colour,
    )  # fmt: skip
    if not same:
        raise ModelError(
            f"{folder} cannot teach here",
            expected=f"{student.kind} of {student.preprocess.colour} pictures: {wanted}",
            got=f"{task.kind} of {task.preprocess.colour} pictures: {given}",
        )


def frozen(net: torch.nn.Module) -> Change:
    """A network that only answers: evaluation mode, no gradient, on whatever device its input is."""
    kept = net.eval().requires_grad_(False)

    @torch.no_grad()
    def run(inputs: torch.Tensor) -> torch.Tensor:
        kept.to(inputs.device)
        return kept(inputs)  # type: ignore[no-any-return]

    return run


def input_change(student: PreprocessSpec, teacher: PreprocessSpec) -> Change:
    """From the student's normalised inputs to the teacher's."""
    ours, theirs = input_line(student), input_line(teacher)

    def change(inputs: torch.Tensor) -> torch.Tensor:
        (a, b), (c, d) = (tuple(part.to(inputs) for part in line) for line in (ours, theirs))
        return ((inputs - b) / a) * c + d

    return change


def input_line(spec: PreprocessSpec) -> tuple[torch.Tensor, torch.Tensor]:
    """Factor and offset (1, C, 1, 1) that take 0..255 to a network's input."""
    low, high = spec.input_range
    mean, std = np.array(spec.mean), np.array(spec.std)
    factor, offset = 1.0 / ((high - low) * std), (-low / (high - low) - mean) / std
    return tuple(torch.tensor(v, dtype=torch.float32).view(1, -1, 1, 1) for v in (factor, offset))  # type: ignore[return-value]
