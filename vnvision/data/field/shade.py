"""Shade: sun through a canopy, or the shadow of the person who takes the picture."""

from __future__ import annotations

import cv2
import numpy as np

from vnvision.data.field.paint import Rng, Size, between, lit, noise, soft

# Shade is lit by the sky and, under leaves, through them.
_SKY, _CANOPY = (0.93, 0.99, 1.07), (0.98, 1.03, 0.95)


def cast_shade(image: np.ndarray, depth: float, rng: Rng) -> np.ndarray:
    """Dappled shade (two times in three) or one hard shadow.

    Args:
        image: (H, W, 3) uint8 RGB.
        depth: share of the light that full shade takes.
        rng: of every draw.
    """
    dappled = rng.random() < 2 / 3
    shade = dapples(image.shape[:2], rng) if dappled else person(image.shape[:2], rng)
    colour = np.array(_CANOPY if dappled else _SKY, np.float32)
    gain = 1 - depth * shade[:, :, None]
    gain = gain * (1 + (colour - 1) * shade[:, :, None])
    # The camera exposes for the whole picture: a darker one is lifted a little, its sunny parts more so.
    lift = 1 + 0.35 * depth * float(shade.mean())
    return lit(image, gain * lift)


def dapples(size_px: Size, rng: Rng) -> np.ndarray:
    """Canopy shade (H, W) in 0..1: round pictures of the sun, all of one outline, over soft shade."""
    height, width = size_px
    side = max(size_px)
    squeeze, angle = between(rng, (0.5, 0.95)), between(rng, (0, 180))
    base = between(rng, (0.025, 0.075)) * side
    light = np.zeros(size_px, np.uint8)
    for _ in range(int(rng.integers(14, 60))):
        centre = (float(rng.uniform(-0.05, 1.05)) * width, float(rng.uniform(-0.05, 1.05)) * height)
        size = base * float(rng.lognormal(0, 0.45))
        layer = np.zeros(size_px, np.uint8)
        cv2.ellipse(layer, (centre, (2 * size, 2 * size * squeeze), angle), 255, cv2.FILLED, cv2.LINE_AA)
        cv2.add(light, cv2.multiply(layer, between(rng, (0.35, 1.0))), light)
    spots = soft(light.astype(np.float32) / 255, between(rng, (0.010, 0.028)) * side)
    holes = 0.25 * np.clip(noise(rng, size_px, (3, 7)), -1, 1)
    return np.clip(1 - spots - np.maximum(holes, 0), 0, 1)


def person(size_px: Size, rng: Rng) -> np.ndarray:
    """The shadow (H, W) in 0..1 of a head, shoulders and a raised arm with a phone, from one edge."""
    height, width = size_px
    side = max(size_px)
    head = between(rng, (0.10, 0.19))
    unit = np.array([(-1.9, 6), (-1.9, 2.9), (-1.55, 1.9), (-0.5, 1.35), (-0.42, 0.8), (0.42, 0.8),
                     (0.5, 1.35), (1.5, 1.8), (2.0, 2.7), (2.6, 1.1), (2.35, 0.2), (2.2, -0.55), (2.9, -0.75),
                     (3.15, 0.05), (3.1, 1.2), (2.6, 3.6), (2.0, 4.0), (1.9, 6)])  # fmt: skip
    if rng.random() < 0.5:
        unit = unit * (-1, 1)
    lean = np.array([[1, between(rng, (-0.5, 0.5))], [0, between(rng, (0.8, 1.5))]])
    angle = np.pi / 2 * float(rng.integers(4)) + between(rng, (-0.4, 0.4))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    place = np.array([between(rng, (0.25, 0.75)), between(rng, (0.1, 0.5))]) - 0.5
    to_px = lambda points: (((points @ lean.T * head) + place) @ turn.T + 0.5) * (width, height)  # noqa: E731
    round_head = np.array([(0.72 * np.cos(t), 0.9 * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 30)])
    layer = np.zeros(size_px, np.uint8)
    for outline in (unit, round_head):
        cv2.fillPoly(layer, [np.rint(to_px(outline) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    edge = between(rng, (0.003, 0.014)) * side
    return np.asarray(soft(layer.astype(np.float32) / 255, edge))
