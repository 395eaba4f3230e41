"""torch -> the canonical ONNX file, from which every other target is made."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vnvision import atomic
from vnvision.errors import ExportError, MissingExtraError
from vnvision.export import faults
from vnvision.export.fold import fold_shapes
from vnvision.export.reference import check_images, frozen_copy, one_thread, output_names
from vnvision.spec import TaskSpec

if TYPE_CHECKING:
    import numpy as np
    import torch

OPSET = 18
"""The newest opset that every converter here reads (RKNN stops at 19, and reads 18 best)."""


def to_onnx(
    module: torch.nn.Module, task: TaskSpec, path: str | Path, *, opset: int = OPSET, name: str = "model"
) -> None:
    """Write the canonical ONNX file: one file, weights inside, batch dynamic, normalisation outside.

    Input ``input`` (batch, C, h, w) float32, normalised; output ``output``: raw logits, embedding or planes,
    and whatever else the module's ``output_names`` tell (see ``models.explained``). Traced from a float32
    copy in evaluation mode on the CPU, BatchNorm folded into the convolutions before it. Equal weights give
    equal bytes.

    Args:
        module: the model; its mode, device, dtype and weights stay as they are.
        task: gives the input's size, and is named in the file's metadata.
        path: the file to write.
        opset: ONNX operator set.
        name: what the model is called, in the file's metadata.

    Raises:
        ExportError: the model cannot be traced, or the result is not valid ONNX.
        MissingExtraError: onnx is not installed.
    """
    try:
        import onnx
    except ImportError as exc:
        raise MissingExtraError("onnx", "export-onnx") from exc
    raw, exporter = _traced(frozen_copy(module), task, opset)
    model = fold_shapes(onnx.load_model_from_string(raw))
    write_graph(model, task, path, name=name, notes={"exporter": exporter})


def write_graph(model: Any, task: TaskSpec, path: str | Path, *, name: str, notes: Mapping[str, str]) -> None:
    """Name a graph, say in its metadata what it is, check it and write it whole.

    Args:
        model: an ``onnx.ModelProto``, changed in place.
        task: what it answers.
        path: the file to write.
        name: what the model is called.
        notes: further metadata, under ``vnvision.`` as the rest.

    Raises:
        ExportError: it is not valid ONNX.
    """
    import onnx

    model.graph.name = name
    model.doc_string = ""
    del model.metadata_props[:]
    notes = {
        "name": name,
        "task": task.kind,
        "spec": task.fingerprint(),
        "preprocess": task.preprocess.fingerprint(),
        **notes,
    }
    onnx.helper.set_model_props(model, {f"vnvision.{key}": value for key, value in notes.items()})
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as exc:
        raise ExportError(f"the exported graph of {name} is not valid ONNX", got=_short(exc)) from exc
    atomic.write_bytes(path, model.SerializeToString(deterministic=True))


def with_explanation(module: torch.nn.Module, task: TaskSpec, images: np.ndarray) -> torch.nn.Module:
    """A classifier with its features and maps as further outputs, where its network allows; else itself.

    The network is copied where it is wrapped, and left as it is.

    Args:
        module: the trained model.
        task: what it answers.
        images: (N, h, w, C) golden images, to see how the network ends.

    Raises:
        ExportError: the images do not fit the task.
    """
    import torch

    from vnvision.models.explained import explained

    check_images(images, task)
    if task.kind not in ("classification", "multilabel"):
        return module
    net = frozen_copy(module)
    with one_thread():
        wrapped = explained(net, torch.from_numpy(faults.correct(images[:2], task.preprocess)))
    return module if wrapped is None else wrapped


def _traced(net: torch.nn.Module, task: TaskSpec, opset: int) -> tuple[bytes, str]:
    """The ONNX bytes and the exporter's name.

    Tracing comes first: on EfficientNet-Lite0 it takes 0.5 s where the graph exporter takes 5-7 s, and the
    folded graphs are the same. What it bakes in wrongly (a loop over the batch) the parity gate finds.
    """
    import torch

    spec = task.preprocess
    example = torch.zeros(2, spec.channels, *spec.size_px)
    problems = []
    for exporter, dynamo in (("torchscript", False), ("dynamo", True)):
        try:
            with tempfile.TemporaryDirectory() as folder, _quiet(), one_thread():
                file = Path(folder) / "model.onnx"
                _export(net, example, file, opset, dynamo=dynamo)
                return file.read_bytes(), exporter
        except (RuntimeError, TypeError, ValueError, AttributeError, IndexError, NotImplementedError) as exc:
            problems.append(f"{exporter}: {_short(exc)}")  # torch's own errors are RuntimeErrors
        except ImportError as exc:
            problems.append(f"{exporter}: needs {exc.name}")
    raise ExportError(
        "the model cannot be written as ONNX",
        got="; ".join(problems),
        fix="its forward must be plain tensor operations with one input and one output",
    )


def _export(net: torch.nn.Module, example: torch.Tensor, file: Path, opset: int, *, dynamo: bool) -> None:
    import torch

    outputs = list(output_names(net))
    names: dict[str, Any] = {"input_names": ["input"], "output_names": outputs, "opset_version": opset}
    if dynamo:
        batch = ({0: torch.export.Dim("batch")},)
        torch.onnx.export(
            net,
            (example,),
            str(file),
            dynamo=True,
            dynamic_shapes=batch,
            external_data=False,
            verbose=False,
            **names,
        )
    else:
        axes = {name: {0: "batch"} for name in ("input", *outputs)}
        torch.onnx.export(net, (example,), str(file), dynamo=False, dynamic_axes=axes, **names)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No warnings, prints or log lines of the exporters; errors still come as exceptions."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), contextlib.redirect_stdout(None), contextlib.redirect_stderr(None):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _short(exc: Exception) -> str:
    """The first line of a long message."""
    text = str(exc).strip()
    return text.splitlines()[0][:300] if text else type(exc).__name__
