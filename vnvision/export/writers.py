"""How each target's files are written: one function a format and precision, converters imported late."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from vnvision.export.result import Precision
from vnvision.export.source import Source

Writer = Callable[[Source, Path], object]


def _onnx_fp16(source: Source, folder: Path) -> object:
    from vnvision.export.onnx_fp16 import to_fp16_onnx

    return to_fp16_onnx(source.onnx, folder / "model.onnx")


def _onnx_int8(source: Source, folder: Path, *, weights_only: bool = False) -> object:
    from vnvision.export.int8_onnx import Int8Options, to_int8_onnx

    options = Int8Options(weights_only=weights_only)
    return to_int8_onnx(source.onnx, folder / "model.onnx", calibration=source.measured_on, options=options)


def _openvino(source: Source, folder: Path, *, fp16: bool = False) -> object:
    from vnvision.export.openvino import to_openvino

    return to_openvino(source.onnx, folder, fp16=fp16)


def _openvino_int8(source: Source, folder: Path) -> object:
    # Not with weights alone in integers: OpenVINO 2026.4 then answers wrongly to a batch on two threads.
    from vnvision.export.int8_openvino import to_int8_openvino

    return to_int8_openvino(source.onnx, folder, calibration=source.measured_on)


def _ncnn(source: Source, folder: Path, *, fp16: bool = False) -> object:
    from vnvision.export.ncnn import to_ncnn

    return to_ncnn(source.onnx, folder, fp16=fp16)


def _mnn(source: Source, folder: Path, **options: bool) -> object:
    from vnvision.export.mnn import to_mnn

    return to_mnn(source.onnx, folder, **options)


def _litert(source: Source, folder: Path, *, precision: Any) -> object:
    from vnvision.export.litert import to_litert

    spec = source.task.preprocess
    ranges = source.measured_on if precision == "int8" else None
    return to_litert(
        source.onnx,
        folder,
        size_px=spec.size_px,
        channels=spec.channels,
        precision=precision,
        calibration=ranges,
    )


def _executorch(source: Source, folder: Path, *, int8: bool = False) -> object:
    from vnvision.export.executorch import to_executorch

    ranges = source.measured_on if int8 else None
    return to_executorch(source.module, source.task, folder, int8=int8, calibration=ranges)


def _torch(source: Source, folder: Path) -> object:
    from vnvision.export.torch_export import to_torch_export

    return to_torch_export(source.module, source.task, folder)


def _coreml(source: Source, folder: Path, *, fp16: bool = False) -> object:
    from vnvision.export.coreml import to_coreml

    return to_coreml(source.module, source.task, folder, fp16=fp16)


def _rknn(source: Source, folder: Path, *, chip: Any, int8: bool = False) -> object:
    from vnvision.export.rknn import to_rknn

    ranges = source.measured_on if int8 else None
    spec = source.task.preprocess
    return to_rknn(source.onnx, folder, chip=chip, preprocess=spec, int8=int8, calibration=ranges)


ONNX: Mapping[Precision, Writer] = {
    "fp16": _onnx_fp16,
    "int8": _onnx_int8,
    "int8-weights": partial(_onnx_int8, weights_only=True),
}
OPENVINO: Mapping[Precision, Writer] = {
    "fp32": _openvino,
    "fp16": partial(_openvino, fp16=True),
    "int8": _openvino_int8,
}
NCNN: Mapping[Precision, Writer] = {"fp32": _ncnn, "fp16": partial(_ncnn, fp16=True)}
MNN: Mapping[Precision, Writer] = {
    "fp32": _mnn,
    "fp16": partial(_mnn, fp16=True),
    "int8-weights": partial(_mnn, int8_weights=True),
}
LITERT: Mapping[Precision, Writer] = {
    "fp32": partial(_litert, precision="fp32"),
    "fp16": partial(_litert, precision="fp16"),
    "int8": partial(_litert, precision="int8"),
    "int8-weights": partial(_litert, precision="int8-dynamic"),
}
EXECUTORCH: Mapping[Precision, Writer] = {"fp32": _executorch, "int8": partial(_executorch, int8=True)}
TORCH: Mapping[Precision, Writer] = {"fp32": _torch}
COREML: Mapping[Precision, Writer] = {"fp32": _coreml, "fp16": partial(_coreml, fp16=True)}


def rknn(chip: str) -> dict[Precision, Writer]:
    """Rockchip's chips compute in half precision or in integers; RV1106 in integers alone."""
    whole: dict[Precision, Writer] = {"int8": partial(_rknn, chip=chip, int8=True)}
    return whole if chip == "rv1106" else {"fp16": partial(_rknn, chip=chip), **whole}
