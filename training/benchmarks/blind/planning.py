"""Which export gets which fault: the list that is drawn first and opened last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from vnvision.engines import EngineName
from vnvision.export.result import Precision
from vnvision.spec import PreprocessSpec

from . import graphs

NONE, DOUBLE, COLOUR, LAYOUT, RANGE, SATURATION = FAULTS = (
    "none",
    "double normalisation",
    "BGR for RGB",
    "NCHW for NHWC",
    "wrong range",
    "INT8 saturation",
)
RECORD = "the record"
"""The file is right and the manifest says otherwise of what it took in."""
DEVIATION = "mean and deviation of 0-1 pixels"
"""RKNN is told them in units of 1 where its pixels are levels."""

EDITS: dict[str, dict[str, Callable[[Path, PreprocessSpec], None]]] = {
    DOUBLE: {
        "normalised inside": graphs.normalise_again,
        "scaled and normalised inside": graphs.scale_and_normalise_again,
    },
    COLOUR: {"planes swapped": graphs.swap_channels, "first layer swapped": graphs.swap_first_layer},
    LAYOUT: {"planes as pixels": graphs.planes_as_pixels, "pixels as planes": graphs.pixels_as_planes},
    RANGE: {
        "0-255 for 0-1": graphs.levels_for_unit,
        "divided twice": graphs.unit_twice,
        "times 255": graphs.times_levels,
        "over 255": graphs.over_levels,
    },
}
PARTS = (6, 8, 12)
UNIT, TWICE_DIVIDED = "pictures not normalised", "pictures divided twice"
CALIBRATIONS = (
    *(f"pictures of 1/{part} of the contrast" for part in PARTS),
    *(f"pictures of 1/{part} of the light" for part in PARTS),
    UNIT,
    TWICE_DIVIDED,
)
PRECISIONS: dict[str, tuple[Precision, ...]] = {
    "onnxruntime": ("fp32", "fp16", "int8", "int8-weights"),
    "ncnn": ("fp32", "fp16", "int8"),
    "rknn": ("fp16", "int8"),
}


@dataclass(frozen=True, slots=True)
class Planned:
    """What one export is to be: the sealed list's row."""

    number: int
    fault: str
    how: str
    model: str
    seed: int
    engine: EngineName
    precision: Precision


def drawn(
    n: int,
    seed: int,
    models: Sequence[str],
    engines: Sequence[EngineName],
    *,
    seeds: int = 2,
    most_rknn: int | None = None,
) -> list[Planned]:
    """The list: every fault on every engine and model about equally often, the rest by lot.

    Args:
        n: how many.
        seed: of the lot.
        models, engines: to choose from.
        seeds: networks of each kind.
        most_rknn: how many may be for RKNN.
    """
    rng = np.random.default_rng(seed)
    cells = list(product(FAULTS, engines, models))
    order = (cells[i] for _ in range(n) for i in rng.permutation(len(cells)))
    found: list[Planned] = []
    while len(found) < n:
        fault, engine, model = next(order)
        precisions = ("int8",) if fault == SATURATION else PRECISIONS[engine]
        hows = ways(fault, engine)
        how, which = hows[rng.integers(len(hows))], int(rng.integers(seeds))
        precision = precisions[rng.integers(len(precisions))]
        if engine == "rknn" and most_rknn is not None and most_rknn <= sum(p.engine == engine for p in found):
            continue
        found.append(Planned(len(found), fault, how, model, seed * 100 + which, engine, precision))
    return found


def ways(fault: str, engine: str) -> tuple[str, ...]:
    """How a fault comes about on an engine."""
    if fault == NONE:
        return ("",)
    if fault == SATURATION:
        return CALIBRATIONS
    further = {(DOUBLE, "rknn"): RECORD, (RANGE, "rknn"): DEVIATION}
    by_record = {(RANGE, name): RECORD for name in ("onnxruntime", "ncnn")}
    more = (further | by_record).get((fault, engine))
    return (*EDITS[fault], *([more] if more else []))
