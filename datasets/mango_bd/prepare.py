"""Make a split manifest of MangoLeafBD: eight class folders, at any depth, or a folder that has a manifest.

python datasets/mango_bd/prepare.py FOLDER --out OUT
"""

from __future__ import annotations

from pathlib import Path

from vnvision.data.prepare_published import Published, main

CLASSES = {
    "anthracnose": "anthracnose", "bacterial_canker": "bacterial_canker", "cutting_weevil": "cutting_weevil",
    "die_back": "die_back", "gall_midge": "gall_midge", "healthy": "healthy",
    "powdery_mildew": "powdery_mildew", "sooty_mould": "sooty_mould",
}  # fmt: skip

if __name__ == "__main__":
    main(Published((__doc__ or "").splitlines()[0], Path(__file__).with_name("source.toml"), CLASSES))
