"""A face kit's networks as files of an engine."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from vnvision import atomic
from vnvision.engines.seal import sealed
from vnvision.export.graph_file import read_onnx
from vnvision.export.mnn import to_mnn
from vnvision.export.ncnn import to_ncnn
from vnvision.export.openvino import to_openvino
from vnvision.faces.prelu import split_prelu

KitEngine = Literal["onnxruntime", "openvino", "ncnn", "mnn"]
ENGINES: tuple[KitEngine, ...] = get_args(KitEngine)
_TRACED_PX = 320  # any size would do: the files take every size


@dataclass(frozen=True, slots=True)
class KitNetwork:
    """A converted network: its files relative to the kit, the main one first, and its ends by name."""

    files: tuple[str, ...]
    input: str
    outputs: tuple[str, ...]


def write_network(name: str, engine: KitEngine, onnx: Path, folder: Path) -> KitNetwork:
    """Convert ``onnx`` for an engine, into the folder ``name`` of the kit at ``folder``.

    Raises:
        ExportError: the engine's converter refuses it, in its own words.
        MissingExtraError: the engine, its converter or onnx is not installed.
    """
    graph = _loaded(onnx).graph
    paths = _WRITERS[engine](onnx, folder / name)
    return KitNetwork(
        tuple(path.relative_to(folder).as_posix() for path in paths),
        graph.input[0].name,
        tuple(item.name for item in graph.output),
    )


def _onnx(path: Path, folder: Path) -> tuple[Path, ...]:
    """The same network, its PReLUs in the form that ONNX Runtime is fast with."""
    return (atomic.write_bytes(folder / "model.onnx", split_prelu(path)),)


def _openvino(path: Path, folder: Path) -> tuple[Path, ...]:
    return to_openvino(path, folder)


def _ncnn(path: Path, folder: Path) -> tuple[Path, ...]:
    with _fixed(path) as (source, was_open):
        param, weights = to_ncnn(source, folder)
    if was_open:
        atomic.write_bytes(param, sealed(_any_size(param.read_text("utf-8")).encode()))
    return param, weights


def _mnn(path: Path, folder: Path) -> tuple[Path, ...]:
    """MNN is slow at PReLU too: SFace 43 ms, and 17 ms with ReLUs and convolutions in their place."""
    with _fixed(path) as (source, _), tempfile.TemporaryDirectory() as scratch:
        return to_mnn(atomic.write_bytes(Path(scratch) / "model.onnx", split_prelu(source)), folder)


@contextlib.contextmanager
def _fixed(path: Path) -> Iterator[tuple[Path, bool]]:
    """A model that converters can trace: open height and width get a number. And whether they were open."""
    import onnx

    model = _loaded(path)
    sides = model.graph.input[0].type.tensor_type.shape.dim[2:]
    was_open = any(side.dim_value < 1 for side in sides)
    for side in sides:
        side.dim_value = side.dim_value or _TRACED_PX
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "model.onnx"
        if was_open:
            onnx.save(model, str(copy))
        yield (copy if was_open else path), was_open


def _any_size(param: str) -> str:
    """An ncnn ``.param`` whose input and flattened maps were fixed by tracing, for pictures of any size.

    pnnx writes the rows of a Reshape to (rows, k) as the number that it saw; -1 stands for whatever fits.
    """
    lines = param.splitlines()
    for number, line in enumerate(lines):
        kind = line.split(maxsplit=1)[0] if line.strip() else ""
        if kind == "Reshape":
            lines[number] = re.sub(r"(?<= )1=\d+(?= |$)", "1=-1", line)
        elif kind == "Input":
            lines[number] = re.sub(r"(?<= )([01])=\d+(?= |$)", r"\1=0", line)
    return "\n".join(lines) + "\n"


def _loaded(path: Path) -> Any:
    return read_onnx(path, f"{path.name} is not an ONNX model", extra="faces")


_WRITERS: Mapping[KitEngine, Callable[[Path, Path], tuple[Path, ...]]] = MappingProxyType(
    {"onnxruntime": _onnx, "openvino": _openvino, "ncnn": _ncnn, "mnn": _mnn}
)
