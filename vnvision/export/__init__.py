"""ONNX first, then a file a target, each proven equal to the original; all in one bundle."""

from vnvision.export.bundle import export_bundle
from vnvision.export.gate import check_parity
from vnvision.export.golden import golden_images
from vnvision.export.onnx import to_onnx
from vnvision.export.openvino import to_openvino
from vnvision.export.qdq import to_qdq_onnx
from vnvision.export.reference import Reference
from vnvision.export.result import TOLERANCES, GateResult
from vnvision.export.targets import TARGETS

__all__ = [
    "TARGETS",
    "TOLERANCES",
    "GateResult",
    "Reference",
    "check_parity",
    "export_bundle",
    "golden_images",
    "to_onnx",
    "to_openvino",
    "to_qdq_onnx",
]
