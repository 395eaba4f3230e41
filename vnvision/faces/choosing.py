"""A face engine by what a user names: nothing, a bundle, a model pack, or an ONNX file."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from vnvision.engines import EngineName
from vnvision.errors import ConfigError
from vnvision.faces.arcface import ArcFaceOnnx
from vnvision.faces.bundle import BundleEmbedder
from vnvision.faces.engine import FaceEngine
from vnvision.faces.landmarks import RefinedAlignment
from vnvision.faces.packs import open_pack
from vnvision.faces.thresholds import stored_points
from vnvision.runtime.bundle import MANIFEST_HASH

Landmarks = Literal["detector", "refined"]
LANDMARKS: tuple[Landmarks, ...] = ("detector", "refined")


def open_faces(
    model: str | Path | None = None,
    *,
    engine: EngineName | None = None,
    threads: int | None = None,
    landmarks: Landmarks = "detector",
    notice: Callable[[str], None] = warnings.warn,
) -> FaceEngine:
    """A ``FaceEngine`` for a model.

    Args:
        model: None for YuNet and SFace; the folder of an embedding bundle; an insightface pack, by name or
            folder; or an ONNX export of arcface_torch. Bundles and ONNX files get YuNet as their detector.
        engine: inference engine; None takes the first one installed.
        threads: of one inference.
        landmarks: ``detector`` aligns by the landmarks the detector found; ``refined`` measures them a second
            time (``RefinedAlignment``). Templates and thresholds of the two do not go together.
        notice: called with the licence of a pack.

    Raises:
        ModelError, BundleError, ConfigError: as ``YuNet``, ``SFace``, ``BundleEmbedder``, ``open_pack`` and
            ``ArcFaceOnnx`` do; an unknown choice of landmarks is a ConfigError.
    """
    if landmarks not in LANDMARKS:
        raise ConfigError("landmarks", expected=" or ".join(LANDMARKS), got=str(landmarks))
    if model is None:
        return _aligned(FaceEngine(engine=engine, threads=threads), landmarks)
    path = Path(model)
    if path.suffix.lower() == ".onnx":
        onnx = ArcFaceOnnx(path, engine=engine, threads=threads)
        return _aligned(FaceEngine(engine=engine, threads=threads, embedder=onnx), landmarks)
    if (path / MANIFEST_HASH).is_file():
        own = BundleEmbedder(path, engine=engine or "auto", threads=threads)
        points = (*own.operating_points, *stored_points(own.fingerprint))
        made = FaceEngine(engine=engine, threads=threads, embedder=own, points=points)
        return _aligned(made, landmarks)
    pack = open_pack(model, engine=engine, threads=threads, notice=notice)
    return _aligned(FaceEngine(detector=pack.detector, embedder=pack.embedder), landmarks)


def _aligned(engine: FaceEngine, landmarks: Landmarks) -> FaceEngine:
    """The engine, or one like it whose landmarks are measured again.

    A bundle's own operating points were measured without, so only stored ones can count then.
    """
    if landmarks == "detector":
        return engine
    return FaceEngine(detector=engine.detector, embedder=RefinedAlignment(engine.embedder, engine.detector))
