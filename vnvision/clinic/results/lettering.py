"""Words in a picture, with every Vietnamese letter: the font the reports embed."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import vnvision

_FONTS = Path(vnvision.__file__).parent / "report" / "fonts"
Colour = tuple[int, int, int]


@lru_cache(maxsize=32)
def font(size_px: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Roboto at one size."""
    return ImageFont.truetype(str(_FONTS / f"Roboto-{'Bold' if bold else 'Regular'}.ttf"), size_px)


def wrap(words: str, face: ImageFont.FreeTypeFont, width_px: float) -> list[str]:
    """Lines no wider than ``width_px``; a single word that is wider is cut between letters."""
    lines: list[str] = []
    for word in words.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and face.getlength(longer) <= width_px:
            lines[-1] = longer
        else:
            lines += _cut(word, face, width_px)
    return lines


def _cut(word: str, face: ImageFont.FreeTypeFont, width_px: float) -> list[str]:
    parts = [""]
    for letter in word:
        if parts[-1] and face.getlength(parts[-1] + letter) > width_px:
            parts.append("")
        parts[-1] += letter
    return parts


def write(
    picture: Image.Image, at_px: tuple[float, float], words: str, face: ImageFont.FreeTypeFont, colour: Colour
) -> None:
    """Draw one line with its left upper corner at ``at_px``."""
    ImageDraw.Draw(picture).text(at_px, words, font=face, fill=colour)
