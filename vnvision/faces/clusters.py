"""The faces of a photo folder by person, without names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vnvision import atomic
from vnvision.data.neardup import cluster as copies_of
from vnvision.errors import ConfigError, DataError
from vnvision.faces.clusters_linkage import average_linkage
from vnvision.faces.clusters_page import page
from vnvision.faces.clusters_reading import Progress, Seen, look_at
from vnvision.faces.clusters_records import ClusteredFace, PhotoClusters, PhotoPerson, PhotoProblem
from vnvision.faces.engine import FaceEngine
from vnvision.faces.listing import list_pictures
from vnvision.faces.quality import LIMITS
from vnvision.faces.quality.texts import Language
from vnvision.faces.thresholds import Threshold
from vnvision.records import Face

__all__ = ["DEFAULT_FMR", "cluster_photos"]

# Chosen on half of the people of asianfaces_dev (crc32 of the identity even):
# training/benchmarks/face_clusters.py.
DEFAULT_FMR = "fmr=1e-3"
# Of a smaller face too little is left to tell people apart: the limit below which no face is verified either.
LEAST_EYE_DISTANCE_PX = LIMITS["verify"].least_inter_eye_distance_px


def cluster_photos(
    folder: str | Path,
    *,
    out: str | Path | None = None,
    threshold: float | str = DEFAULT_FMR,
    population: str | None = None,
    same_photo: bool = False,
    engine: FaceEngine | None = None,
    language: Language = "vi",
    progress: Progress | None = None,
) -> PhotoClusters:
    """Group every face of a folder's photos by person.

    Two groups of faces are one person where the mean cosine between them reaches the threshold
    (``average_linkage``). Two faces of one photo are two people, unless ``same_photo``. Faces whose eyes are
    less than 20 pixels apart are listed but left out. No person gets a name, and nothing is kept but
    what is returned or written. Equal photos give equal answers.

    Args:
        folder: photos, also in folders below; or a manifest with a column ``path``.
        out: folder for ``clusters.csv``, ``clusters.json`` and ``index.html``, a page with small pictures of
            the faces; each is written whole. None writes nothing.
        threshold: a rate of false matches, as ``fmr=1e-3`` or ``fmr=1e-3@korean``, or a cosine.
        population: whose operating point; without one the strictest that was measured.
        same_photo: one person may be in a photo twice (mirrors, collages).
        engine: finds and embeds faces; None opens YuNet and SFace.
        language: of the page.
        progress: called with (photos done, total).

    Raises:
        DataError: no photos there, none that can be read, no face in any of them, or files that cannot be
            written.
        ConfigError: a threshold that is none, or a rate or population that was never calibrated.
        ModelError: no weights.
    """
    root, paths = _listed(folder)
    faces = engine or FaceEngine()
    try:
        limit = faces.threshold(threshold, population)
        if not limit.value > 0:
            raise ConfigError(
                "people cannot be told apart", expected="a cosine above 0", got=f"{limit.value:g}"
            )
        seen = look_at(faces, [root / path for path in paths], progress)
        model = faces.embedder.fingerprint
    finally:
        if engine is None:
            faces.close()
    if not seen.faces:
        raise _nothing(folder, len(paths), seen)
    found = _grouped(paths, seen, limit, same_photo, model)
    if out is not None:
        _write(found, root, Path(out), language)
    return found


def _listed(folder: str | Path) -> tuple[Path, tuple[str, ...]]:
    try:
        pictures = list_pictures(folder)
    except DataError as exc:
        raise DataError(
            exc.problem,
            expected="a folder with photos",
            got=exc.got,
            vietnamese=f"{folder}: không có ảnh nào; hãy chọn thư mục có ảnh",
        ) from exc
    return pictures.root, tuple(sorted(pictures.paths))


def _nothing(folder: str | Path, photos: int, seen: Seen) -> DataError:
    why = f", {len(seen.unreadable)} that cannot be read" if seen.unreadable else ""
    return DataError(
        f"no face in any photo of {folder}",
        expected="photos of people",
        got=f"{len(seen.without)} without a face{why}",
        vietnamese=f"không thấy khuôn mặt nào trong {photos} ảnh của {folder}",
    )


def _grouped(
    paths: Sequence[str], seen: Seen, limit: Threshold, same_photo: bool, model: str
) -> PhotoClusters:
    first = _first_copies(seen)
    large = [i for i, (_, _, face) in enumerate(seen.faces) if _eyes(face) >= LEAST_EYE_DISTANCE_PX]
    vectors = np.array([seen.faces[i][2].embedding for i in large], np.float32).reshape(len(large), -1)
    photos = [seen.faces[i][0] for i in large]
    groups = average_linkage(vectors, limit.value, None if same_photo else photos)
    names, near, others = _named(groups, [first[photo] for photo in photos], vectors)
    place = {i: j for j, i in enumerate(large)}
    faces = tuple(
        ClusteredFace(
            path=paths[photo],
            face=number,
            box_xyxy_px=face.box_xyxy_px,
            person_id=names[place[i]] if i in place else "",
            similarity=near[place[i]] if i in place else None,
            to_others=others[place[i]] if i in place else None,
            quality=(face.quality or {}).get("score", 0.0),
            left_out="" if i in place else "too_small",
            copy_of=paths[first[photo]] if first[photo] != photo else "",
        )
        for i, (photo, number, face) in enumerate(seen.faces)
    )
    return PhotoClusters(
        photos=len(paths),
        threshold=limit.value,
        point=limit.point,
        model=model,
        people=_people(faces),
        faces=faces,
        without_face=tuple(paths[i] for i in seen.without),
        unreadable=tuple(PhotoProblem(path=paths[i], problem=why) for i, why in seen.unreadable),
        copies=sum(one != i for i, one in enumerate(first)),
    )


def _eyes(face: Face) -> float:
    return (face.quality or {}).get("inter_eye_distance_px", 0.0)


def _first_copies(seen: Seen) -> list[int]:
    """The first photo of those that each photo is a copy of; itself where it is none."""
    labels = copies_of(seen.prints, [None] * len(seen.prints), mirrored=False)
    first: dict[int, int] = {}
    return [first.setdefault(label, i) for i, label in enumerate(labels)]


def _named(
    groups: np.ndarray, photos: Sequence[int], vectors: np.ndarray
) -> tuple[list[str], list[float], list[float | None]]:
    """Each face's person, cosine to their mean, and mean cosine to their other faces (None for a lone one).

    People in the most photos come first.
    """
    members: dict[int, list[int]] = {}
    for i, group in enumerate(groups.tolist()):
        members.setdefault(group, []).append(i)
    order = sorted(members, key=lambda g: (-len({photos[i] for i in members[g]}), -len(members[g]), g))
    digits = max(3, len(str(len(order))))
    names, near = [""] * len(groups), [0.0] * len(groups)
    others: list[float | None] = [None] * len(groups)
    for number, group in enumerate(order, 1):
        mine = vectors[members[group]].astype(np.float64)
        total, count = mine.sum(axis=0), len(mine)
        length = max(float(np.linalg.norm(total)), 1e-12)
        for i, product in zip(members[group], (mine @ total).tolist(), strict=True):
            names[i], near[i] = f"person-{number:0{digits}d}", min(1.0, product / length)
            others[i] = (product - 1) / (count - 1) if count > 1 else None
    return names, near, others


def _people(faces: Sequence[ClusteredFace]) -> tuple[PhotoPerson, ...]:
    mine: dict[str, list[ClusteredFace]] = {}
    for face in faces:
        if face.person_id:
            mine.setdefault(face.person_id, []).append(face)
    return tuple(_person(name, mine[name]) for name in sorted(mine))


def _person(name: str, faces: Sequence[ClusteredFace]) -> PhotoPerson:
    cover = max(faces, key=lambda face: face.quality)
    return PhotoPerson(
        person_id=name,
        faces=len(faces),
        photos=len({face.copy_of or face.path for face in faces}),
        lowest_to_others=min((face.to_others for face in faces if face.to_others is not None), default=None),
        cover_path=cover.path,
        cover_face=cover.face,
    )


def _write(found: PhotoClusters, root: Path, out: Path, language: Language) -> None:
    """The page goes last: where it lies, the others do."""
    try:
        atomic.write_text(out / "clusters.csv", found.table())
        atomic.write_text(out / "clusters.json", found.model_dump_json(indent=2) + "\n")
        atomic.write_text(out / "index.html", page(found, root, language))
    except OSError as exc:
        raise DataError(
            f"cannot write to {out}",
            got=exc.strerror or str(exc),
            vietnamese=f"không ghi được vào {out}; hãy chọn thư mục khác",
        ) from exc
