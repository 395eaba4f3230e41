"""OpenVINO on the CPU."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import ModuleType

import numpy as np

from vnvision.engines import base
from vnvision.errors import MissingExtraError, ModelError

_TELEMETRY = "openvino_telemetry"


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


class OpenVinoEngine:
    """An OpenVINO or ONNX model in OpenVINO, tuned for latency at batch 1.

    Floating point stays float32: by default OpenVINO computes in bfloat16 where the processor can, about
    twice as fast and off by half a percent, which no parity check has seen.
    """

    name = "openvino"

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        self._ov = import_openvino()
        base.check_file(path)
        hints: dict[str, str | int] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        if threads is not None:
            hints["INFERENCE_NUM_THREADS"] = threads
        try:
            core = self._ov.Core()
            model = core.read_model(path)
            self.input_shape = base.check_input(path, [_input(item) for item in model.inputs])
            compiled = core.compile_model(model, "CPU", hints)
            self._request = compiled.create_infer_request()
        except RuntimeError as exc:
            raise base.damaged(path, self.name, exc) from exc
        self._outputs = len(compiled.outputs)
        self._one_at_a_time = threading.Lock()  # an infer request serves one caller

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, ...]:
        """See ``Engine.run``."""
        batch = base.check_batch(batch, self.input_shape, self.name)
        with self._one_at_a_time:
            request = self._request
            if request is None:
                raise base.closed(self.name)
            try:
                request.set_input_tensor(self._ov.Tensor(batch, shared_memory=True))
                request.infer()
                # The request keeps its output buffers for the next call, hence the copies.
                return tuple(request.get_output_tensor(i).data.copy() for i in range(self._outputs))
            except RuntimeError as exc:
                raise ModelError(f"inference failed in {self.name}", got=str(exc)[:300]) from exc

    def close(self) -> None:
        """See ``Engine.close``."""
        with self._one_at_a_time:
            self._request = None


def _input(node: object) -> tuple[base.Shape, bool]:
    shape = node.partial_shape  # type: ignore[attr-defined]
    sizes = tuple(None if size.is_dynamic else size.get_length() for size in shape)
    return sizes, node.element_type.get_type_name() == "f32"  # type: ignore[attr-defined]
