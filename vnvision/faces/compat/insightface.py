"""``FaceAnalysis`` with ``prepare`` and ``get``, as ``insightface.app`` has it, without that package."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from vnvision.engines import EngineName
from vnvision.errors import ConfigError
from vnvision.faces.compat import from_bgr, refuse
from vnvision.faces.detector import YuNet
from vnvision.faces.engine import FaceEngine, area
from vnvision.faces.packs import find_pack, open_pack
from vnvision.records import Face as FaceRecord

_MODULES = ("detection", "recognition")
_CPU = "CPUExecutionProvider"


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face. A name that is not here is an AttributeError: there is no age, gender or 106-point landmark.

    Attributes:
        bbox: (4,) float32 x0 y0 x1 y1 in pixels.
        kps: (5, 2) float32 x and y.
        det_score: 0 to 1.
        embedding: (D,) float32, unit-norm (insightface's own is not); None without recognition.
    """

    bbox: np.ndarray
    kps: np.ndarray
    det_score: float
    embedding: np.ndarray | None = None

    @property
    def normed_embedding(self) -> np.ndarray | None:
        """Same as ``embedding``."""
        return self.embedding

    def __getitem__(self, name: str) -> Any:
        if name not in {field.name for field in fields(self)}:
            raise KeyError(name)
        return getattr(self, name)


class FaceAnalysis:
    """insightface's entry point.

    Args:
        name: an insightface pack of yours, by name or folder; None takes YuNet and SFace, which may be used
            commercially. Nothing is downloaded.
        root: where packs are; see ``vnvision.faces.packs.find_pack``.
        allowed_modules: ``detection``, or ``detection`` and ``recognition``, which is the default.
        providers: only the CPU's, or None.
        engine: ``onnxruntime`` or ``openvino``; None takes the first one installed.
        threads: of one inference.
        notice: called with a pack's licence; by default it is a warning.
        **other: anything else that insightface takes is refused.

    Raises:
        ConfigError: an argument that cannot be followed.
        ModelError: no such pack.
    """

    def __init__(
        self,
        name: str | Path | None = None,
        root: str | Path | None = None,
        allowed_modules: Sequence[str] | None = None,
        *,
        providers: Sequence[str] | None = None,
        engine: EngineName | None = None,
        threads: int | None = None,
        notice: Callable[[str], None] = warnings.warn,
        **other: Any,
    ) -> None:
        modules = set(allowed_modules or _MODULES)
        asked = {"providers": [p for p in providers or () if p != _CPU]}
        asked |= {"allowed_modules": sorted(modules - set(_MODULES))}
        refuse("FaceAnalysis", asked | other, {"providers": ([],), "allowed_modules": ([],)})
        if "detection" not in modules:
            raise ConfigError("FaceAnalysis needs a detector", expected="detection among allowed_modules")
        self._embeds = "recognition" in modules
        self._options: dict[str, Any] = {"engine": engine, "threads": threads}
        self._pack = None if name is None else find_pack(name, root=root)
        self._notice = notice
        self._engine: FaceEngine | None = None

    def prepare(
        self, ctx_id: int = 0, det_thresh: float = 0.5, det_size: tuple[int, int] = (640, 640)
    ) -> None:
        """Load the models.

        Args:
            ctx_id: 0 or -1: it runs on the CPU either way.
            det_thresh: faces below are dropped, 0 to 1.
            det_size: width and height; YuNet takes the longer of them.
        """
        refuse("prepare", {"ctx_id": ctx_id}, {"ctx_id": (0, -1)})
        self.close()
        if self._pack is None:
            detector = YuNet(max_side_px=max(det_size), min_score=det_thresh, **self._options)
            self._engine = FaceEngine(detector=detector, **self._options)
            return
        pack = open_pack(
            self._pack.folder,
            files=self._pack.files,
            size_px=(det_size[1], det_size[0]),
            min_score=det_thresh,
            notice=self._notice,
            **self._options,
        )
        self._engine = FaceEngine(detector=pack.detector, embedder=pack.embedder)

    def get(self, img: np.ndarray, max_num: int = 0, det_metric: str = "default") -> list[Face]:
        """Faces of one picture, the most certain first. ``FaceEngine.represent`` takes many at once.

        Args:
            img: (H, W, 3) uint8 BGR, as OpenCV reads it.
            max_num: keep so many, the largest; 0 keeps all.
            det_metric: ``max`` for the largest, ``default`` for large ones near the middle.

        Raises:
            ConfigError: ``prepare`` was not called.
            DataError: not a picture.
        """
        if self._engine is None:
            raise ConfigError("the models are not loaded", fix="call prepare() before get()")
        refuse("get", {"det_metric": det_metric}, {"det_metric": ("default", "max")})
        run = self._engine.represent if self._embeds else self._engine.detect
        found = run([from_bgr(img)])[0]
        if 0 < max_num < len(found):
            middle = np.array(img.shape[1::-1]) / 2
            weight = 2.0 if det_metric == "default" else 0.0
            found = tuple(sorted(found, key=lambda f: weight * _off(f, middle) - area(f))[:max_num])
        return [_face(face) for face in found]

    def close(self) -> None:
        """Free the models."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None


def _off(face: FaceRecord, middle: np.ndarray) -> float:
    """Squared distance of a box's middle from the picture's."""
    box = np.array(face.box_xyxy_px)
    return float(((box[:2] + box[2:]) / 2 - middle) @ ((box[:2] + box[2:]) / 2 - middle))


def _face(face: FaceRecord) -> Face:
    return Face(
        bbox=np.array(face.box_xyxy_px, np.float32),
        kps=np.array(face.landmarks_px, np.float32),
        det_score=face.score,
        embedding=None if face.embedding is None else np.array(face.embedding, np.float32),
    )
