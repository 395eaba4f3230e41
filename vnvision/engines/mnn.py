"""MNN on the CPU."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from vnvision.engines import base
from vnvision.engines.aside import STDOUT, said_aside
from vnvision.engines.seal import checked_bytes
from vnvision.errors import MissingExtraError, ModelError

_MOST_THREADS = 4  # what MNN takes when nothing is asked, however few cores there are


def import_mnn() -> ModuleType:
    """Import MNN's runtime. It sends nothing, and needs numpy alone.

    Only the package's command-line tools report home, and install a package for it: ``MNN.tools`` is never
    imported here, nor by the exporter.

    Raises:
        MissingExtraError: MNN is not installed.
    """
    try:
        with said_aside(STDOUT):
            import MNN
    except ImportError as exc:
        raise MissingExtraError("MNN", "export-mnn") from exc
    module: ModuleType = MNN
    return module


class MnnEngine:
    """An ``.mnn`` file in MNN, planned for one image at a time; a batch goes through it row by row.

    One caller at a time: a session has one set of buffers. Arithmetic is float32 wherever it runs (MNN takes
    half precision on ARM only when asked to).

    MNN checks the container of a file, so that one cut short is refused; of changed bytes inside, about one
    in fifteen made it end the process. Files of our exporter carry their own hash, which is checked before
    MNN sees them; a file of another origin is only as safe as MNN is.

    Raises:
        ModelError: see ``open_engine``.
    """

    name = "mnn"

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        self._mnn = import_mnn()
        base.check_file(path)
        self.path = path
        checked_bytes(path, self.name)
        with said_aside(STDOUT) as said:
            try:
                self._net, self._session = self._opened(threads or min(_MOST_THREADS, os.cpu_count() or 1))
                self.output_names = self._names()
            except Exception as exc:  # MNN raises bare Exception and SystemError
                raise base.damaged(path, self.name, "".join(said()[-1:]) or exc) from exc
        inputs = self._net.getSessionInputAll(self._session)
        self.input_shape = base.check_input(path, [_input(item) for item in inputs.values()])
        self._input = next(iter(inputs.values()))
        self._outputs = self._net.getSessionOutputAll(self._session)
        self._planned: tuple[int, ...] = ()
        self._held: list[Any] = []
        self._rows: list[np.ndarray] = []
        self._one_at_a_time = threading.Lock()

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, ...]:
        """See ``Engine.run``."""
        batch = base.check_batch(batch, self.input_shape, self.name)
        with self._one_at_a_time:
            if self._session is None:
                raise base.closed(self.name)
            if batch.shape[1:] != self._planned[1:]:
                self._plan((1, *batch.shape[1:]))
            answers = [np.empty((len(batch), *row.shape[1:]), np.float32) for row in self._rows]
            for index, image in enumerate(batch):
                self._entry[0] = image
                self._input.copyFrom(self._held[0])
                if self._net.runSession(self._session):
                    raise ModelError(f"inference failed in {self.name}", got=f"image {index} of the batch")
                for name, host, row, answer in zip(
                    self.output_names, self._held[1:], self._rows, answers, strict=True
                ):
                    self._outputs[name].copyToHostTensor(host)
                    answer[index] = row[0]
            return tuple(answers)

    def close(self) -> None:
        """See ``Engine.close``."""
        with self._one_at_a_time:
            self._session = self._net = self._input = None
            self._outputs, self._held, self._rows, self._planned = {}, [], [], ()

    def _opened(self, threads: int) -> tuple[Any, Any]:
        net = self._mnn.Interpreter(str(self.path))
        return net, net.createSession({"backend": "CPU", "numThread": threads, "precision": "normal"})

    def _names(self) -> tuple[str, ...]:
        """Outputs in the order of the file: a session gives them sorted, a module as they are."""
        runtime = self._mnn.nn.create_runtime_manager(({"backend": "CPU", "numThread": 1},))
        module = self._mnn.nn.load_module_from_file(str(self.path), [], [], runtime_manager=runtime)
        return tuple(module.get_info()["outputNames"])

    def _plan(self, shape: tuple[int, ...]) -> None:
        """Lay out buffers for one image of this shape."""
        self._net.resizeTensor(self._input, shape)
        self._net.resizeSession(self._session)
        self._outputs = self._net.getSessionOutputAll(self._session)
        shapes = [tuple(self._outputs[name].getShape()) for name in self.output_names]
        if any(len(item) < 1 or item[0] != 1 for item in shapes):
            raise ModelError(f"model file {self.path} cannot be used", got=f"outputs {shapes} of one image")
        self._held = [self._host(item) for item in (shape, *shapes)]
        self._entry, *self._rows = (item.getNumpyData() for item in self._held)
        self._planned = shape

    def _host(self, shape: tuple[int, ...]) -> Any:
        """A buffer of MNN's in plain (N, C, H, W) order."""
        mnn, zeros = self._mnn, np.zeros(shape, np.float32)
        return mnn.Tensor(shape, mnn.Halide_Type_Float, zeros, mnn.Tensor_DimensionType_Caffe)


def _input(tensor: Any) -> tuple[base.Shape, bool]:
    shape = tuple(size if size > 0 else None for size in tensor.getShape())
    any_batch = (None, *shape[1:]) if shape else shape  # the file's 1 stands for any batch
    return any_batch, tensor.getNumpyData().dtype == np.float32
