"""Crops of some pictures at a time: what one worker of the aligned cache does."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from pydantic import Field

from vnvision.errors import DataError
from vnvision.faces.engine import FaceEngine, largest
from vnvision.faces.pictures import batches
from vnvision.records import Face
from vnvision.spec import Record

Encoding = Literal["png", "jpg"]
ENCODINGS: tuple[Encoding, ...] = ("png", "jpg")
IMAGES = "images"
_OPTIONS: dict[Encoding, list[int]] = {"png": [], "jpg": [cv2.IMWRITE_JPEG_QUALITY, 95]}


class Crop(Record):
    """What became of one picture.

    Attributes:
        path: of the crop, relative to the cache; empty where there is none.
        sha256: of the crop's file.
        score: of the detector.
        n_faces: how many were found; the largest is cut out.
        reason: why there is none; empty where there is one.
    """

    path: str = ""
    sha256: str = ""
    score: float = 0.0
    n_faces: int = Field(default=0, ge=0)
    reason: str = ""


class Part(Record):
    """Some pictures in a row."""

    crops: tuple[Crop, ...]


class PartMaker:
    """Makes parts with an engine of its own, opened at the first one; can be pickled before that.

    Args:
        open_engine: gives detector and embedder.
        out: the cache's folder.
        encoding: of the crops.
    """

    def __init__(self, open_engine: Callable[[], FaceEngine], out: Path, encoding: Encoding) -> None:
        self.open_engine, self.out, self.encoding = open_engine, out, encoding
        self._engine: FaceEngine | None = None

    @property
    def engine(self) -> FaceEngine:
        """Opened when first asked for."""
        if self._engine is None:
            self._engine = self.open_engine()
        return self._engine

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_engine": None}

    def close(self) -> None:
        """Free the engine."""
        if self._engine is not None:
            self._engine.close()
        self._engine = None

    def __call__(self, files: Sequence[Path], first: int, note: Path) -> int:
        """Cut, write the crops and then the note that says so; how many pictures there were.

        Raises:
            DataError: a file cannot be written.
        """
        crops = []
        try:
            for number, (crop, found) in enumerate(_cut(self.engine, files), first):
                crops.append(self._keep(crop, found, number))
            if hasattr(os, "sync"):
                os.sync()  # the crops reach the disk before the note that names them
            Part(crops=tuple(crops)).save(note)
        except OSError as exc:
            raise DataError(f"cannot write {self.out}", got=exc.strerror or str(exc)) from exc
        return len(crops)

    def _keep(self, image: np.ndarray | None, found: Crop, number: int) -> Crop:
        if image is None:
            return found
        done, data = cv2.imencode(f".{self.encoding}", image[:, :, ::-1], _OPTIONS[self.encoding])
        if not done:
            raise DataError(f"cannot encode a crop as {self.encoding}", got=f"{image.dtype} {image.shape}")
        path = f"{IMAGES}/{number // 1000:06d}/{number:09d}.{self.encoding}"
        file = self.out / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data.tobytes())
        return found.model_copy(update={"path": path, "sha256": hashlib.sha256(data.tobytes()).hexdigest()})


def _cut(engine: FaceEngine, files: Sequence[Path]) -> Iterator[tuple[np.ndarray | None, Crop]]:
    for batch in batches(files):
        images = [image for image in batch if isinstance(image, np.ndarray)]
        answers = iter(zip(images, engine.detector.detect(images), strict=True))
        for item in batch:
            if isinstance(item, DataError):
                yield None, Crop(reason=f"unreadable: {item}")
            else:
                yield _crop(engine, *next(answers))


def _crop(engine: FaceEngine, image: np.ndarray, faces: Sequence[Face]) -> tuple[np.ndarray | None, Crop]:
    if not faces:
        return None, Crop(reason="no face")
    face = largest(faces, "")
    try:
        crop = engine.embedder.align(image, [face])[0]
    except DataError as exc:
        return None, Crop(n_faces=len(faces), reason=f"cannot be aligned: {exc}")
    return crop, Crop(score=round(float(face.score), 6), n_faces=len(faces))


_of_worker: PartMaker | None = None


def start_worker(maker: PartMaker) -> None:
    """Called once in each process of a pool."""
    global _of_worker
    cv2.setNumThreads(1)
    _of_worker = maker


def run_part(work: tuple[list[Path], int, Path]) -> int:
    """One part in a process of a pool."""
    assert _of_worker is not None
    return _of_worker(*work)
