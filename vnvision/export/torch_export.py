"""torch -> a ``.pt2`` archive of ``torch.export``, for programs that have torch."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

from vnvision import atomic
from vnvision.engines.pt2 import EXTRA
from vnvision.engines.torch import TorchEngine
from vnvision.errors import ExportError, ModelError
from vnvision.export.onnx import _quiet, _short
from vnvision.export.reference import frozen_copy, one_thread, output_names
from vnvision.spec import TaskSpec

if TYPE_CHECKING:
    import torch

_PRIVATE = ("stack_trace", "from_node", "custom")  # paths of this machine, and ids that differ each time


def to_torch_export(module: torch.nn.Module, task: TaskSpec, folder: str | Path) -> tuple[Path]:
    """Write ``model.pt2`` into ``folder``: float32, any batch size, normalisation outside.

    Raw weights and JSON only, no pickle: the sample inputs that torch would pickle are left out. Equal
    weights give equal bytes. ``engines.torch`` runs it without ``torch.export.load``, which reads it too but
    must only be called on files of one's own, see ``engines.pt2``.

    Args:
        module: the model; its mode, device, dtype and weights stay as they are.
        task: gives the input's size.
        folder: made if absent; nothing half-written stays on failure.

    Returns:
        The path of model.pt2.

    Raises:
        ExportError: the model cannot be traced for any batch size, or holds what the engine does not run.
    """
    import torch

    spec = task.preprocess
    net = frozen_copy(module)
    example = torch.zeros(2, spec.channels, *spec.size_px)
    try:
        with _quiet(), one_thread():
            program = torch.export.export(net, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))
            program.example_inputs = None
            _unwrap_autocast(program)
            _drop_assertions(program)
            for node in program.graph.nodes:
                for key in _PRIVATE:
                    node.meta.pop(key, None)
            buffer = io.BytesIO()
            names = json.dumps({"output_names": output_names(net)})
            torch.export.save(program, buffer, extra_files={EXTRA: names})
    except (RuntimeError, TypeError, ValueError, AttributeError, AssertionError) as exc:
        raise ExportError(
            "the model cannot be written by torch.export",
            got=_short(exc),
            fix="its forward must be plain tensor operations that take any batch size",
        ) from exc
    path = atomic.write_bytes(Path(folder) / "model.pt2", buffer.getvalue())
    try:
        TorchEngine(path).close()
    except ModelError as exc:
        path.unlink()
        raise ExportError("the torch engine does not run what torch.export wrote", got=str(exc)) from exc
    return (path,)


def _unwrap_autocast(program: torch.export.ExportedProgram) -> None:
    """Put the operations of blocks that switch autocast off (``EmbeddingNet`` ends in some) among the others.

    Nobody switches it on for an exported file, and the engine runs no graphs inside graphs.
    """
    import torch

    module, graph = program.graph_module, program.graph
    wrapped = [node for node in graph.nodes if node.target is torch.ops.higher_order.wrap_with_autocast]
    for node in wrapped:
        _, _, enabled, _, body, *inputs = node.args
        if enabled:
            raise ValueError("part of the model switches autocast on")
        inner = getattr(module, body.target).graph
        places = dict(zip(inner.find_nodes(op="placeholder"), inputs, strict=True))
        with graph.inserting_before(node):
            results = graph.graph_copy(inner, places)
        for taken in list(node.users):
            result, name = results[taken.args[1]], taken.name
            taken.replace_all_uses_with(result)
            graph.erase_node(taken)
            result.name = name  # the signature tells outputs by name
        graph.erase_node(node)
        if not body.users:
            graph.erase_node(body)
            delattr(module, body.target)


def _drop_assertions(program: torch.export.ExportedProgram) -> None:
    """Checks of a tensor's type, which the tracer leaves before a conversion that does nothing."""
    import torch

    for node in list(program.graph.nodes):
        if node.target is torch.ops.aten._assert_tensor_metadata.default:
            program.graph.erase_node(node)
    program.graph_module.recompile()
