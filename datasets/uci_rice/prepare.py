"""Make a manifest of the 81 studio photographs of rice blades in the UCI set; the other 39 are left out.

python datasets/uci_rice/prepare.py FOLDER --out OUT
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vnvision.data.prepare_published import Published, main
from vnvision.data.rows import Row
from vnvision.imaging.read import read

CAPTURE = "white_bg_leaf_3081x897"
SIZE_PX = (897, 3081)
CLASSES = {
    "bacterial_leaf_blight": "bacterial_leaf_blight",
    "brown_spot": "brown_spot",
    "leaf_smut": "leaf_smut",
}


def studio_only(rows: Sequence[Row], root: Path) -> list[Row]:
    """Pictures of the size that the authors' own camera crops have; the rest was gathered elsewhere."""
    return [row for row in rows if read(root / row.path).image.shape[:2] == SIZE_PX]


if __name__ == "__main__":
    main(
        Published(
            (__doc__ or "").splitlines()[0],
            Path(__file__).with_name("source.toml"),
            CLASSES,
            describe=studio_only,
            keep=lambda row: row.extra.get("capture") == CAPTURE,
            folds=5,
        )
    )
