"""Whether a picture seems to have text drawn into it. A hint for a person, never a proof of absence."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_LETTERS = 4
_SHORTEST_PX, _TALLEST_PX = 6, 64
_CONTRASTS = (0.35, 0.18)
_MAX_PARTS = 4000
_LONGEST_SIDE_PX = 1600


@dataclass(frozen=True, slots=True)
class _Part:
    """A connected stroke: a letter, or a piece of one."""

    x: int
    y: int
    width: int
    height: int


def lines_of_text(image: np.ndarray) -> int:
    """How many lines of text are seen.

    Thin strokes brighter or darker than their surroundings (top-hat and black-hat transforms) fall into
    connected parts; parts of one height, side by side on one line, four or more, are taken for text.

    Args:
        image: (H, W) or (H, W, 3), any number type; shrunk to 1,600 pixels on its longer side.
    """
    grey = _grey(image)
    found = 0
    for size in (9, 21):
        kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (size, size))
        for transform in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT):
            strokes = cv2.morphologyEx(grey, transform, kernel)
            for contrast in _CONTRASTS:
                found = max(found, _lines(_parts((strokes >= 255 * contrast).astype(np.uint8))))
    return found


def _grey(image: np.ndarray) -> np.ndarray:
    plain = image.astype(np.float32)
    if plain.ndim == 3:
        plain = plain[..., :3].mean(axis=2)
    plain = np.nan_to_num(plain)
    low, high = float(plain.min()), float(plain.max())
    scaled = (plain - low) * (255.0 / (high - low)) if high > low else np.zeros_like(plain)
    grey = scaled.astype(np.uint8)
    shrink = _LONGEST_SIDE_PX / max(grey.shape)
    return cv2.resize(grey, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA) if shrink < 1 else grey


def _parts(strokes: np.ndarray) -> list[_Part]:
    count, _, stats, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
    if count > _MAX_PARTS:
        return []  # noise
    parts = []
    for x, y, width, height, area in stats[1:].tolist():
        upright = _SHORTEST_PX <= height <= _TALLEST_PX and width <= 1.6 * height
        if upright and 0.12 <= area / (width * height) <= 0.95 and not (width < 2 and height > 20):
            parts.append(_Part(x, y, width, height))
    return sorted(parts, key=lambda part: part.x)


def _lines(parts: list[_Part]) -> int:
    """Chains of parts: each next one begins within a letter's height, on the same line, as tall."""
    used: set[int] = set()
    lines = 0
    for start in range(len(parts)):
        if start in used:
            continue
        chain, last = [start], parts[start]
        for i in range(start + 1, len(parts)):
            part = parts[i]
            if part.x - (last.x + last.width) > 1.2 * last.height:
                break
            if i not in used and part.x >= last.x + last.width // 2 and _same_line(last, part):
                chain.append(i)
                last = part
        if len(chain) >= _LETTERS and len({(parts[i].width, parts[i].height) for i in chain}) > 1:
            used.update(chain)
            lines += 1
    return lines


def _same_line(left: _Part, right: _Part) -> bool:
    tall, small = max(left.height, right.height), min(left.height, right.height)
    middle = abs((left.y + left.height / 2) - (right.y + right.height / 2))
    return small >= 0.6 * tall and middle <= 0.3 * tall
