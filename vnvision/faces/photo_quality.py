"""Is a photo good enough to enrol a person with, or to verify one? A verdict and what to do."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from vnvision.errors import ConfigError, DataError
from vnvision.faces.clusters_records import plain_cell
from vnvision.faces.engine import FaceEngine, area
from vnvision.faces.pictures import Picture, name_of
from vnvision.faces.quality import QualityGate
from vnvision.faces.quality.texts import TEXTS, Language, Texts
from vnvision.records import Face
from vnvision.spec import Record

__all__ = ["PhotoAdvice", "PhotoQuality", "face_quality", "quality_table", "rivals", "several"]

CLEARLY_LARGER = 2.0  # in area: then it is clear who is meant

Use = Literal["enrol", "verify", "none", "unreadable"]
Progress = Callable[[int, int], None]

_OWN_TEXTS: dict[str, Texts] = {
    "no_face": Texts(
        "không thấy khuôn mặt",
        "no face found",
        "hãy chụp lại gần hơn, sáng hơn và nhìn thẳng vào máy",
        "take another picture, nearer and brighter, looking into the camera",
    ),
    "several_people": Texts(
        "có nhiều người",
        "several people",
        "hãy chụp riêng một người, hoặc cắt ảnh chỉ còn người đó",
        "take the picture of one person alone, or cut it to that person",
    ),
}
_USES: dict[Use, tuple[str, str]] = {
    "enrol": ("dùng được để đăng ký và để xác minh", "usable to enrol and to verify"),
    "verify": (
        "chỉ dùng được để xác minh, chưa đủ tốt để đăng ký",
        "usable to verify, not good enough to enrol",
    ),
    "none": ("không dùng được", "not usable"),
    "unreadable": ("không đọc được", "cannot be read"),
}


class PhotoAdvice(Record):
    """One thing wrong with a photo; ``for_verify`` where it is too wrong to verify with, too."""

    code: str
    for_verify: bool

    def text(self, language: Language) -> str:
        """What is wrong and what to do, as a phrase."""
        known = _OWN_TEXTS.get(self.code) or TEXTS[self.code]
        return f"{known.vi}: {known.advice_vi}" if language == "vi" else f"{known.en}: {known.advice_en}"


class PhotoQuality(Record):
    """What one photo is good for.

    Attributes:
        path: of the photo, or words for one that came without.
        use: ``enrol`` (and verify), ``verify`` only, ``none`` or ``unreadable``.
        faces: how many were found.
        score: 0 to 100 of the largest face; None where there is none that could be measured.
        reasons: what is wrong for enrolment; those too wrong for verification first.
        measures: of the largest face by name; see ``vnvision.faces.quality``.
        problem: why it could not be read.
    """

    path: str
    use: Use
    faces: int = 0
    score: float | None = None
    reasons: tuple[PhotoAdvice, ...] = ()
    measures: dict[str, float] = Field(default={})
    box_xyxy_px: tuple[float, float, float, float] | None = None
    problem: str | None = None

    def verdict(self, language: Language) -> str:
        """What it is good for, as a phrase."""
        return _USES[self.use][language == "en"]

    def advice(self, language: Language) -> tuple[str, ...]:
        """What is wrong and what to do, a phrase each."""
        return tuple(reason.text(language) for reason in self.reasons)


def face_quality(
    pictures: Picture | Sequence[Picture],
    *,
    engine: FaceEngine | None = None,
    progress: Progress | None = None,
) -> list[PhotoQuality]:
    """Judge photos of one person each with the gates of ``vnvision.faces.quality``.

    A photo with another face of at least half the largest one's area is of several people: nobody knows who
    is meant. Its largest face is judged all the same. A photo that cannot be read is an answer, not an error.

    Args:
        pictures: a photo or several: paths, bytes of image files, or arrays.
        engine: finds faces; None opens YuNet and SFace.
        progress: called with (photos done, total).

    Raises:
        ConfigError: no photos.
        ModelError: no weights.
    """
    some = several(pictures)
    if not some:
        raise ConfigError(
            "no photos to judge", expected="one or more", vietnamese="chưa có ảnh nào để đánh giá"
        )
    faces = engine or FaceEngine()
    done = []
    try:
        answers = faces.found(some, embed=False, quality=True)
        for number, (picture, found) in enumerate(zip(some, answers, strict=True), 1):
            done.append(_judged(name_of(picture), found))
            if progress:
                progress(number, len(some))
    finally:
        if engine is None:
            faces.close()
    return done


def several(pictures: Picture | Sequence[Picture]) -> list[Picture]:
    """One picture or several as a list."""
    if isinstance(pictures, str | bytes | Path | np.ndarray):
        return [pictures]
    return list(pictures)


def rivals(face: Face, faces: Sequence[Face]) -> list[Face]:
    """Other faces that could as well be meant: of at least half its area."""
    return [one for one in faces if one is not face and CLEARLY_LARGER * area(one) > area(face)]


def _judged(path: str, found: tuple[Face, ...] | DataError) -> PhotoQuality:
    if isinstance(found, DataError):
        return PhotoQuality(path=path, use="unreadable", problem=str(found))
    if not found:
        return PhotoQuality(path=path, use="none", reasons=(PhotoAdvice(code="no_face", for_verify=True),))
    face = max(found, key=area)
    hard = {reason.code for reason in QualityGate("verify").check_face(face).reasons}
    codes = {reason.code: None for reason in QualityGate("enrol").check_face(face).reasons}
    codes |= dict.fromkeys(hard)
    if rivals(face, found):
        hard.add("several_people")
        codes = {"several_people": None, **codes}
    if len(codes) > 1:
        codes.pop("poor_overall", None)  # the sum of the others, and its advice is theirs
    reasons = [PhotoAdvice(code=code, for_verify=code in hard) for code in codes]
    use: Use = "none" if hard else "verify" if codes else "enrol"
    measures = dict(face.quality or {})
    return PhotoQuality(
        path=path,
        use=use,
        faces=len(found),
        score=measures.pop("score", None),
        reasons=tuple(sorted(reasons, key=lambda reason: not reason.for_verify)),
        measures=measures,
        box_xyxy_px=face.box_xyxy_px,
    )


def quality_table(photos: Sequence[PhotoQuality], language: Language = "vi") -> str:
    """CSV with a byte order mark, a row a photo; texts in one language, codes beside them."""
    out = io.StringIO(newline="")
    rows = csv.writer(out, lineterminator="\r\n")
    rows.writerow(("path", "use", "verdict", "faces", "score", "codes", "advice"))
    rows.writerows(_cells(photo, language) for photo in photos)
    return "\ufeff" + out.getvalue()


def _cells(photo: PhotoQuality, language: Language) -> Iterator[str]:
    yield plain_cell(photo.path)
    yield photo.use
    yield photo.verdict(language)
    yield str(photo.faces)
    yield "" if photo.score is None else f"{photo.score:.0f}"
    yield " ".join(reason.code for reason in photo.reasons)
    yield plain_cell("; ".join(photo.advice(language)) or (photo.problem or ""))
