"""One export with one fault in it, made as an integrator would make it by mistake; and none at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from vnvision.engines import EngineName
from vnvision.export import to_onnx
from vnvision.export.faults import correct
from vnvision.export.int8_onnx import Int8Options, to_int8_onnx
from vnvision.export.ncnn import to_ncnn
from vnvision.export.onnx_fp16 import to_fp16_onnx
from vnvision.export.result import Precision
from vnvision.export.rknn import TOOK, to_rknn
from vnvision.spec import PreprocessSpec

from . import graphs
from .planning import DEVIATION, EDITS, PARTS, RECORD, SATURATION, TWICE_DIVIDED, UNIT, Planned
from .subjects import Subject

Took = tuple[Literal["range", "normalise"], ...]


@dataclass(frozen=True, slots=True)
class Handed:
    """All that the gate is told: a file and what its record says."""

    path: Path
    engine: EngineName
    precision: Precision
    took: Took


def plant(plan: Planned, subject: Subject, folder: Path) -> Handed:
    """Write the files of one export.

    Args:
        plan: what to do.
        subject: the trained model.
        folder: empty.
    """
    canonical, spec = folder / "canonical.onnx", subject.task.preprocess
    to_onnx(subject.net, subject.task, canonical)
    edit = EDITS.get(plan.fault, {}).get(plan.how)
    if edit is not None:
        edit(canonical, spec)
    pictures = _calibration(subject, plan.how if plan.fault == SATURATION else "")
    if plan.how == DEVIATION:
        spec = spec.model_copy(update={"input_range": (0.0, 1.0)})
        pictures = correct(subject.measured, spec)
    write = {"onnxruntime": _onnx, "ncnn": _ncnn, "rknn": _rknn}[plan.engine]
    path = write(canonical, folder, plan.precision, pictures, spec)
    took: Took = TOOK if plan.engine == "rknn" else ()
    if plan.how == RECORD:
        took = () if took else TOOK
    return Handed(path, plan.engine, plan.precision, took)


def _calibration(subject: Subject, how: str) -> np.ndarray:
    """(N, C, h, w) float32: well chosen pictures, or what they are by mistake."""
    spec, images = subject.task.preprocess, subject.measured.astype(np.float64)
    if how == UNIT:
        return correct(images, spec.model_copy(update={"mean": (0.0,) * 3, "std": (1.0,) * 3}))
    if how == TWICE_DIVIDED:
        return correct(images / 255, spec)
    part = next((part for part in PARTS if f"1/{part} " in how), 1)
    middle = 127.5 if how.endswith("contrast") else 0.0
    return correct(middle + (images - middle) / part, spec)


def _onnx(
    canonical: Path, folder: Path, precision: Precision, pictures: np.ndarray, spec: PreprocessSpec
) -> Path:
    path = folder / "onnx" / "model.onnx"
    path.parent.mkdir()
    if precision == "fp16":
        return to_fp16_onnx(canonical, path)
    if precision.startswith("int8"):
        options = Int8Options(weights_only=precision == "int8-weights")
        to_int8_onnx(canonical, path, calibration=pictures, options=options)
        return path
    return canonical


def _ncnn(
    canonical: Path, folder: Path, precision: Precision, pictures: np.ndarray, spec: PreprocessSpec
) -> Path:
    if precision == "int8":
        graphs.in_float(_onnx(canonical, folder, precision, pictures, spec), folder / "rounded.onnx")
        canonical = folder / "rounded.onnx"
    return to_ncnn(canonical, folder / "ncnn", fp16=precision == "fp16")[0]


def _rknn(
    canonical: Path, folder: Path, precision: Precision, pictures: np.ndarray, spec: PreprocessSpec
) -> Path:
    whole = precision == "int8"
    return to_rknn(
        canonical,
        folder / "rknn",
        chip="rk3588",
        preprocess=spec,
        int8=whole,
        calibration=pictures if whole else None,
    )[0]
