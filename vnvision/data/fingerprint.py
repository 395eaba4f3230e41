"""What near-duplicate search compares of one image: a perceptual hash and its fine detail."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

THUMB_PX = 64
HASH_SIDE = 16
ORIENTATIONS = 8
_LEVELS = 31.0


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """What is compared of one image.

    Attributes:
        bits: (8, 4) uint64, the 256-bit hash of each orientation; word 0 holds the 64 lowest frequencies.
        detail: (64, 64) int8, detail with local contrast divided out; all 0 for an image without detail.
        fine: whether the image has at least 64 pixels each way, so that ``detail`` is real.
    """

    bits: np.ndarray
    detail: np.ndarray
    fine: bool


def fingerprint(image: np.ndarray) -> Fingerprint:
    """Fingerprint of an image (H, W, 1 or 3), uint8 or uint16.

    The hash thresholds the low DCT frequencies at their median (Zauner 2010, "Implementation and
    Benchmarking of Perceptual Image Hash Functions", section 3.2.1), here 16 x 16 of them. The detail is the
    thumbnail less its blur, divided by its local standard deviation (the divisive normalisation of Mittal
    et al. 2012, "No-Reference Image Quality Assessment in the Spatial Domain", equation 1).
    """
    thumb = _thumbnail(image)
    return Fingerprint(_hashes(thumb), _detail(thumb), fine=min(image.shape[:2]) >= THUMB_PX)


def _thumbnail(image: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.shape[2] == 3 else image[:, :, 0]
    shrink = grey.shape[0] >= THUMB_PX and grey.shape[1] >= THUMB_PX
    how = cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
    small = cv2.resize(grey if shrink else grey.astype(np.float32), (THUMB_PX, THUMB_PX), interpolation=how)
    thumb: np.ndarray = small.astype(np.float32)
    if grey.dtype == np.uint16:
        # Scanners fill 10 to 14 of 16 bits. Only this comparison stretches them; models never see it.
        low, high = float(thumb.min()), float(thumb.max())
        thumb = (thumb - low) * (255.0 / max(high - low, 1.0))
    return thumb


def _hashes(thumb: np.ndarray) -> np.ndarray:
    low = cv2.dct(thumb)[:HASH_SIDE, :HASH_SIDE].copy()
    low[0, 0] = 0.0
    sign = np.where(np.arange(HASH_SIDE) % 2, -1.0, 1.0).astype(np.float32)
    # Mirroring an image negates the odd frequencies of that axis; transposing it transposes them.
    turned = []
    for base in (low, low.T):
        turned += [base, base * sign, base * sign[:, None], base * sign * sign[:, None]]
    stack = np.stack(turned)
    half = HASH_SIDE // 2
    parts = [stack[:, :half, :half], stack[:, :half, half:], stack[:, half:, :half], stack[:, half:, half:]]
    flat = np.concatenate([part.reshape(ORIENTATIONS, -1) for part in parts], axis=1)
    bits = flat > np.median(flat[:, 1:], axis=1, keepdims=True)
    packed: np.ndarray = np.packbits(bits, axis=1)
    return packed.view(np.uint64)


def orient(detail: np.ndarray, orientation: int) -> np.ndarray:
    """(..., 64, 64) as the hash of that orientation sees it."""
    base = detail if orientation < 4 else np.swapaxes(detail, -1, -2)
    if orientation % 4 in (1, 3):
        base = base[..., :, ::-1]
    if orientation % 4 in (2, 3):
        base = base[..., ::-1, :]
    return base


def _detail(thumb: np.ndarray) -> np.ndarray:
    fine = thumb - cv2.GaussianBlur(thumb, (0, 0), 3.0)
    spread = np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), 3.0))
    scaled = fine / (spread + 2.0)  # two grey levels: compression noise in flat parts stays small
    scaled -= scaled.mean()
    if float(np.sqrt(np.mean(scaled * scaled))) < 0.1:
        return np.zeros((THUMB_PX, THUMB_PX), np.int8)
    levels: np.ndarray = np.clip(np.rint(scaled * _LEVELS), -127, 127)
    return levels.astype(np.int8)
