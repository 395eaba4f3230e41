"""OpenVINO on the CPU."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from vnvision.engines import base
from vnvision.engines.openvino_shapes import check_shapes
from vnvision.errors import MissingExtraError, ModelError

_TELEMETRY = "openvino_telemetry"
_MOST_ROWS = 8  # of a batch that a thread takes at once: small enough that all end at about the same time


def import_openvino() -> ModuleType:
    """Import OpenVINO with its telemetry off.

    ``import openvino`` reports itself to Google Analytics through the package ``openvino_telemetry`` and
    writes an id under the home folder. Where that package cannot be imported OpenVINO uses its own stub that
    does nothing, so it is hidden for the length of the import. Model conversion then keeps to the stub.

    Raises:
        MissingExtraError: OpenVINO is not installed.
    """
    if "openvino" in sys.modules:
        return sys.modules["openvino"]
    before = sys.modules.get(_TELEMETRY)
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # makes the import fail
    try:
        import openvino
    except ImportError as exc:
        raise MissingExtraError("openvino", "export-openvino") from exc
    finally:
        del sys.modules[_TELEMETRY]
        if before is not None:
            sys.modules[_TELEMETRY] = before
    module: ModuleType = openvino
    return module


_cores: dict[int, Any] = {}
_starting = threading.Lock()


def shared_core() -> Any:
    """The process's one ``openvino.Core``, which is never let go.

    OpenVINO's CPU plugin gives the thread that starts it an alternate signal stack, and on its end gives back
    the one it found. Of two plugins that end in the order they were made, the second gives back what the
    first has unmapped: the next signal with a handler of Python's (Ctrl-C, a data loader's worker that
    ends) then ends the program. One that stays cannot. A forked child makes its own, since the threads of
    its parent's are not there.
    """
    openvino = import_openvino()
    with _starting:
        if os.getpid() not in _cores:
            _cores[os.getpid()] = openvino.Core()
        return _cores[os.getpid()]


class OpenVinoEngine:
    """An OpenVINO or ONNX model in OpenVINO, tuned for latency at batch 1 and for throughput above.

    All threads work on one image together. From two images a thread on, each thread takes images of its own
    and waits for no other: the model is compiled once more for this when the first such batch comes.

    Floating point stays float32: by default OpenVINO computes in bfloat16 where the processor can, about
    twice as fast and off by half a percent, which no parity check has seen.
    """

    name = "openvino"

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        self._ov = import_openvino()
        base.check_file(path)
        self.path = path
        hints: dict[str, str | int] = {"PERFORMANCE_HINT": "LATENCY"}
        if threads is not None:
            hints["INFERENCE_NUM_THREADS"] = threads
        try:
            self._core = shared_core()
            self._model = self._core.read_model(path)
            self.input_shape = base.check_input(path, [_input(item) for item in self._model.inputs])
            check_shapes(path, self._model, self.input_shape)
            compiled = self._compiled(hints)
            self._request = compiled.create_infer_request()
            self._threads = int(compiled.get_property("INFERENCE_NUM_THREADS"))
        except RuntimeError as exc:
            raise base.damaged(path, self.name, exc) from exc
        self._outputs = len(compiled.outputs)
        self.output_names = tuple(_name(item) for item in compiled.outputs)
        self._workers: list[Any] = []
        self._one_at_a_time = threading.Lock()  # an infer request serves one caller

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, ...]:
        """See ``Engine.run``."""
        batch = base.check_batch(batch, self.input_shape, self.name)
        with self._one_at_a_time:
            if self._request is None:
                raise base.closed(self.name)
            try:
                many = self.input_shape[0] is None and self._threads > 1 and len(batch) >= 2 * self._threads
                return self._shared(batch) if many else self._alone(batch)
            except RuntimeError as exc:
                raise ModelError(f"inference failed in {self.name}", got=str(exc)[:300]) from exc

    def close(self) -> None:
        """See ``Engine.close``."""
        with self._one_at_a_time:
            self._request = self._model = None
            self._workers = []

    def _compiled(self, hints: dict[str, str | int]) -> Any:
        return self._core.compile_model(self._model, "CPU", hints | {"INFERENCE_PRECISION_HINT": "f32"})

    def _alone(self, batch: np.ndarray) -> tuple[np.ndarray, ...]:
        self._request.set_input_tensor(self._ov.Tensor(batch, shared_memory=True))
        self._request.infer()
        return self._copied(self._request)

    def _shared(self, batch: np.ndarray) -> tuple[np.ndarray, ...]:
        """Parts of the batch, each in one thread."""
        if not self._workers:
            compiled = self._compiled({"NUM_STREAMS": self._threads, "INFERENCE_NUM_THREADS": self._threads})
            self._workers = [compiled.create_infer_request() for _ in range(self._threads)]
        rows = min(_MOST_ROWS, -(-len(batch) // self._threads))
        parts = [batch[at : at + rows] for at in range(0, len(batch), rows)]
        answers: list[tuple[np.ndarray, ...]] = []
        running: deque[Any] = deque()
        try:
            for number, part in enumerate(parts):
                if len(running) == self._threads:
                    answers.append(self._awaited(running.popleft()))
                worker = self._workers[number % self._threads]
                worker.set_input_tensor(self._ov.Tensor(part, shared_memory=True))
                worker.start_async()
                running.append(worker)
            while running:
                answers.append(self._awaited(running.popleft()))
        finally:
            for worker in running:  # after a failure: the others still read the batch
                with suppress(RuntimeError):
                    worker.wait()
        return tuple(np.concatenate(output) for output in zip(*answers, strict=True))

    def _awaited(self, request: Any) -> tuple[np.ndarray, ...]:
        request.wait()
        return self._copied(request)

    def _copied(self, request: Any) -> tuple[np.ndarray, ...]:
        """A request keeps its output buffers for the next call, hence the copies."""
        return tuple(request.get_output_tensor(i).data.copy() for i in range(self._outputs))


def _name(node: Any) -> str:
    """The name the file gives an output, not that of a node it passes through; its operation's if none."""
    names = node.get_names() or {node.node.get_friendly_name()}
    return str(min(names, key=lambda name: ("/" in name, len(name), name)))


def _input(node: object) -> tuple[base.Shape, bool]:
    shape = node.partial_shape  # type: ignore[attr-defined]
    sizes = tuple(None if size.is_dynamic else size.get_length() for size in shape)
    return sizes, node.element_type.get_type_name() == "f32"  # type: ignore[attr-defined]
