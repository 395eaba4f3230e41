"""Does ``anonymise_faces`` hide who it is, and does it find every face?

    python training/benchmarks/face_anonymise.py --data "$VNVISION_DATA/faces" --choose
    python training/benchmarks/face_anonymise.py --data "$VNVISION_DATA/faces" --judge --set asianfaces_dev
    python training/benchmarks/face_anonymise.py --data "$VNVISION_DATA/faces" --judge --set lfw_2folds
    python training/benchmarks/face_anonymise.py --data "$VNVISION_DATA/faces" --missed

``--choose`` compares how many cells are kept, on people of ``asianfaces_dev`` whose identity has an even
crc32; ``--judge`` measures what was chosen on other people. Three attackers, all of whom know where eyes,
nose and mouth were:

- ``tar``: the hidden face against the person's other photos as they are, at LFW's FMR 1e-3 threshold, beside
  ``fmr``, the same against other people's photos;
- ``rank_1``: the nearest of everybody's photos, one each; chance is one in so many people;
- ``parrot``: the photos compared with are hidden the same way (Newton, Sweeney and Malin 2005, "Preserving
  privacy by de-identifying face images"), at the threshold of FMR 1e-3 among them, and rank 1 likewise.

``still_found`` is the share of hidden faces at whose place the detector sees a face. ``--missed`` counts
photos in which no face was found. Intervals: over people (rank 1, found, missed: Clopper-Pearson over one
photo a person; TAR: cluster bootstrap). Prints JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import zlib
from collections import defaultdict
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np

from vnvision.faces.anonymise import anonymise_picture, watchful_detectors
from vnvision.faces.anonymise_hide import CELLS, METHODS, hide_faces
from vnvision.faces.anonymise_looking import MIN_SCORE
from vnvision.faces.detector import YuNet
from vnvision.faces.engine import FaceEngine, area
from vnvision.faces.pictures import as_rgb, decoded
from vnvision.metrics.bootstrap import ClusterBootstrap, clopper_pearson, share
from vnvision.metrics.detection_matching import iou_matrix
from vnvision.records import Face

Row = dict[str, str]
_OVERLAP = 0.3


def rows_of(data: Path, name: str) -> list[Row]:
    with (data / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        return [row for row in csv.DictReader(stream) if row["set"] == name]


def odd(identity: str) -> bool:
    return zlib.crc32(identity.encode()) % 2 == 1


def pairs_of_two(rows: list[Row], most: int) -> list[Row]:
    """Two photos each of the first people who have two."""
    by: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by[row["identity"]].append(row)
    return [row for name in sorted(by) if len(by[name]) > 1 for row in by[name][:2]][: 2 * most]


def rate(hits: np.ndarray) -> list[Any]:
    low, high = clopper_pearson(int(hits.sum()), len(hits))
    return [round(float(hits.mean()), 4), round(low, 4), round(high, 4), len(hits)]


class People:
    """Two photos each, their largest faces and templates; photo 2 p and 2 p + 1 are of person p."""

    def __init__(self, engine: FaceEngine, data: Path, rows: list[Row]) -> None:
        self.engine, self.images, self.faces = engine, [], []
        for at in range(0, len(rows), 2):
            images = [as_rgb(decoded(data / row["path"]), 0) for row in rows[at : at + 2]]
            found = engine.detector.detect(images)
            if all(found):
                self.images += images
                self.faces += [max(some, key=area) for some in found]
        self.plain = self.templates(self.images)

    def hidden(self, method: Any, cells: int | None) -> list[np.ndarray]:
        return [
            hide_faces(image, [face], method, cells=cells)
            for image, face in zip(self.images, self.faces, strict=True)
        ]

    def templates(self, images: list[np.ndarray]) -> np.ndarray:
        crops = [self.engine.embedder.align(i, [f]) for i, f in zip(images, self.faces, strict=True)]
        return self.engine.embedder.embed(np.concatenate(crops))

    def attacked(self, images: list[np.ndarray], threshold: float) -> dict[str, Any]:
        mine, people = self.templates(images), np.arange(len(images)) // 2
        boot = ClusterBootstrap(people.tolist())
        cosines = mine @ self.plain.T
        other = np.arange(len(images)) ^ 1
        genuine = cosines[np.arange(len(images)), other]
        tar = share(genuine >= threshold, np.ones(len(images), bool), boot)
        apart = people[:, None] != people[None]
        between = mine @ mine.T
        parrot_at = float(np.quantile(between[apart], 1 - 1e-3))
        parrot = share(between[np.arange(len(images)), other] > parrot_at, np.ones(len(images), bool), boot)
        return {
            "tar": [tar.value, tar.low, tar.high, len(images)],
            "fmr": round(float((cosines[apart] >= threshold).mean()), 5),
            "rank_1": rate(cosines[::2, 1::2].argmax(axis=1) == np.arange(len(images) // 2)),
            "parrot_tar": [parrot.value, parrot.low, parrot.high, len(images)],
            "parrot_rank_1": rate(between[::2, 1::2].argmax(axis=1) == np.arange(len(images) // 2)),
        }


def still_found(images: list[np.ndarray], faces: list[Face], detector: Any) -> list[Any]:
    """Over one photo a person."""
    hits = []
    for image, face in zip(images[::2], faces[::2], strict=True):
        boxes = np.array([one.box_xyxy_px for one in detector.detect([image])[0]]).reshape(-1, 4)
        hits.append(bool((iou_matrix(np.array([face.box_xyxy_px]), boxes) >= _OVERLAP).any()))
    return rate(np.array(hits))


def missed(data: Path) -> dict[str, Any]:
    out: dict[str, Any] = {}
    watchful, usual = watchful_detectors(threads=1), YuNet(threads=1)
    sets = {
        "asianfaces_dev, odd half": [row for row in rows_of(data, "asianfaces_dev") if odd(row["identity"])][
            ::2
        ],
        "lfw_2folds": rows_of(data, "lfw_2folds")[::8],
        "masked_faces, crops": [r for r in rows_of(data, "masked_faces") if r["group"] == "masked"],
        "masked_faces, scenes": [r for r in rows_of(data, "masked_faces") if r["group"] == "masked_scene"],
    }
    for name, rows in sets.items():
        none, before = [], []
        for row in rows:
            image = decoded(data / row["path"])
            none.append(not anonymise_picture(image, watchful)[1])
            before.append(not usual.detect([image])[0])
        out[name] = {"no_face": rate(np.array(none)), "usual_detector": rate(np.array(before))}
        print(name, out[name], file=sys.stderr)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with manifest.csv and the face sets")
    parser.add_argument("--choose", action="store_true")
    parser.add_argument("--judge", action="store_true")
    parser.add_argument("--missed", action="store_true")
    parser.add_argument("--set", default="asianfaces_dev")
    parser.add_argument("--people", type=int, default=100)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    if args.missed:
        print(json.dumps(missed(args.data), indent=1))
        return
    engine = FaceEngine(threads=1)
    threshold = engine.threshold("fmr=1e-3@lfw").value
    half = [row for row in rows_of(args.data, args.set) if odd(row["identity"]) == args.judge]
    people = People(engine, args.data, pairs_of_two(half, args.people))
    out: dict[str, Any] = {"people": len(people.images) // 2, "set": args.set, "threshold": threshold}
    out["plain"] = people.attacked(people.images, threshold)
    menu: list[tuple[Any, int]] = [(m, c) for m in METHODS[:2] for c in (3, 4, 6, 8, 12, 20)]
    if args.judge:
        menu = [(method, CELLS[method]) for method in METHODS]
    watchful = YuNet(threads=1, min_score=MIN_SCORE)
    for method, cells in menu:
        images = people.hidden(method, cells)
        found = people.attacked(images, threshold)
        found["still_found"] = still_found(images, people.faces, engine.detector)
        found["still_found_watchful"] = still_found(images, people.faces, watchful)
        out[f"{method}, {cells} cells"] = found
        print(method, cells, found, file=sys.stderr)
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
