"""albumentations by name, for what our own augmentation does not have. The only place that imports it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from vnvision.errors import ConfigError, MissingExtraError
from vnvision.spec import config_json


def apply_extra(image: np.ndarray, transforms: Sequence[Mapping[str, Any]], seed: int) -> np.ndarray:
    """Apply albumentations transforms in order, wholly determined by ``seed``.

    Args:
        image: (h, w, C) uint8.
        transforms: each ``{"name": "RandomFog", ...its arguments}``; the result must keep the size.
        seed: of all their draws.

    Raises:
        ConfigError: no such transform, or arguments it does not take.
        MissingExtraError: albumentations is not installed.
    """
    pipeline = _pipeline(config_json([dict(transform) for transform in transforms]))
    pipeline.set_random_seed(seed)
    result: np.ndarray = pipeline(image=image)["image"]
    if result.shape != image.shape:
        raise ConfigError(
            "an extra transform changed the size", expected=str(image.shape), got=str(result.shape)
        )
    return result


@lru_cache(maxsize=8)
def _pipeline(transforms_json: str) -> Any:
    """One pipeline a process and a configuration: building it costs milliseconds."""
    import json

    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it would ask the network for its newest version
    try:
        import albumentations
    except ImportError as exc:
        raise MissingExtraError("albumentations", "train") from exc
    steps = []
    for entry in json.loads(transforms_json):
        name = entry.pop("name", None)
        kind = getattr(albumentations, str(name), None)
        if not isinstance(kind, type) or not issubclass(kind, albumentations.BasicTransform):
            raise ConfigError(
                f"albumentations has no transform {name!r}", fix="name it as albumentations does"
            )
        try:
            steps.append(kind(**entry))
        except (TypeError, ValueError) as exc:
            raise ConfigError(
                f"{name} does not take these arguments", got=" ".join(str(exc).split())
            ) from exc
    return albumentations.Compose(steps)
