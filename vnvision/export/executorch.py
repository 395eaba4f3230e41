"""torch -> ExecuTorch's ``model.pte`` for XNNPACK, in float32 or 8-bit integers."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vnvision import atomic
from vnvision.engines.executorch import NAMES_METHOD, ExecutorchEngine
from vnvision.engines.seal import BLANK, sealed
from vnvision.errors import ConfigError, ExportError, MissingExtraError, ModelError
from vnvision.export.onnx import _quiet, _short
from vnvision.export.reference import frozen_copy, one_thread, output_names
from vnvision.spec import TaskSpec

if TYPE_CHECKING:
    import torch

_SEAL_METHOD = "vnvision_seal"


def to_executorch(
    module: torch.nn.Module,
    task: TaskSpec,
    folder: str | Path,
    *,
    int8: bool = False,
    calibration: np.ndarray | None = None,
    float_layers: Sequence[str] = (),
) -> tuple[Path]:
    """Write ``model.pte`` into ``folder``: one image in, normalised, float32 in and out.

    Captured by ``torch.export`` and handed to XNNPACK wherever that can compute it; the rest runs on
    ExecuTorch's portable operators. In int8, weights have a step for each output channel and activations one
    scale and zero point each, measured on the calibration inputs (PT2E, XNNPACK's quantiser).

    Args:
        module: the model; its mode, device, dtype and weights stay as they are.
        task: gives the input's size.
        folder: made if absent; nothing half-written stays on failure.
        int8: compute in 8-bit integers.
        calibration: (N, C, h, w) float32, normalised as the model takes them; needed for ``int8``.
        float_layers: names of submodules that stay in float32 under ``int8``.

    Returns:
        The path of model.pte.

    Raises:
        ConfigError: int8 without calibration, or calibration or layers that do not fit.
        ExportError: the model cannot be captured, lowered or loaded again.
        MissingExtraError: executorch is not installed.
    """
    _check(module, task, int8, calibration, float_layers)
    import torch

    net, spec = frozen_copy(module), task.preprocess
    example = (torch.zeros(1, spec.channels, *spec.size_px),)
    try:
        with _quiet(), _same_logging(), one_thread():
            program = torch.export.export(net, example)
            if int8 and calibration is not None:
                program = torch.export.export(_quantised(program, calibration, float_layers), example)
            data = _lowered(program, output_names(net))
    except ImportError as exc:
        raise MissingExtraError("executorch", "export-executorch") from exc
    except (RuntimeError, TypeError, ValueError, AttributeError, AssertionError, KeyError) as exc:
        raise ExportError("the model cannot be written for ExecuTorch", got=_short(exc)) from exc
    path = atomic.write_bytes(Path(folder) / "model.pte", sealed(data))
    try:
        with contextlib.closing(ExecutorchEngine(path)) as engine:
            engine.run(example[0].numpy())
    except ModelError as exc:
        path.unlink()
        raise ExportError("ExecuTorch does not run what it wrote", got=str(exc)) from exc
    return (path,)


def _check(
    module: torch.nn.Module, task: TaskSpec, int8: bool, calibration: np.ndarray | None, layers: Sequence[str]
) -> None:
    if not int8:
        if calibration is not None or layers:
            raise ConfigError("calibration and float_layers are for int8 alone", fix="add int8=True")
        return
    wanted = (task.preprocess.channels, *task.preprocess.size_px)
    fits = calibration is not None and calibration.ndim == 4 and calibration.shape[1:] == wanted
    if calibration is None or not fits or not len(calibration) or calibration.dtype != np.float32:
        raise ConfigError(
            "int8 needs calibration inputs",
            expected=f"(N, {', '.join(map(str, wanted))}) float32, normalised",
            got="none" if calibration is None else f"{calibration.shape} {calibration.dtype}",
        )
    if not np.isfinite(calibration).all():
        raise ConfigError("calibration inputs are NaN or infinite")
    known = {name for name, _ in module.named_modules()}
    if unknown := [name for name in layers if name not in known]:
        raise ConfigError(f"the model has no layer {unknown[0]!r}", expected="names of its submodules")


def _quantised(program: Any, calibration: np.ndarray, float_layers: Sequence[str]) -> Any:
    """A graph with rounding around every layer that XNNPACK has in 8 bits, ranges from the calibration."""
    import torch
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    quantiser = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    quantiser.set_filter_function(lambda node: not _inside(node, float_layers))
    prepared = prepare_pt2e(program.module(), quantiser)
    with torch.no_grad():
        for image in calibration:
            prepared(torch.from_numpy(image[None]))
    return convert_pt2e(prepared)


def _inside(node: Any, layers: Sequence[str]) -> bool:
    """Whether a node of the graph was captured inside one of these submodules."""
    paths = [
        str(path).removeprefix("L['self'].") for path, _ in node.meta.get("nn_module_stack", {}).values()
    ]
    return any(path == layer or path.startswith(f"{layer}.") for path in paths for layer in layers)


def _lowered(program: Any, names: tuple[str, ...]) -> bytes:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    notes = {NAMES_METHOD: ",".join(names), _SEAL_METHOD: BLANK}
    edge = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()], constant_methods=notes)
    return bytes(edge.to_executorch().buffer)


@contextlib.contextmanager
def _same_logging() -> Iterator[None]:
    """ExecuTorch's modules set up the root logger when imported; that is the program's business."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
