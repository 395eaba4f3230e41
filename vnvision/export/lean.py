"""A bundle to ship: the files that run, without the float original they were proven against."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from vnvision.records import EvalReport, TargetRecord
from vnvision.runtime import Predictor, open_target
from vnvision.runtime.bundle import verified

ORIGINAL = "onnx"
N_GOLDEN = 1
"""Golden pictures that stay: enough to see that a file still answers as it did."""

Measure = Callable[[Predictor], EvalReport]


def kept(names: Iterable[str]) -> list[str]:
    """Which targets a lean bundle keeps: all but the float original, which stays where it is the only one."""
    return [name for name in names if name != ORIGINAL] or [ORIGINAL]


def without_original(folder: Path, file: str, targets: Mapping[str, TargetRecord]) -> dict[str, TargetRecord]:
    """Take the float original's file away; where it is the only target, it stays.

    Args:
        folder: the bundle.
        file: name of the original's file.
        targets: of the manifest.

    Returns:
        The targets that are left.
    """
    left = kept(targets)
    if ORIGINAL not in left:
        (folder / file).unlink()
    return {key: targets[key] for key in left}


def measured_again(folder: Path, measure: Measure) -> EvalReport:
    """The report of the file that ships, which is not the network that was trained.

    Args:
        folder: the bundle, its manifest written; of several targets the first counts.
        measure: the evaluation.
    """
    bundle = verified(folder, None)
    with contextlib.closing(open_target(bundle, next(iter(bundle.manifest.targets)))) as predictor:
        return measure(predictor)
