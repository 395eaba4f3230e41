"""Draws the pictures to click on: ``python demo/draw_examples.py``. The scans are test files of pydicom's."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from vnvision.data.synthetic import draw_leaf
from vnvision.export.face_kit.drawing import drawn_face
from vnvision.imaging import read

OUT = Path(__file__).parent / "vnvision_demo" / "static"
_CELL, _PALE, _NUCLEUS = (196, 140, 150), (225, 196, 200), (110, 60, 140)


def smear(seed: int = 3, size_px: tuple[int, int] = (480, 640)) -> np.ndarray:
    """A blood smear: red cells with pale centres, one white cell, platelets; (H, W, 3) uint8 RGB."""
    rng, scale = np.random.default_rng(seed), 2
    height, width = size_px[0] * scale, size_px[1] * scale
    image = np.full((height, width, 3), (233, 226, 220), np.float32)

    def lay(x: float, y: float, radius: float, colour: np.ndarray, soft: float, share: float = 1.0) -> None:
        mask = np.zeros((height, width), np.float32)
        axes = int(radius), int(radius * rng.uniform(0.9, 1.0))
        cv2.ellipse(mask, (int(x), int(y)), axes, rng.uniform(0, 180), 0, 360, 1.0, -1, cv2.LINE_AA)
        mask = cv2.GaussianBlur(mask, (0, 0), soft)[..., None] * share
        image[:] = image * (1 - mask) + np.asarray(colour, np.float32) * mask

    cells: list[tuple[float, float, float]] = []
    for _ in range(4000):
        x, y, r = rng.uniform(60, width - 60), rng.uniform(60, height - 60), rng.uniform(88, 102)
        if len(cells) < 18 and all(np.hypot(x - a, y - b) > 1.02 * (r + c) for a, b, c in cells):
            cells.append((x, y, r))
    white = cells.pop(4)
    for x, y, r in cells:
        lay(x, y, r, np.array(_CELL), 3)
        lay(x, y, 0.45 * r, np.array(_PALE), 0.22 * r)
    x, y, r = white
    lay(x, y, 1.35 * r, np.array((205, 175, 205)), 5, 0.7)
    for lobe in range(3):
        turn = 2.1 * lobe + 0.4
        lay(x + 0.5 * r * np.cos(turn), y + 0.5 * r * np.sin(turn), 0.55 * r, np.array(_NUCLEUS), 5)
    for _ in range(4):
        lay(rng.uniform(60, width - 60), rng.uniform(60, height - 60), 18, np.array((140, 90, 160)), 4, 0.8)
    small = cv2.resize(image, size_px[::-1], interpolation=cv2.INTER_AREA)
    return np.clip(small + rng.normal(0, 2, small.shape), 0, 255).astype(np.uint8)


def stranger(size_px: int = 480) -> np.ndarray:
    """A cup on a table: no leaf."""
    image = np.full((size_px, size_px, 3), (188, 206, 220), np.uint8)
    cv2.rectangle(image, (0, 330), (size_px, size_px), (150, 108, 72), -1)
    cv2.ellipse(image, (330, 250), (62, 58), 0, 0, 360, (226, 226, 232), 16, cv2.LINE_AA)
    cv2.rectangle(image, (140, 165), (318, 360), (238, 238, 244), -1)
    cv2.ellipse(image, (229, 360), (89, 26), 0, 0, 360, (238, 238, 244), -1, cv2.LINE_AA)
    cv2.ellipse(image, (229, 165), (89, 26), 0, 0, 360, (205, 205, 214), -1, cv2.LINE_AA)
    cv2.ellipse(image, (229, 168), (78, 20), 0, 0, 360, (92, 56, 34), -1, cv2.LINE_AA)
    return image


def _face(person: int, **options: float) -> np.ndarray:
    return drawn_face(person, 384, **options)


def _sample(name: str) -> np.ndarray:
    """A test file of pydicom's as it is shown on its button."""
    from vnvision_demo.door.preview import shown
    from vnvision_demo.tabs.clinic import sample_bytes

    image = shown(read(sample_bytes(name)).image)
    factor = 240 / max(image.shape[:2])
    size = round(image.shape[1] * factor), round(image.shape[0] * factor)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def main() -> None:
    """Draw all of them."""
    pictures = {
        "leaf-spots": draw_leaf("rust", 8, size_px=512).image,
        "leaf-blight": draw_leaf("blight", 1, size_px=512).image,
        "stranger": stranger(),
        "smear": smear(),
        "ct": _sample("J2K_pixelrep_mismatch.dcm"),
        "us": _sample("examples_palette.dcm"),
        "face-a": _face(0),
        "face-b": _face(0, tilt_deg=9.0, grain=6.0),
    }
    for name, image in pictures.items():
        cv2.imwrite(str(OUT / f"{name}.jpg"), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
