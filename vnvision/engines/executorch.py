"""ExecuTorch on the CPU, with XNNPACK."""

from __future__ import annotations

import importlib
import threading
import weakref
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from vnvision.engines import base
from vnvision.engines.aside import STDERR, said_aside
from vnvision.engines.seal import checked_bytes
from vnvision.engines.torch import import_torch
from vnvision.errors import ConfigError, MissingExtraError, ModelError

NAMES_METHOD = "vnvision_output_names"
"""A method of our files that gives the names of the outputs, which the format does not keep."""

_FLOAT32 = 6
_pool = threading.Lock()  # ExecuTorch has one thread pool for the process
_open: weakref.WeakSet[ExecutorchEngine] = weakref.WeakSet()


def import_executorch() -> ModuleType:
    """Import ExecuTorch's runtime, the C++ part of the wheel.

    It is linked against torch's libraries and takes torch's tensors, so this imports torch (a board without
    Python uses ExecuTorch's C++ library, which needs none). The package ``executorch.runtime`` around it
    would import the whole exporter as well.

    Raises:
        MissingExtraError: ExecuTorch or torch is not installed.
    """
    try:
        import_torch()
        return importlib.import_module("executorch.extension.pybindings._C")
    except (ImportError, MissingExtraError) as exc:
        raise MissingExtraError("executorch", "export-executorch") from exc


class ExecutorchEngine:
    """A ``.pte`` file for one image; a batch goes through it row by row.

    One caller at a time in the whole process, and one thread count for all engines open at once: ExecuTorch
    has one pool of threads. ExecuTorch checks the container of a file, not each number in it: files of our
    exporter carry their own hash, which is checked first; a file of another origin is only as safe as
    ExecuTorch is.
    """

    name = "executorch"

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        runtime, self._torch = import_executorch(), import_torch()
        base.check_file(path)
        self.path = path
        self._data = checked_bytes(path, self.name)  # the program points into it
        try:
            self._program = runtime._load_program_from_buffer(
                self._data, program_verification=runtime.Verification.InternalConsistency
            )
            meta = self._program.method_meta("forward")
            inputs = [meta.input_tensor_meta(index) for index in range(meta.num_inputs())]
            shapes = [(tuple(item.sizes()), item.dtype() == _FLOAT32) for item in inputs]
            names = self._names(meta.num_outputs())
        except (RuntimeError, IndexError) as exc:
            raise base.damaged(path, self.name, exc) from exc
        shape = base.check_input(path, shapes)
        if shape[0] != 1:
            raise ModelError(f"model file {path} cannot be used", expected="one image", got=str(shape))
        self.input_shape, self.output_names = (None, *shape[1:]), names
        with _pool, said_aside(STDERR):  # its processor library complains of virtual machines
            _set_threads(runtime, threads)
            try:
                self._method: Any = self._program.load_method("forward")
            except RuntimeError as exc:
                raise base.damaged(path, self.name, exc) from exc
            _open.add(self)

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, ...]:
        """See ``Engine.run``."""
        batch = base.check_batch(batch, self.input_shape, self.name)
        with _pool:
            if self._method is None:
                raise base.closed(self.name)
            try:
                # With no image, the outputs' shapes come from an empty one.
                rows = [self._row(batch[index : index + 1]) for index in range(len(batch))]
                none = [] if rows else self._row(np.zeros((1, *batch.shape[1:]), np.float32))
            except RuntimeError as exc:
                raise ModelError(f"inference failed in {self.name}", got=str(exc)[:300]) from exc
        if not rows:
            return tuple(item[:0].copy() for item in none)
        return tuple(np.concatenate(column) for column in zip(*rows, strict=True))

    def close(self) -> None:
        """See ``Engine.close``."""
        with _pool:
            self._method = self._program = None
            _open.discard(self)

    def _row(self, image: np.ndarray) -> list[np.ndarray]:
        """Outputs of one image, in memory of their own."""
        found = self._method((self._torch.tensor(image),), clone_outputs=True)
        return [item.numpy() for item in found]

    def _names(self, count: int) -> tuple[str, ...]:
        methods = [self._program.get_method_name(index) for index in range(self._program.num_methods())]
        if NAMES_METHOD not in methods:
            return tuple(f"output_{index}" for index in range(count)) if count > 1 else ("output",)
        (text,) = self._program.load_method(NAMES_METHOD)(())
        names = tuple(str(text).split(","))
        if len(names) != count:
            raise RuntimeError(f"{count} outputs under the names {text}")
        return names


def _set_threads(runtime: ModuleType, threads: int | None) -> None:
    """Change the pool's size, which may only be done while no program points to it."""
    now = runtime._threadpool_get_thread_count()
    if threads is None or threads == now:
        return
    if len(_open):
        raise ConfigError(
            "ExecuTorch has one thread pool for all its models",
            expected=f"threads={now}, as those open now",
            got=str(threads),
            fix="close them first",
        )
    runtime._unsafe_reset_threadpool(threads)
