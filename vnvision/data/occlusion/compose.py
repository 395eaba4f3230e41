"""Put painted layers into the picture: soft shadow, the picture's own blur and noise, no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vnvision.data.occlusion.head import blurred, face_mask
from vnvision.data.occlusion.light import Light, to_encoded, to_linear
from vnvision.data.occlusion.mesh import Layer
from vnvision.data.occlusion.pose import Pose

_BLUR_OF_PAINT_PX = 0.35  # what the fine canvas has already


@dataclass(frozen=True, slots=True, eq=False)
class Coat:
    """One layer and how it lies on the face.

    Attributes:
        layer: the paint.
        opacity: 0 to 1.
        shadow: how much light the contact shadow takes, 0 to 1.
        shadow_mm: how far the shadow falls, away from the light.
    """

    layer: Layer | None
    opacity: float = 1.0
    shadow: float = 0.0
    shadow_mm: float = 5.0


def compose(
    image: np.ndarray,
    coats: Sequence[Coat],
    pose: Pose,
    light: Light,
    rng: np.random.Generator,
    *,
    shade: np.ndarray | None = None,
) -> np.ndarray:
    """The picture with the coats on, first to last.

    Args:
        image: (H, W, 3) uint8 RGB.
        coats: what to lay on.
        pose: of the face.
        light: of the face.
        rng: for the noise.
        shade: (H, W) factor on the picture's light under all coats, or None.

    Returns:
        (H, W, 3) uint8; pixels that nothing lies on or darkens keep their values.
    """
    picture = to_linear(image)
    touched = np.zeros(image.shape[:2], np.float32)
    if shade is not None:
        picture = picture * shade[..., None]
        touched = np.maximum(touched, (shade < 0.998).astype(np.float32))
    painted = np.zeros(image.shape[:2], np.float32)
    for coat in coats:
        if coat.layer is None:
            continue
        colour, alpha = _placed(coat.layer, image.shape[:2], max(light.blur_px - _BLUR_OF_PAINT_PX, 0))
        if coat.shadow:
            dark = _contact_shadow(alpha, coat, pose, light)
            picture = picture * (1 - dark)[..., None]
            touched = np.maximum(touched, dark)
        alpha = alpha * coat.opacity
        picture = picture * (1 - alpha)[..., None] + colour * coat.opacity
        painted = np.maximum(painted, alpha)
    touched = np.maximum(touched, painted)
    encoded = to_encoded(picture)
    if light.noise > 0.3:
        grain = blurred(rng.standard_normal(image.shape[:2], dtype=np.float32), min(light.blur_px, 0.8) * 0.6)
        grain *= light.noise / max(float(grain.std()), 1e-6)
        encoded += (grain * painted)[..., None]
    rounded = np.clip(np.rint(encoded), 0, 255).astype(np.uint8)
    return np.where((touched > 2e-3)[..., None], rounded, image)


def _placed(layer: Layer, shape: tuple[int, int], blur_px: float) -> tuple[np.ndarray, np.ndarray]:
    colour, alpha = np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32)
    x, y = layer.corner_px
    rows, columns = slice(y, y + layer.alpha.shape[0]), slice(x, x + layer.alpha.shape[1])
    colour[rows, columns], alpha[rows, columns] = layer.colour, layer.alpha
    return blurred(colour, blur_px), blurred(alpha, blur_px)


def _contact_shadow(alpha: np.ndarray, coat: Coat, pose: Pose, light: Light) -> np.ndarray:
    """The layer's outline, moved away from the light and blurred, on the head only: (H, W)."""
    fall = -light.towards[:2] * coat.shadow_mm * pose.scale
    x, y = (int(v) for v in np.rint(fall))
    moved = np.roll(alpha, (y, x), (0, 1))
    spread = np.maximum(
        blurred(moved, 0.8 * coat.shadow_mm * pose.scale), blurred(alpha, 2.5 * pose.scale) * 0.7
    )
    on_head = face_mask(pose, alpha.shape, soft_mm=4.0)  # type: ignore[arg-type]
    return np.asarray(coat.shadow * spread * on_head * (1 - alpha))
