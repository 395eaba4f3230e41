"""What is retained and what is cleaned: the options of PS3.15 Annex E, each an explicit choice."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vnvision.errors import ConfigError
from vnvision.spec import Record

Retain = Literal[
    "dates", "shifted-dates", "patient", "device", "institution", "uids", "safe-private", "icc-profile"
]
Clean = Literal["descriptors", "graphics", "structured"]
Size = Annotated[int, Field(ge=0)]

BASIC = ("113100", "Basic Application Confidentiality Profile")
CLEAN_PIXELS = ("113101", "Clean Pixel Data Option")
CODES: dict[str, tuple[str, str]] = {
    "graphics": ("113103", "Clean Graphics Option"),
    "structured": ("113104", "Clean Structured Content Option"),
    "descriptors": ("113105", "Clean Descriptors Option"),
    "dates": ("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    "shifted-dates": ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    "patient": ("113108", "Retain Patient Characteristics Option"),
    "device": ("113109", "Retain Device Identity Option"),
    "uids": ("113110", "Retain UIDs Option"),
    "safe-private": ("113111", "Retain Safe Private Option"),
    "institution": ("113112", "Retain Institution Identity Option"),
}
"""Codes of PS3.16 CID 7050, scheme DCM."""


class Options(Record):
    """Choices on top of the Basic Profile; by default nothing is retained.

    Attributes:
        retain: ``dates`` (as they are), ``shifted-dates`` (all of one patient moved by the same number of
            days, which the key decides), ``patient`` (sex, age, size, weight; ages of 90 and more read 90),
            ``device``, ``institution``, ``uids``, ``safe-private`` (numbers of PS3.15 Table E.3.10-1),
            ``icc-profile`` (colour profiles, their texts blanked). Retained texts stay as they were typed.
        clean: ``descriptors`` (descriptions keep the words of a shipped list, the others go), ``graphics``
            (overlay planes that are regions of interest stay), ``structured`` (numbers, published codes and
            references of an SR stay, its texts go).
        blank_px: rectangles (x, y, width, height) in pixels, blackened in every frame of every file.
    """

    retain: frozenset[Retain] = frozenset()
    clean: frozenset[Clean] = frozenset()
    blank_px: tuple[tuple[Size, Size, Size, Size], ...] = ()

    def check(self) -> None:
        """Refuse choices that contradict each other.

        Raises:
            ConfigError: both kinds of dates, or an empty rectangle.
        """
        if {"dates", "shifted-dates"} <= self.retain:
            raise ConfigError(
                "two kinds of dates are asked for",
                expected="dates or shifted-dates",
                vietnamese="chỉ được chọn một trong hai: dates hoặc shifted-dates",
            )
        empty = [box for box in self.blank_px if not (box[2] and box[3])]
        if empty:
            raise ConfigError(
                "a rectangle to blank is empty",
                expected="x,y,width,height in pixels",
                got=",".join(map(str, empty[0])),
                vietnamese="vùng cần xoá rỗng; hãy ghi x,y,rộng,cao tính bằng điểm ảnh",
            )

    @property
    def columns(self) -> tuple[str, ...]:
        """The table's option columns that apply."""
        chosen = [name.replace("-", "_") for name in sorted(self.retain | self.clean)]
        return tuple(name for name in chosen if name not in ("safe_private", "icc_profile"))

    @property
    def codes(self) -> tuple[tuple[str, str], ...]:
        """(code, meaning) of what was applied, for De-identification Method Code Sequence."""
        chosen = [CODES[name] for name in self.retain | self.clean if name in CODES]
        return (BASIC, *sorted(chosen + ([CLEAN_PIXELS] if self.blank_px else [])))

    @property
    def dates_are(self) -> str:
        """Value of Longitudinal Temporal Information Modified (0028,0303)."""
        if "dates" in self.retain:
            return "UNMODIFIED"
        return "MODIFIED" if "shifted-dates" in self.retain else "REMOVED"
