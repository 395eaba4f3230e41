"""Masks of a manifest: the column ``mask`` names a PNG of label indices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from vnvision.data.manifest import Manifest, leaves_root
from vnvision.data.rows import Row
from vnvision.errors import DataError

COLUMN, NOTHING = "mask", "none"
_PROBLEMS = (
    OSError,
    ValueError,
    SyntaxError,
    Image.DecompressionBombError,
)  # what Pillow raises for bad files


def mask_cell(row: Row) -> str:
    """The row's cell: empty where its mask is unknown, ``none`` where it is known to hold nothing."""
    return row.extra.get(COLUMN, "").strip()


def mask_file(manifest: Manifest, row: Row) -> Path | None:
    """Where the mask lies; None where the cell is empty or ``none``.

    Raises:
        DataError: the path leaves the manifest's root.
    """
    cell = mask_cell(row)
    if cell in ("", NOTHING):
        return None
    if leaves_root(cell):
        raise DataError(f"{manifest.path}: mask of row {row.line} leaves the root", got=cell)
    return manifest.root / cell


def read_mask(manifest: Manifest, row: Row, n_labels: int, size_px: tuple[int, int]) -> np.ndarray | None:
    """The mask of a row.

    Pixels are label indices; a 1-bit file holds 0 and 1. With two labels 255 is read as 1, since it can mean
    nothing else.

    Args:
        manifest: the row's.
        row: one of its rows.
        n_labels: labels of the task; larger indices are refused.
        size_px: height and width of the picture, which the mask must share.

    Returns:
        (H, W) uint8, or None where the mask is unknown.

    Raises:
        DataError: a missing or damaged file, another size, colour, or values that are no labels.
    """
    cell = mask_cell(row)
    if not cell:
        return None
    if cell == NOTHING:
        return np.zeros(size_px, np.uint8)
    path = mask_file(manifest, row)
    assert path is not None
    return load_mask(path, n_labels, size_px)


def load_mask(path: Path, n_labels: int, size_px: tuple[int, int]) -> np.ndarray:
    """A mask file as ``read_mask`` reads it: (H, W) uint8."""
    try:
        with Image.open(path) as picture:
            if picture.mode not in ("1", "L", "P"):
                raise DataError(
                    f"mask {path} has colours", expected="1-bit or 8-bit indices", got=picture.mode
                )
            if picture.size != size_px[::-1]:
                got = f"{picture.size[1]} x {picture.size[0]}"
                raise DataError(f"mask {path} has another size", expected="{} x {}".format(*size_px), got=got)
            mask = np.array(picture).astype(np.uint8)
    except FileNotFoundError as exc:
        raise DataError(f"mask {path} does not exist", fix="run: vnvision data check MANIFEST") from exc
    except _PROBLEMS as exc:
        raise DataError(f"mask {path} cannot be read", got=str(exc)) from exc
    values = np.flatnonzero(np.bincount(mask.reshape(-1), minlength=256))
    if n_labels == 2 and set(values.tolist()) <= {0, 255}:
        mask[mask == 255] = 1
    elif values.max(initial=0) >= n_labels:
        raise DataError(
            f"mask {path} holds values that are no labels",
            expected=f"0 to {n_labels - 1}",
            got=", ".join(map(str, values[values >= n_labels][:5])),
        )
    return mask
