"""One interface over inference engines: arrays in, arrays out."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Literal

from vnvision.engines.base import Engine
from vnvision.errors import ConfigError

__all__ = ["ENGINES", "Engine", "EngineName", "available_engines", "open_engine"]

EngineName = Literal["openvino", "onnxruntime"]
ENGINES: tuple[EngineName, ...] = ("openvino", "onnxruntime")  # the one to prefer first


def available_engines() -> tuple[EngineName, ...]:
    """Names of the engines that are installed, the one to prefer first. Loads none of them."""
    return tuple(name for name in ENGINES if importlib.util.find_spec(name) is not None)


def open_engine(path: str | Path, engine: EngineName, *, threads: int | None = None) -> Engine:
    """Load a model file into an engine.

    Args:
        path: ``.onnx`` for either engine, ``.xml`` (with its ``.bin`` beside it) for OpenVINO.
        engine: ``onnxruntime`` or ``openvino``.
        threads: how many threads one inference may use; None leaves it to the engine (the physical cores).

    Raises:
        ConfigError: an engine of another name, or a thread count below 1.
        MissingExtraError: the engine is not installed.
        ModelError: the file is missing, damaged, or not one image input of (N, C, H, W) float32.
    """
    if threads is not None and threads < 1:
        raise ConfigError("threads is wrong", expected="1 or more, or None", got=str(threads))
    if engine == "onnxruntime":
        from vnvision.engines.onnxruntime import OnnxRuntimeEngine

        return OnnxRuntimeEngine(Path(path), threads=threads)
    if engine == "openvino":
        from vnvision.engines.openvino import OpenVinoEngine

        return OpenVinoEngine(Path(path), threads=threads)
    raise ConfigError(f"there is no engine {engine!r}", expected=" or ".join(ENGINES))
