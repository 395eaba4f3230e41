"""Is a face covered? Mouth and eyes: covered, visible or not to be told. Nothing is said of the forehead.

The mouth's measure is that of ``vnvision.faces.quality``; the eyes have one of their own for dark glasses. A
helmet, hat or fringe over the forehead could not be told from hair well enough to be answered
(``training/benchmarks/face_occlusion_check.py`` has the numbers), so there is no third region.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import cv2
import numpy as np

from vnvision.errors import ConfigError, DataError
from vnvision.faces.engine import FaceEngine
from vnvision.faces.photo_quality import several
from vnvision.faces.pictures import Picture, as_rgb, batches, name_of
from vnvision.faces.quality import QualityGate, measure
from vnvision.faces.quality.crop import FaceCrop, cut
from vnvision.faces.quality.regions import Box, pixels
from vnvision.faces.quality.texts import TEXTS, Language
from vnvision.faces.quality.visibility import visibility
from vnvision.records import Face
from vnvision.spec import Record

__all__ = ["FaceOcclusion", "PhotoOcclusions", "eye_lightness", "face_occlusions", "occlusion_of"]

State = Literal["covered", "visible", "unsure"]
Progress = Callable[[int, int], None]

# Chosen on drawn masks and glasses, and bare faces, of people whose identity has an even crc32
# (asianfaces_dev, lfw_2folds); training/benchmarks/face_occlusion_check.py judges them on the others and on
# real masks.
MOUTH_COVERED, MOUTH_VISIBLE = 0.55, 0.70  # mouth_visibility: below, from
EYES_COVERED, EYES_VISIBLE = 0.50, 0.70  # eye_lightness: up to, from
# With dark glasses the skin under the eyes, which the mouth is compared with, is hidden.
_BEHIND_GLASSES = 0.45

_LENSES: tuple[Box, Box] = ((28, 46, 50, 64), (62, 46, 84, 64))
_LIT: tuple[Box, ...] = ((32, 68, 44, 80), (68, 68, 80, 80), (51, 60, 61, 74))  # cheeks and nose
_LENS_LEVEL = 60  # per cent: an eye's box is mostly skin, a dark lens is dark
_BLACK = 6.0  # of 255; keeps black pictures finite
# Where these are wrong with the picture, a cover cannot be told from it.
_HIDING = (
    "too_dark",
    "too_bright",
    "low_contrast",
    "too_small",
    "turned",
    "looking_up",
    "looking_down",
    "cut_off",
)

_REGIONS = {"mouth": ("miệng và mũi", "mouth and nose"), "eyes": ("mắt", "eyes")}
_STATES: dict[State, tuple[str, str]] = {
    "covered": ("bị che", "covered"),
    "visible": ("thấy rõ", "visible"),
    "unsure": ("không chắc", "not to be told"),
}


class FaceOcclusion(Record):
    """What is covered of one face.

    Attributes:
        box_xyxy_px: where the face is.
        mouth: by a mask, a scarf, a hand; a full beard can look like one.
        eyes: by dark glasses; clear glasses are ``visible``. ``unsure`` behind a covered mouth.
        mouth_visibility: 0 to 1; see ``quality.visibility``.
        eye_lightness: see ``eye_lightness``; of use where the mouth is visible.
        why_unsure: what of the picture keeps both from being told; a code of ``quality.texts``, empty where
            nothing does.
    """

    box_xyxy_px: tuple[float, float, float, float]
    mouth: State
    eyes: State
    mouth_visibility: float | None = None
    eye_lightness: float | None = None
    why_unsure: str = ""

    def text(self, language: Language) -> str:
        """Both regions in words."""
        which = int(language == "en")
        said = [
            f"{_REGIONS[n][which]}: {_STATES[s][which]}"
            for n, s in (("mouth", self.mouth), ("eyes", self.eyes))
        ]
        why = TEXTS[self.why_unsure] if self.why_unsure else None
        return ", ".join(said) + (f" ({why[which]})" if why else "")


class PhotoOcclusions(Record):
    """The faces of one photo, the most certain first; ``problem`` says why it could not be read."""

    path: str
    faces: tuple[FaceOcclusion, ...] = ()
    problem: str | None = None

    def lines(self, language: Language) -> list[str]:
        """A line a face, or what is wrong."""
        if self.problem:
            return [self.problem]
        if not self.faces:
            return ["không thấy khuôn mặt" if language == "vi" else "no face found"]
        word = "khuôn mặt" if language == "vi" else "face"
        return [f"{word} {number}: {one.text(language)}" for number, one in enumerate(self.faces, 1)]


def face_occlusions(
    pictures: Picture | Sequence[Picture],
    *,
    engine: FaceEngine | None = None,
    progress: Progress | None = None,
) -> list[PhotoOcclusions]:
    """Whether mouth and eyes of every face in photos are covered.

    A photo that cannot be read, or shows no face, is an answer, not an error. A face that is not found cannot
    be judged: about one in ten of those behind a mask is missed.

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
        raise ConfigError("no photos to look at", expected="one or more", vietnamese="chưa có ảnh nào để xem")
    faces = engine or FaceEngine()
    done: list[PhotoOcclusions] = []
    try:
        for batch in batches(some):
            for item in batch:
                done.append(_of_photo(name_of(some[len(done)]), item, faces))
                if progress:
                    progress(len(done), len(some))
    finally:
        if engine is None:
            faces.close()
    return done


def _of_photo(path: str, image: np.ndarray | DataError, engine: FaceEngine) -> PhotoOcclusions:
    if isinstance(image, DataError):
        return PhotoOcclusions(path=path, problem=str(image))
    found = engine.detector.detect([image])[0]
    return PhotoOcclusions(path=path, faces=tuple(occlusion_of(image, face) for face in found))


def occlusion_of(image: np.ndarray, face: Face) -> FaceOcclusion:
    """What is covered of one face; both are ``unsure`` where light, size, pose or frame hide it anyway.

    Args:
        image: (H, W, 1) or (H, W, 3) uint8, grey or RGB.
        face: found in it.
    """
    try:
        known = measure(as_rgb(image, 0), face)
        crop = cut(image, face)
    except DataError:  # landmarks that span no face
        return FaceOcclusion(
            box_xyxy_px=face.box_xyxy_px, mouth="unsure", eyes="unsure", why_unsure="face_unclear"
        )
    said = [reason.code for reason in QualityGate("verify").check(known).reasons]
    why = next((code for code in said if code in _HIDING), "")
    mouth, light = visibility(crop)["mouth_visibility"], eye_lightness(crop)
    states: tuple[State, State] = ("unsure", "unsure") if why else _states(mouth, light)
    return FaceOcclusion(
        box_xyxy_px=face.box_xyxy_px,
        mouth=states[0],
        eyes=states[1],
        mouth_visibility=mouth,
        eye_lightness=light,
        why_unsure=why,
    )


def _states(mouth: float, light: float) -> tuple[State, State]:
    """Of mouth and eyes; a covered mouth hides what the eyes are compared with, and the other way round."""
    if mouth < MOUTH_COVERED:
        behind = mouth >= _BEHIND_GLASSES and light <= EYES_COVERED
        return "unsure" if behind else "covered", "unsure"
    eyes: State = "covered" if light <= EYES_COVERED else "visible" if light >= EYES_VISIBLE else "unsure"
    return "visible" if mouth >= MOUTH_VISIBLE else "unsure", eyes


def eye_lightness(crop: FaceCrop) -> float:
    """Lightness where dark glasses would be, over that of cheeks and nose: about 0.9 bare, 0.35 behind black.

    The 60th percentile of CIELAB L of each eye's box, the mean of both, over the median of cheeks and nose.
    Skin tone is on both sides of it; deep shadow under the brows lowers it as glasses do.
    """
    light = cv2.cvtColor(crop.rgb, cv2.COLOR_RGB2LAB)[:, :, 0].astype(np.float64)
    lit = np.median(np.concatenate([pixels(light, box).ravel() for box in _LIT]))
    eyes = [np.percentile(pixels(light, box), _LENS_LEVEL) for box in _LENSES]
    return float((np.mean(eyes) + _BLACK) / (lit + _BLACK))
