"""Make a checked, split manifest of a downloaded malaria:
the folder cell_images with Parasitized and Uninfected.

python datasets/malaria/prepare.py FOLDER
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from vnvision.data.prepare import mistakes_in_one_line, prepare_folder

LABELS = ("parasitized", "uninfected")
RENAME = {"Parasitized": "parasitized", "Uninfected": "uninfected"}


def patient(path: str) -> str | None:
    """The patient's number in the file name (C100P61ThinF_...), the leakage group."""
    found = re.match(r"(C\d+P\d+)", Path(path).name)
    return found.group(1) if found else None


def main() -> None:
    """Read the arguments, write the manifest, say where it is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    toml = Path(__file__).with_name("source.toml")
    with mistakes_in_one_line():
        path = prepare_folder(
            args.source, toml, labels=LABELS, rename=RENAME, group_of=patient, seed=args.seed
        )
    print(f"manifest  {path}")


if __name__ == "__main__":
    main()
