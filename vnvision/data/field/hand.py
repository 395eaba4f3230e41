"""Fingers that hold a leaf: drawn from an edge of the picture, rounded, with nail, creases and shadow."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vnvision.data.field.paint import Rng, Size, between, levels, noise, shifted, smoothstep, soft

# Six tones from light to dark, sRGB.
TONES = ((241, 201, 177), (224, 172, 140), (198, 140, 104), (168, 112, 80), (128, 82, 58), (84, 54, 40))


@dataclass(frozen=True, slots=True)
class _Finger:
    """Where a finger lies: its tip, the way back to the hand, half its width, all in pixels."""

    tip: tuple[float, float]
    back: tuple[float, float]
    half: float


def hold_with_hand(image: np.ndarray, mask: np.ndarray | None, reach: float, rng: Rng) -> np.ndarray:
    """Draw a thumb over the leaf's edge, and with a mask often fingers behind the leaf.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W), the leaf where it is not 0; None where that is not known: then only a thumb.
        reach: how far the tip comes in from the edge, share of the shorter side.
        rng: of every draw.
    """
    side = min(image.shape[:2])
    tone = np.array(TONES[int(rng.integers(len(TONES)))], np.float32) * between(rng, (0.9, 1.08))
    bright = float(cv2.mean(image)[0] + cv2.mean(image)[1]) / 2
    tone *= float(np.clip((bright / 115) ** 0.5, 0.55, 1.2))
    thumb = _place(image.shape[:2], reach * side, between(rng, (0.075, 0.115)) * side, rng)
    if mask is not None and rng.random() < 0.6:
        free = 1 - soft((mask > 0).astype(np.float32), 0.7)
        for finger in reversed(_beside(thumb, 1 + int(rng.integers(2, 4)), rng)):
            image = _draw(image, finger, tone * 0.93, rng, free, nail=False)
    return _draw(image, thumb, tone, rng, None, nail=rng.random() < 0.8)


def _place(size_px: Size, reach_px: float, half_px: float, rng: Rng) -> _Finger:
    """A finger that comes in from a side, mostly from below."""
    height, width = size_px
    edge = int(rng.choice(4, p=(0.4, 0.25, 0.25, 0.1)))
    along, lean = between(rng, (0.25, 0.75)), between(rng, (-0.6, 0.6))
    inward = ((0, -1), (1, 0), (-1, 0), (0, 1))[edge]
    start = ((along * width, height), (0, along * height), (width, along * height), (along * width, 0))[edge]
    cos, sin = np.cos(lean), np.sin(lean)
    way = (inward[0] * cos - inward[1] * sin, inward[0] * sin + inward[1] * cos)
    tip = (float(start[0] + way[0] * reach_px), float(start[1] + way[1] * reach_px))
    return _Finger(tip, (float(-way[0]), float(-way[1])), half_px)


def _beside(thumb: _Finger, count: int, rng: Rng) -> list[_Finger]:
    """Fingers behind the leaf, side by side, reaching a little further than the thumb."""
    x, y = thumb.back
    out = []
    for number in range(count):
        step = (number - (count - 1) / 2) * 2.05 * thumb.half
        ahead = thumb.half * between(rng, (1.5, 3.0)) - 0.25 * abs(step)
        tip = (thumb.tip[0] - y * step - x * ahead, thumb.tip[1] + x * step - y * ahead)
        out.append(_Finger(tip, thumb.back, thumb.half * between(rng, (0.85, 1.0))))
    return out


def _draw(
    image: np.ndarray, finger: _Finger, tone: np.ndarray, rng: Rng, free: np.ndarray | None, *, nail: bool
) -> np.ndarray:
    """One finger with its shadow; ``free`` (H, W) is where it shows, None for everywhere."""
    half = finger.half
    part = _around(finger, image.shape[:2])
    y, x = np.mgrid[part].astype(np.float32)
    size_px = y.shape
    if not y.size:
        return image
    dx, dy = x - np.float32(finger.tip[0]), y - np.float32(finger.tip[1])
    back = (dx * finger.back[0] + dy * finger.back[1]) / half  # 0 at the tip, grows towards the hand
    side = (dy * finger.back[0] - dx * finger.back[1]) / half
    side += 0.10 * np.sin(0.5 * back + between(rng, (0, 6)))
    girth = np.where(back < 1.2, 1.0, 1 + 0.05 * (back - 1.2)) * (1 - 0.06 * np.exp(-((back - 2.1) ** 2)))
    girth *= np.sqrt(np.clip(1 - np.clip(1.05 - back, 0, 1.05) ** 2 / 1.1, 0, 1)) + 1e-3
    across = np.clip(side / girth, -1, 1)
    body = smoothstep(girth - np.abs(side), -0.03, 0.06) * (back > 0)
    body = soft(body.astype(np.float32), 0.5)
    flesh = (
        tone * (_shading(across, back, rng) * (1 + 0.022 * noise(rng, size_px, (60, 160), 0.9)))[:, :, None]
    )
    flush = np.exp(-((back - 0.7) ** 2) / 0.8)[:, :, None] * np.array([0.05, -0.05, -0.04], np.float32)
    flesh *= 1 + flush
    if nail:
        flesh = _nail(flesh, across, back, tone)
    shadow = soft(shifted(body, 0.10 * half, 0.16 * half), 0.16 * half) * (1 - body) * 0.45
    if free is not None:
        body, shadow = body * free[part], shadow * free[part]
    base = image[part].astype(np.float32) * (1 - shadow)[:, :, None]
    out = image.copy()
    out[part] = levels(base + (flesh - base) * body[:, :, None])
    return out


def _around(finger: _Finger, size_px: Size) -> tuple[slice, slice]:
    """Rows and columns that a finger and its shadow can reach."""
    length, wide = float(sum(size_px)), 2.2 * finger.half
    ends = np.array([finger.tip, np.add(finger.tip, np.multiply(finger.back, length))])
    low, high = np.floor(ends.min(axis=0) - wide), np.ceil(ends.max(axis=0) + wide)
    left, top = np.clip(low, 0, size_px[::-1]).astype(int).tolist()
    right, bottom = np.clip(high, 0, size_px[::-1]).astype(int).tolist()
    return slice(top, bottom), slice(left, right)


def _shading(across: np.ndarray, back: np.ndarray, rng: Rng) -> np.ndarray:
    """Light on a rounded finger: a cylinder that ends in a ball, creased at its joints."""
    round_ = np.sqrt(np.clip(1 - 0.92 * across**2, 0.02, 1))
    end = np.sqrt(np.clip(1 - 0.7 * np.clip(1 - back, 0, 1) ** 2, 0.1, 1))
    shade = 0.50 + 0.46 * round_ * end - 0.12 * across * between(rng, (-1, 1))
    for joint in (2.35, 2.55, 4.9, 5.15):
        bend = joint + 0.16 * across**2 + between(rng, (-0.05, 0.05))
        depth = between(rng, (0.03, 0.10))
        shade -= depth * np.exp(-(((back - bend) / 0.055) ** 2)) * (1 - 0.6 * across**2)
    lit: np.ndarray = shade
    return lit


def _nail(flesh: np.ndarray, across: np.ndarray, back: np.ndarray, tone: np.ndarray) -> np.ndarray:
    """A nail on the tip: paler and pinker, a light rim in front, a thin dark fold around, a gleam."""
    place = (across / 0.62) ** 2 + ((back - 0.78) / 0.66) ** 4
    plate = (smoothstep(1.1 - place, 0, 0.22) * smoothstep(back, 0.10, 0.22))[:, :, None]
    pink = np.minimum(tone * 1.03 + (16, 4, 8), 250) * (1 - 0.14 * across**2)[:, :, None]
    rim = smoothstep(0.30 - back, 0, 0.08)[:, :, None]
    moon = smoothstep(back - 1.16 - 0.3 * across**2, 0, 0.1)[:, :, None]
    pink = pink + (np.array([236, 228, 214], np.float32) * 0.95 - pink) * (0.75 * rim)
    pink = pink + (pink * 1.08 - pink) * moon
    gleam = np.exp(-(((across - 0.2) / 0.13) ** 2 + ((back - 0.7) / 0.35) ** 2))[:, :, None]
    pink = pink + (250 - pink) * 0.30 * gleam
    fold = np.exp(-(((place - 1.1) / 0.22) ** 2))[:, :, None]
    return np.asarray((flesh + (pink - flesh) * plate) * (1 - 0.16 * fold))
