"""Canonical ONNX -> OpenVINO's model.xml and model.bin in 8-bit integers."""

from __future__ import annotations

import contextlib
import importlib
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vnvision import atomic
from vnvision.engines.openvino import import_openvino, shared_core
from vnvision.errors import ConfigError, ExportError, MissingExtraError
from vnvision.export.int8_onnx import Int8Options, checked, int8_model
from vnvision.export.int8_search import Fidelity, mean_cosine
from vnvision.export.openvino import _name_by_position, to_openvino

Method = Literal["own", "nncf"]
Preset = Literal["mixed", "performance"]


def to_int8_openvino(
    onnx_path: str | Path, folder: str | Path, *, calibration: np.ndarray, options: Int8Options | None = None,
    method: Method = "own", preset: Preset = "mixed",
) -> Fidelity:  # fmt: skip
    """Write ``model.xml`` and ``model.bin`` in 8-bit integers.

    ``own`` writes the same roundings as for ONNX Runtime, with PReLU as it is, since OpenVINO computes it
    along with its convolution. ``nncf`` leaves the choice to NNCF's ``quantize``; it
    keeps depthwise convolutions in float32, and layers are not left in float32 one by one.

    Args:
        onnx_path: the canonical ONNX file.
        folder: made if absent; half-written files are removed on failure.
        calibration: (N, C, H, W) float32, normalised as the model takes them.
        options: see ``Int8Options``; ``nncf`` heeds ``weights_only`` alone.
        method: who rounds.
        preset: of NNCF: ``mixed`` has zero points for activations, ``performance`` none.

    Returns:
        How near it is to float32 on the calibration images.

    Raises:
        ExportError: no calibration images, or a graph that cannot be read.
        ConfigError: an unknown method or preset.
        MissingExtraError: onnx, openvino or nncf is not installed.
    """
    if method not in ("own", "nncf") or preset not in ("mixed", "performance"):
        raise ConfigError(
            "method or preset is wrong",
            expected="own or nncf, and mixed or performance",
            got=f"{method}, {preset}",
        )
    options, folder = options or Int8Options(), Path(folder)
    if method == "nncf":
        return _by_nncf(onnx_path, folder, checked(calibration), options, preset)
    import_openvino()
    model, found = int8_model(onnx_path, calibration, options, join_prelu=True)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "model.onnx"
        atomic.write_bytes(file, model.SerializeToString(deterministic=True))
        to_openvino(file, folder)
    return found


def _by_nncf(
    onnx_path: str | Path, folder: Path, calibration: np.ndarray, options: Int8Options, preset: str
) -> Fidelity:
    openvino = import_openvino()
    nncf = _import_nncf()
    try:
        model = shared_core().read_model(str(onnx_path))
        wanted = _answers(model, calibration)
        with _quiet():
            if options.weights_only:
                made = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_SYM)
            else:
                made = nncf.quantize(
                    model,
                    nncf.Dataset([image[None] for image in calibration]),
                    preset=nncf.QuantizationPreset(preset),
                    subset_size=len(calibration),
                )
        found = mean_cosine(_answers(made, calibration), wanted)
        _name_by_position(made)
        folder.mkdir(parents=True, exist_ok=True)
        openvino.save_model(made, str(folder / "model.xml"), compress_to_fp16=False)
    except RuntimeError as exc:  # what openvino raises for everything, and nncf's errors are
        for name in ("model.xml", "model.bin"):
            (folder / name).unlink(missing_ok=True)
        line = (str(exc).strip().splitlines() or [type(exc).__name__])[-1][:300]
        raise ExportError(f"NNCF cannot bring {Path(onnx_path).name} to integers", got=line) from exc
    return Fidelity((), found, found, found >= options.least_cosine)


def _import_nncf() -> Any:
    try:
        with _quiet():
            nncf = importlib.import_module("nncf")
    except ImportError as exc:
        raise MissingExtraError("nncf", "export-openvino") from exc
    return nncf


def _answers(model: Any, inputs: np.ndarray) -> np.ndarray:
    """The first output, in float32 where it is not integers, on one thread."""
    hints = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    request = shared_core().compile_model(model, "CPU", hints).create_infer_request()
    out = []
    for image in inputs:
        request.infer({0: image[None]})
        out.append(request.get_output_tensor(0).data.copy())
    return np.concatenate(out)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and log lines of NNCF."""
    logger = logging.getLogger("nncf")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    with contextlib.redirect_stdout(None), contextlib.redirect_stderr(None):
        try:
            yield
        finally:
            logger.setLevel(level)
