"""ONNX Runtime on the CPU."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from types import ModuleType

import numpy as np

from vnvision.engines import base
from vnvision.errors import MissingExtraError, ModelError

_SILENT = 4  # fatal only: what goes wrong is raised, and need not be printed as well


def import_onnxruntime() -> ModuleType:
    """Import ONNX Runtime with its telemetry off.

    Its wheels send events to Microsoft by default and open a database under the home folder as soon as they
    are imported. Only the environment variable prevents both; it must be there before the import. The
    switch in the API then covers the case that somebody else imported it first.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime
    except ImportError as exc:
        raise MissingExtraError("onnxruntime", "all") from exc
    onnxruntime.disable_telemetry_events()
    module: ModuleType = onnxruntime
    return module


class OnnxRuntimeEngine:
    """An ONNX model in ONNX Runtime, tuned for latency at batch 1."""

    name = "onnxruntime"

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        ort = import_onnxruntime()
        base.check_file(path)
        self.path = path
        options = ort.SessionOptions()
        options.log_severity_level = _SILENT
        options.intra_op_num_threads = threads or 0
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        # Threads that wait by spinning take the cores from decoding and from the other processes of a camera.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._errors = _errors(ort)
        try:
            # Its fallback prints to standard output and tries the same provider once more.
            self._session = ort.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
        except self._errors as exc:
            raise base.damaged(path, self.name, exc) from exc
        inputs = self._session.get_inputs()
        self.input_shape = base.check_input(
            path, [(_shape(item.shape), item.type == "tensor(float)") for item in inputs]
        )
        self._input = inputs[0].name
        self.output_names = tuple(item.name for item in self._session.get_outputs())

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, ...]:
        """See ``Engine.run``."""
        session = self._session
        if session is None:
            raise base.closed(self.name)
        batch = base.check_batch(batch, self.input_shape, self.name)
        try:
            return tuple(session.run(None, {self._input: batch}))
        except self._errors as exc:
            raise ModelError(f"inference failed in {self.name}", got=str(exc)[:300]) from exc

    def close(self) -> None:
        """See ``Engine.close``."""
        self._session = None


def _shape(shape: list[int | str | None]) -> base.Shape:
    return tuple(size if isinstance(size, int) else None for size in shape)


def _errors(ort: ModuleType) -> tuple[type[Exception], ...]:
    """The exception types ONNX Runtime defines, and the two its Python side raises besides."""
    own = vars(ort.capi.onnxruntime_pybind11_state).values()
    return (
        ValueError,
        RuntimeError,
        *(item for item in own if inspect.isclass(item) and issubclass(item, Exception)),
    )
