"""Canonical ONNX -> OpenVINO's model.xml and model.bin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vnvision.engines.openvino import import_openvino, shared_core
from vnvision.errors import ExportError


def to_openvino(onnx_path: str | Path, folder: str | Path, *, fp16: bool = False) -> tuple[Path, Path]:
    """Write ``model.xml`` and ``model.bin`` into ``folder``.

    Goes through the runtime's own ONNX reader: the conversion tool beside it reports home. Equal ONNX bytes
    give equal files.

    Args:
        onnx_path: the canonical ONNX file.
        folder: made if absent; half-written files are removed on failure.
        fp16: store weights in half precision (the arithmetic stays float32 on a CPU).

    Returns:
        The paths of model.xml and model.bin.

    Raises:
        ExportError: OpenVINO cannot read the graph.
        MissingExtraError: openvino is not installed.
    """
    openvino = import_openvino()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    xml, weights = folder / "model.xml", folder / "model.bin"
    try:
        model = shared_core().read_model(str(onnx_path))
        _name_by_position(model)
        openvino.save_model(model, str(xml), compress_to_fp16=fp16)
    except RuntimeError as exc:  # what openvino raises for everything
        for file in (xml, weights):
            file.unlink(missing_ok=True)
        line = str(exc).strip().splitlines()[-1][:300]
        raise ExportError(f"OpenVINO cannot read {Path(onnx_path).name}", got=line) from exc
    return xml, weights


def _name_by_position(model: Any) -> None:
    """Give unnamed operations a name from their place.

    OpenVINO numbers them by a counter of the process, so the same model would be another file each time.
    """
    for index, op in enumerate(model.get_ordered_ops()):
        if op.get_friendly_name() == op.get_name():
            op.set_friendly_name(f"{op.get_type_name()}_{index}")
