"""Photos with every face hidden, written beside the originals, which are never touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from vnvision import atomic
from vnvision.errors import ConfigError, DataError
from vnvision.faces.anonymise_files import encoded
from vnvision.faces.anonymise_hide import METHODS, Method, hide_faces
from vnvision.faces.anonymise_looking import watchful_detectors
from vnvision.faces.anonymise_plan import copies_planned
from vnvision.faces.engine import area
from vnvision.faces.pictures import as_rgb
from vnvision.faces.protocols import Detector
from vnvision.imaging import read
from vnvision.imaging.depth import to_uint8
from vnvision.metrics.detection_matching import iou_matrix
from vnvision.records import Face
from vnvision.spec import Record

__all__ = [
    "AnonymisedPhoto",
    "AnonymisedPhotos",
    "anonymise_faces",
    "anonymise_picture",
    "watchful_detectors",
]

_SAME, _INSIDE = 0.3, 0.6  # intersection over union, and over the smaller box

Status = Literal["hidden", "no_face", "unreadable"]
Progress = Callable[[int, int], None]


class AnonymisedPhoto(Record):
    """One photo.

    Attributes:
        path: the original.
        status: ``hidden``, ``no_face`` or ``unreadable``.
        faces: how many were found and hidden.
        out: what was written; None where nothing was.
        problem: why it could not be read.
    """

    path: str
    status: Status
    faces: int = 0
    out: str | None = None
    problem: str | None = None


class AnonymisedPhotos(Record):
    """Every photo that was asked for, in order."""

    method: Method
    photos: tuple[AnonymisedPhoto, ...]

    @property
    def faces(self) -> int:
        """How many were hidden in all."""
        return sum(photo.faces for photo in self.photos)

    @property
    def all_hidden(self) -> bool:
        """A face was found, and hidden, in every photo. Says nothing of faces that were not found."""
        return all(photo.status == "hidden" for photo in self.photos)


def anonymise_faces(
    paths: str | Path | Sequence[str | Path],
    *,
    out: str | Path,
    method: Method = "blur",
    keep_faceless: bool = False,
    replace: bool = False,
    detectors: Sequence[Detector] | None = None,
    progress: Progress | None = None,
) -> AnonymisedPhotos:
    """Write copies of photos in which every face that is found is hidden, hair to chin.

    The rest of a photo stays: its size, its bits a channel, its kind of file. It is turned upright, and
    transparency is laid on white, because colours under it would stay in the file. EXIF, XMP, previews and
    comments do not go along, nor do further pages or frames. A photo in which no face was found is not
    written unless ``keep_faceless``: look at it yourself. What is not a face can tell who it is too: clothes,
    a name badge, a place.

    Args:
        paths: photos, or folders of photos, folders below them too.
        out: folder for the copies; those of a folder's photos keep their place in it.
        method: ``blur``, ``pixelate`` or ``fill``; see ``hide_faces``.
        keep_faceless: write photos without a face too, without their metadata.
        replace: overwrite copies that lie there already; never an original.
        detectors: find the faces, each looks at every photo; None takes ``watchful_detectors``.
        progress: called with (photos done, total).

    Raises:
        ConfigError: another method, no photos, two that would be written to one file, a copy that lies there
            already or would be its own original.
        DataError: a copy cannot be written.
        ModelError: no weights.
    """
    if method not in METHODS:
        raise ConfigError(
            "faces cannot be hidden this way",
            expected=", ".join(METHODS),
            got=method,
            vietnamese=f"không có cách che {method!r}; hãy chọn {', '.join(METHODS)}",
        )
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    plan = copies_planned([Path(one) for one in given], Path(out), replace)
    mine = watchful_detectors() if detectors is None else detectors
    photos = []
    try:
        for done, (source, target) in enumerate(plan, 1):
            photos.append(_one(source, target, method, mine, keep_faceless))
            if progress:
                progress(done, len(plan))
    finally:
        for detector in mine if detectors is None else ():
            detector.close()
    return AnonymisedPhotos(method=method, photos=tuple(photos))


def anonymise_picture(
    image: np.ndarray, detectors: Sequence[Detector], method: Method = "blur"
) -> tuple[np.ndarray, tuple[Face, ...]]:
    """One picture in memory: (the picture with every face hidden, the faces, each once).

    Args:
        image: (H, W, 1) or (H, W, 3) RGB, uint8 or uint16; not changed.
        detectors: find the faces; what any of them finds is hidden.
        method: see ``hide_faces``.

    Raises:
        DataError: another shape or dtype.
    """
    eight = as_rgb(to_uint8(image), 0)
    everything = [face for detector in detectors for face in detector.detect([eight])[0]]
    once: list[Face] = []
    for face in everything:
        if not _known(face, once):
            once.append(face)
    return hide_faces(image, everything, method), tuple(
        once
    )  # where two boxes of a face differ, both are hidden


def _known(face: Face, found: Sequence[Face]) -> bool:
    """Whether a face was found before: boxes overlap, or one lies mostly in the other."""
    if not found:
        return False
    box, boxes = np.array([face.box_xyxy_px]), np.array([one.box_xyxy_px for one in found])
    sides = np.minimum(box[:, 2:], boxes[:, 2:]) - np.maximum(box[:, :2], boxes[:, :2])
    shared = np.clip(sides, 0, None).prod(axis=1)
    smaller = np.minimum(area(face), np.array([area(one) for one in found]))
    return bool((iou_matrix(box, boxes) >= _SAME).any() or (shared > _INSIDE * smaller).any())


def _one(
    source: Path, target: Path, method: Method, detectors: Sequence[Detector], keep_faceless: bool
) -> AnonymisedPhoto:
    try:
        sample = read(source)
        kind = str(sample.meta.get("format"))
        if kind == "DICOM":
            raise DataError(
                f"{source} is a DICOM file", fix="use vnvision clinic deidentify, which knows its header too"
            )
        hidden, faces = anonymise_picture(sample.image, detectors, method)
        if not faces and not keep_faceless:
            return AnonymisedPhoto(path=str(source), status="no_face")
        data = encoded(hidden, kind, source.read_bytes())
    except (DataError, cv2.error) as exc:
        return AnonymisedPhoto(path=str(source), status="unreadable", problem=str(exc))
    try:
        atomic.write_bytes(target, data)
    except OSError as exc:
        raise DataError(
            f"cannot write {target}",
            got=exc.strerror or str(exc),
            vietnamese=f"không ghi được {target}; hãy chọn thư mục khác",
        ) from exc
    status: Status = "hidden" if faces else "no_face"
    return AnonymisedPhoto(path=str(source), status=status, faces=len(faces), out=str(target))
