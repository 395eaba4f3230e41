"""The poor views of every row of a manifest, as matrices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from vnvision.data.manifest import Manifest, Row
from vnvision.data.masks import mask_cell, mask_file, read_mask
from vnvision.evaluate.images import image_batches
from vnvision.evaluate.shortcut_files import file_facts
from vnvision.evaluate.shortcut_views import Views, look

FOUND_SHARE = 0.5
_ANY_LABEL = 256


@dataclass(frozen=True, slots=True, eq=False)
class ViewRows:
    """One view of many pictures.

    Attributes:
        features: (N, D) float64; rows that are not usable hold zeros.
        usable: (N,) bool.
        cover: how the subject was covered, for the background: mask, object or centre; else None.
    """

    features: np.ndarray
    usable: np.ndarray
    cover: str | None = None


def collect(
    manifest: Manifest, views: tuple[str, ...], progress: Callable[[int, int], None] | None = None
) -> dict[str, ViewRows]:
    """Every wanted view of every row; each picture is read once.

    The background is what lies outside the masks where every row has one (a row whose mask holds nothing
    borrows another row's, so that a hole alone tells nothing); else outside the object, in the pictures where
    one stands out from a plain ground, if these are half of all; else outside an ellipse over the middle.

    Raises:
        DataError: a picture or mask cannot be read; names its row.
    """
    masks = Masks(manifest) if "background" in views else None
    looked: list[Views] = []
    facts: list[np.ndarray] = []
    for images in image_batches(manifest, manifest.rows, 16):
        for image in images:
            row = manifest.rows[len(looked)]
            mask = None if masks is None else masks.of(row, (image.shape[0], image.shape[1]))
            looked.append(look(image, mask, covers=masks is not None))
            if "metadata" in views:
                facts.append(file_facts(manifest.file(row), (image.shape[0], image.shape[1]), image.shape[2]))
        if progress is not None:
            progress(len(looked), len(manifest))
    out = stacked(looked, tuple(view for view in views if view != "metadata"))
    return {view: _stacked(list(facts)) if view == "metadata" else out[view] for view in views}


def stacked(looked: list[Views], views: tuple[str, ...]) -> dict[str, ViewRows]:
    """Some views of pictures that were looked at, as matrices; see ``collect`` on the background."""
    return {
        view: _outside(looked) if view == "background" else _stacked([one.plain[view] for one in looked])
        for view in views
    }


class Masks:
    """Masks of a manifest's rows; None for all unless every row states one."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._full = [row for row in manifest.rows if mask_file(manifest, row) is not None]
        self.known = bool(self._full) and all(mask_cell(row) for row in manifest.rows)

    def of(self, row: Row, size_px: tuple[int, int]) -> np.ndarray | None:
        """(H, W) of its own picture's size, or of the picture it was borrowed from."""
        if not self.known:
            return None
        mask = read_mask(self._manifest, row, _ANY_LABEL, size_px)
        turn = row.line
        for _ in range(len(self._full)):
            if mask is not None and mask.any():
                break
            mask = self._borrowed(self._full[turn % len(self._full)])
            turn += 1
        return mask

    def _borrowed(self, row: Row) -> np.ndarray | None:
        path = mask_file(self._manifest, row)
        assert path is not None
        with Image.open(path) as picture:  # of another size than the picture it will cover: only read here
            width, height = picture.size
        return read_mask(self._manifest, row, _ANY_LABEL, (height, width))


def _outside(looked: list[Views]) -> ViewRows:
    """The best way to cover the subject that serves enough pictures."""
    for cover in ("mask", "object"):
        vectors = [one.outside.get(cover) for one in looked]
        share = sum(vector is not None for vector in vectors) / len(vectors)
        if share >= FOUND_SHARE:
            return _stacked(vectors, cover)
    return _stacked([one.outside.get("centre") for one in looked], "centre")


def _stacked(vectors: list[np.ndarray | None] | list[np.ndarray], cover: str | None = None) -> ViewRows:
    """Vectors as rows; None, or a vector of another length (grey among colour), is not usable."""
    lengths = [0 if vector is None else len(vector) for vector in vectors]
    length = max(set(lengths) - {0}, key=lengths.count, default=0)
    usable = np.array([n == length and n > 0 for n in lengths], dtype=bool)
    features = np.zeros((len(vectors), length))
    for i in np.flatnonzero(usable):
        features[i] = vectors[i]
    return ViewRows(features, usable, cover)
