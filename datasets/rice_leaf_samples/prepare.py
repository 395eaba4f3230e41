"""Make a split manifest of Rice Leaf Disease Image Samples: one folder a disease.

python datasets/rice_leaf_samples/prepare.py DOWNLOAD.zip --out OUT
"""

from __future__ import annotations

from pathlib import Path

from vnvision.data.prepare_published import Published, main

CLASSES = {
    "bacterialblight": "bacterial_leaf_blight",
    "bacterial_blight": "bacterial_leaf_blight",
    "blast": "blast",
    "brownspot": "brown_spot",
    "brown_spot": "brown_spot",
    "tungro": "tungro",
}

if __name__ == "__main__":
    main(Published((__doc__ or "").splitlines()[0], Path(__file__).with_name("source.toml"), CLASSES))
