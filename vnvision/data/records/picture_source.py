"""What every kind of set says of its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from vnvision.data.records.coded import Coded
from vnvision.data.records.images import as_rgb8, decoded

IDENTITY = "identity"


class PictureSource:
    """Pictures by number, as ``Images``, and their columns. Opening one decodes nothing.

    Attributes:
        path: the manifest, the ``.rec``, or the index of the shards.
        sha256: hex digest of what says which pictures there are and whom they show.
        columns: what is known of each picture, by name.
        codes: (N,) whole numbers, the place in ``names`` of the person that each picture shows; -1 unknown.
        names: each person's name, in order of first appearance or of number.
    """

    def __init__(self, path: Path, sha256: str, columns: Mapping[str, Coded], identity: str) -> None:
        self.path, self.sha256, self.columns = path, sha256, dict(columns)
        self._people = columns[identity]

    @property
    def codes(self) -> np.ndarray:
        """Whom each picture shows."""
        return self._people.codes

    @property
    def names(self) -> tuple[str, ...]:
        """The people."""
        return self._people.names

    def __len__(self) -> int:
        return len(self._people)

    def identity(self, index: int) -> str:
        """Whom a picture shows; empty where that is unknown."""
        return self._people.text(index)

    def place(self, index: int) -> str:
        """Where a picture lies, for messages and reports."""
        raise NotImplementedError

    def encoded(self, index: int) -> bytes:
        """The bytes of a picture as they were packed; raises as ``image``."""
        raise NotImplementedError

    def image(self, index: int) -> np.ndarray:
        """A picture as it was saved; see ``Images``."""
        return decoded(self.encoded(index), self.place(index))

    def read(self, index: int) -> np.ndarray:
        """A picture: (H, W, 3) uint8 RGB; raises as ``image``."""
        return as_rgb8(self.image(index))
