"""The colour half of augmentation: recolour, then spoil. Every decision arrives as a number in 0..1."""

from __future__ import annotations

import math

import cv2
import numpy as np

from vnvision.data.augment_spec import AugmentSpec, Span

# ITU-R BT.601 luma, and the plane of I and Q in which hue turns (FCC NTSC, 1953).
LUMA = np.array([0.299, 0.587, 0.114])
YIQ = np.array([LUMA, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
RGB = np.linalg.inv(YIQ)


def between(span: Span, share: float) -> float:
    """The number ``share`` of the way from the low to the high end."""
    return span[0] + (span[1] - span[0]) * share


def factor(strength: float, share: float) -> float:
    """A factor from 1 - strength to 1 + strength."""
    return 1 + strength * (2 * share - 1)


def is_grey(image: np.ndarray) -> bool:
    """Whether an image, (H, W) or (H, W, C), has one channel."""
    return image.ndim == 2 or image.shape[2] == 1


def recolour(image: np.ndarray, spec: AugmentSpec, draw: dict[str, float]) -> np.ndarray:
    """Brightness, contrast, saturation, hue and grey as one matrix; optical densities as one table."""
    if not (spec.brightness or spec.contrast or spec.saturation or spec.hue or spec.grey or spec.stain):
        return image
    bright, contrast = factor(spec.brightness, draw["brightness"]), factor(spec.contrast, draw["contrast"])
    if is_grey(image):
        levels = bright * (contrast * np.arange(256) + (1 - contrast) * cv2.mean(image)[0])
        lighter: np.ndarray = cv2.LUT(image, np.clip(np.rint(levels), 0, 255).astype(np.uint8))
        return lighter
    if spec.stain:
        density = [factor(spec.stain, draw[name]) for name in ("stain_r", "stain_g", "stain_b")]
        table = 255 * (np.arange(256)[:, None] / 255) ** np.array(density)
        image = cv2.LUT(image, np.rint(table).astype(np.uint8)[:, None])
    saturation = 0.0 if draw["grey"] < spec.grey else factor(spec.saturation, draw["saturation"])
    turn = 2 * math.pi * spec.hue * (2 * draw["hue"] - 1)
    cos, sin = math.cos(turn), math.sin(turn)
    hue = RGB @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]]) @ YIQ
    colour = (saturation * np.eye(3) + (1 - saturation) * LUMA) @ hue * (bright * contrast)
    offset = (1 - contrast) * bright * float(LUMA @ cv2.mean(image)[:3])
    recoloured: np.ndarray = cv2.transform(image, np.column_stack([colour, np.full(3, offset)]))
    return recoloured


def spoil(
    image: np.ndarray, spec: AugmentSpec, draw: dict[str, float], rng: np.random.Generator
) -> np.ndarray:
    """Shadow, blur, noise, JPEG, cutout, in the order a picture meets them."""
    height, width = image.shape[:2]
    if draw["shadow"] < spec.shadow:
        image = _shade(image, between(spec.shadow_strength, draw["shade"]), rng)
    if draw["blur"] < spec.blur:
        image = cv2.GaussianBlur(image, (0, 0), between(spec.blur_sigma_px, draw["sigma"]))
    if draw["noise"] < spec.noise:
        grain = rng.standard_normal(image.shape, np.float32)
        grain *= np.float32(between(spec.noise_std, draw["std"]))
        image = np.clip(np.rint(image + grain), 0, 255).astype(np.uint8)
    if draw["jpeg"] < spec.jpeg:
        image = _jpeg(image, round(between(spec.jpeg_quality, draw["quality"])))
    if draw["cutout"] < spec.cutout:
        side = between(spec.cutout_side, draw["cut"])
        h, w = round(side * height), round(side * width)
        y, x = round(draw["cut_y"] * (height - h)), round(draw["cut_x"] * (width - w))
        image = image.copy()
        image[y : y + h, x : x + w] = np.rint(cv2.mean(image)[: 1 if is_grey(image) else 3])
    return image


def _jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """Through a JPEG file and back."""
    grey = is_grey(image)
    packed = cv2.imencode(
        ".jpg", image if grey else cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR_RGB))


def _shade(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Darken soft patches by up to ``strength``, as leaves, hands and clouds do."""
    grid = np.clip(1.2 * rng.standard_normal((4, 4), np.float32), -1, 1)
    field = cv2.resize(grid, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_CUBIC)
    gain = np.clip(255 * (1 - strength * (0.5 + 0.5 * field)), 0, 255).astype(np.uint8)
    gain = gain.reshape(image.shape) if is_grey(image) else cv2.merge([gain, gain, gain])
    shaded: np.ndarray = cv2.multiply(image, gain, scale=1 / 255)
    return shaded
