"""Drawing one synthetic leaf: plant, pose, disease, background, light and camera, in that order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vnvision.data.leaf_backgrounds import BACKGROUNDS, NEAR
from vnvision.data.leaf_lesions import DISTRACTORS, LESIONS, hole_cover
from vnvision.data.leaf_paint import fractal, mix, plain, relief, soft, stream
from vnvision.data.leaf_scene import REGIONS, camera, choose_background, light_scene
from vnvision.data.leaf_shapes import LeafFields, PlantTraits, plant_traits, pose_leaf
from vnvision.errors import ConfigError
from vnvision.spec import Label

LEAF_LABELS: tuple[Label, ...] = (
    Label(id="healthy", vi="khỏe mạnh", en="healthy"),
    Label(id="spot", vi="đốm lá", en="leaf spot"),
    Label(id="blight", vi="cháy lá", en="leaf blight"),
    Label(id="rust", vi="gỉ sắt", en="rust"),
)
KINDS: tuple[str, ...] = tuple(label.id for label in LEAF_LABELS)
_PLANT, _SCENE, _LESION, _CAMERA = range(4)


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticLeaf:
    """One drawn leaf.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        leaf_mask: (H, W) uint8, 1 on the visible blade, without petiole and holes.
        lesion_mask: (H, W) uint8, 1 where more than half of a pixel is diseased; inside ``leaf_mask``.
        severity: diseased share of the leaf's pixels, 0..1.
        kind, region, background: what was drawn.
    """

    image: np.ndarray
    leaf_mask: np.ndarray
    lesion_mask: np.ndarray
    severity: float
    kind: str
    region: str
    background: str


def draw_leaf(
    kind: str, seed: int, size_px: int = 224, *, plant_seed: int | None = None, region: str | None = None
) -> SyntheticLeaf:
    """Draw one leaf.

    The plant, its pose, background and light depend on the seed alone, so the four kinds of one seed show
    the same leaf. Equal arguments give equal bytes.

    Args:
        kind: healthy, spot, blight or rust.
        seed: any non-negative integer.
        size_px: height and width.
        plant_seed: leaves with the same one share shape, colour and background; ``seed`` if None.
        region: delta, highland or coast; drawn with the plant if None.

    Raises:
        ConfigError: an unknown kind or region, a negative seed, a size outside 32..4096.
    """
    _check(kind, seed, size_px, region)
    plant_rng = stream(_PLANT, seed if plant_seed is None else plant_seed)
    scene_rng = stream(_SCENE, seed)
    plant = plant_traits(plant_rng)
    region = str(plant_rng.choice(list(REGIONS))) if region is None else region
    background = choose_background(REGIONS[region], plant_rng)
    leaf = pose_leaf(plant, scene_rng, size_px)
    angle = float(scene_rng.uniform(0, 2 * np.pi))
    light = (float(np.cos(angle)), float(np.sin(angle)))
    scene = BACKGROUNDS[background](scene_rng, plant_rng, size_px)
    mottle = fractal(scene_rng, size_px, (5, 14, 50), 0.6)
    blade = _colour_blade(plant, leaf, mottle, scene_rng)
    lesion = np.zeros_like(leaf.blade)
    if kind in LESIONS:
        lesion = LESIONS[kind](blade, leaf, stream(_LESION, KINDS.index(kind), seed), light)
    _shade_blade(blade, plant, leaf, mottle, lesion, scene_rng, light)
    for chance, paint in DISTRACTORS:
        if scene_rng.random() < chance:
            paint(blade, leaf, scene_rng, light)
    holes = hole_cover(leaf, scene_rng) if scene_rng.random() < 0.2 else np.zeros_like(leaf.blade)
    cover, near = leaf.blade * (1 - holes), background in NEAR
    if near:
        _cast_shadow(scene, np.maximum(cover, leaf.petiole), scene_rng, light)
    mix(scene, np.asarray(plant.vein_colour) * 0.85, leaf.petiole)
    mix(scene, blade, cover)
    light_scene(scene, np.maximum(cover, leaf.petiole), near, REGIONS[region], scene_rng, light)
    image = camera(scene, stream(_CAMERA, seed))
    leaf_mask = (cover > 0.5).astype(np.uint8)
    lesion_mask = ((lesion > 0.5) & (cover > 0.5)).astype(np.uint8)
    severity = float(lesion_mask.sum()) / max(int(leaf_mask.sum()), 1)
    return SyntheticLeaf(image, leaf_mask, lesion_mask, severity, kind, region, background)


def _check(kind: str, seed: int, size_px: int, region: str | None) -> None:
    if kind not in KINDS:
        raise ConfigError("unknown kind of leaf", expected=", ".join(KINDS), got=repr(kind))
    if region is not None and region not in REGIONS:
        raise ConfigError("unknown region", expected=", ".join(REGIONS), got=repr(region))
    if seed < 0:
        raise ConfigError("the seed of a leaf must not be negative", expected="0 or more", got=str(seed))
    if not 32 <= size_px <= 4096:
        raise ConfigError("the size of a leaf picture is out of range", expected="32..4096", got=str(size_px))


def _colour_blade(
    plant: PlantTraits, leaf: LeafFields, mottle: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The healthy blade's colour over the whole picture (3, H, W): green, yellowing, veins."""
    size = leaf.blade.shape[0]
    image = plain(size, plant.colour) * (1 + 0.07 * mottle)
    yellow = plant.yellowing * (0.55 + 0.45 * fractal(rng, size, (3, 8), 0.5)) * float(rng.uniform(0.2, 1.2))
    yellow *= 1 - 0.6 * float(rng.random()) * leaf.vein
    mix(image, (0.74, 0.70, 0.22), np.clip(yellow, 0, 0.85))
    return mix(image, plant.vein_colour, leaf.vein * float(rng.uniform(0.35, 0.8)))


def _shade_blade(
    image: np.ndarray,
    plant: PlantTraits,
    leaf: LeafFields,
    mottle: np.ndarray,
    lesion: np.ndarray,
    rng: np.random.Generator,
    light: tuple[float, float],
) -> None:
    """Give the blade its form, in place: relief of the veins, fold, highlight, a darker margin."""
    unit = leaf.blade.shape[0] / 224
    height = leaf.bulge - 0.6 * leaf.vein + 0.04 * mottle
    slope = relief(soft(height, 0.8 * unit), light) * float(rng.uniform(0.4, 1.1))
    fold = (leaf.axis[0] * light[1] - leaf.axis[1] * light[0]) * float(rng.uniform(0.0, 0.26))
    image *= np.clip(1 + leaf.across * fold + np.clip(slope, -0.3, 0.3), 0.3, 1.7)
    shine = (leaf.across * (1 if fold > 0 else -1) - 0.45 + 0.25 * np.clip(mottle, -1, 1)) / 0.3
    gleam = plant.gloss * np.exp(-(shine**2)) * np.clip(0.7 + 3 * slope, 0, 1.3) * (1 - 0.7 * lesion)
    mix(image, (0.90, 0.95, 0.97), np.clip(gleam, 0, 0.8))
    image *= 1 - 0.22 * np.exp(-np.clip(leaf.inside_px, 0, None) / (1.6 * unit))


def _cast_shadow(
    scene: np.ndarray, cover: np.ndarray, rng: np.random.Generator, light: tuple[float, float]
) -> None:
    """The leaf's own shadow on what lies right behind it, in place."""
    size = scene.shape[1]
    drop = float(rng.uniform(1.0, 9.0)) * size / 224
    shadow = np.roll(cover, (round(-drop * light[1]), round(-drop * light[0])), (0, 1))
    scene *= 1 - float(rng.uniform(0.15, 0.6)) * soft(shadow, 0.5 * drop + 0.5)
