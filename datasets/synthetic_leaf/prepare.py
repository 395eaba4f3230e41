"""Draw the synthetic leaves: pictures, masks and manifest.

python datasets/synthetic_leaf/prepare.py FOLDER --per-class 150
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from vnvision.data.prepare import mistakes_in_one_line
from vnvision.data.synthetic import LEAF_LABELS, draw_leaf, write_leaves

SHEET_SEEDS = (402, 411, 425, 428, 452, 459)


def contact_sheet(seeds: tuple[int, ...], size_px: int = 224) -> np.ndarray:
    """One row a class, one column a seed: (4 size, len(seeds) size, 3) uint8 RGB."""
    return np.vstack([np.hstack([draw_leaf(one.id, s, size_px).image for s in seeds]) for one in LEAF_LABELS])


def main() -> None:
    """Read the arguments, draw, say where it is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--per-class", type=int, default=150)
    parser.add_argument("--size-px", type=int, default=224)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheet", type=Path, help="also write a picture of all classes side by side")
    args = parser.parse_args()
    with mistakes_in_one_line():
        path = write_leaves(args.folder, per_class=args.per_class, size_px=args.size_px, seed=args.seed)
    print(f"manifest  {path}")
    if args.sheet:
        cv2.imwrite(str(args.sheet), cv2.cvtColor(contact_sheet(SHEET_SEEDS), cv2.COLOR_RGB2BGR))
        print(f"sheet     {args.sheet}")


if __name__ == "__main__":
    main()
