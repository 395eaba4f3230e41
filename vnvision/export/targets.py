"""Which targets there are. A new one is a module, a row here and a parity test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from vnvision.engines import EngineName
from vnvision.errors import ConfigError
from vnvision.export.openvino import to_openvino
from vnvision.export.result import Precision

ONNX_FILE = "model.onnx"


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of exported file.

    Attributes:
        engine: what runs it.
        precision: of its weights.
        file: its main file, relative to the bundle.
        extra_files: the rest of it.
        write: (canonical ONNX, bundle folder) -> files; None for the canonical ONNX itself.
    """

    engine: EngineName
    precision: Precision
    file: str
    extra_files: tuple[str, ...] = ()
    write: Callable[[Path, Path], object] | None = None


TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        "onnx": Target("onnxruntime", "fp32", ONNX_FILE),
        "openvino": Target(
            "openvino", "fp32", "openvino/model.xml", ("openvino/model.bin",),
            lambda onnx, folder: to_openvino(onnx, folder / "openvino"),
        ),
        "openvino-fp16": Target(
            "openvino", "fp16", "openvino-fp16/model.xml", ("openvino-fp16/model.bin",),
            lambda onnx, folder: to_openvino(onnx, folder / "openvino-fp16", fp16=True),
        ),
    }
)  # fmt: skip


def chosen_targets(names: Sequence[str]) -> dict[str, Target]:
    """The targets of these names, the canonical ONNX always first: the others are made from it.

    Raises:
        ConfigError: an unknown name; those there are are listed.
    """
    names = [names] if isinstance(names, str) else list(names)
    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        raise ConfigError(
            f"unknown export target {', '.join(map(repr, unknown))}", expected=f"some of {', '.join(TARGETS)}"
        )
    return {name: TARGETS[name] for name in dict.fromkeys(["onnx", *names])}
