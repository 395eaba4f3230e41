"""What a cheap phone in an unsteady hand makes of a picture."""

from __future__ import annotations

import cv2
import numpy as np

from vnvision.data.field.paint import Rng, between


def phone_blur(image: np.ndarray, radius: float, rng: Rng) -> np.ndarray:
    """Out of focus, shaken, or smeared by the phone's own processing; one in three is two of them.

    Args:
        image: (H, W, 3) uint8 RGB.
        radius: of the disc of confusion, share of the shorter side.
        rng: of every draw.
    """
    radius_px = radius * min(image.shape[:2])
    kinds = (defocus, shake, smear)
    first = int(rng.integers(3))
    image = kinds[first](image, radius_px, rng)
    if rng.random() < 1 / 3:
        image = kinds[(first + 1 + int(rng.integers(2))) % 3](image, radius_px, rng)
    return image


def defocus(image: np.ndarray, radius_px: float, rng: Rng) -> np.ndarray:
    """The disc of confusion of a round aperture, antialiased."""
    reach = int(np.ceil(radius_px)) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.clip(radius_px + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    return np.asarray(cv2.filter2D(image, -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT_101))


def shake(image: np.ndarray, radius_px: float, rng: Rng) -> np.ndarray:
    """The path of an unsteady hand during one exposure: a short curve."""
    length = radius_px * between(rng, (1.2, 3.0))
    angle, bend = between(rng, (0, np.pi)), between(rng, (-0.8, 0.8))
    reach = int(np.ceil(length)) + 2
    path = np.linspace(-0.5, 0.5, 33)
    turn = angle + bend * path
    points = np.stack([np.cos(turn), np.sin(turn)], 1) * (path * 2 * length)[:, None] / 2 + reach
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    for px, py in points:
        left, top = int(px), int(py)
        fx, fy = px - left, py - top
        kernel[top : top + 2, left : left + 2] += np.outer((1 - fy, fy), (1 - fx, fx))
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT_101))


def smear(image: np.ndarray, radius_px: float, rng: Rng) -> np.ndarray:
    """Noise in poor light, the phone's denoising that wipes fine texture, sharpening halos, a small JPEG."""
    grain = rng.standard_normal(image.shape, np.float32) * between(rng, (4, 12))
    noisy = cv2.add(image.astype(np.float32), grain)
    noisy = np.clip(noisy, 0, 255).astype(np.uint8)
    wiped = cv2.bilateralFilter(noisy, 5, between(rng, (35, 70)), max(1.0, 1.5 * radius_px))
    halo = cv2.GaussianBlur(wiped, (0, 0), max(0.8, 0.8 * radius_px))
    sharp = cv2.addWeighted(wiped, 1 + (amount := between(rng, (0.4, 1.0))), halo, -amount, 0)
    bgr = cv2.cvtColor(sharp, cv2.COLOR_RGB2BGR)
    packed = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(22, 60))])[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR_RGB))
