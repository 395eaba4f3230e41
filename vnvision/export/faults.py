"""The ways in which preprocessing goes wrong between a model and its exported file.

Each is a complete path from golden images to model inputs. Fed to the *original* model, the one whose
outputs equal those of the exported file names the fault (Frigate 22319: normalised twice, so that every face
got one name at 99 %; anomalib 2747: range; rknn-toolkit2 110: channels).
"""

from __future__ import annotations

import numpy as np

from vnvision.spec import PreprocessSpec

SWAPPED = "channel order swapped (RGB and BGR)"
TWICE = "normalised twice"
RANGE = "range 0-255 where 0-1 was due"
UNIT_TWICE = "range 0-1 taken twice"
RAW = "not normalised at all (raw pixels)"
CUT = "cut off at the ends of an 8-bit input"
AND = f"{SWAPPED} and "

SATURATED = "saturated: 8-bit ranges far too small, as if measured on"
OF_PALE = f"{SATURATED} pictures of too little contrast"
OF_DARK = f"{SATURATED} pictures far too dark"
OF_UNIT = f"{SATURATED} pixels 0-1 that mean and deviation were not applied to"
OF_UNIT_TWICE = f"{SATURATED} pictures whose pixels were 0-1 already, and were divided again"

IMAGENET_MEAN = np.array([0.485, 0.456, 0.406])
IMAGENET_STD = np.array([0.229, 0.224, 0.225])


def correct(images: np.ndarray, spec: PreprocessSpec) -> np.ndarray:
    """The inputs as the specification has them: steps 2, 4 and 5 written out, rounded once.

    Independent of ``imaging.Preprocessor`` on purpose: the target under test goes through that one.

    Args:
        images: (N, h, w, C) at the spec's size, RGB or grey.
        spec: the task's preprocessing.

    Returns:
        (N, C, h, w) float32.
    """
    return _nchw(_normalised(_ranged(_coloured(images, spec), spec), spec))


def spoilt(images: np.ndarray, spec: PreprocessSpec, *, common: bool = False) -> dict[str, np.ndarray]:
    """Inputs (N, C, h, w) float32 under each fault that changes them, by description.

    Args:
        images: (N, h, w, C) at the spec's size, RGB or grey.
        spec: the task's preprocessing.
        common: only swapped channels, double normalisation and wrong range, one variant each.
    """
    right = correct(images, spec)
    raw = _coloured(images, spec)
    paths = _common(raw, spec)
    if not common:
        paths |= _other_values(raw, spec) | _layouts(raw, spec)
        paths |= {f"{AND}{name}": value[..., ::-1] for name, value in paths.items() if SWAPPED not in name}
    inputs = {name: _nchw(value) for name, value in paths.items()}
    if spec.channels == 1:
        inputs = {name: value for name, value in inputs.items() if SWAPPED not in name}
    kept = {name: value for name, value in inputs.items() if not np.array_equal(value, right)}
    # Grey pictures hide swapped channels: kept, so that ``Reference.blind_to`` can say so.
    return {SWAPPED: inputs[SWAPPED]} | kept if common and SWAPPED in inputs else kept


def _common(raw: np.ndarray, spec: PreprocessSpec) -> dict[str, np.ndarray]:
    right = _normalised(_ranged(raw, spec), spec)
    swapped = _normalised(_ranged(raw[..., ::-1], spec), spec)
    return {SWAPPED: swapped, TWICE: _normalised(right, spec), RANGE: _normalised(raw, spec)}


def _other_values(raw: np.ndarray, spec: PreprocessSpec) -> dict[str, np.ndarray]:
    unit = _ranged(raw, spec)
    right = _normalised(unit, spec)
    paths = {f"{SWAPPED}, after normalising": right[..., ::-1]}
    span = spec.input_range[1] - spec.input_range[0]
    if spec.channels == 3:
        paths["normalised by ImageNet's mean and deviation"] = (unit - IMAGENET_MEAN) / IMAGENET_STD
    return paths | {
        f"{TWICE}, range and all": _normalised(_ranged(right, spec), spec),
        f"{RANGE}, after normalising": right * span,
        UNIT_TWICE: _normalised(_ranged(unit, spec), spec),
        f"{UNIT_TWICE}, after normalising": right / span,
        "mean and standard deviation left out": unit,
        RAW: raw,
        f"{RAW}, {CUT}": raw.clip(right.min(), right.max()),
        "normalised by mean 0.5 and standard deviation 0.5": (unit - 0.5) / 0.5,
        "saturated: inputs clipped to 0..1": right.clip(0, 1),
        "saturated: inputs clipped to -1..1": right.clip(-1, 1),
    }


def _layouts(raw: np.ndarray, spec: PreprocessSpec) -> dict[str, np.ndarray]:
    right = _normalised(_ranged(raw, spec), spec)
    n, height, width, channels = right.shape
    as_nchw = right.reshape(n, channels, height, width).transpose(0, 2, 3, 1)
    as_nhwc = np.ascontiguousarray(right.transpose(0, 3, 1, 2)).reshape(n, height, width, channels)
    paths = {
        "layout: NHWC memory read as NCHW": as_nchw,
        "layout: NCHW memory read as NHWC": as_nhwc,
        "upside down": right[:, ::-1],
    }
    if height == width:
        paths["layout: height and width swapped"] = right.transpose(0, 2, 1, 3)
    return paths


def _coloured(images: np.ndarray, spec: PreprocessSpec) -> np.ndarray:
    values = images.astype(np.float64)
    return values[..., ::-1] if spec.colour == "bgr" else values


def _ranged(values: np.ndarray, spec: PreprocessSpec) -> np.ndarray:
    low, high = spec.input_range
    return (values - low) / (high - low)


def _normalised(values: np.ndarray, spec: PreprocessSpec) -> np.ndarray:
    mean, std = np.asarray(spec.mean), np.asarray(spec.std)
    return np.asarray((values - mean) / std)


def _nchw(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2), dtype=np.float32)
