"""Aligned crops and starting embeddings of the shared face sets, made once and kept in a cache folder."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from vnvision import atomic
from vnvision.errors import DataError
from vnvision.faces.embedder import SFace
from vnvision.faces.engine import FaceEngine, largest
from vnvision.faces.landmarks import refined
from vnvision.faces.listing import Pictures, list_pictures
from vnvision.faces.pictures import decoded

SETS = ("asianfaces_dev", "lfw_2folds", "rmfd_faces", "utkface_sample")
NAMELESS = ("utkface_sample",)
# Five more looks at a crop: scale, shift down in pixels, turn in degrees.
VIEWS = ((1.06, 0, 0), (0.94, 0, 0), (1.0, 3, 0), (1.0, -3, 0), (1.0, 0, 6))
_CENTRE_XY = (55.5, 65.0)


@dataclass(frozen=True, slots=True, eq=False)
class FaceSet:
    """The largest face of each picture in which one was found.

    Attributes:
        crops: (N, 112, 112, 3) uint8 RGB on the template.
        embeddings: (N, 128) float32, flip-averaged and unit-norm, of the engine's SFace.
        realigned: (N, 128) the same of crops cut out by refined landmarks.
        paths: (N,).
        people: (N,) who; for ``utkface_sample``, which names nobody, each picture's own path.
        groups: (N,).
    """

    crops: np.ndarray
    embeddings: np.ndarray
    realigned: np.ndarray
    paths: np.ndarray
    people: np.ndarray
    groups: np.ndarray

    def __len__(self) -> int:
        return len(self.paths)

    def rows(self, which: np.ndarray) -> FaceSet:
        """Some of the rows, by mask or index."""
        return FaceSet(*(getattr(self, name)[which] for name in self.__slots__))


def averaged_views(faces: FaceSet, cache: Path) -> np.ndarray:
    """(N, 128) unit-norm: the mean embedding of each crop and of ``VIEWS`` of it; six times the work."""
    file = cache / f"views-{hashlib.sha256(faces.crops).hexdigest()[:12]}.npy"
    if not file.is_file():
        sface = SFace(engine="onnxruntime", threads=1)
        total = faces.embeddings + sum(sface.embed(_view(faces.crops, *view)) for view in VIEWS)
        data = io.BytesIO()
        np.save(data, total / np.linalg.norm(total, axis=1, keepdims=True))
        atomic.write_bytes(file, data.getvalue())
    embeddings: np.ndarray = np.load(file)
    return embeddings


def _view(crops: np.ndarray, scale: float, shift_px: float, turn_deg: float) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D(_CENTRE_XY, turn_deg, scale)
    matrix[1, 2] += shift_px
    size = crops.shape[2], crops.shape[1]
    return np.stack([cv2.warpAffine(c, matrix, size, borderMode=cv2.BORDER_REPLICATE) for c in crops])


def load_sets(manifest: Path, cache: Path) -> dict[str, FaceSet]:
    """Every set of ``SETS``, from the cache where it is there for this manifest."""
    digest = atomic.sha256_file(manifest)[:12]
    engine: FaceEngine | None = None
    sets = {}
    for name in SETS:
        file = cache / f"{name}-{digest}.npz"
        if not file.is_file():
            engine = engine or FaceEngine(engine="onnxruntime", threads=1)
            made = _make(engine, list_pictures(manifest, where=[f"set={name}"]))
            data = io.BytesIO()
            np.savez(data, **{key: getattr(made, key) for key in FaceSet.__slots__})
            cache.mkdir(parents=True, exist_ok=True)
            atomic.write_bytes(file, data.getvalue())
        with np.load(file) as arrays:
            sets[name] = FaceSet(*(arrays[key] for key in FaceSet.__slots__))
        if name in NAMELESS:
            sets[name] = replace(sets[name], people=sets[name].paths)
    return sets


def _make(engine: FaceEngine, pictures: Pictures) -> FaceSet:
    files = [pictures.root / path for path in pictures.paths]
    crops, better, kept = [], [], []
    for row, (file, found) in enumerate(zip(files, engine.found(files, embed=False), strict=True)):
        if isinstance(found, DataError) or not found:
            continue
        image, face = decoded(file), largest(found, file)
        crops.append(engine.embedder.align(image, [face])[0])
        better.append(engine.embedder.align(image, refined(engine.detector, image, [face]))[0])
        kept.append(row)
    columns = {key: np.array([cells[row] for row in kept]) for key, cells in pictures.columns.items()}
    paths = np.array([pictures.paths[row] for row in kept])
    embedded = [engine.embed(np.stack(some)) for some in (crops, better)]
    return FaceSet(np.stack(crops), *embedded, paths, columns["identity"], columns["group"])
