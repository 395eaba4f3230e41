"""Canonical ONNX -> the same graph in half precision, float32 at its ends."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path

from vnvision import atomic
from vnvision.errors import ExportError, MissingExtraError


def to_fp16_onnx(onnx_path: str | Path, path: str | Path) -> Path:
    """Write weights and arithmetic in float16, input and outputs in float32.

    Half the size, for GPUs and NPUs. ONNX Runtime on a CPU computes most of it in float32 again and is no
    faster. Uses the converter that ONNX Runtime carries (``onnxruntime.transformers.float16``); numbers
    beyond float16's range are cut to it there, which the parity gate would find.

    Args:
        onnx_path: the canonical ONNX file.
        path: the file to write; whole or absent.

    Raises:
        ExportError: the graph cannot be converted.
        MissingExtraError: onnx is not installed.
    """
    try:
        import onnx
        from onnxruntime.transformers.float16 import convert_float_to_float16
        from onnxruntime.transformers.onnx_model import OnnxModel
    except ImportError as exc:
        raise MissingExtraError(exc.name or "onnx", "export-onnx") from exc
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            model = convert_float_to_float16(onnx.load(str(onnx_path)), keep_io_types=True)
            OnnxModel(model).topological_sort()  # the converter appends its casts
            onnx.checker.check_model(model, full_check=True)
    except (ValueError, RuntimeError, TypeError, onnx.checker.ValidationError) as exc:
        raise ExportError(
            f"{Path(onnx_path).name} cannot be stored in half precision", got=str(exc)[:300]
        ) from exc
    return atomic.write_bytes(path, model.SerializeToString(deterministic=True))
