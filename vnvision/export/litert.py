"""Canonical ONNX -> LiteRT's model.tflite, with Google's converter in an environment of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from vnvision import atomic
from vnvision.engines.isolated import LITERT, Worker, WorkerError
from vnvision.errors import ConfigError, ExportError
from vnvision.export.environments import ensure

Kind = Literal["fp32", "fp16", "int8-dynamic", "int8"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LEAST_CALIBRATION = 8
_LIMIT_S = 1800.0


def to_litert(
    onnx_path: str | Path,
    folder: str | Path,
    *,
    size_px: tuple[int, int],
    channels: int = 3,
    precision: Kind = "fp32",
    calibration: np.ndarray | None = None,
) -> tuple[Path]:
    """Write ``model.tflite`` into ``folder``: one image at a time, (1, H, W, C) float32 in, normalised.

    The graph travels as ONNX and is rebuilt in the converter's own version of torch: files of
    ``torch.export`` are not read by an older torch than wrote them. Height, width and channels lie as phones
    have them; the file's signature is called ``nhwc`` and its outputs ``00_output``, ``01_features`` ..., so
    that an engine need not guess.

    Args:
        onnx_path: the canonical ONNX file.
        folder: made if absent; nothing half-written stays on failure.
        size_px: (height, width) of the input.
        channels: of the input.
        precision: ``fp16`` stores weights in half precision. ``int8-dynamic`` stores weights in 8 bits, a
            step a channel, and rounds activations as they come. ``int8`` rounds activations to ranges
            measured on ``calibration``; input and outputs stay float32.
        calibration: (N, C, H, W) float32, normalised as the model takes them, 8 or more; for ``int8``.

    Returns:
        The path of model.tflite.

    Raises:
        ConfigError: a precision of another name, or no calibration images.
        ExportError: the converter refuses the graph, or its environment cannot be made.
    """
    shape = (1, channels, *size_px)
    _check(precision, calibration, shape)
    ensure(LITERT)
    source = Path(onnx_path)
    arrays = {"calibration": calibration} if precision == "int8" and calibration is not None else {}
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "model.tflite"
        try:
            with Worker(LITERT) as worker:
                worker.ask(
                    "convert", arrays, limit_s=_LIMIT_S, onnx=str(source.absolute()), file=str(made),
                    shape=list(shape), precision=precision,
                )  # fmt: skip
        except WorkerError as exc:
            raise ExportError(f"LiteRT cannot convert {source.name}", got=str(exc)) from exc
        return (atomic.write_bytes(Path(folder) / made.name, made.read_bytes()),)


def _check(precision: str, calibration: np.ndarray | None, shape: tuple[int, ...]) -> None:
    if precision not in KINDS:
        raise ConfigError(f"there is no precision {precision!r} for LiteRT", expected=" or ".join(KINDS))
    if precision != "int8":
        return
    if calibration is None or len(calibration) < LEAST_CALIBRATION:
        raise ConfigError(
            "int8 needs calibration images",
            expected=f"{LEAST_CALIBRATION} or more",
            got="none" if calibration is None else str(len(calibration)),
            fix="give a manifest of pictures like those the model will see, or take int8-dynamic",
        )
    if calibration.shape[1:] != shape[1:]:
        raise ConfigError(
            "the calibration images do not fit the model",
            expected=f"(N, {', '.join(map(str, shape[1:]))})",
            got=str(calibration.shape),
        )
