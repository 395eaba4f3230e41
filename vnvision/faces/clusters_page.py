"""The page of a grouped folder: one file, small pictures of the faces inside it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vnvision.errors import DataError
from vnvision.faces.clusters_records import ClusteredFace, PhotoClusters, PhotoPerson, spelt
from vnvision.faces.clusters_texts import TEXTS
from vnvision.faces.pictures import as_rgb, decoded
from vnvision.faces.quality import LIMITS
from vnvision.faces.quality.texts import Language

_THUMB_PX, _THUMB_QUALITY, _MARGIN = 112, 82, 0.3
_A_PERSON, _ON_PAGE = 18, 1500  # small pictures; some 4 kB each
_BEYOND = (228, 228, 222)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page(found: PhotoClusters, root: Path, language: Language) -> str:
    """HTML of all people, those in the most photos first, then those seen once.

    Args:
        found: the groups.
        root: folder that their paths are relative to; the shown photos are read once more.
        language: of the texts.
    """
    shown, hidden = _chosen(found)
    small = _thumbnails(root, [face for _, faces in shown for face in faces])
    once = [(person, faces) for person, faces in shown if person.photos == 1]
    many = [(person, faces) for person, faces in shown if person.photos > 1]
    counts = {who: len(faces) for who, faces in _once(found).items()}
    parts = [_head(found, language)]
    for person, faces in many:
        unsure = _unsure(person, found)
        parts.append(_person(person, faces, counts[person.person_id] - len(faces), unsure, small, language))
    if once:
        lone = "".join(_face(face, small, language) for _, some in once for face in some)
        parts.append(
            f'<section><div class="head"><h2>{_say("once", language)}</h2></div>'
            f'<ul class="faces">{lone}</ul></section>'
        )
    if hidden:
        parts.append(f'<p class="note">{_say("few", language, count=hidden, most=_ON_PAGE)}</p>')
    parts.append(_rest(found, language))
    css = (resources.files("vnvision.faces") / "clusters.css").read_text("utf-8")
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{_say('title', language)}</title><style>\n{css}</style></head>\n<body><main>\n"
        + spelt("\n".join(part for part in parts if part))
        + "\n</main></body></html>\n"
    )


def _say(key: str, language: Language, **values: Any) -> str:
    return escape(TEXTS[key][language == "en"].format(**values))


def _chosen(found: PhotoClusters) -> tuple[list[tuple[PhotoPerson, list[ClusteredFace]]], int]:
    """People with the faces to show, and how many people found no room."""
    mine = _once(found)
    shown: list[tuple[PhotoPerson, list[ClusteredFace]]] = []
    room = _ON_PAGE
    for number, person in enumerate(found.people):
        faces = sorted(mine[person.person_id], key=lambda f: (-(f.similarity or 0), f.path, f.face))
        # The nearest, and the farthest two: where a group is wrong it is wrong there.
        some = faces if len(faces) <= _A_PERSON else faces[: _A_PERSON - 2] + faces[-2:]
        if len(some) > room:
            return shown, len(found.people) - number
        room -= len(some)
        shown.append((person, some))
    return shown, 0


def _once(found: PhotoClusters) -> dict[str, list[ClusteredFace]]:
    """Each person's faces, those in copies of photos left out where there are others."""
    every: dict[str, list[ClusteredFace]] = {}
    for face in found.faces:
        if face.person_id:
            every.setdefault(face.person_id, []).append(face)
    return {who: [face for face in faces if not face.copy_of] or faces for who, faces in every.items()}


def _head(found: PhotoClusters, language: Language) -> str:
    many = sum(person.photos > 1 for person in found.people)
    counts = {
        "photos": found.photos,
        "faces": len(found.faces),
        "people": len(found.people),
        "repeated": many,
    }
    boxes = "".join(f"<div><b>{n:,}</b>{_say(key, language)}</div>" for key, n in counts.items())
    point = found.point
    known = {"target": point.target, "population": point.population, "n": f"{point.n:,}"} if point else {}
    source = TEXTS["point" if point else "number"][language == "en"].format(**known)
    limit = _say("threshold", language, value=found.threshold, source=source)
    return (
        f"<h1>{_say('title', language)}</h1>\n<p>{_say('lead', language)}</p>\n"
        f'<p class="note">{_say("private", language)}</p>\n<div class="counts">{boxes}</div>\n'
        f'<p class="quiet">{limit}</p>'
    )


def _person(
    person: PhotoPerson,
    faces: Sequence[ClusteredFace],
    more: int,
    unsure: bool,
    small: dict[tuple[str, int], str],
    language: Language,
) -> str:
    number = int(person.person_id.rpartition("-")[2])
    tag = f'<span class="tag">{_say("unsure", language)}</span>' if unsure else ""
    rest = f'<p class="quiet">{_say("more", language, count=more)}</p>' if more > 0 else ""
    name = _say("person", language, number=number)
    count = _say("in_photos", language, photos=person.photos, faces=person.faces)
    lowest = _say("lowest", language, value=person.lowest_to_others or 0.0)
    return (
        f'<section id="{person.person_id}"><div class="head"><h2>{name}</h2>'
        f'<span class="quiet">{count}; {lowest}</span>{tag}</div>'
        f'<ul class="faces">{"".join(_face(face, small, language) for face in faces)}</ul>{rest}</section>'
    )


def _unsure(person: PhotoPerson, found: PhotoClusters) -> bool:
    """A face that is less like the others of its group than a group must be to join."""
    return person.lowest_to_others is not None and person.lowest_to_others < found.threshold


def _face(face: ClusteredFace, small: dict[tuple[str, int], str], language: Language) -> str:
    data = small.get((face.path, face.face), "")
    path = escape(face.path)
    picture = f'<img alt="{_say("alt", language, path=face.path)}" src="data:image/jpeg;base64,{data}">'
    return (
        f'<li title="{path} · {face.similarity or 0:.2f}">{picture if data else ""}<span>{path}</span></li>'
    )


def _rest(found: PhotoClusters, language: Language) -> str:
    counts = {
        "left_out": found.left_out,
        "without": len(found.without_face),
        "unreadable": len(found.unreadable),
        "copies": found.copies,
    }
    limit = LIMITS["verify"].least_inter_eye_distance_px
    lines = [f"<li>{_say(key, language, count=n, limit=limit)}</li>" for key, n in counts.items() if n]
    if not lines:
        return ""
    named = [*found.without_face, *(one.path for one in found.unreadable)][:20]
    names = f'<p class="quiet">{escape(", ".join(named))}</p>' if named else ""
    return (
        f'<section><div class="head"><h2>{_say("rest", language)}</h2></div>'
        f'<ul class="plain">{"".join(lines)}</ul>{names}</section>'
    )


def _thumbnails(root: Path, faces: Sequence[ClusteredFace]) -> dict[tuple[str, int], str]:
    """Base64 JPEG of each face, each photo read once; a photo that has gone since is left out."""
    wanted: dict[str, list[ClusteredFace]] = {}
    for face in faces:
        wanted.setdefault(face.path, []).append(face)
    made = {}
    for path, some in wanted.items():
        try:
            image = as_rgb(decoded(root / path), 0)
        except DataError:
            continue
        for face in some:
            made[path, face.face] = _thumbnail(image, face.box_xyxy_px)
    return made


def _thumbnail(image: np.ndarray, box_xyxy_px: tuple[float, float, float, float]) -> str:
    """The square around a face, grey where it leaves the photo."""
    x0, y0, x1, y1 = box_xyxy_px
    half = max(x1 - x0, y1 - y0, 2.0) * (0.5 + _MARGIN)
    scale = _THUMB_PX / (2 * half)
    shift = [-scale * ((x0 + x1) / 2 - half), -scale * ((y0 + y1) / 2 - half)]
    left, top = max(0, int((x0 + x1) / 2 - half) - 2), max(0, int((y0 + y1) / 2 - half) - 2)
    part = image[top : int((y0 + y1) / 2 + half) + 3, left : int((x0 + x1) / 2 + half) + 3]
    by = max(1, int(1 / scale))
    if not part.size:
        return ""
    if by > 1:
        part = cv2.resize(part, None, fx=1 / by, fy=1 / by, interpolation=cv2.INTER_AREA)
    matrix = np.array([[scale * by, 0, shift[0] + scale * left], [0, scale * by, shift[1] + scale * top]])
    small = cv2.warpAffine(part, matrix, (_THUMB_PX, _THUMB_PX), borderValue=_BEYOND)
    data = cv2.imencode(".jpg", small[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _THUMB_QUALITY])[1]
    return base64.b64encode(data.tobytes()).decode("ascii")
