"""The parity gate: a file ships only if it answers as the original does, from uint8 pixels on."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vnvision.engines import Engine, EngineName, open_engine
from vnvision.engines.rknn import NOT_PIXELS
from vnvision.errors import MissingExtraError, VnvisionError
from vnvision.export import faults
from vnvision.export.diagnosis import DAMAGED, diagnose, hidden_fault, relative_rms, shape_fault
from vnvision.export.reference import Reference, spread
from vnvision.export.result import NOT_RUN, TOLERANCES, GateResult, Precision, RunBy, Tolerance
from vnvision.imaging import Preprocessor
from vnvision.runtime.target import remaining_spec
from vnvision.spec import PreprocessSpec, TaskSpec


def check_parity(
    path: str | Path,
    target: str,
    engine: EngineName,
    reference: Reference,
    precision: Precision = "fp32",
    *,
    took: tuple[Literal["range", "normalise"], ...] = (),
) -> GateResult:
    """Compare the file at ``path`` with the original model on the golden images.

    The file runs on its own engine, behind ``imaging.Preprocessor``, from the uint8 pixels: the path a
    camera or a clinic PC takes. The original ran in torch, on inputs computed from the same pixels by the
    formula of ``PreprocessSpec``.

    Args:
        path: the file about to ship.
        target: its name, for the record.
        engine: which engine runs it.
        reference: golden images and the original's outputs.
        precision: chooses the tolerance.
        took: what the converter took in, which is then left out before the file.

    Returns:
        The figures; ``passed`` is False, with failures and a diagnosis, where the file must not ship.

    Raises:
        MissingExtraError: the engine is not installed.
    """
    found: dict[str, Any] = {"target": target, "engine": engine, "precision": precision}
    found |= {"n": len(reference.images), "scale": reference.scale}
    found["blind_to"] = reference.blind_to(TOLERANCES[precision].relative)
    spec = remaining_spec(at_size(reference.task.preprocess), took)
    inputs = Preprocessor(spec).batch(list(reference.images))
    try:
        with contextlib.closing(open_engine(path, engine)) as session:
            found["proven_by"] = session.name
            return GateResult(**found, **_compared(session, inputs, reference, precision))
    except MissingExtraError:
        raise
    except VnvisionError as exc:
        cause = faults.TWICE if NOT_PIXELS in str(exc) else DAMAGED
        return GateResult(**found, failures=(f"it does not run ({exc})",), diagnosis=cause)


def not_run(target: str, engine: RunBy, precision: Precision, gap: float, scale: float) -> GateResult:
    """The result of a file that runs on other machines only: what its converter could prove of it.

    Args:
        target: its name.
        engine: what will run it.
        precision: of its weights.
        gap: the largest relative difference that the converter found in the finished file.
        scale: spread of the original's outputs.
    """
    return GateResult(
        target=target,
        engine=engine,
        precision=precision,
        n=2,
        scale=scale,
        max_relative=gap,
        proven_by=NOT_RUN,
    )


def _compared(
    session: Engine, inputs: np.ndarray, reference: Reference, precision: Precision
) -> dict[str, Any]:
    """Run the batch, then image by image; the figures, failures and diagnosis."""
    tolerance = TOLERANCES[precision]
    wrong = shape_fault(session.input_shape, inputs.shape)
    if wrong:
        return {"failures": (wrong,), "diagnosis": wrong}
    outputs = session.run(inputs)
    together = outputs[0]
    wanted = {"output": reference.outputs, **reference.further}
    found = dict(zip(("output", *session.output_names[1:]), outputs, strict=True))
    for name, right in wanted.items():
        if name not in found or found[name].shape != right.shape:
            got = found[name].shape if name in found else "missing"
            text = f"{name} is {got} where the original gives {right.shape}"
            return {"failures": (text,), "diagnosis": "output: another layer was exported"}
    alone = np.concatenate([session.run(inputs[i : i + 1])[0] for i in range(len(inputs))])
    figures = _figures(together, alone, reference, tolerance)
    figures["further"] = _further(found, reference, tolerance)
    failures = _failures(figures, together, tolerance)
    cause = _cause(failures, figures, together, reference, precision)
    if not failures and precision.startswith("int8"):
        cause = hidden_fault(together, reference, precision)
        failures = ("within tolerance, but the answers are the original's under a fault",) if cause else ()
    return figures | {"failures": failures, "diagnosis": cause}


def _cause(
    failures: tuple[str, ...],
    figures: dict[str, Any],
    outputs: np.ndarray,
    reference: Reference,
    precision: Precision,
) -> str:
    """The diagnosis; of a file whose answer is right, and another output is not, which that is."""
    if not failures:
        return ""
    limit = TOLERANCES[precision].for_further
    wrong = [name for name, gap in figures["further"].items() if not gap <= limit]
    if len(failures) == len(wrong) and "max_relative" in figures:
        return f"output: {', '.join(wrong)} is coarser than the answer, which is right"
    return diagnose(outputs, reference, precision)


def _further(found: dict[str, np.ndarray], reference: Reference, tolerance: Tolerance) -> dict[str, float]:
    """Of features, maps and parts of planes: the difference over their own spread."""
    wanted = reference.further | reference.parts(reference.outputs)
    given = found | reference.parts(found["output"])
    gaps = {}
    for name, right in wanted.items():
        gap = np.abs(given[name].astype(np.float64) - right).max()
        largest = float(gap / max(spread(right), np.finfo(np.float32).tiny))
        gaps[name] = largest if tolerance.further is None else relative_rms(given[name], right)
    return gaps


def at_size(spec: PreprocessSpec) -> PreprocessSpec:
    """The spec for images that are at its size already and have had their VOI window."""
    return spec.model_copy(update={"geometry": "none", "voi_window": None})


def _figures(
    together: np.ndarray, alone: np.ndarray, reference: Reference, tolerance: Tolerance
) -> dict[str, Any]:
    """Differences, cosines and agreement; nothing where an output is not finite."""
    if not (np.isfinite(together).all() and np.isfinite(alone).all()):
        return {}
    target, original = together.astype(np.float64), reference.outputs.astype(np.float64)
    max_abs = float(np.abs(target - original).max())
    cosine = _cosines(target, original)
    figures = {
        "max_abs": max_abs,
        "max_relative": max_abs / reference.scale,
        "cosine_mean": float(cosine.mean()),
        "cosine_min": float(cosine.min()),
        "batch_relative": float(np.abs(target - alone).max()) / reference.scale,
    }
    figures |= _agreement(target, original, reference.task, 2 * tolerance.relative * reference.scale)
    return figures | _overlap(target, original, reference.task)


def _cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine of each pair of rows, (N,). A row of zeros has cosine 1 with zeros and 0 with all else."""
    a, b = a.reshape(len(a), -1), b.reshape(len(b), -1)
    sizes = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    same = (np.abs(a).max(axis=1) == 0) & (np.abs(b).max(axis=1) == 0)
    safe = np.where(sizes > 0, sizes, 1.0)
    return np.asarray(np.where(sizes > 0, (a * b).sum(axis=1) / safe, same.astype(float)))


def _agreement(target: np.ndarray, original: np.ndarray, task: TaskSpec, limit: float) -> dict[str, Any]:
    """Same answer where the original is clear: best class, or the sign of each label's logit.

    ``limit`` is twice the tolerance: two outputs may move towards each other, each by the tolerance.
    """
    if task.kind == "detection":
        target, original = target[:, : len(task.labels)], original[:, : len(task.labels)]
    if task.kind in ("multilabel", "detection"):
        clear = np.abs(original) > limit
        same = (target > 0) == (original > 0)
    elif task.kind in ("classification", "segmentation"):
        best = np.sort(original, axis=1)
        clear = best[:, -1] - best[:, -2] > limit
        same = target.argmax(axis=1) == original.argmax(axis=1)
    else:
        return {}
    return {"top1_n": int(clear.sum()), "top1_agreement": float(same[clear].mean()) if clear.any() else None}


def _overlap(target: np.ndarray, original: np.ndarray, task: TaskSpec) -> dict[str, Any]:
    """Dice of the two masks, mean over the labels that either has; nothing where there are no masks."""
    if task.kind != "segmentation":
        return {}
    one, other = target.argmax(axis=1), original.argmax(axis=1)
    sizes = [
        ((one == c).sum(), (other == c).sum(), ((one == c) & (other == c)).sum())
        for c in range(target.shape[1])
    ]
    return {"dice": float(np.mean([2 * both / (a + b) for a, b, both in sizes if a + b]))}


def _failures(figures: dict[str, Any], together: np.ndarray, tolerance: Tolerance) -> tuple[str, ...]:
    if "max_relative" not in figures:
        bad = int((~np.isfinite(together)).sum())
        return (f"{bad} of {together.size} outputs are NaN or infinite",)
    limit = f"{tolerance.relative:g}"
    failures = []
    if figures["max_relative"] > tolerance.relative:
        failures.append(f"relative difference {figures['max_relative']:.3g} (at most {limit})")
    if figures["cosine_mean"] < tolerance.cosine:
        failures.append(f"mean cosine {figures['cosine_mean']:.6f} (at least {tolerance.cosine:g})")
    most = tolerance.for_further
    for name, gap in figures["further"].items():
        if not gap <= most:
            failures.append(f"relative difference {gap:.3g} of {name} (at most {most:g})")
    agreement = figures.get("top1_agreement")
    if agreement is not None and agreement < 1.0:
        failures.append(f"same best class for {agreement:.0%} of {figures['top1_n']} clear answers (all)")
    if figures["batch_relative"] > tolerance.relative:
        text = f"one image alone and in a batch differ by {figures['batch_relative']:.3g} (at most {limit})"
        failures.append(text)
    return tuple(failures)
