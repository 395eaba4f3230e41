"""From photos to a gallery: the gallery's own place and key, and one person's photos into it."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from vnvision.errors import DataError
from vnvision.faces.engine import FaceEngine, largest
from vnvision.faces.gallery import (
    KEY_VARIABLE,
    Consent,
    Enrolment,
    Gallery,
    GalleryKey,
    create_key_file,
)
from vnvision.faces.photo_quality import rivals
from vnvision.faces.pictures import Picture, name_of
from vnvision.faces.places import gallery_file, key_file
from vnvision.faces.protocols import Embedder
from vnvision.faces.quality import QualityGate
from vnvision.faces.quality.texts import Language
from vnvision.records import Face

_LANGUAGES: tuple[Language, Language] = ("en", "vi")
ENROL = QualityGate("enrol")


def open_gallery(
    path: str | Path | None = None,
    *,
    key: GalleryKey | Path | None = None,
    embedder: Embedder | None = None,
    create: bool = False,
) -> Gallery:
    """A gallery, by default the user's own, with the key from where it usually lies.

    Without ``key`` it is that of the variable VNVISION_GALLERY_KEY, else the file of ``usual_key_file``
    (``faces.key`` beside ``faces.db``), which is made together with a new gallery.

    Args:
        path: the gallery file; None takes ``gallery_file()``.
        key: a key, or the path of a key file.
        embedder: whose embeddings go in and are searched; not needed to list, forget or audit.
        create: make gallery and key where there is none.

    Raises:
        ConfigError: no key, or a wrong one.
        DataError: no gallery there.
        ModelError: the gallery holds another model's embeddings.
        MissingExtraError: ``cryptography`` is not installed.
    """
    file = Path(path) if path else gallery_file()
    if not create and not file.is_file():
        option = f" --gallery {shlex.quote(str(path))}" if path else ""
        raise DataError(
            f"there is no gallery {file}",
            fix=f"enrol somebody first: vnvision face enroll PERSON PHOTO... --consent TEXT{option}",
            vietnamese=f"chưa có kho khuôn mặt {file}; hãy đăng ký trước: "
            f"vnvision face enroll NGƯỜI ẢNH... --consent NỘI_DUNG{option}",
        )
    model, dim = (embedder.fingerprint, embedder.size) if embedder else (None, None)
    secret = key if key is not None else _usual_key(file, create)
    return Gallery.open(file, key=secret, model=model, dim=dim, create=create)


def usual_key_file(gallery: Path) -> Path:
    """Where the key of a gallery lies unless it is named: beside it."""
    return key_file() if gallery == gallery_file() else gallery.with_suffix(".key")


def _usual_key(file: Path, create: bool) -> GalleryKey | Path | None:
    if os.environ.get(KEY_VARIABLE):
        return None
    own = usual_key_file(file)
    if create and not own.is_file() and not file.is_file():
        own.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        create_key_file(own)
    return own


def enroll_pictures(
    engine: FaceEngine,
    gallery: Gallery,
    person: str,
    pictures: Sequence[Picture],
    *,
    consent: Consent,
    purpose: str,
    expires: datetime,
    name: str | None = None,
    gate: QualityGate | None = ENROL,
) -> Enrolment:
    """Enrol one person with several photos: all of them, or nothing.

    Args:
        engine: finds and embeds faces.
        gallery: where to.
        person: the person's id.
        pictures: each with one face, or one at least twice as large as any other.
        consent: who agreed, when, to what.
        purpose: what the face may be used for.
        expires: from when on the photos match nobody.
        name: for display.
        gate: refuses poor photos; None takes any.

    Raises:
        DataError: a photo that cannot be read, without a face, with several people, or too poor to enrol,
            with every reason and what to do in both languages.
        ConfigError: an empty text, a wrong expiry.
    """
    if not pictures:
        raise DataError("no photos to enrol", expected="one or more", got="0")
    found = engine.represent(pictures, quality=gate is not None)
    faces = [_the_one(some, picture) for some, picture in zip(found, pictures, strict=True)]
    if gate is not None:
        for face, picture in zip(faces, pictures, strict=True):
            _check_quality(face, picture, gate)
    embeddings = np.array([face.embedding for face in faces], np.float32)
    return gallery.enroll(
        person,
        embeddings,
        consent=consent,
        purpose=purpose,
        expires=expires,
        name=name,
        digests=[_digest(picture) for picture in pictures],
    )


def _the_one(faces: Sequence[Face], picture: Picture) -> Face:
    best = largest(faces, picture)
    others = rivals(best, faces)
    if others:
        name = name_of(picture)
        raise DataError(
            f"{name} shows several people",
            expected="one face, or one twice as large as the others",
            got=f"{1 + len(others)} of like size",
            fix="cut the picture to the person to enrol",
            vietnamese=f"{name} có nhiều người; hãy cắt ảnh chỉ còn người cần đăng ký",
        )
    return best


def _check_quality(face: Face, picture: Picture, gate: QualityGate) -> None:
    verdict = gate.check_face(face)
    if verdict.accepted:
        return
    name = name_of(picture)
    english, vietnamese = (", ".join(r.text(which) for r in verdict.reasons) for which in _LANGUAGES)
    advice, advice_vi = (verdict.reasons[0].advice(which) for which in _LANGUAGES)
    raise DataError(
        f"{name} is too poor to enrol: {english}",
        fix=advice,
        vietnamese=f"{name} không đủ tốt để đăng ký: {vietnamese}; {advice_vi}",
    )


def _digest(picture: Picture) -> str:
    if isinstance(picture, np.ndarray):
        shape = repr((picture.shape, str(picture.dtype))).encode()
        return hashlib.sha256(shape + np.ascontiguousarray(picture).tobytes()).hexdigest()
    data = picture if isinstance(picture, bytes) else Path(picture).read_bytes()
    return hashlib.sha256(data).hexdigest()
