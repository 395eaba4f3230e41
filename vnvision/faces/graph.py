"""Published face models made ready for any engine: float32 weights, batch and picture size left open."""

from __future__ import annotations

from pathlib import Path

from vnvision import atomic
from vnvision.engines.folding import open_graph
from vnvision.faces.weights import cache_folder, find_weights

# Part of the prepared file's name: raise it when what is written changes.
_VERSION = 1


def prepared(name: str, folder: str | Path | None = None) -> Path:
    """Path of a published model after ``open_graph``; made on first use and kept in the cache folder.

    Raises:
        ModelError: weights missing or wrong.
        MissingExtraError: onnx is not installed and the model was not prepared before.
    """
    source = find_weights(name, folder)
    path = cache_folder() / "models" / f"{source.stem}-{atomic.sha256_file(source)[:12]}-v{_VERSION}.onnx"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(path, open_graph(source, any_size=name == "yunet"))
    return path
