"""What a detector and an embedder offer: any object with these methods fits ``FaceEngine``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from vnvision.records import Face


class Detector(Protocol):
    """Finds faces."""

    def detect(self, images: Sequence[np.ndarray]) -> list[tuple[Face, ...]]:
        """Faces of each picture, the most certain first; an empty tuple where there is none.

        Args:
            images: (H, W, 3) or (H, W, 1) uint8 RGB or grey each, of any sizes.

        Raises:
            DataError: another shape or dtype; the picture's number is named.
        """
        ...

    def close(self) -> None:
        """Free the model. Closing twice is fine."""
        ...


class Embedder(Protocol):
    """Turns faces into templates.

    ``size`` is the length D of an embedding. ``fingerprint`` names weights and preprocessing: embeddings
    with different ones must not be compared.
    """

    @property
    def size(self) -> int:
        """Length of an embedding."""
        ...

    @property
    def fingerprint(self) -> str:
        """Of weights and preprocessing."""
        ...

    def align(self, image: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
        """Cut faces out onto the ArcFace template: (K, 112, 112, 3) uint8 RGB, in the order given.

        Args:
            image: (H, W, 3) or (H, W, 1) uint8 RGB or grey.
            faces: with landmarks in the image's pixels; none gives (0, 112, 112, 3).
        """
        ...

    def embed(self, crops: np.ndarray) -> np.ndarray:
        """Aligned crops (K, 112, 112, 3) uint8 RGB -> unit-norm embeddings (K, D) float32.

        Raises:
            DataError: crops of another shape or dtype.
        """
        ...

    def close(self) -> None:
        """Free the model. Closing twice is fine."""
        ...
