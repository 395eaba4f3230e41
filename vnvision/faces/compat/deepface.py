"""``verify``, ``find`` and ``represent`` as in DeepFace: its names and keys, answered by ``FaceEngine``.

What differs is refused or said: thresholds are measured, not built in (``fmr=1e-4``); embeddings are
unit-norm; there is no ``confidence``, which DeepFace draws from a curve of each model. For all three calls:

- pictures are paths, bytes of image files, or BGR arrays, as OpenCV reads them;
- ``threshold`` is the largest cosine distance (1 - cosine) of one person, or ``fmr=RATE``;
- ``model_name`` and ``detector_backend`` are None or name what ``engine`` holds: SFace and yunet by default;
- ``**other`` are DeepFace's other arguments, at the values that change nothing here;
- ConfigError is raised for an argument that cannot be followed or a rate that was never measured,
  DataError for a picture that cannot be read or shows no face.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vnvision.errors import ConfigError, DataError
from vnvision.faces.compat import from_bgr, refuse
from vnvision.faces.engine import DEFAULT_THRESHOLD, FaceEngine, area, largest
from vnvision.faces.listing import list_pictures
from vnvision.faces.pictures import Picture
from vnvision.records import Face

_ACCEPTED: dict[str, tuple[Any, ...]] = {
    "distance_metric": ("cosine",),
    "enforce_detection": (True,),
    "align": (True,),
    "expand_percentage": (0,),
    "normalization": ("base",),
    "anti_spoofing": (False,),
    "silent": (True, False),
}
_OF_REPRESENT = {"l2_normalize": (True, False), "minmax_normalize": (False,), "return_face": (False,)}
_OF_FIND = {
    "similarity_search": (False,),
    "refresh_database": (True,),
    "return_type": (None, "dict", "pandas"),
}
_BOXES = tuple(f"{whose}_{side}" for whose in ("target", "source") for side in "xywh")
_COLUMNS = ("identity", *_BOXES, "threshold", "distance")


def verify(
    img1_path: Picture,
    img2_path: Picture,
    model_name: str | None = None,
    detector_backend: str | None = None,
    *,
    threshold: float | str = DEFAULT_THRESHOLD,
    engine: FaceEngine | None = None,
    **other: Any,
) -> dict[str, Any]:
    """Whether the largest faces of two pictures show one person.

    DeepFace takes the closest pair of all faces, which lets more strangers through the more faces there are.

    Returns:
        verified, distance, threshold (a distance), model, detector_backend, similarity_metric, facial_areas,
        time in seconds.
    """
    start = time.perf_counter()
    engine, names = _opened(engine, model_name, detector_backend)
    refuse("verify", other, _ACCEPTED)
    answer = engine.verify(from_bgr(img1_path), from_bgr(img2_path), threshold=_cosine(threshold))
    return {
        "verified": answer.same,
        "distance": max(0.0, 1 - answer.similarity),
        "threshold": 1 - answer.threshold,
        **names,
        "similarity_metric": "cosine",
        "facial_areas": {"img1": _area(answer.faces[0]), "img2": _area(answer.faces[1])},
        "time": round(time.perf_counter() - start, 2),
    }


def represent(
    img_path: Picture | Sequence[Picture],
    model_name: str | None = None,
    *,
    detector_backend: str | None = None,
    max_faces: int | None = None,
    engine: FaceEngine | None = None,
    **other: Any,
) -> list[Any]:
    """Every face of a picture, or the ``max_faces`` largest; a list of pictures goes in one batch.

    Returns:
        Dicts with embedding, facial_area and face_confidence; of a list of pictures a list of these each.
    """
    engine, _ = _opened(engine, model_name, detector_backend)
    refuse("represent", other, _ACCEPTED | _OF_REPRESENT)
    several = isinstance(img_path, list | tuple)
    pictures: list[Any] = [*img_path] if isinstance(img_path, list | tuple) else [img_path]
    answers = []
    for picture, faces in zip(pictures, engine.represent([from_bgr(p) for p in pictures]), strict=True):
        largest(faces, picture)  # raises where there is none
        kept = faces if max_faces is None else sorted(faces, key=area, reverse=True)[:max_faces]
        rows = [(list(face.embedding or ()), _area(face), face.score) for face in kept]
        names = ("embedding", "facial_area", "face_confidence")
        answers.append([dict(zip(names, row, strict=True)) for row in rows])
    return answers if several else answers[0]


def find(
    img_path: Picture,
    db_path: str | Path,
    model_name: str | None = None,
    *,
    detector_backend: str | None = None,
    threshold: float | str = DEFAULT_THRESHOLD,
    k: int | None = None,
    return_type: str | None = None,
    engine: FaceEngine | None = None,
    **other: Any,
) -> list[Any]:
    """Which pictures of a folder show the people of a picture; the ``k`` closest, or all.

    The folder is embedded at every call and nothing is written into it: ``vnvision.faces.gallery`` keeps
    people for good. Files that cannot be read are named in a warning. A rate is that of one comparison: among
    n pictures a stranger is found about n times as often.

    Returns:
        For each face, the most certain first, its records, the closest first: identity (the file), target_x,
        target_y, target_w, target_h, source_x to source_h, threshold, distance. ``return_type`` is ``dict``
        or ``pandas``; None takes pandas where it is installed, as DeepFace does.
    """
    engine, _ = _opened(engine, model_name, detector_backend)
    refuse("find", other | {"return_type": return_type}, _ACCEPTED | _OF_FIND)
    limit = engine.threshold(_cosine(threshold)).value
    sources = engine.represent([from_bgr(img_path)])[0]
    largest(sources, img_path)  # raises where there is none
    files, faces = _known(engine, db_path)
    known = np.array([face.embedding for face in faces], np.float32).reshape(len(faces), engine.embedder.size)
    tables = []
    for source in sources:
        cosines = known @ np.array(source.embedding, np.float32)
        order = [i for i in np.argsort(-cosines, kind="stable") if cosines[i] >= limit][:k]
        rows = [
            (files[i], *_box(faces[i]), *_box(source), 1 - limit, max(0.0, 1 - float(cosines[i])))
            for i in order
        ]
        tables.append([dict(zip(_COLUMNS, row, strict=True)) for row in rows])
    return _as(return_type, tables)


def _as(return_type: str | None, tables: list[list[dict[str, Any]]]) -> list[Any]:
    there = importlib.util.find_spec("pandas") is not None
    if return_type == "dict" or (return_type is None and not there):
        return tables
    if not there:
        raise ConfigError("pandas is not installed", fix="pip install pandas, or return_type='dict'")
    pandas = importlib.import_module("pandas")
    return [pandas.DataFrame(rows, columns=list(_COLUMNS)) for rows in tables]


def _known(engine: FaceEngine, folder: str | Path) -> tuple[list[str], list[Face]]:
    """Every face of the folder's pictures, and the file of each."""
    listed = list_pictures(folder)
    paths = [str(listed.root / path) for path in listed.paths]
    answers = list(zip(paths, engine.found(paths), strict=True))
    if bad := [str(found) for _, found in answers if isinstance(found, DataError)]:
        warnings.warn(f"left out, as they cannot be read: {'; '.join(bad)}", stacklevel=3)
    good = [(file, face) for file, found in answers if not isinstance(found, DataError) for face in found]
    return [file for file, _ in good], [face for _, face in good]


def _cosine(threshold: float | str) -> float | str:
    rate = isinstance(threshold, str) and threshold.startswith("fmr=")
    if not rate and (isinstance(threshold, str) or not 0 <= threshold <= 2):
        expected = "a cosine distance, 0 to 2, or fmr=RATE"
        raise ConfigError("a threshold is wrong", expected=expected, got=str(threshold))
    return threshold if isinstance(threshold, str) else 1 - threshold


@functools.cache
def _own_engine() -> FaceEngine:
    return FaceEngine()


def _opened(
    engine: FaceEngine | None, model: str | None, detector: str | None
) -> tuple[FaceEngine, dict[str, str]]:
    engine = engine or _own_engine()
    own = type(engine.embedder).__name__, type(engine.detector).__name__.lower()
    asked = {"model_name": model, "detector_backend": detector}
    refuse("the engine in use", asked, {"model_name": (None, own[0]), "detector_backend": (None, own[1])})
    return engine, {"model": own[0], "detector_backend": own[1]}


def _box(face: Face) -> tuple[int, int, int, int]:
    """x, y, width, height in whole pixels, cut off at the picture's left and top."""
    x0, y0, x1, y1 = (max(0, round(side)) for side in face.box_xyxy_px)
    return x0, y0, x1 - x0, y1 - y0


def _area(face: Face) -> dict[str, Any]:
    """DeepFace's facial area; its left eye is the person's, on the right of the picture."""
    eyes = [(round(x), round(y)) for x, y in face.landmarks_px[:2]]
    return dict(zip("xywh", _box(face), strict=True)) | {"left_eye": eyes[1], "right_eye": eyes[0]}
