"""Drawn leaves in folders with Vietnamese names, and a model taught from them once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from vnvision.imaging import read
from vnvision.teach import teach

sys.path.insert(0, str(Path(__file__).parent))

from drawn_photos import KINDS, PHOTOS, leaf, save


@pytest.fixture(scope="session")
def leaves(tmp_path_factory) -> Path:
    """Two classes of 22 photographs; do not write into it."""
    root = tmp_path_factory.mktemp("leaves")
    for name, kind in KINDS.items():
        for number in range(PHOTOS):
            save(root / name / f"{number:02d}.jpg", leaf(kind, number))
    return root


@pytest.fixture(scope="session")
def told() -> list[tuple[float, str]]:
    """What ``progress`` was told while ``taught`` was made."""
    return []


@pytest.fixture(scope="session")
def taught(leaves, told, tmp_path_factory):
    """A model, read with the plain reader."""
    out = tmp_path_factory.mktemp("taught") / "bundle"
    return teach(
        leaves, out, name="Lá nhà tôi", reader=read, threads=1,
        progress=lambda share, stage: told.append((share, stage)),
    )  # fmt: skip
