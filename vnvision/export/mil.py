"""The program inside a CoreML package, read from its files and evaluated in torch.

Not CoreML: a second reading of Apple's MIL operations as they are defined (coremltools, ``mil/ops/defs``), so
that a package can be proven to compute the right thing where CoreML cannot run. Half precision is rounded
after each operation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vnvision.errors import ExportError
from vnvision.export.mil_operations import OPERATIONS

if TYPE_CHECKING:
    import torch

_TYPES = {65568: "float32", 65552: "float16", 131104: "int32", 65600: "float64"}


@dataclass(frozen=True, slots=True)
class Package:
    """A package as read.

    Attributes:
        inputs: shape and type by name.
        outputs: type by name.
        operations: of the program in order, constants aside.
        n_weights: how many numbers its constants hold.
        not_finite: names of constants with NaN or infinite numbers.
    """

    inputs: dict[str, tuple[tuple[int, ...], str]]
    outputs: dict[str, str]
    operations: tuple[Any, ...]
    n_weights: int
    not_finite: tuple[str, ...]

    def evaluate(self, image: torch.Tensor) -> dict[str, np.ndarray]:
        """Outputs by name for one input, which it must be alone.

        Raises:
            ExportError: an operation that this does not know, or that does not fit its inputs.
        """
        values: dict[str, Any] = dict.fromkeys(self.inputs, image)
        for op in self.operations:
            if op.op_type not in OPERATIONS:
                raise ExportError(f"the CoreML operation {op.op_type} cannot be checked here")
            given = {name: _value(item, values) for name, item in op.inputs.items() if item is not None}
            try:
                found = OPERATIONS[op.op_type](given)
            except (RuntimeError, TypeError, KeyError, ValueError) as exc:
                raise ExportError(f"the CoreML operation {op.op_type} is wrong", got=str(exc)[:200]) from exc
            for var, value in zip(op.outputs, found if isinstance(found, list) else [found], strict=True):
                half = "16" in str(var.dtype) and value.is_floating_point()
                values[var.name] = value.half().float() if half else value
        return {name: values[name].numpy() for name in self.outputs}


def read_package(path: Path) -> Package:
    """Read specification, program and weights back from the files.

    Raises:
        ExportError: they cannot be read.
    """
    import coremltools as ct
    from coremltools.converters.mil.frontend.milproto.load import load

    try:
        spec = ct.utils.load_spec(str(path))
        weights = path / "Data" / "com.apple.CoreML" / "weights"
        program = load(spec, spec.specificationVersion, str(weights))
        main = program.functions["main"]
    except (RuntimeError, ValueError, KeyError, TypeError, OSError, AttributeError) as exc:
        raise ExportError("the CoreML package cannot be read again", got=str(exc)[:200]) from exc
    sides = spec.description
    inputs = {item.name: item.type.multiArrayType for item in sides.input}
    outputs = {item.name: item.type.multiArrayType for item in sides.output}
    constants = [op for op in main.operations if op.op_type == "const"]
    numbers = [(op.name, np.asarray(op.outputs[0].val)) for op in constants]
    return Package(
        {name: (tuple(kind.shape), _TYPES.get(kind.dataType, "")) for name, kind in inputs.items()},
        {name: _TYPES.get(kind.dataType, "") for name, kind in outputs.items()},
        tuple(op for op in main.operations if op.op_type != "const"),
        sum(value.size for _, value in numbers if value.dtype.kind == "f"),
        tuple(name for name, value in numbers if value.dtype.kind == "f" and not np.isfinite(value).all()),
    )


def _value(source: Any, values: Mapping[str, Any]) -> Any:
    """A computed tensor, a list of them, or a constant: numbers as tensors, the rest as Python has it."""
    import torch

    if isinstance(source, (list, tuple)):
        return [_value(item, values) for item in source]
    if source.name in values:
        return values[source.name]
    constant = np.asarray(source.val)
    if constant.dtype.kind == "f":
        return torch.from_numpy(np.array(constant, np.float32))
    return constant.tolist()
