"""torch on the CPU, for ``.pt2`` files of ``torch.export``."""

from __future__ import annotations

import importlib
import operator
import threading
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from vnvision.engines import base
from vnvision.engines.pt2 import read_program
from vnvision.engines.pt2_program import Program, Ref, Special, Step
from vnvision.errors import MissingExtraError, ModelError

_ATEN = """
abs adaptive_avg_pool2d add add_ addmm alias amax amin arange avg_pool2d batch_norm bmm cat chunk clamp
clamp_ clamp_max clamp_min clone constant_pad_nd contiguous conv1d conv2d convolution cos detach detach_
div div_ dropout dropout_ elu eq erf exp expand feature_dropout feature_dropout_ flatten full ge gelu
group_norm gt hardsigmoid hardsigmoid_ hardswish hardswish_ hardtanh hardtanh_ layer_norm le leaky_relu
leaky_relu_ linalg_vector_norm linear log lt matmul max_pool2d maximum mean minimum mish mm mul mul_
narrow neg ones pad permute pixel_shuffle pow prelu reciprocal relu relu6 relu6_ relu_ repeat reshape
rsqrt rsub scaled_dot_product_attention select sigmoid sigmoid_ silu silu_ sin slice softmax softplus
split split_with_sizes sqrt squeeze stack sub sub_ sum sym_size t tanh to _to_copy transpose unbind
unflatten unsqueeze upsample_bilinear2d upsample_nearest2d view where zeros
"""
OPERATIONS = frozenset(_ATEN.split())
"""Of ``torch.ops.aten``: they compute from their arguments and touch nothing else."""

_PYTHON = ("add", "sub", "mul", "floordiv", "mod", "neg", "truediv")
_DTYPES = {1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 12: "bool"}
_FORMATS = {1: "contiguous_format", 2: "channels_last", 4: "preserve_format"}


def import_torch() -> ModuleType:
    """Import torch, which nothing else below the models loads.

    Raises:
        MissingExtraError: torch is not installed.
    """
    try:
        return importlib.import_module("torch")
    except ImportError as exc:
        raise MissingExtraError("torch", "train") from exc


class _Call(NamedTuple):
    """A step made ready: where its arguments come from, and which values end with it."""

    function: Any
    args: list[Any]
    options: dict[str, Any]
    places: tuple[tuple[int, Any], ...]
    outputs: tuple[str, ...]
    many: bool
    ended: tuple[str, ...]


class TorchEngine:
    """A ``.pt2`` file, its operations called one after the other. Any batch size.

    Nothing of the file is unpickled, evaluated or compiled, see ``engines.pt2``; an operation outside
    ``OPERATIONS`` is refused. One caller at a time, as torch has one thread count for the process: it is set
    for the length of a call, and put back.
    """

    name = "torch"

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        self._torch = import_torch()
        base.check_file(path)
        self.path = path
        program = read_program(path)
        self.input_shape = base.check_input(path, list(program.inputs))
        self.output_names = program.output_names
        self._entry, self._outputs, self._threads = program.entry, program.outputs, threads
        try:
            self._weights = {name: self._tensor(item) for name, item in program.weights.items()}
            self._calls: list[_Call] | None = self._ready(program)
        except (RuntimeError, KeyError, TypeError, ValueError) as exc:
            raise base.damaged(path, self.name, exc) from exc
        self._one_at_a_time = threading.Lock()

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, ...]:
        """See ``Engine.run``."""
        batch = base.check_batch(batch, self.input_shape, self.name)
        with self._one_at_a_time:
            if self._calls is None:
                raise base.closed(self.name)
            before = self._torch.get_num_threads()
            try:
                if self._threads is not None:
                    self._torch.set_num_threads(self._threads)
                with self._torch.inference_mode():
                    return self._computed(batch, self._calls)
            except (RuntimeError, KeyError, TypeError, IndexError) as exc:
                raise ModelError(f"inference failed in {self.name}", got=str(exc)[:300]) from exc
            finally:
                if self._threads is not None:
                    self._torch.set_num_threads(before)

    def close(self) -> None:
        """See ``Engine.close``."""
        with self._one_at_a_time:
            self._calls, self._weights = None, {}

    def _computed(self, batch: np.ndarray, calls: list[_Call]) -> tuple[np.ndarray, ...]:
        values = dict(self._weights)
        values[self._entry] = self._torch.tensor(batch)  # a copy: an operation may work in place
        for call in calls:
            args = call.args.copy()
            for place, source in call.places:
                args[place] = _value(source, values)
            found = call.function(*args, **{key: _value(item, values) for key, item in call.options.items()})
            values.update(zip(call.outputs, found if call.many else (found,), strict=True))
            for name in call.ended:
                del values[name]
        return tuple(np.array(values[name].numpy(), np.float32) for name in self._outputs)

    def _tensor(self, weight: Any) -> Any:
        flat = self._torch.from_numpy(weight.data.copy())
        return flat.as_strided(weight.shape, weight.strides, weight.offset)

    def _ready(self, program: Program) -> list[_Call]:
        """Look up every operation, and find after which step a value is needed no more."""
        known = {program.entry, *program.weights}
        last: dict[str, int] = {}
        for index, step in enumerate(program.steps):
            for name in _names([*step.args, *step.options.values()]):
                if name not in known:
                    raise ValueError(f"{name} is used before it is computed")
                last[name] = index
            known.update(step.outputs)
            last.update(dict.fromkeys(step.outputs, index))
        if missing := [name for name in program.outputs if name not in known]:
            raise ValueError(f"output {missing[0]} is never computed")
        kept = {*program.outputs, *program.weights}
        ends: dict[int, list[str]] = {}
        for name, index in last.items():
            if name not in kept:
                ends.setdefault(index, []).append(name)
        return [self._call(step, tuple(ends.get(index, ()))) for index, step in enumerate(program.steps)]

    def _call(self, step: Step, ended: tuple[str, ...]) -> _Call:
        args = [self._plain(item) for item in step.args]
        options = {key: self._plain(item) for key, item in step.options.items()}
        places = tuple((index, item) for index, item in enumerate(args) if _names([item]))
        return _Call(self._function(step.target), args, options, places, step.outputs, step.many, ended)

    def _function(self, target: str) -> Any:
        if target.startswith("_operator.") and target[10:] in _PYTHON:
            return getattr(operator, target[10:])
        parts = target.split(".")
        if parts[:3] != ["torch", "ops", "aten"] or len(parts) != 5 or parts[3] not in OPERATIONS:
            raise ValueError(f"operation {target} is not among those this engine runs")
        return getattr(getattr(self._torch.ops.aten, parts[3]), parts[4])

    def _plain(self, value: Any) -> Any:
        if not isinstance(value, Special):
            return value
        if value.kind == "as_scalar_type":
            return getattr(self._torch, _DTYPES[value.value])
        if value.kind == "as_memory_format":
            return getattr(self._torch, _FORMATS[value.value])
        return self._torch.device("cpu") if value.kind == "as_device" else self._torch.strided


def _names(values: list[Any]) -> list[str]:
    """Names that arguments refer to, also inside lists."""
    flat = [part for item in values for part in (item if isinstance(item, list) else [item])]
    return [item.name for item in flat if isinstance(item, Ref)]


def _value(source: Any, values: dict[str, Any]) -> Any:
    if isinstance(source, Ref):
        return values[source.name]
    if isinstance(source, list):
        return [values[item.name] if isinstance(item, Ref) else item for item in source]
    return source
