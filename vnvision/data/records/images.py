"""Pictures by number, whatever they are kept in: all that a loader needs to know of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from vnvision.errors import DataError
from vnvision.imaging import read
from vnvision.imaging.depth import to_uint8


@runtime_checkable
class Images(Protocol):
    """Pictures by number. It can be pickled, and opens its files when first read in each process."""

    def __len__(self) -> int: ...

    def image(self, index: int) -> np.ndarray:
        """A picture as it was saved: (H, W, 3) RGB or (H, W, 1) grey, uint8 or uint16.

        Raises:
            DataError: it cannot be read; the file, and record or sample, is named.
        """
        ...


class ImageFiles:
    """Pictures in files.

    Args:
        files: one a picture.
    """

    def __init__(self, files: Sequence[str | Path]) -> None:
        self.files = [str(file) for file in files]

    def __len__(self) -> int:
        return len(self.files)

    def image(self, index: int) -> np.ndarray:
        """A picture as it was saved; see ``Images``."""
        return read(self.files[index]).image


def decoded(data: bytes, where: str) -> np.ndarray:
    """The picture that encoded bytes hold, as it was saved.

    Raises:
        DataError: they hold none; ``where`` names file and record.
    """
    try:
        return read(data).image
    except DataError as exc:
        raise DataError(f"{where}: {exc}") from exc


def as_rgb8(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8; 16 bit is scaled by its full range, never by its content."""
    image = to_uint8(image)
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
