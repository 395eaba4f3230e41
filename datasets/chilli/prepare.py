"""Make a split manifest of chilli leaves: five class folders, at any depth, or a folder that has a manifest.

A file that lies under two labels is left out under both.

python datasets/chilli/prepare.py FOLDER --out OUT
"""

from __future__ import annotations

from pathlib import Path

from vnvision.data.prepare_published import Published, main

_CURL, _FOOD = "murda_complex_mites_trips", "nutritional"
CLASSES = {
    "cercospora": "cercospora", "cerocospora": "cercospora", "healthy": "healthy",
    _CURL: _CURL, "murda_complex": _CURL, "mites_and_thrips": _CURL, "mites_and_trips": _CURL,
    _FOOD: _FOOD, "nutritional_deficiency": _FOOD, "powdery_mildew": "powdery_mildew",
}  # fmt: skip

if __name__ == "__main__":
    main(Published((__doc__ or "").splitlines()[0], Path(__file__).with_name("source.toml"), CLASSES))
