"""A drawn face that detectors take for one: no one's picture is needed."""

import cv2
import numpy as np


def face(size=256, *, tilt_deg=0.0, tone=(224, 182, 150), seed=0):
    """(size, size, 3) uint8 RGB: one face, looking ahead, turned in the plane by ``tilt_deg``."""
    rng = np.random.default_rng(seed)
    s = 4 * size
    image = np.full((s, s, 3), (176, 196, 214), np.uint8)

    def at(x, y):
        return int(x * s), int(y * s)

    def oval(x, y, w, h, colour, angle=0):
        cv2.ellipse(image, at(x, y), at(w, h), angle, 0, 360, colour, -1, cv2.LINE_AA)

    skin = tuple(int(c) for c in tone)
    dark = tuple(int(c * 0.78) for c in tone)
    oval(0.5, 0.42, 0.27, 0.31, (48, 36, 30))
    oval(0.5, 0.86, 0.13, 0.2, dark)
    oval(0.5, 0.5, 0.225, 0.3, skin)
    for side in (-1, 1):
        x = 0.5 + side * 0.095
        oval(x, 0.455, 0.052, 0.03, dark)
        oval(x, 0.458, 0.043, 0.02, (248, 246, 244))
        oval(x, 0.458, 0.02, 0.02, (52, 34, 24))
        oval(x, 0.458, 0.009, 0.009, (10, 8, 8))
        oval(x, 0.405, 0.06, 0.012, (58, 42, 34), -6 * side)
        oval(0.5 + side * 0.022, 0.585, 0.014, 0.009, (96, 62, 52))
    oval(0.5, 0.56, 0.024, 0.05, tuple(min(255, int(c * 1.05)) for c in tone))
    oval(0.5, 0.68, 0.078, 0.026, (178, 82, 84))
    cv2.line(image, at(0.425, 0.68), at(0.575, 0.68), (110, 44, 48), s // 160, cv2.LINE_AA)
    image = cv2.GaussianBlur(image, (0, 0), s / 110)
    shade = np.linspace(1.08, 0.86, s)[None, :, None]
    image = np.clip(image * shade, 0, 255).astype(np.uint8)
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    if tilt_deg:
        turn = cv2.getRotationMatrix2D((size / 2, size / 2), tilt_deg, 1.0)
        image = cv2.warpAffine(image, turn, (size, size), borderMode=cv2.BORDER_REPLICATE)
    noise = rng.normal(0, 3, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)
