"""Which targets there are. A new one is a module, a row here and a parity test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from vnvision.errors import ConfigError
from vnvision.export import writers as w
from vnvision.export.formats import ALIASES, NOT_HERE
from vnvision.export.result import Precision, RunBy
from vnvision.export.rknn import CHIPS, TOOK
from vnvision.export.source import Source

ONNX_FILE = "model.onnx"
_SUFFIXES: Mapping[Precision, str] = MappingProxyType(
    {"fp32": "", "fp16": "-fp16", "int8": "-int8", "int8-weights": "-int8-weights"}
)


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of exported file.

    Attributes:
        engine: what runs it; ``coreml`` runs nowhere but on Apple.
        precision: of its weights, and for ``int8`` of its arithmetic.
        file: its main file, relative to the bundle.
        extra_files: the rest of it.
        write: (source, folder of the target); None for the canonical ONNX itself.
        converter_took: preprocessing inside the file.
    """

    engine: RunBy
    precision: Precision
    file: str
    extra_files: tuple[str, ...] = ()
    write: Callable[[Source, Path], object] | None = None
    converter_took: tuple[Literal["range", "normalise"], ...] = ()

    @property
    def is_8_bit(self) -> bool:
        """Its numbers are integers: pictures are needed to make and to judge it."""
        return self.precision.startswith("int8")


def _row(
    name: str,
    engine: RunBy,
    files: Sequence[str],
    writers: Mapping[Precision, Callable[[Source, Path], object]],
    took: tuple[Literal["range", "normalise"], ...] = (),
) -> dict[str, Target]:
    """The targets of one format, one a precision, each in a folder of its name."""
    rows = {}
    for precision, write in writers.items():
        key = name + _SUFFIXES[precision]
        main, *rest = (f"{key}/{file}" for file in files)
        rows[key] = Target(engine, precision, main, tuple(rest), write, took)
    return rows


def _rknn(chip: str, writers: Mapping[Precision, Callable[[Source, Path], object]]) -> dict[str, Target]:
    return _row(f"rknn-{chip}", "rknn", ("model.rknn", "model.json"), writers, TOOK)


def _table() -> dict[str, Target]:
    openvino, ncnn = ("model.xml", "model.bin"), ("model.ncnn.param", "model.ncnn.bin")
    package = ("Manifest.json", "Data/com.apple.CoreML/model.mlmodel",
               "Data/com.apple.CoreML/weights/weight.bin")  # fmt: skip
    rows = {"onnx": Target("onnxruntime", "fp32", ONNX_FILE)}
    rows |= _row("onnx", "onnxruntime", ("model.onnx",), w.ONNX)
    rows |= _row("openvino", "openvino", openvino, w.OPENVINO)
    rows |= _row("ncnn", "ncnn", ncnn, w.NCNN)
    rows |= _row("mnn", "mnn", ("model.mnn",), w.MNN)
    rows |= _row("litert", "litert", ("model.tflite",), w.LITERT)
    rows |= _row("executorch", "executorch", ("model.pte",), w.EXECUTORCH)
    rows |= _row("torch", "torch", ("model.pt2",), w.TORCH)
    rows |= _row("coreml", "coreml", [f"model.mlpackage/{name}" for name in package], w.COREML)
    for chip in CHIPS:
        rows |= _rknn(chip, w.rknn(chip))
    return rows


TARGETS: Mapping[str, Target] = MappingProxyType(_table())


def chosen_targets(
    names: Sequence[str], *, half: bool = False, int8: bool = False, chip: str | None = None
) -> dict[str, Target]:
    """The targets of these names, the canonical ONNX always first: the others are made from it.

    A name is one of ``TARGETS``, or a format, also by Ultralytics' name (``tflite``, ``mlpackage``), in the
    precision that the options ask for.

    Args:
        names: of targets or formats.
        half: of formats the half-precision target, where there is one; else it is refused.
        int8: of formats the 8-bit target: integer arithmetic, else integer weights.
        chip: for ``rknn``: ``rk3588``, ``rk3566`` or ``rv1106``.

    Raises:
        ConfigError: an unknown name, those there are are listed; or a precision that a format has not.
    """
    names = [names] if isinstance(names, str) else list(names)
    if half and int8:
        raise ConfigError("a file has one precision", expected="half or int8", got="both")
    wanted = [_resolved(name, half=half, int8=int8, chip=chip) for name in names]
    return {name: TARGETS[name] for name in dict.fromkeys(["onnx", *wanted])}


def _resolved(name: str, *, half: bool, int8: bool, chip: str | None) -> str:
    """The name of one target."""
    plain = ALIASES.get(name.lower(), name.lower())
    if plain in NOT_HERE:
        raise ConfigError(f"{name} is not made by this verb", fix=NOT_HERE[plain])
    if plain == "rknn":
        if chip not in CHIPS:
            raise ConfigError("rknn needs the name of a chip", expected=" or ".join(CHIPS), got=str(chip))
        plain = f"rknn-{chip}"
    families = {family for family in TARGETS if f"{family}-".startswith(f"{plain}-")}
    if plain not in TARGETS and not families:
        raise ConfigError(f"unknown export target {name!r}", expected=f"some of {', '.join(TARGETS)}")
    ordered: tuple[Precision, ...] = ("fp32", "fp16", "int8")
    if plain in TARGETS and TARGETS[plain].precision != "fp32":
        return plain  # the name says the precision already
    if half or int8:
        ordered = ("fp16",) if half else ("int8", "int8-weights")
    found = [plain + _SUFFIXES[p] for p in ordered if plain + _SUFFIXES[p] in TARGETS]
    if not found:
        have = ", ".join(sorted(families)) or plain
        raise ConfigError(f"{name} has no {'half' if half else '8-bit'} precision", expected=f"one of {have}")
    return found[0]
