"""Mud on a leaf: what rain throws up from the ground, and dust."""

from __future__ import annotations

import numpy as np

from vnvision.data.field.paint import Rng, discs, levels, noise, smoothstep, soft

_TONES = ((98, 72, 48), (118, 84, 56), (80, 66, 52), (140, 116, 88), (108, 66, 44))
_DENSITY = 2.2  # discs drawn for each share of the area: many overlap or fall beside the leaf


def splash_soil(image: np.ndarray, mask: np.ndarray | None, cover: float, rng: Rng) -> np.ndarray:
    """Splash mud over a leaf, more of it towards one side, and a film of dust around it.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W), nothing lands where it is 0; None: anywhere.
        cover: share of the area under mud, about.
        rng: of every draw.
    """
    height, width = size_px = image.shape[:2]
    side = min(size_px)
    radii = np.clip(rng.lognormal(np.log(0.006), 0.75, 400), 0.003, 0.045) * side
    wanted = cover * height * width * _DENSITY
    radii = radii[: max(3, int(np.searchsorted(np.cumsum(np.pi * radii**2), wanted)))]
    centres = _thrown(rng, len(radii)) * (width, height)
    grain = noise(rng, size_px, (40, 110), 0.8)
    rough = noise(rng, size_px, (24, 60, 120), 0.8)
    body = soft(discs(size_px, centres, radii), 0.004 * side)
    spots = smoothstep(body * (1 + 0.45 * rough) + 0.06 * grain, 0.30, 0.60) * np.minimum(body * 3, 1)
    film = smoothstep(soft(body, 0.045 * side) * 4 + 0.35 * noise(rng, size_px, (6, 20)), 0.25, 1.4)
    tone = np.array(_TONES[int(rng.integers(len(_TONES)))], np.float32) * float(rng.uniform(0.8, 1.3))
    # Mud takes the light of its place: shaded leaves carry dark mud.
    place = soft(image.astype(np.float32).mean(axis=2), 0.06 * side) / 105
    thick = soft(spots, 0.006 * side)
    relief = np.clip(1 + 0.6 * (thick - np.roll(thick, (1, 1), (0, 1))), 0.75, 1.25)
    paint = tone * (np.clip(place, 0.35, 1.15) * (1 + 0.14 * grain) * relief)[:, :, None]
    amount = np.maximum(spots * float(rng.uniform(0.8, 0.97)), film * float(rng.uniform(0.1, 0.35)))
    if mask is not None:
        amount = amount * soft((mask > 0).astype(np.float32), 0.6) * (mask > 0)
    base = image.astype(np.float32)
    return levels(base + (paint - base) * amount[:, :, None])


def _thrown(rng: Rng, count: int) -> np.ndarray:
    """(N, 2) places in 0..1: clusters, denser towards one side as splashes come from below."""
    clusters = rng.uniform(0, 1, (max(2, count // 9), 2))
    clusters[:, 1] = rng.beta(2.0, 1.2, len(clusters))
    places = clusters[rng.integers(0, len(clusters), count)] + rng.normal(0, 0.07, (count, 2))
    alone = rng.random(count) < 0.4
    places[alone] = rng.uniform(0, 1, (int(alone.sum()), 2))
    turn = int(rng.integers(4))
    mirrored = places if turn % 2 == 0 else places[:, ::-1]
    return np.asarray(mirrored if turn < 2 else 1 - mirrored)
