"""Photographs to teach from, drawn."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from vnvision.data.synthetic import draw_leaf

HEALTHY, RUST = "Lá khỏe", "Bệnh gỉ sắt"
KINDS = {HEALTHY: "healthy", RUST: "rust"}
PHOTOS = 22


def save(path: Path, image: np.ndarray, quality: int = 92) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    path.write_bytes(data.tobytes())
    return path


def leaf(kind: str, number: int, size_px: int = 112) -> np.ndarray:
    plant = 1000 * sorted(KINDS.values()).index(kind) + number
    return draw_leaf(kind, plant, size_px, plant_seed=plant).image
