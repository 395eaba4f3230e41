"""Make a split manifest of Dhan-Shomadhan: disease folders under Field Background and White Background.

python datasets/dhan_shomadhan/prepare.py DOWNLOAD.zip --out OUT
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vnvision.data.prepare_published import Published, main
from vnvision.data.published import plain_name
from vnvision.data.rows import Row

# As spelled in the archive, and as it should be.
CLASSES = {
    "browon_spot": "brown_spot", "brown_spot": "brown_spot",
    "leaf_scaled": "leaf_scald", "leaf_scald": "leaf_scald",
    "rice_blast": "blast", "blast": "blast",
    "rice_turgro": "tungro", "rice_tungro": "tungro", "tungro": "tungro",
    "shath_blight": "sheath_blight", "sheath_blight": "sheath_blight",
}  # fmt: skip


def with_background(rows: Sequence[Row], _: Path) -> list[Row]:
    """A column ``background``, white or field, by the folder; empty where no folder says it."""
    return [replace(row, extra={**row.extra, "background": _background(row.path)}) for row in rows]


def _background(path: str) -> str:
    names = [plain_name(part) for part in Path(path).parts[:-1]]
    return next((kind for kind in ("white", "field") for name in names if name.startswith(kind)), "")


if __name__ == "__main__":
    main(
        Published(
            (__doc__ or "").splitlines()[0],
            Path(__file__).with_name("source.toml"),
            CLASSES,
            describe=with_background,
        )
    )
