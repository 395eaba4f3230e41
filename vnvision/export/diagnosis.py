"""Why a target disagrees: the simple faults, tried on the original until one gives the same answers."""

from __future__ import annotations

import numpy as np

from vnvision.export.reference import DEAD_BELOW, Reference, spread
from vnvision.metrics.scores import sigmoid, softmax

MATCH = 0.02
"""A fault explains the outputs where it leaves less than this part of their spread unexplained."""

NOT_FINITE = "NaN or infinite outputs: overflow in the target's precision, or damaged weights"
CONSTANT = "saturated: every image gets the same output"
BATCH = "batch: the graph has the batch size of the example baked in"
DAMAGED = "the file itself: it is damaged, or takes another input than its manifest says"
UNKNOWN = (
    "no simple preprocessing fault explains it; damaged weights, or an operation the engine does otherwise"
)


def shape_fault(declared: tuple[int | None, ...], wanted: tuple[int, ...]) -> str:
    """What is wrong with a file's declared input shape, or nothing.

    Args:
        declared: the file's input shape, None where free.
        wanted: (N, C, h, w), what it will be given.
    """
    if len(declared) == len(wanted) and all(a in (None, b) for a, b in zip(declared, wanted, strict=True)):
        return ""
    _, channels, height, width = wanted
    shape = f"the file takes {declared}, it is given {wanted}"
    if declared[1:] == (height, width, channels):
        return f"layout: NHWC where NCHW is due: {shape}"
    if declared[1:] == (channels, height, width):
        return f"batch: fixed at {declared[0]} instead of free: {shape}"
    return f"input shape: {shape}"


def diagnose(outputs: np.ndarray, reference: Reference, limit: float) -> str:
    """The likely cause in a few words.

    Args:
        outputs: (N, ...) what the target gave, of the shape of ``reference.outputs``.
        reference: the original model and the golden images.
        limit: the tolerance of the gate, relative to the spread of outputs.
    """
    if not np.isfinite(outputs).all():
        return NOT_FINITE
    if _distance(outputs, reference.outputs) <= limit:
        return BATCH  # the whole batch is right, so one image alone is not
    candidates = reference.fault_outputs | _output_faults(reference)
    left = {
        name: _distance(outputs, answer) for name, answer in candidates.items() if np.isfinite(answer).all()
    }
    best = min(left, key=left.__getitem__)
    if left[best] <= MATCH and left[best] < 0.1 * _distance(outputs, reference.outputs):
        return best
    if spread(outputs) <= max(DEAD_BELOW * float(np.abs(outputs).max()), limit * reference.scale):
        return CONSTANT
    return _reordered(outputs, reference) or UNKNOWN


def _output_faults(reference: Reference) -> dict[str, np.ndarray]:
    """Answers of a right input with something done to the output."""
    right = reference.outputs
    if right.ndim != 2:
        return {}
    norm = np.linalg.norm(right, axis=1, keepdims=True)
    return {
        "output: the file applies softmax itself": softmax(right),
        "output: the file applies sigmoid itself": sigmoid(right),
        "output: the file normalises its output to unit length": right / np.where(norm > 0, norm, 1.0),
    }


def _reordered(outputs: np.ndarray, reference: Reference) -> str:
    """Name a permutation of the output columns, such as labels sorted another way."""
    right = reference.outputs
    if right.ndim != 2:
        return ""
    gap = np.abs(right[:, :, None] - outputs[:, None, :]).max(axis=0)
    order = gap.argmin(axis=1)
    if len(set(order.tolist())) < right.shape[1] or gap.min(axis=1).max() > MATCH * reference.scale:
        return ""
    return f"output: the columns are in another order ({', '.join(map(str, order[:8]))} ...)"


def _distance(outputs: np.ndarray, answer: np.ndarray) -> float:
    """Largest difference over the spread of ``answer``, so that faults which blow up outputs compare."""
    return float(np.abs(outputs - answer).max()) / max(spread(answer), 1e-12)
