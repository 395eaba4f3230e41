"""A face engine by what a user names: nothing, a bundle, a model pack, or an ONNX file."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

from vnvision.engines import EngineName
from vnvision.faces.arcface import ArcFaceOnnx
from vnvision.faces.bundle import BundleEmbedder
from vnvision.faces.engine import FaceEngine
from vnvision.faces.packs import open_pack
from vnvision.faces.thresholds import stored_points
from vnvision.runtime.bundle import MANIFEST_HASH


def open_faces(
    model: str | Path | None = None,
    *,
    engine: EngineName | None = None,
    threads: int | None = None,
    notice: Callable[[str], None] = warnings.warn,
) -> FaceEngine:
    """A ``FaceEngine`` for a model.

    Args:
        model: None for YuNet and SFace; the folder of an embedding bundle; an insightface pack, by name or
            folder; or an ONNX export of arcface_torch. Bundles and ONNX files get YuNet as their detector.
        engine: inference engine; None takes the first one installed.
        threads: of one inference.
        notice: called with the licence of a pack.

    Raises:
        ModelError, BundleError, ConfigError: as ``YuNet``, ``SFace``, ``BundleEmbedder``, ``open_pack`` and
            ``ArcFaceOnnx`` do.
    """
    if model is None:
        return FaceEngine(engine=engine, threads=threads)
    path = Path(model)
    if path.suffix.lower() == ".onnx":
        return FaceEngine(
            engine=engine, threads=threads, embedder=ArcFaceOnnx(path, engine=engine, threads=threads)
        )
    if (path / MANIFEST_HASH).is_file():
        own = BundleEmbedder(path, engine=engine or "auto", threads=threads)
        points = (*own.operating_points, *stored_points(own.fingerprint))
        return FaceEngine(engine=engine, threads=threads, embedder=own, points=points)
    pack = open_pack(model, engine=engine, threads=threads, notice=notice)
    return FaceEngine(detector=pack.detector, embedder=pack.embedder)
