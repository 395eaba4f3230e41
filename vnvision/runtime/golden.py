"""The content of ``golden.npz``: pictures, and what a bundle's model answers to them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import numpy as np


def golden_bytes(
    images: np.ndarray, outputs: np.ndarray, further: Mapping[str, np.ndarray] | None = None
) -> bytes:
    """The content of ``golden.npz``: equal arrays give equal bytes (no clock in the archive).

    Args:
        images: what every target is asked.
        outputs: what the original answers.
        further: its other outputs, by name.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in {"images": images, "outputs": outputs, **(further or {})}.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # the same on every system
            entry.external_attr = 0o644 << 16
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(entry, content.getvalue(), compresslevel=6)
    return buffer.getvalue()
