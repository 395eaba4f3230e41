"""Golden images: a few varied pictures that every exported file has to answer as the original does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import cv2
import numpy as np

from vnvision.data.manifest import Manifest, Row
from vnvision.errors import DataError
from vnvision.imaging import Preprocessor, read
from vnvision.spec import PreprocessSpec


def golden_images(
    source: Manifest | Sequence[np.ndarray] | None,
    spec: PreprocessSpec,
    n: int = 8,
    seed: int = 0,
    *,
    synthetic: bool = False,
) -> np.ndarray:
    """Choose golden images and bring them to the model's size.

    They travel in the bundle. Where licence or consent forbids that, pass ``synthetic=True`` (or None as the
    source): patterns are drawn instead, which prove the arithmetic equal, though not on natural pictures.

    Args:
        source: a manifest (its ``val`` split where it has one; classes in turn), or images (H, W, C) as read.
        spec: the task's preprocessing.
        n: how many, 2 or more; fewer come back where there are fewer.
        seed: chooses among the images of a class, or draws the patterns.
        synthetic: draw patterns and read no image.

    Returns:
        (n, h, w, C), RGB or grey, of the spec's input dtype (uint8 for all but special cases).

    Raises:
        DataError: fewer than two images, or one of them cannot be read.
    """
    if n < 2:
        raise DataError("too few golden images asked for", expected="n >= 2", got=str(n))
    if source is None or synthetic:
        return _patterns(spec, n, seed)
    images = _chosen(source, n, seed) if isinstance(source, Manifest) else list(source)[:n]
    if len(images) < 2:
        raise DataError(
            "too few images to choose golden ones from", expected="2 or more", got=str(len(images))
        )
    # RGB whatever the model wants: golden.npz holds pictures, and step 2 of the spec swaps the channels.
    rgb = spec.model_copy(update={"colour": "grey" if spec.colour == "grey" else "rgb"})
    geometry = Preprocessor(rgb).geometry
    return np.stack([geometry(image) for image in images])


def _chosen(manifest: Manifest, n: int, seed: int) -> list[np.ndarray]:
    """Images of ``n`` rows, one class after the other."""
    pool = manifest.split("val") if any(row.split == "val" for row in manifest.rows) else manifest
    by_class: dict[str, list[Row]] = defaultdict(list)
    for row in pool.rows:
        by_class[_class_of(row)].append(row)
    rng = np.random.default_rng(seed)
    queues = [[rows[i] for i in rng.permutation(len(rows))] for _, rows in sorted(by_class.items())]
    longest = max((len(queue) for queue in queues), default=0)
    turns = [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)]
    return [read(manifest.file(row)).image for row in turns[:n]]


def _class_of(row: Row) -> str:
    if row.labels:
        return next((name for name, value in sorted(row.labels.items()) if value == 1), "")
    return row.label or ""


def _patterns(spec: PreprocessSpec, n: int, seed: int) -> np.ndarray:
    """Soft colour fields with sharp shapes and grain, from dark to bright, (n, h, w, C)."""
    rng = np.random.default_rng(seed)
    height, width = spec.size_px
    low, high = spec.input_range
    images = []
    for index in range(n):
        field = cv2.resize(rng.random((5, 5, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
        for _ in range(4):
            top, left = rng.integers(0, height), rng.integers(0, width)
            bottom, right = top + max(1, height // 4), left + max(1, width // 4)
            field[top:bottom, left:right] = rng.random(3)
        field = field * (0.4 + 0.6 * (index + 1) / n) + rng.normal(0, 0.03, field.shape)
        images.append(field.clip(0, 1)[..., : spec.channels])
    values = low + np.stack(images) * (high - low)
    return (values if spec.input_dtype == "float32" else np.rint(values)).astype(spec.input_dtype)
