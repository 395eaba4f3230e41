"""Canonical ONNX -> MNN's model.mnn."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from vnvision import atomic
from vnvision.engines.seal import BLANK, sealed
from vnvision.errors import ConfigError, ExportError, MissingExtraError, ModelError
from vnvision.export.graph_file import read_onnx

_LIMIT_S = 600
_HALF_MOST = 65504.0
_LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_ID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # as long as a seal
_CONVERT = "import sys, _tools; _tools.mnnconvert(sys.argv)"


def to_mnn(
    onnx_path: str | Path, folder: str | Path, *, fp16: bool = False, int8_weights: bool = False
) -> tuple[Path]:
    """Write ``model.mnn`` into ``folder`` with the converter in MNN's own wheel.

    The converter runs in a process of its own, so that what it prints or breaks stays there, and by its
    function: the command ``mnnconvert`` around it would install a package and send what was converted, with
    an id of this machine, to its maker. Its random id in the file is replaced by a hash, so equal ONNX bytes
    give equal files.

    Args:
        onnx_path: the canonical ONNX file.
        folder: made if absent; nothing half-written stays on failure.
        fp16: store weights in half precision (the arithmetic stays float32).
        int8_weights: store the weights of convolutions and linear layers in 8 bits, symmetric, a step for
            each output channel; activations and arithmetic stay float32. For size: it needs no calibration.

    Returns:
        The path of model.mnn.

    Raises:
        ConfigError: both precisions asked for.
        ExportError: MNN cannot convert the graph.
        MissingExtraError: MNN is not installed.
    """
    if fp16 and int8_weights:
        raise ConfigError("weights are stored in one precision", expected="fp16 or int8_weights", got="both")
    if importlib.util.find_spec("_tools") is None or importlib.util.find_spec("MNN") is None:
        raise MissingExtraError("MNN", "export-mnn")
    options = ["--fp16"] if fp16 else ["--weightQuantBits", "8"] if int8_weights else []
    source = Path(onnx_path)
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "model.mnn"
        taken = _rounded(source, Path(scratch) / source.name) if fp16 else source
        said = _converted(taken, made, options)
        try:
            data = _with_seal(made.read_bytes())
        except (OSError, ModelError) as exc:
            raise ExportError(f"MNN cannot convert {source.name}", got=said or str(exc)) from exc
    return (atomic.write_bytes(Path(folder) / "model.mnn", data),)


def _rounded(source: Path, target: Path) -> Path:
    """A copy whose layers have weights that half precision holds exactly, each rounded to the nearest.

    MNN cuts the digits off instead, which moves every weight the same way: measured on a detector, five times
    the error.
    """
    model = read_onnx(source, f"MNN cannot convert {source.name}")
    import onnx

    layers = (node for node in model.graph.node if node.op_type in _LAYERS)
    names = {name for node in layers for name in node.input[1:]}
    for item in model.graph.initializer:
        if item.name in names and item.data_type == onnx.TensorProto.FLOAT:
            exact = onnx.numpy_helper.to_array(item)
            half = exact.clip(-_HALF_MOST, _HALF_MOST).astype(np.float16).astype(np.float32)
            item.CopyFrom(onnx.numpy_helper.from_array(half, item.name))
    onnx.save(model, str(target))
    return target


def _with_seal(data: bytes) -> bytes:
    """The file with a hash of itself in place of its random id."""
    if len(_ID.findall(data)) != 1:
        raise ModelError("the file is not what MNN's converter writes", expected="one id")
    return sealed(_ID.sub(BLANK.encode(), data))


def _converted(source: Path, made: Path, options: list[str]) -> str:
    """Run the converter; the last line it said. It ends well whatever happened: the file tells."""
    command = [sys.executable, "-P", "-c", _CONVERT, "-f", "ONNX", "--modelFile", str(source.absolute())]
    command += ["--MNNModel", str(made), "--bizCode", "vnvision", *options]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_LIMIT_S, check=False)
    except subprocess.TimeoutExpired as exc:
        raise ExportError(f"MNN did not convert {source.name} in {_LIMIT_S} s") from exc
    lines = (done.stdout + done.stderr).decode("utf-8", "replace").strip().splitlines()
    if done.returncode and made.exists():
        made.unlink()
    return lines[-1][:300] if lines else f"exit status {done.returncode}"
