"""8-bit ranges measured on unfit pictures: the original is brought to integers on such, and asked.

A tensor in 8 bits holds what its calibration pictures made of it; what lies beyond is cut off at the ends of
its range. Which inputs are cut, and in which layer, depends on *how* the pictures were unfit. So the answers
of a network that was calibrated in the same wrong way resemble those of the file far more than any fault of
preprocessing does, whichever converter rounded it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vnvision.export import faults
from vnvision.spec import PreprocessSpec

if TYPE_CHECKING:
    from vnvision.export.reference import Reference

PARTS = (4, 12)
"""Contrast and light are tried at these parts of what they are; what lies between resembles one of them."""
_PICTURES = 8


def unfit_calibrations(images: np.ndarray, spec: PreprocessSpec) -> dict[str, np.ndarray]:
    """Calibration inputs (N, C, h, w) float32 as they come about by mistake, by the diagnosis.

    Args:
        images: (N, h, w, C) at the spec's size, RGB or grey.
        spec: the task's preprocessing.
    """
    low, high = spec.input_range
    middle, values = (low + high) / 2, images.astype(np.float64)
    pictures = {faults.OF_UNIT_TWICE: low + (values - low) / (high - low)}
    for part in PARTS:
        pictures |= {f"{faults.OF_PALE} (to 1/{part})": middle + (values - middle) / part}
        pictures |= {f"{faults.OF_DARK} (to 1/{part})": low + (values - low) / part}
    plain = spec.model_copy(update={"mean": (0.0,) * spec.channels, "std": (1.0,) * spec.channels})
    found = {name: faults.correct(values, spec) for name, values in pictures.items()}
    return {faults.OF_UNIT: faults.correct(values, plain), **found}


FIT = "ranges measured on these very pictures"


def saturated_outputs(reference: Reference) -> dict[str, np.ndarray]:
    """What the original answers in integers with unfit ranges: (N, ...) float32 by the diagnosis.

    Under ``FIT`` with ranges that are not unfit, to tell saturation from rounding. Needs ONNX Runtime, as the
    canonical file does; takes seconds a calibration.

    Raises:
        ExportError: the network cannot be brought to integers.
        MissingExtraError: onnx or ONNX Runtime is not installed.
    """
    from vnvision.export.int8_onnx import Int8Options, int8_model
    from vnvision.export.int8_ranges import run_model
    from vnvision.export.onnx import to_onnx

    options, answers = Int8Options(least_cosine=0.0, compensate=False), {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        to_onnx(reference.model, reference.task, path)
        unfit = {FIT: reference.inputs} | unfit_calibrations(
            reference.images[:_PICTURES], reference.task.preprocess
        )
        for name, calibration in unfit.items():
            model, _ = int8_model(path, calibration, options, join_prelu=False)
            first = model.graph.output[0].name
            rows = run_model(model.SerializeToString(), reference.inputs, [first])
            answers[name] = np.concatenate([row[0] for row in rows])
    return answers
