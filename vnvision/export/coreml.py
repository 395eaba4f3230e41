"""torch -> CoreML's ``model.mlpackage``. Converted and checked here, **not run**: only Apple runs CoreML."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vnvision import atomic
from vnvision.errors import ExportError, MissingExtraError
from vnvision.export.mil import Package, read_package
from vnvision.export.onnx import _short
from vnvision.export.reference import frozen_copy, one_thread, output_names, spread
from vnvision.export.result import TOLERANCES
from vnvision.spec import TaskSpec

if TYPE_CHECKING:
    import torch

_PROBES = 3


@dataclass(frozen=True, slots=True)
class CoreMlResult:
    """A package and what could be proven of it without CoreML.

    Attributes:
        files: of the package, its manifest last.
        n_operations: of the program, constants aside.
        n_weights: numbers stored in it, all finite.
        max_relative: of any output, the largest difference between the package's program, evaluated here
            operation by operation with the package's weights, and the module, over the outputs' spread.
        run_by_coreml: False: neither Apple's compiler nor its kernels saw the package.
    """

    files: tuple[Path, ...]
    n_operations: int
    n_weights: int
    max_relative: float
    run_by_coreml: bool = False


def to_coreml(
    module: torch.nn.Module, task: TaskSpec, folder: str | Path, *, fp16: bool = False
) -> CoreMlResult:
    """Write ``model.mlpackage`` into ``folder``: an ML program for iOS 16, macOS 13 or newer, one image in.

    Input ``input`` (1, C, h, w) float32, normalised; outputs float32 under the names of the canonical ONNX.
    Off Apple a package cannot run. What is checked instead, from the finished package: that its specification
    can be read, its input and outputs have the right names, shapes and type, its weights are finite, and its
    program, evaluated by ``export.mil``, gives the module's answers on drawn inputs. Equal weights give equal
    bytes.

    Args:
        module: the model; its mode, device, dtype and weights stay as they are.
        task: gives the input's size.
        folder: made if absent; an earlier package in it is replaced once the new one is whole.
        fp16: weights and arithmetic in half precision, as Apple's neural engine computes.

    Raises:
        ExportError: the model cannot be converted, or the package fails a check; nothing is written then.
        MissingExtraError: coremltools is not installed.
    """
    net, size = frozen_copy(module), (task.preprocess.channels, *task.preprocess.size_px)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".coreml-") as scratch:
        made, final = Path(scratch) / "model.mlpackage", folder / "model.mlpackage"
        _convert(net, size, made, fp16=fp16)
        package = read_package(made)
        _check_sides(package, (1, *size), output_names(net))
        gap = _largest_gap(package, net, size)
        limit = TOLERANCES["fp16" if fp16 else "fp32"].relative
        if not gap <= limit:
            raise ExportError(
                "the CoreML program disagrees with the original model",
                expected=f"a relative difference of at most {limit:g}",
                got=f"{gap:.3g}",
            )
        names = [item.relative_to(made) for item in made.rglob("*") if item.is_file()]
        if final.exists():
            shutil.rmtree(final)
        made.rename(final)
    atomic.sync_folder(folder)
    files = tuple(final / name for name in sorted(names, key=lambda name: (len(name.parts) == 1, name)))
    return CoreMlResult(files, len(package.operations), package.n_weights, gap)


def _convert(net: torch.nn.Module, size: tuple[int, ...], made: Path, *, fp16: bool) -> None:
    try:
        with _quiet():
            import coremltools as ct
    except ImportError as exc:
        raise MissingExtraError("coremltools", "export-coreml") from exc
    import torch

    example = torch.zeros(1, *size)
    try:
        with _quiet(), one_thread():
            # Captured first: with sizes as constants, the tracer finds no arithmetic on them.
            captured = torch.export.export(net, (example,)).module(check_guards=False)
            model = ct.convert(
                torch.jit.trace(captured, example),
                inputs=[ct.TensorType(name="input", shape=example.shape, dtype=np.float32)],
                outputs=[ct.TensorType(name=name, dtype=np.float32) for name in output_names(net)],
                convert_to="mlprogram",
                compute_precision=ct.precision.FLOAT16 if fp16 else ct.precision.FLOAT32,
                minimum_deployment_target=ct.target.iOS16,
                skip_model_load=True,
            )
            spec = model.get_spec()
            spec.description.metadata.userDefined.pop("com.github.apple.coremltools.conversion_date", None)
            ct.models.MLModel(spec, weights_dir=model.weights_dir, skip_model_load=True).save(str(made))
    except (RuntimeError, TypeError, ValueError, AttributeError, AssertionError, KeyError,
            NotImplementedError) as exc:  # fmt: skip
        raise ExportError("the model cannot be converted to CoreML", got=_short(exc)) from exc
    _name_by_content(made)


def _name_by_content(made: Path) -> None:
    """Ids of the package's parts from their paths, where coremltools draws them."""
    whole = json.loads((made / "Manifest.json").read_text())
    ids = {
        old: str(uuid.uuid5(uuid.NAMESPACE_URL, item["path"])).upper()
        for old, item in whole["itemInfoEntries"].items()
    }
    entries = {ids[old]: item for old, item in whole["itemInfoEntries"].items()}
    whole["itemInfoEntries"] = dict(sorted(entries.items()))
    whole["rootModelIdentifier"] = ids[whole["rootModelIdentifier"]]
    atomic.write_json(made / "Manifest.json", whole)


def _check_sides(package: Package, shape: tuple[int, ...], names: tuple[str, ...]) -> None:
    """Input and outputs as the canonical ONNX has them, and finite weights."""
    if package.inputs != {"input": (shape, "float32")}:
        raise ExportError("the CoreML input is wrong", expected=f"input {shape}", got=str(package.inputs))
    if package.outputs != dict.fromkeys(names, "float32"):
        raise ExportError("the CoreML outputs are wrong", expected=str(names), got=str(package.outputs))
    if package.not_finite:
        raise ExportError(f"the CoreML package holds NaN or infinite numbers in {package.not_finite[0]}")


def _largest_gap(package: Package, net: torch.nn.Module, size: tuple[int, ...]) -> float:
    """Between the package's program and the module on drawn inputs, over the spread of each output."""
    import torch

    inputs = torch.from_numpy(np.random.default_rng(0).normal(size=(_PROBES, *size)).astype(np.float32))
    with one_thread(), torch.inference_mode():
        found = net(inputs)
        mine = [package.evaluate(inputs[index : index + 1]) for index in range(_PROBES)]
    gaps = []
    for place, name in enumerate(output_names(net)):
        right = (found[place] if isinstance(found, tuple) else found).numpy()
        got = np.concatenate([row[name] for row in mine])
        if got.shape != right.shape or not np.isfinite(got).all():
            raise ExportError(f"the CoreML program gives no {name} {right.shape}", got=str(got.shape))
        gaps.append(float(np.abs(got - right).max() / max(spread(right), np.finfo(np.float32).tiny)))
    return max(gaps)


@contextlib.contextmanager
def _quiet() -> Iterator[Any]:
    """No warnings, progress bars or log lines of the converter."""
    logger = logging.getLogger("coremltools")
    level = logger.level
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            logger.setLevel(level)
