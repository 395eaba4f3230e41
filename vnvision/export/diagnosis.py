"""Why a target disagrees: the simple faults, tried on the original until one gives the same answers.

A fault is a guess at what the file was given or does. The original, given the same, answers something; the
guess is as good as the part of the disagreement that this accounts for:

    unexplained = sum((target - guess)^2) / sum((target - original)^2)

over all outputs of all golden images. It is a ratio of sums of squares, not of largest differences, because
rounding to 8 bits moves every output a little and one of thousands far, while a fault moves them all. A true
guess leaves what rounding does: 1e-12 in float32, 1e-5 in half precision, below 0.1 in 8 bits. A wrong one
leaves most.
"""

from __future__ import annotations

from collections.abc import Mapping
from weakref import WeakKeyDictionary

import numpy as np

from vnvision.errors import ExportError, MissingExtraError
from vnvision.export.faults import AND
from vnvision.export.reference import DEAD_BELOW, Reference, spread
from vnvision.export.result import TOLERANCES, Precision
from vnvision.export.saturation import FIT, saturated_outputs
from vnvision.metrics.scores import sigmoid, softmax

MATCH = 0.02
"""A fault explains the outputs of a float file where the root of ``unexplained`` is below."""

MATCH_8_BIT = 0.6
"""The same for 8 bits."""

HIDDEN = 0.5
"""The same for a fault within the tolerance."""

SATURATED = 0.75
"""Least ``likeness`` to answers with unfit ranges. Planted ones reached 0.97, well measured ones 0.21."""

WORSE_THAN_FIT = 2.0
"""How many times the error of fit ranges a file may have before the direction of its error is looked at."""

BEYOND_ROUNDING = 0.2
"""How much more alike than to one with fit ranges."""

_MARK = 0.1  # how far 8 bits may move a probability or a length

_EQUAL = 2.0
"""Guesses whose ``unexplained`` differ by less than this factor are as good as each other."""

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


def diagnose(outputs: np.ndarray, reference: Reference, precision: Precision) -> str:
    """The likely cause in a few words.

    Args:
        outputs: (N, ...) what the target gave, of the shape of ``reference.outputs``.
        reference: the original model and the golden images.
        precision: of the target.
    """
    if not np.isfinite(outputs).all():
        return NOT_FINITE
    right, limit = reference.outputs, TOLERANCES[precision].relative
    largest = float(np.abs(outputs - right).max()) / reference.scale
    if max(largest, relative_rms(outputs, right)) <= limit:
        return BATCH  # the whole batch is right, so one image alone is not
    guesses = reference.fault_outputs | _output_faults(outputs, right)
    if precision == "int8":
        guesses |= {name: guess for name, guess in _saturated(reference).items() if name != FIT}
    best, left = _best(outputs, right, guesses)
    if left <= (MATCH_8_BIT if precision.startswith("int8") else MATCH) ** 2:
        return best
    if spread(outputs) <= max(DEAD_BELOW * float(np.abs(outputs).max()), limit * reference.scale):
        return CONSTANT
    return _reordered(outputs, reference) or UNKNOWN


def hidden_fault(outputs: np.ndarray, reference: Reference, precision: Precision) -> str:
    """A fault that the tolerance of 8 bits hides, or nothing.

    Swapped channels may move a network's answers less than rounding may. But rounding moves them in its own
    way: a fault that explains three quarters of the disagreement is there, however little it does. Ranges cut
    more or less move answers more or less, the same way: there the direction tells.

    Args:
        outputs: (N, ...) what the target gave.
        reference: the original model and the golden images.
        precision: of the target; integer weights alone have no ranges to cut.
    """
    right = reference.outputs
    best, left = _best(outputs, right, reference.fault_outputs)
    if left <= HIDDEN**2:
        return best
    if precision != "int8" or not (found := _saturated(reference)):
        return ""
    if relative_rms(outputs, right) < WORSE_THAN_FIT * relative_rms(found[FIT], right):
        return ""  # whatever its ranges were measured on, they do
    alike = {name: likeness(outputs, right, guess) for name, guess in found.items()}
    rounding = alike.pop(FIT)
    best = max(alike, key=alike.__getitem__)
    return best if alike[best] >= max(SATURATED, rounding + BEYOND_ROUNDING) else ""


def likeness(outputs: np.ndarray, right: np.ndarray, guess: np.ndarray) -> float:
    """Cosine between two disagreements with ``right``: 1 where ``guess`` errs as the target does, -1..1."""
    one, other = ((x.astype(np.float64) - right).ravel() for x in (outputs, guess))
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / length if length > 0 else 0.0


def relative_rms(outputs: np.ndarray, right: np.ndarray) -> float:
    """Root mean square difference over the standard deviation of ``right`` (N, ...) about its mean image."""
    away = np.square(outputs.astype(np.float64) - right).mean()
    return float(np.sqrt(away / max(np.square(_moved(right)).mean(), np.finfo(np.float32).tiny)))


def unexplained(outputs: np.ndarray, right: np.ndarray, guess: np.ndarray) -> float:
    """What a guess leaves of the disagreement: 0 nothing, 1 all of it, more where it is worse than none."""
    away = float(np.square(outputs.astype(np.float64) - right).sum())
    return float(np.square(outputs.astype(np.float64) - guess).sum()) / max(away, 1e-30)


def _best(outputs: np.ndarray, right: np.ndarray, guesses: Mapping[str, np.ndarray]) -> tuple[str, float]:
    """The guess that leaves least, and how much.

    Of those as good, one fault before two; then the one whose answers differ between images as the target's
    do: a network given next to nothing answers every image nearly alike, whatever it was divided by.
    """
    left = {
        name: unexplained(outputs, right, guess)
        for name, guess in guesses.items()
        if np.isfinite(guess).all()
    }
    least = min(left.values(), default=np.inf)
    if not np.isfinite(least):
        return "", np.inf
    equal = [name for name, value in left.items() if value <= _EQUAL * least + 1e-10]
    single = [name for name in equal if not name.startswith(AND)] or equal
    moved = _moved(outputs)
    gaps = {name: float(np.square(moved - _moved(guesses[name])).sum()) for name in single}
    best = min(single, key=gaps.__getitem__)
    return best, left[best]


def _moved(outputs: np.ndarray) -> np.ndarray:
    """Outputs less their mean over the images."""
    values = outputs.astype(np.float64)
    return np.asarray(values - values.mean(axis=0))


_asked: WeakKeyDictionary[Reference, dict[str, np.ndarray]] = WeakKeyDictionary()


def _saturated(reference: Reference) -> dict[str, np.ndarray]:
    """Answers with unfit ranges, made once; none where the network cannot be brought to integers here."""
    if reference not in _asked:
        try:
            _asked[reference] = saturated_outputs(reference)
        except (ExportError, MissingExtraError):
            _asked[reference] = {}
    return _asked[reference]


def _output_faults(outputs: np.ndarray, right: np.ndarray) -> dict[str, np.ndarray]:
    """Answers of a right input with something done to the output, where the output bears its mark.

    Without the mark a network whose 8-bit ranges shrink all answers would pass for one of unit length.
    """
    if right.ndim != 2:
        return {}
    sums, length = outputs.sum(axis=1), np.linalg.norm(outputs, axis=1)
    norm = np.linalg.norm(right, axis=1, keepdims=True)
    unit = outputs.min() > -_MARK and outputs.max() < 1 + _MARK
    found = {
        "output: the file applies softmax itself": (unit and _near_one(sums), softmax(right)),
        "output: the file applies sigmoid itself": (unit, sigmoid(right)),
        "output: the file normalises its output to unit length": (
            _near_one(length),
            right / np.where(norm > 0, norm, 1.0),
        ),
    }
    return {name: guess for name, (marked, guess) in found.items() if marked}


def _near_one(values: np.ndarray) -> bool:
    return bool(np.abs(values - 1).max() < _MARK)


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
