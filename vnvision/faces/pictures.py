"""Pictures as the face engine takes them: files, bytes, or arrays of any common shape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from vnvision.errors import DataError
from vnvision.imaging import read
from vnvision.imaging.alpha import over_white
from vnvision.imaging.depth import to_uint8
from vnvision.runtime.readahead import read_ahead

Picture = str | Path | bytes | np.ndarray
_AT_ONCE, _MOST_PIXELS = 64, 64_000_000
_WORKERS, _AHEAD = 2, 8


def decoded(picture: Picture) -> np.ndarray:
    """An RGB or grey uint8 array (H, W, 3) or (H, W, 1).

    16 bit is scaled by its full range, transparency is laid on white, as for files.

    Raises:
        DataError: a file that cannot be read, or an array that is no picture.
    """
    if not isinstance(picture, np.ndarray):
        return to_uint8(read(picture).image)
    image = picture[..., None] if picture.ndim == 2 else picture
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or not image.size:
        raise DataError(
            "a picture has the wrong shape",
            expected="(H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA",
            got=str(picture.shape),
        )
    if image.dtype not in (np.uint8, np.uint16):
        raise DataError(
            "a picture has the wrong dtype",
            expected="uint8 or uint16",
            got=str(image.dtype),
            fix="the range of other types would have to be guessed: scale it to 0..255 and cast",
        )
    return to_uint8(over_white(image) if image.shape[2] == 4 else image)


def as_rgb(image: np.ndarray, number: int) -> np.ndarray:
    """A picture for a detector: (H, W, 3), grey repeated.

    Raises:
        DataError: another shape or dtype; its number is named.
    """
    if image.ndim != 3 or image.shape[2] not in (1, 3) or image.dtype != np.uint8 or not image.size:
        raise DataError(
            f"picture {number} cannot be searched for faces",
            expected="(H, W, 3) or (H, W, 1) uint8",
            got=f"{image.shape} {image.dtype}",
        )
    return image if image.shape[2] == 3 else np.repeat(image, 3, axis=2)


def name_of(picture: Picture) -> str:
    """A picture's path, or words for one that came without."""
    return str(picture) if isinstance(picture, str | Path) else "the picture"


def batches(pictures: Iterable[Picture]) -> Iterator[list[np.ndarray | DataError]]:
    """Decoded pictures, read ahead by two threads: up to 64 at once, fewer where they are large.

    A picture that cannot be read is its error.
    """
    batch: list[np.ndarray | DataError] = []
    pixels = 0
    for image in read_ahead(_try, pictures, workers=_WORKERS, ahead=_AHEAD):
        size = image.shape[0] * image.shape[1] if isinstance(image, np.ndarray) else 0
        if batch and (len(batch) == _AT_ONCE or pixels + size > _MOST_PIXELS):
            yield batch
            batch, pixels = [], 0
        batch.append(image)
        pixels += size
    if batch:
        yield batch


def _try(picture: Picture) -> np.ndarray | DataError:
    try:
        return decoded(picture)
    except DataError as exc:
        return exc
