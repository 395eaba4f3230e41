"""Templates of pictures that are face crops on the template already, as ``.bin`` sets hold them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from vnvision import atomic
from vnvision.errors import DataError
from vnvision.faces.embedded import EmbeddedFaces
from vnvision.faces.engine import FaceEngine
from vnvision.faces.pictures import decoded

_AT_ONCE = 256
_TEMPLATE_PX = (112, 112)


def embed_aligned(
    engine: FaceEngine,
    images: Sequence[bytes],
    source: Path,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> EmbeddedFaces:
    """Embed aligned crops; nothing is detected.

    Args:
        engine: embeds.
        images: image files.
        source: the file they come from; its hash goes along.
        progress: called with (done, total).

    Raises:
        DataError: an image cannot be read, or is not of the template's size.
    """
    n = len(images)
    embeddings = np.zeros((n, engine.embedder.size), np.float32)
    for at in range(0, n, _AT_ONCE):
        crops = np.stack([_crop(image, source) for image in images[at : at + _AT_ONCE]])
        embeddings[at : at + len(crops)] = engine.embed(crops)
        if progress:
            progress(at + len(crops), n)
    return EmbeddedFaces(
        embeddings,
        paths=tuple(f"{source.name}:{i}" for i in range(n)),
        reasons=("",) * n,
        columns={"identity": ("",) * n},
        model=engine.embedder.fingerprint,
        manifest_sha256=atomic.sha256_file(source),
    )


def _crop(data: bytes, source: Path) -> np.ndarray:
    image = decoded(data)
    if image.shape[:2] != _TEMPLATE_PX:
        raise DataError(
            f"{source} holds an image of another size",
            expected="{} x {} pixels, aligned".format(*_TEMPLATE_PX),
            got="{} x {}".format(*image.shape[:2]),
            fix="write the pictures to a folder and evaluate that",
        )
    return image if image.shape[2] == 3 else np.repeat(image, 3, axis=2)
