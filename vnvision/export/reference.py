"""The original model's answers, which every exported file has to repeat."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from vnvision.errors import ExportError
from vnvision.export import faults
from vnvision.runtime.target import DENSE, output_width
from vnvision.spec import TaskSpec

if TYPE_CHECKING:
    import torch

DEAD_BELOW = 1e-4
"""A model whose outputs differ between images by less than this part of their size is called dead."""


def frozen_copy(module: torch.nn.Module) -> torch.nn.Module:
    """A copy in evaluation mode, float32, on the CPU; the caller's module is not touched.

    A module wrapped by ``torch.compile`` is unwrapped, since a compiled graph is not copied.
    """
    import torch

    plain = getattr(module, "_orig_mod", module)
    net = copy.deepcopy(plain).to(device="cpu", dtype=torch.float32).to(memory_format=torch.contiguous_format)
    return net.eval().requires_grad_(False)


def output_names(module: torch.nn.Module) -> tuple[str, ...]:
    """What a module's outputs are called in its file: ``output``, and what an ``ExplainedNet`` adds."""
    from vnvision.models.explained import ExplainedNet

    return module.output_names if isinstance(module, ExplainedNet) else ("output",)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch: sums come in the same order on every machine, so golden outputs repeat.

    A handful of pictures gains little from more, and loses much where other processes hold the cores.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Reference:
    """Golden images and what the original model says to them.

    Args:
        module: the trained model, in whatever state; it is copied. Of an ``ExplainedNet`` the answers are
            those of the network inside.
        task: what it was trained for.
        images: (N, h, w, C) at the size of the task's spec, RGB or grey, of the spec's input dtype.

    Attributes:
        model: a frozen copy of the network, without further outputs.
        outputs: (N, C), (N, D) or (N, P, h, w): its answers.
        further: its other outputs by name, each (N, ...), all to be repeated by the file.

    Raises:
        ExportError: the images or the outputs do not fit the task, the images do not differ, or the model
            is dead (NaN, or the same answer to every image).
    """

    def __init__(self, module: torch.nn.Module, task: TaskSpec, images: np.ndarray) -> None:
        check_images(images, task)
        self.task = task
        self.images = images
        whole = frozen_copy(module)
        names = output_names(whole)
        self.model = whole.net if len(names) > 1 else whole
        self.inputs = faults.correct(images, task.preprocess)
        self.outputs = self.run(self.inputs)
        _check_outputs(self.outputs, task)
        self.further: dict[str, np.ndarray] = {}
        if len(names) > 1:
            self.further = dict(zip(names[1:], network_outputs(whole, self.inputs)[1:], strict=True))

    def run(self, inputs: np.ndarray) -> np.ndarray:
        """Outputs (N, ...) float32 of the original model for normalised inputs (N, C, h, w)."""
        return network_outputs(self.model, inputs)[0]

    @cached_property
    def scale(self) -> float:
        """How far apart the outputs of different images lie, at most, in one output."""
        return spread(self.outputs)

    @cached_property
    def fault_outputs(self) -> dict[str, np.ndarray]:
        """What the original would answer if its input were spoilt, by the fault's description."""
        return {name: self.run(bad) for name, bad in faults.spoilt(self.images, self.task.preprocess).items()}

    def blind_to(self, limit: float) -> tuple[str, ...]:
        """Common faults these images cannot reveal: they move no output by ``limit`` times the scale.

        Grey pictures do not show swapped channels; a model that normalises its own input does not show a
        wrong range. Such a fault would pass the gate, so it is recorded.
        """
        return tuple(name for name, shift in self._shifts.items() if not shift > limit * self.scale)

    @cached_property
    def _shifts(self) -> dict[str, float]:
        """How far each common fault moves the outputs, at most."""
        spoilt = faults.spoilt(self.images, self.task.preprocess, common=True)
        return {name: float(np.abs(self.run(bad) - self.outputs).max()) for name, bad in spoilt.items()}

    def parts(self, outputs: np.ndarray) -> dict[str, np.ndarray]:
        """Parts of the answers that have another scale than the rest: a detector's labels and sides."""
        if self.task.kind != "detection":
            return {}
        labels = len(self.task.labels)
        return {"labels": outputs[:, :labels], "sides": outputs[:, labels:]}


def network_outputs(model: torch.nn.Module, inputs: np.ndarray) -> list[np.ndarray]:
    """Each output of a module over all inputs (N, C, h, w), float32."""
    import torch

    with one_thread(), torch.inference_mode():
        found = [model(part) for part in torch.from_numpy(inputs).split(16)]
    rows = [part if isinstance(part, tuple) else (part,) for part in found]
    if not all(isinstance(item, torch.Tensor) for row in rows for item in row) or (
        len(rows[0]) != len(output_names(model))
    ):
        raise ExportError(
            "the model's forward does not give one tensor",
            expected="a tensor of logits, embeddings or planes",
            got=type(found[0]).__name__,
        )
    return [np.asarray(torch.cat(column).numpy(), dtype=np.float32) for column in zip(*rows, strict=True)]


def spread(outputs: np.ndarray) -> float:
    """How far apart the values of different images lie, at most, in one place of (N, ...)."""
    return float((outputs.max(axis=0) - outputs.min(axis=0)).max())


def check_images(images: np.ndarray, task: TaskSpec) -> None:
    """Refuse golden images that do not fit the task, or do not differ."""
    spec = task.preprocess
    wanted = (*spec.size_px, spec.channels)
    if images.ndim != 4 or images.shape[1:] != wanted or images.dtype != spec.input_dtype:
        raise ExportError(
            "the golden images do not fit the task",
            expected=f"(N, {', '.join(map(str, wanted))}) {spec.input_dtype}",
            got=f"{images.shape} {images.dtype}",
            fix="make them with vnvision.export.golden_images",
        )
    if len(images) < 2 or all(np.array_equal(images[0], image) for image in images[1:]):
        raise ExportError(
            "the golden images do not differ, so they prove nothing",
            expected="two different images or more",
            got=f"{len(images)} image(s), all equal" if len(images) else "none",
        )


def _check_outputs(outputs: np.ndarray, task: TaskSpec) -> None:
    if not np.isfinite(outputs).all():
        bad = int((~np.isfinite(outputs)).reshape(len(outputs), -1).any(axis=1).sum())
        raise ExportError(
            f"the model is dead: NaN or infinite outputs for {bad} of {len(outputs)} golden images",
            fix="look at the training run; such a model is not exported",
        )
    dense = task.kind in DENSE
    width = output_width(task)
    if outputs.ndim != (4 if dense else 2) or outputs.shape[1] != width:
        raise ExportError(
            f"the model's outputs do not fit the {task.kind} task",
            expected=f"(N, {width}, h, w)" if dense else f"(N, {width})",
            got=str(outputs.shape),
        )
    if dense and task.boxes is not None:
        _check_stride(outputs, task, task.boxes.stride_px)
    if spread(outputs) <= DEAD_BELOW * float(np.abs(outputs).max()):
        raise ExportError(
            f"the model is dead: it gives the same output to all {len(outputs)} golden images",
            fix="look at the training run; such a model is not exported",
        )


def _check_stride(outputs: np.ndarray, task: TaskSpec, stride_px: int) -> None:
    sizes = task.preprocess.size_px
    cells = np.array(outputs.shape[2:])
    if (np.abs(cells * stride_px - sizes) >= stride_px).any():
        raise ExportError(
            "the detector's cells do not fit its stride",
            expected=f"cells of {stride_px} pixels that cover {sizes[0]} x {sizes[1]}",
            got=f"{outputs.shape[2]} x {outputs.shape[3]}",
        )
