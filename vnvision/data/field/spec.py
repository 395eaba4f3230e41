"""What may happen to a picture in the field, as data."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vnvision.spec import Record

Share = Annotated[float, Field(ge=0, le=1)]
Span = tuple[float, float]
Ground = Literal["soil", "straw", "grass", "leaves", "wood", "concrete", "cloth"]
GROUNDS: tuple[Ground, ...] = ("soil", "straw", "grass", "leaves", "wood", "concrete", "cloth")


class FieldSpec(Record):
    """What may happen to a picture in the field, and how much. The default changes nothing.

    ``background, soil, shade, hand, drops, phone_blur`` are probabilities, drawn one by one. Lengths are
    shares of the picture's shorter side, so that one spec serves every size.
    """

    background: Share = Field(default=0.0, description="another ground behind the leaf")
    grounds: Annotated[tuple[Ground, ...], Field(min_length=1)] = GROUNDS
    least_confidence: Share = Field(
        default=0.6, description="below it a leaf that had to be looked for keeps its own background"
    )
    soil: Share = Field(default=0.0, description="mud splashed on the leaf, and dust")
    soil_cover: Span = Field(default=(0.01, 0.10), description="share of the leaf under mud, about")
    shade: Share = Field(default=0.0, description="canopy shade, or the shadow of a person")
    shade_depth: Span = Field(default=(0.3, 0.65), description="light lost in the shade")
    hand: Share = Field(default=0.0, description="fingers that hold the leaf, from an edge")
    hand_reach: Span = Field(default=(0.18, 0.40), description="how far the tip comes in")
    drops: Share = Field(default=0.0, description="water drops on the leaf")
    drops_count: tuple[int, int] = (6, 40)
    drops_radius: Span = (0.010, 0.055)
    phone_blur: Share = Field(default=0.0, description="out of focus, shaken, or smeared by the phone")
    blur_radius: Span = Field(default=(0.004, 0.014), description="of the disc; shake is up to 3 times it")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        limits = {
            "soil_cover": (0, 0.9), "shade_depth": (0, 0.95), "hand_reach": (0.05, 0.8),
            "drops_count": (1, 400), "drops_radius": (0.001, 0.2), "blur_radius": (0.001, 0.1),
        }  # fmt: skip
        for name, (least, most) in limits.items():
            low, high = getattr(self, name)
            if not least <= low <= high <= most:
                raise ValueError(f"{name} must be (low, high) within {least}..{most}, got {(low, high)}")
        return self


FIELD = FieldSpec(background=0.4, soil=0.2, shade=0.3, hand=0.15, drops=0.15, phone_blur=0.25)
"""For leaves photographed in a laboratory that will be asked about in a field."""
