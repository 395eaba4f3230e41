"""Night camera: near-infrared lamps beside the lens, grey picture, bright skin, lit pupils, noise."""

from __future__ import annotations

import numpy as np

from vnvision.data.occlusion.head import blurred, face_mask
from vnvision.data.occlusion.light import to_encoded, to_linear
from vnvision.data.occlusion.pose import LANDMARKS_MM, Pose
from vnvision.data.occlusion.regions import oval, soft_region

# Skin, lips and red things reflect near infrared well; blue does not tell anything of it.
_INFRARED = np.array([0.75, 0.3, -0.05], np.float32)


def night_infrared(image: np.ndarray, pose: Pose, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Turn into a night picture. ``strength``: how near to one it comes, noise included."""
    shape = (image.shape[0], image.shape[1])
    picture = to_linear(image)
    infrared = np.maximum(picture @ _INFRARED, 0)
    face = face_mask(pose, shape)
    # Wrinkles and blemishes fade in skin, which near infrared enters.
    infrared += (blurred(infrared, 2.0 * pose.scale) - infrared) * 0.5 * face
    infrared *= _lamp(pose, shape, rng) * (1 + 0.35 * face)
    skin = infrared[face > 0.8]
    middle = float(np.median(skin)) if skin.size else float(infrared.mean())
    infrared *= rng.uniform(0.22, 0.42) / max(middle, 1e-3)
    infrared = 1 - np.exp(-1.6 * infrared)
    for x, y, z in LANDMARKS_MM[:2]:
        pupil = soft_region(oval((x, y, z), (2.6, 2.6)), pose, shape, 0.7)
        infrared += pupil * rng.uniform(0.3, 0.7) * (1 - infrared)
    grey = to_encoded(blurred(infrared, max(0.35, 0.8 * pose.scale)))
    noise = rng.standard_normal(shape, dtype=np.float32)
    rows = rng.standard_normal((shape[0], 1), dtype=np.float32)
    grey += rng.uniform(4, 9) * (0.5 + 0.5 * strength) * blurred(noise, 0.45) * 1.4 + 0.8 * rows
    mixed = image + strength * (grey[..., None] - image)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def _lamp(pose: Pose, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """The lamp's cone: bright around a place near the face, dark far from it."""
    reach = rng.uniform(260, 420) * pose.scale
    centre = pose.shift_px + rng.uniform(-0.25, 0.25, 2) * reach
    x, y = np.arange(shape[1]) - centre[0], np.arange(shape[0]) - centre[1]
    away = (x[None] ** 2 + y[:, None] ** 2) / reach**2
    return np.asarray(0.12 + 0.88 * np.exp(-away), np.float32)
