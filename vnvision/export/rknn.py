"""Canonical ONNX -> Rockchip's model.rknn, with its converter in an environment of its own."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from vnvision import atomic
from vnvision.engines.isolated import RKNN, Worker, WorkerError
from vnvision.engines.rknn import SIDECAR, recipe_folder
from vnvision.errors import ConfigError, ExportError
from vnvision.export.environments import ensure
from vnvision.export.graph_file import read_onnx
from vnvision.spec import PreprocessSpec

Chip = Literal["rk3588", "rk3566", "rv1106"]
CHIPS: tuple[Chip, ...] = get_args(Chip)
TOOK: tuple[Literal["range", "normalise"], ...] = ("range", "normalise")
"""What goes into the file (``TargetRecord.converter_took``). The engine sees to the layout; colours come in
the order of the model's specification, and are not swapped inside."""

LEAST_CALIBRATION = 8
_INT8_ONLY = ("rv1106",)
_LIMIT_S = 1800.0
_SMALL = 4096


def to_rknn(
    onnx_path: str | Path,
    folder: str | Path,
    *,
    chip: Chip,
    preprocess: PreprocessSpec,
    int8: bool = False,
    calibration: np.ndarray | None = None,
) -> tuple[Path, Path]:
    """Write ``model.rknn`` and ``model.json`` (chip, shape, names of outputs) into ``folder``.

    The file takes *pixels* of 0 to 255 and normalises inside, as Rockchip's runtime expects; to normalise
    them before gives every face one name (Frigate 22319). What the simulator needs to build the same model
    again is kept in the cache folder, named by the file's SHA-256: the network and the measured ranges, no
    image. The toolkit writes uninitialised bytes, so equal ONNX gives equal answers but not equal files.

    Args:
        onnx_path: the canonical ONNX file, opset 18.
        folder: made if absent; nothing half-written stays on failure.
        chip: ``rk3588``, ``rk3566`` (float16 or int8) or ``rv1106`` (int8 only).
        preprocess: of the task; its range, mean and deviation go into the file.
        int8: quantise weights (a step a channel) and activations; needs ``calibration``.
        calibration: (N, C, H, W) float32, normalised as the model takes them, 8 or more.

    Returns:
        The paths of model.rknn and model.json.

    Raises:
        ConfigError: a chip of another name, no calibration images, or a precision that the chip has not.
        ExportError: the converter refuses the graph, or its environment cannot be made.
    """
    _check(chip, preprocess, int8, calibration)
    ensure(RKNN)
    source, folder = Path(onnx_path), Path(folder)
    arrays = {} if calibration is None or not int8 else {"calibration": levels(calibration, preprocess)}
    model = _read(source)
    recipe = _recipe(model.graph, chip, preprocess, int8)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        (place / "model.onnx").write_bytes(model.SerializeToString())
        try:
            with Worker(RKNN) as worker:
                worker.ask("convert", arrays, limit_s=_LIMIT_S, folder=scratch, recipe=recipe)
        except WorkerError as exc:
            raise ExportError(f"RKNN cannot convert {source.name} for {chip}", got=str(exc)) from exc
        atomic.write_json(place / "recipe.json", recipe)
        made = place / "model.rknn"
        _keep(place, recipe_folder(atomic.sha256_file(made)), int8=int8)
        told = {
            key: recipe[key] for key in ("chip", "precision", "input_shape", "outputs", "takes", "colour")
        }
        sidecar = atomic.write_json(folder / SIDECAR, told)
        return atomic.write_bytes(folder / made.name, made.read_bytes()), sidecar


def levels(inputs: np.ndarray, spec: PreprocessSpec) -> np.ndarray:
    """Normalised inputs (N, C, H, W) back to the pixels (N, C, H, W) uint8 they came from."""
    mean, std = _column(spec.mean), _column(spec.std)
    low, high = spec.input_range
    pixels = (inputs.astype(np.float64) * std + mean) * (high - low) + low
    return np.rint(pixels).clip(0, 255).astype(np.uint8)


def _column(values: tuple[float, ...]) -> np.ndarray:
    return np.asarray(values, np.float64)[:, None, None]


def _read(source: Path) -> Any:
    """The ONNX model, its small constants stored as lists of numbers.

    The toolkit writes into arrays that it reads from raw bytes, where numpy does not let it.
    """
    model = read_onnx(source, f"{source.name} is not an ONNX model")
    import onnx

    for item in model.graph.initializer:
        value = onnx.numpy_helper.to_array(item)
        if value.size <= _SMALL:
            item.CopyFrom(onnx.helper.make_tensor(item.name, item.data_type, value.shape, value.ravel()))
    return model


def _recipe(graph: Any, chip: Chip, spec: PreprocessSpec, int8: bool) -> dict[str, Any]:
    """All the converter is told; mean and deviation in pixel units."""
    low, high = spec.input_range
    return {
        "chip": chip,
        "precision": "int8" if int8 else "fp16",
        "mean": [low + value * (high - low) for value in spec.mean],
        "std": [value * (high - low) for value in spec.std],
        "takes": "pixels",
        "colour": spec.colour,
        "input": graph.input[0].name,
        "input_shape": [None, spec.channels, *spec.size_px],
        "outputs": [item.name for item in graph.output],
    }


def _keep(place: Path, kept: Path, *, int8: bool) -> None:
    """What the simulator builds from, into the cache; whole or absent."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as made:
        for name in ("model.onnx", "recipe.json"):
            shutil.copyfile(place / name, Path(made) / name)
        for file in place.glob("quantised.*") if int8 else ():
            shutil.copyfile(file, Path(made) / file.name)
        if not kept.exists():
            shutil.copytree(made, f"{made}.whole")
            Path(f"{made}.whole").rename(kept)


def _check(chip: str, spec: PreprocessSpec, int8: bool, calibration: np.ndarray | None) -> None:
    if chip not in CHIPS:
        raise ConfigError(f"there is no RKNN chip {chip!r} here", expected=" or ".join(CHIPS))
    if spec.input_dtype != "uint8":
        raise ConfigError("RKNN takes pixels of 8 bits", expected="uint8", got=spec.input_dtype)
    if not int8 and chip in _INT8_ONLY:
        raise ConfigError(f"{chip} computes in 8-bit integers only", fix="export it with int8=True")
    if int8 and (calibration is None or len(calibration) < LEAST_CALIBRATION):
        raise ConfigError(
            "int8 needs calibration images",
            expected=f"{LEAST_CALIBRATION} or more",
            got="none" if calibration is None else str(len(calibration)),
            fix="give a manifest of pictures like those the model will see",
        )
    if int8 and calibration is not None and calibration.shape[1:] != (spec.channels, *spec.size_px):
        raise ConfigError(
            "the calibration images do not fit the model",
            expected=f"(N, {spec.channels}, {spec.size_px[0]}, {spec.size_px[1]})",
            got=str(calibration.shape),
        )
