"""Reading an ONNX file that is about to become something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vnvision.errors import ExportError, MissingExtraError


def read_onnx(path: str | Path, problem: str, *, extra: str = "export-onnx") -> Any:
    """The ``onnx.ModelProto`` in a file.

    Args:
        path: the file.
        problem: what cannot be done where it holds none, for the message.
        extra: which extra brings the package.

    Raises:
        ExportError: it cannot be read, or is no ONNX model.
        MissingExtraError: onnx is not installed.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as exc:
        raise MissingExtraError("onnx", extra) from exc
    try:
        return onnx.load(str(path))
    except (DecodeError, OSError) as exc:
        raise ExportError(problem, got=str(exc)[:200]) from exc
