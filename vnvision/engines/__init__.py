"""One interface over inference engines: arrays in, arrays out."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple, cast

from vnvision.engines.base import Engine
from vnvision.errors import ConfigError

__all__ = ["ENGINES", "Engine", "EngineName", "available_engines", "open_engine"]

EngineName = Literal["openvino", "onnxruntime", "ncnn", "mnn", "litert", "executorch", "rknn", "torch"]


class _Adapter(NamedTuple):
    """Where an engine is: the package that has to be installed, our module and what opens a file in it."""

    package: str
    module: str
    opener: str


_ADAPTERS: Mapping[EngineName, _Adapter] = MappingProxyType(
    {
        "openvino": _Adapter("openvino", "openvino", "OpenVinoEngine"),
        "onnxruntime": _Adapter("onnxruntime", "onnxruntime", "OnnxRuntimeEngine"),
        "rknn": _Adapter("rknnlite", "rknn", "open_rknn"),  # the simulator answers only who asks for it
        "ncnn": _Adapter("ncnn", "ncnn", "NcnnEngine"),
        "mnn": _Adapter("MNN", "mnn", "MnnEngine"),
        "litert": _Adapter("ai_edge_litert", "litert", "LiteRtEngine"),
        "executorch": _Adapter("executorch", "executorch", "ExecutorchEngine"),
        "torch": _Adapter("torch", "torch", "TorchEngine"),
    }
)
ENGINES: tuple[EngineName, ...] = tuple(_ADAPTERS)  # the one to prefer first


def available_engines() -> tuple[EngineName, ...]:
    """Names of the engines that are installed, the one to prefer first. Loads none of them."""
    found = importlib.util.find_spec
    return tuple(name for name, adapter in _ADAPTERS.items() if found(adapter.package) is not None)


def open_engine(path: str | Path, engine: EngineName, *, threads: int | None = None) -> Engine:
    """Load a model file into an engine.

    Args:
        path: ``.onnx`` for ONNX Runtime or OpenVINO, ``.xml`` (its ``.bin`` beside it) for OpenVINO,
            ``.param`` (its ``.bin`` beside it) for ncnn, ``.mnn``, ``.tflite`` for LiteRT, ``.pte`` for
            ExecuTorch, ``.pt2`` for torch, ``.rknn`` (its ``.json`` beside it).
        engine: its name, one of ``ENGINES``.
        threads: how many threads one inference may use; None leaves it to the engine (the physical cores).

    Raises:
        ConfigError: an engine of another name, or a thread count below 1.
        MissingExtraError: the engine is not installed.
        ModelError: the file is missing, damaged, or not one image input of (N, C, H, W) float32.
    """
    if threads is not None and threads < 1:
        raise ConfigError("threads is wrong", expected="1 or more, or None", got=str(threads))
    adapter = _ADAPTERS.get(engine)
    if adapter is None:
        raise ConfigError(f"there is no engine {engine!r}", expected=" or ".join(ENGINES))
    opener = getattr(importlib.import_module(f"vnvision.engines.{adapter.module}"), adapter.opener)
    return cast(Engine, opener(Path(path), threads=threads))
