"""Is a face picture good enough for what it is wanted for? If not, why, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from vnvision.errors import ConfigError, DataError
from vnvision.faces.quality.record import Quality, quality_of
from vnvision.faces.quality.texts import TEXTS, Language
from vnvision.records import Face
from vnvision.spec import Record

Purpose = Literal["enrol", "verify"]


class Limits(Record):
    """Where a picture is refused. Units are those of the measures.

    There is none on the mean luminance: a dark skin in good light passes. ``too_dark`` is a picture with
    nothing bright in it, around the face either, or a face of which too much is lost in black.
    """

    least_bright_level: float
    most_under_exposed: float
    most_over_exposed: float
    least_evenness: float
    least_sharpness: float
    least_contrast: float
    least_inter_eye_distance_px: float
    most_yaw_deg: float
    most_pitch_deg: float
    most_roll_deg: float
    least_completeness: float
    least_mouth_visibility: float
    least_eye_visibility: float
    least_detector_score: float
    least_score: float


LIMITS: dict[Purpose, Limits] = {
    "enrol": Limits(
        least_bright_level=0.40,
        most_under_exposed=0.20,
        most_over_exposed=0.10,
        least_evenness=0.45,
        least_sharpness=0.45,
        least_contrast=0.15,
        least_inter_eye_distance_px=40,
        most_yaw_deg=25,
        most_pitch_deg=25,
        most_roll_deg=20,
        least_completeness=0.80,
        least_mouth_visibility=0.60,
        least_eye_visibility=0.50,
        least_detector_score=0.88,
        least_score=50,
    ),
    "verify": Limits(
        least_bright_level=0.22,
        most_under_exposed=0.40,
        most_over_exposed=0.35,
        least_evenness=0.30,
        least_sharpness=0.38,
        least_contrast=0.08,
        least_inter_eye_distance_px=20,
        most_yaw_deg=40,
        most_pitch_deg=40,
        most_roll_deg=40,
        least_completeness=0.65,
        least_mouth_visibility=0.55,
        least_eye_visibility=0.25,
        least_detector_score=0.80,
        least_score=25,
    ),
}


# In bad light eyes and mouth cannot be told from a cover: the light is the reason given.
_HIDDEN, _HIDING = {"mouth_covered", "eyes_covered"}, {"too_dark", "too_bright", "low_contrast"}


class Reason(Record):
    """Why a picture was refused: ``value`` of ``measure`` is on the wrong side of ``limit``."""

    code: str
    measure: str
    value: float
    limit: float

    def text(self, language: Language) -> str:
        """What is wrong, as a phrase."""
        return TEXTS[self.code].vi if language == "vi" else TEXTS[self.code].en

    def advice(self, language: Language) -> str:
        """What the person can do, as a phrase."""
        return TEXTS[self.code].advice_vi if language == "vi" else TEXTS[self.code].advice_en


class Verdict(Record):
    """Whether a picture passed, and every reason why not, the causes before ``poor_overall``."""

    accepted: bool
    reasons: tuple[Reason, ...] = ()


class QualityGate:
    """Passes or refuses face pictures for a purpose.

    Args:
        purpose: ``enrol``, for references that stay, or ``verify``, for a picture now; the latter is laxer.
        limits: others than those of the purpose.

    Raises:
        ConfigError: an unknown purpose.
    """

    def __init__(self, purpose: Purpose = "verify", limits: Limits | None = None) -> None:
        if purpose not in LIMITS:
            raise ConfigError("no such purpose of a quality gate", expected=" or ".join(LIMITS), got=purpose)
        self.purpose, self.limits = purpose, limits or LIMITS[purpose]

    def check(self, quality: Quality) -> Verdict:
        """Judge one picture.

        Raises:
            DataError: a measure is missing.
        """
        try:
            reasons = tuple(_reasons(quality.values, quality.score, self.limits))
        except KeyError as exc:
            raise DataError("a quality gate needs every measure", got=f"no {exc.args[0]}") from exc
        return Verdict(accepted=not reasons, reasons=reasons)

    def check_face(self, face: Face) -> Verdict:
        """Judge a face as ``FaceEngine`` gives it; one that could not be measured is ``face_unclear``.

        Raises:
            DataError: a measure is missing.
        """
        if face.quality is None:
            limit = self.limits.least_score
            unclear = Reason(code="face_unclear", measure="score", value=0.0, limit=limit)
            return Verdict(accepted=False, reasons=(unclear,))
        return self.check(quality_of(face))


def _reasons(values: dict[str, float], score: float, limits: Limits) -> Iterator[Reason]:
    pitch = values["pitch_deg"]
    checks = (
        ("too_dark", "bright_level", limits.least_bright_level, False),
        ("too_dark", "under_exposed", limits.most_under_exposed, True),
        ("too_bright", "over_exposed", limits.most_over_exposed, True),
        ("uneven_light", "evenness", limits.least_evenness, False),
        ("blurred", "sharpness", limits.least_sharpness, False),
        ("low_contrast", "contrast", limits.least_contrast, False),
        ("too_small", "inter_eye_distance_px", limits.least_inter_eye_distance_px, False),
        ("turned", "yaw_deg", limits.most_yaw_deg, True),
        ("looking_up" if pitch > 0 else "looking_down", "pitch_deg", limits.most_pitch_deg, True),
        ("tilted", "roll_deg", limits.most_roll_deg, True),
        ("cut_off", "completeness", limits.least_completeness, False),
        ("mouth_covered", "mouth_visibility", limits.least_mouth_visibility, False),
        ("eyes_covered", "eye_visibility", limits.least_eye_visibility, False),
        ("face_unclear", "detector_score", limits.least_detector_score, False),
        ("poor_overall", "score", limits.least_score, False),
    )
    said: set[str] = set()
    for code, measure, limit, above in checks:
        value = score if measure == "score" else values[measure]
        size = abs(value) if measure.endswith("_deg") else value
        if code in said or (code in _HIDDEN and said & _HIDING):
            continue
        if (size > limit) if above else (size < limit):
            said.add(code)
            yield Reason(code=code, measure=measure, value=value, limit=limit)
