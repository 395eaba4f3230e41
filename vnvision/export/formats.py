"""Names of formats, as integrators know them from Ultralytics' exporter."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "tflite": "litert",
        "mlpackage": "coreml",
        "mlmodel": "coreml",
        "pte": "executorch",
        "pt2": "torch",
        "torch.export": "torch",
        "torch_export": "torch",
        "trt": "engine",
        "tensorrt": "engine",
    }
)
"""Other names of a format."""

NOT_HERE: Mapping[str, str] = MappingProxyType(
    {
        "engine": "TensorRT builds its file on the very GPU that runs it: export for onnx, then run "
        "build_tensorrt.py of the ONNX kit there (vnvision export RUN --kit onnx)",
        "torchscript": "use torch (.pt2), which replaces TorchScript",
    }
)
"""Formats that are known and not written, and what to do instead."""
