"""Make a checked, split manifest of a downloaded ibean: class folders angular_leaf_spot, bean_rust, healthy.

python datasets/ibean/prepare.py FOLDER
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vnvision.data.prepare import mistakes_in_one_line, prepare_folder

LABELS = ("angular_leaf_spot", "bean_rust", "healthy")
RENAME = None


def main() -> None:
    """Read the arguments, write the manifest, say where it is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    toml = Path(__file__).with_name("source.toml")
    with mistakes_in_one_line():
        path = prepare_folder(args.source, toml, labels=LABELS, rename=RENAME, group_of=None, seed=args.seed)
    print(f"manifest  {path}")


if __name__ == "__main__":
    main()
