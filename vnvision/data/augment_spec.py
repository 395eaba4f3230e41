"""What may change in a training picture, as data, and the presets."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from vnvision.data.field.spec import FIELD, FieldSpec
from vnvision.spec import Record

Share = Annotated[float, Field(ge=0, le=1)]
Span = tuple[float, float]


class AugmentSpec(Record):
    """What may change in a training picture, and how much. The default changes nothing but the size.

    ``hflip, vflip, rot90, grey, blur, noise, jpeg, shadow, cutout`` are probabilities. ``brightness,
    contrast, saturation`` s draw a factor from 1 - s to 1 + s; ``hue`` is the largest turn as a share of the
    colour circle; ``stain`` s scales each channel's optical density by 1 - s to 1 + s (Beer-Lambert).
    """

    random_resized_crop_scale: Span = Field(default=(1.0, 1.0), description="share of the area kept")
    random_resized_crop_ratio: Span = Field(default=(1.0, 1.0), description="change of width / height")
    hflip: Share = 0.0
    vflip: Share = 0.0
    rot90: Share = Field(default=0.0, description="probability of a random number of quarter turns")
    rotate_deg: float = Field(default=0.0, ge=0, le=180)
    brightness: Share = 0.0
    contrast: Share = 0.0
    saturation: Share = 0.0
    hue: float = Field(default=0.0, ge=0, le=0.5)
    stain: float = Field(default=0.0, ge=0, lt=1)
    grey: Share = 0.0
    shadow: Share = 0.0
    shadow_strength: Span = (0.2, 0.6)
    blur: Share = 0.0
    blur_sigma_px: Span = (0.3, 1.2)
    noise: Share = 0.0
    noise_std: Span = Field(default=(2.0, 10.0), description="in levels of 0..255")
    jpeg: Share = 0.0
    jpeg_quality: tuple[int, int] = (40, 90)
    cutout: Share = 0.0
    cutout_side: Span = Field(default=(0.15, 0.35), description="side of the square, share of the picture's")

    field: FieldSpec | None = Field(
        default=None, description="ground, soil, shade, hand, drops, phone: what the field adds to a leaf"
    )
    extra: tuple[dict[str, Any], ...] = Field(
        default=(), description="albumentations transforms by name, applied last: {name: RandomFog, p: 0.2}"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        limits = {
            "random_resized_crop_scale": (1e-3, 1), "random_resized_crop_ratio": (0.1, 10),
            "shadow_strength": (0, 1), "blur_sigma_px": (0.1, 50), "noise_std": (0, 255),
            "jpeg_quality": (1, 100), "cutout_side": (0, 1),
        }  # fmt: skip
        for name, (least, most) in limits.items():
            low, high = getattr(self, name)
            if not least <= low <= high <= most:
                raise ValueError(f"{name} must be (low, high) within {least}..{most}, got {(low, high)}")
        return self


PRESETS: dict[str, AugmentSpec] = {
    "none": AugmentSpec(),
    "light": AugmentSpec(
        random_resized_crop_scale=(0.7, 1.0), random_resized_crop_ratio=(0.9, 1.11),
        hflip=0.5, rotate_deg=10, brightness=0.15, contrast=0.15, saturation=0.15,
    ),
    # Leaves lie any way up, under any light, before any phone.
    "crops": AugmentSpec(
        random_resized_crop_scale=(0.5, 1.0), random_resized_crop_ratio=(0.8, 1.25),
        hflip=0.5, vflip=0.5, rotate_deg=45, brightness=0.3, contrast=0.3, saturation=0.3, hue=0.03,
        shadow=0.3, blur=0.2, noise=0.15, jpeg=0.15, cutout=0.15,
    ),
    # No flips: left and right differ in the body. No hue or saturation: grey pictures and calibrated colour.
    "clinic": AugmentSpec(
        random_resized_crop_scale=(0.85, 1.0), random_resized_crop_ratio=(0.95, 1.05),
        rotate_deg=7, brightness=0.15, contrast=0.2, blur=0.1, noise=0.1,
    ),
    "cells": AugmentSpec(
        random_resized_crop_scale=(0.8, 1.0), random_resized_crop_ratio=(0.95, 1.05),
        hflip=0.5, vflip=0.5, rot90=1.0, brightness=0.1, contrast=0.15, saturation=0.1, hue=0.02, stain=0.15,
        blur=0.1,
    ),
}  # fmt: skip
PRESETS["field"] = PRESETS["crops"].model_copy(update={"field": FIELD})
