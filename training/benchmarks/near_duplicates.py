"""Does the near-duplicate finder find planted copies of real pictures, and leave different pictures apart?

    python training/benchmarks/near_duplicates.py --data "$VNVISION_DATA/agri" --per-set 60

One picture a group (plant, burst) of each set's manifest, so that different pictures are of different
subjects, and one copy of each, changed as ``CHANGES`` says: saved again, made smaller, cropped, brightened,
mirrored, turned, with a text over it, or several of these. All lie in one folder, which
``vnvision.find_duplicates`` looks through. Its limits were chosen on sets like these (``data/neardup.py``);
the changes are drawn from ``--seed``. Prints JSON: copies found, by change; pictures that were put
together with a picture they are no copy of.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vnvision.data.duplicates import find_duplicates
from vnvision.data.manifest import Manifest, read_manifest
from vnvision.imaging import read
from vnvision.metrics.bootstrap import clopper_pearson

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def saved_again(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 80))]
    decoded: np.ndarray = cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR)
    return decoded


def smaller(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    scale = rng.uniform(0.4, 0.8)
    small: np.ndarray = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return small


def cropped(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Up to 2 % of each side away."""
    height, width = image.shape[:2]
    top, left, bottom, right = rng.uniform(0.0, 0.02, 4)
    return image[int(top * height) : int((1 - bottom) * height), int(left * width) : int((1 - right) * width)]


def brightened(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    gain = rng.uniform(0.75, 1.3)
    return (image * gain).clip(0, 255).astype(np.uint8)


def mirrored(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.ascontiguousarray(image[:, ::-1])


def turned(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.ascontiguousarray(np.rot90(image, int(rng.integers(1, 4))))


def written_on(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A date in a corner."""
    out, height = image.copy(), image.shape[0]
    place = (int(0.03 * height), int(rng.uniform(0.92, 0.98) * height))
    cv2.putText(out, "2026-11-23 07:15", place, cv2.FONT_HERSHEY_SIMPLEX, height / 700, (255, 255, 255), 2)
    return out


def several(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return saved_again(mirrored(smaller(brightened(image, rng), rng), rng), rng)


CHANGES: tuple[Change, ...] = (
    saved_again, smaller, cropped, brightened, mirrored, turned, written_on, several,
)  # fmt: skip


def one_a_group(manifest: Manifest, n: int, rng: np.random.Generator) -> list[Path]:
    """Up to ``n`` pictures of as many groups."""
    first: dict[str, Path] = {}
    rows = [manifest.rows[i] for i in rng.permutation(len(manifest))]
    for row, key in ((row, row.group_id or row.path) for row in rows):
        first.setdefault(key, manifest.file(row))
    return list(first.values())[:n]


def plant(pictures: list[Path], folder: Path, rng: np.random.Generator) -> dict[str, str]:
    """Write each picture and its copy; the change by the copy's name."""
    planted = {}
    for number, path in enumerate(pictures):
        change = CHANGES[number % len(CHANGES)]
        image = cv2.cvtColor(read(path).image, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / f"{number:05d}.png"), image)
        cv2.imwrite(str(folder / f"{number:05d}_copy.png"), change(image, rng))
        planted[f"{number:05d}"] = change.__name__
    return planted


def share(good: int, n: int) -> dict[str, Any]:
    low, high = clopper_pearson(good, n)
    return {"k": good, "n": n, "share": good / n, "low": low, "high": high}


def judge(groups: list[list[str]], planted: dict[str, str]) -> dict[str, Any]:
    """Copies found by change, and pictures joined with a stranger."""
    found: dict[str, list[bool]] = defaultdict(list)
    where = {name: i for i, names in enumerate(groups) for name in names}
    for number, change in planted.items():
        one, copy = where.get(f"{number}.png"), where.get(f"{number}_copy.png")
        found[change].append(one is not None and one == copy)
    strangers = {n[:5] for names in groups if len({n[:5] for n in names}) > 1 for n in names}
    hits = [hit for some in found.values() for hit in some]
    return {
        "found": share(sum(hits), len(hits)),
        "by_change": {name: share(sum(some), len(some)) for name, some in found.items()},
        "with_a_stranger": share(len(strangers), len(planted)),
        "strangers": [names for names in groups if len({n[:5] for n in names}) > 1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of sets, each with a manifest.csv")
    parser.add_argument("--per-set", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng = np.random.default_rng(asked.seed)
    sets = [read_manifest(path) for path in sorted(asked.data.glob("*/manifest.csv"))]
    pictures = [path for one in sets for path in one_a_group(one, asked.per_set, rng)]
    with tempfile.TemporaryDirectory() as folder:
        planted = plant(pictures, Path(folder), rng)
        result = find_duplicates(folder, threads=1)
    groups = [[copy.path for copy in group] for group in result.groups]
    manifests = {one.root.name: one.sha256[:12] for one in sets}
    print(json.dumps({"manifests": manifests, "pictures": len(pictures)} | judge(groups, planted), indent=2))


if __name__ == "__main__":
    main()
