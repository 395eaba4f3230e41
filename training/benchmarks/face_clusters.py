"""Are the groups of ``cluster_photos`` people? Pairwise and BCubed precision and recall, methods compared.

    python training/benchmarks/face_clusters.py --data "$VNVISION_DATA/faces" --cache DIR --choose
    python training/benchmarks/face_clusters.py --data "$VNVISION_DATA/faces" --cache DIR --judge

``--choose`` compares methods and rates on the half of ``asianfaces_dev`` whose identities have an even crc32;
``--judge`` runs what was chosen on the other half, on the people of ``lfw_2folds`` with two pictures or more,
and on all of its pictures. Every face that the detector finds is grouped, as in ``cluster_photos``; only the
largest of a picture, whose name is known, is judged. The shipped operating points were measured on both sets,
on comparisons of different people: the rate is not held out, what it does to groups is.

Pairwise figures are those of scikit-learn's ``pair_confusion_matrix``; BCubed is Bagga and Baldwin 1998,
"Algorithms for scoring coreference chains". Intervals: 1,000 resamples of people; one drawn twice is two
people who are not compared. Prints JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import pickle
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.cluster import DBSCAN
from sklearn.metrics.cluster import contingency_matrix, pair_confusion_matrix

from vnvision.errors import DataError
from vnvision.faces.clusters import DEFAULT_FMR, LEAST_EYE_DISTANCE_PX
from vnvision.faces.clusters_linkage import average_linkage
from vnvision.faces.engine import FaceEngine, area
from vnvision.metrics.bootstrap import ClusterBootstrap

METHODS: dict[str, Callable[[np.ndarray, list[int], float], np.ndarray]] = {
    "average linkage, photos apart": lambda x, photos, t: average_linkage(x, t, photos),
    "average linkage": lambda x, _, t: average_linkage(x, t),
    "complete linkage": lambda x, _, t: _tree(x, "complete", t),
    "connected components": lambda x, _, t: _tree(x, "single", t),
    "DBSCAN, 3 faces a core": lambda x, _, t: _dbscan(x, t),
    "Chinese whispers": lambda x, _, t: chinese_whispers(x, t),
}
RATES = ("fmr=1e-2", "fmr=1e-3", "fmr=1e-4")


@dataclass
class Faces:
    """Faces of pictures: the picture each is in, its name (empty for all but the largest), its template."""

    pictures: list[int]
    names: list[str]
    vectors: np.ndarray


def _tree(vectors: np.ndarray, how: str, threshold: float) -> np.ndarray:
    return fcluster(linkage(vectors.astype(np.float64), how, metric="cosine"), 1 - threshold, "distance")


def _dbscan(vectors: np.ndarray, threshold: float) -> np.ndarray:
    labels = DBSCAN(eps=1 - threshold, min_samples=3, metric="cosine").fit_predict(vectors)
    alone = labels < 0
    labels[alone] = labels.max() + 1 + np.arange(alone.sum())
    return labels


def chinese_whispers(vectors: np.ndarray, threshold: float, rounds: int = 20) -> np.ndarray:
    """Biemann 2006: each face takes the label with the most weight among its neighbours; fixed order."""
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, 0)
    labels, rng = np.arange(len(vectors)), np.random.default_rng(0)
    for _ in range(rounds):
        for i in rng.permutation(len(vectors)):
            near = np.flatnonzero(cosines[i] >= threshold)
            if len(near):
                sums = np.bincount(labels[near], weights=cosines[i, near])
                labels[i] = int(sums.argmax())
    return labels


def scores(people: np.ndarray, groups: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Figures of each resample; ``weights`` (P, b), how often each person was drawn."""
    table = np.asarray(contingency_matrix(people, groups, sparse=False), np.float64)
    pairs, sizes = table * (table - 1) / 2, table.sum(axis=1)
    hits = pairs.sum(axis=1) @ weights
    genuine = (sizes * (sizes - 1) / 2) @ weights
    wrong = (((table.T @ weights) ** 2 - (table.T**2) @ weights**2) / 2).sum(axis=0)
    precision, recall = hits / np.maximum(hits + wrong, 1e-12), hits / np.maximum(genuine, 1e-12)
    faces = sizes @ weights
    completeness = ((table**2).sum(axis=1) / sizes) @ weights / faces
    purity = np.empty(weights.shape[1])
    for b in range(weights.shape[1]):
        # A person's copies are other people, so that one copy sees itself once and others as drawn.
        around = (table * weights[:, b : b + 1]).sum(axis=0) - table * (weights[:, b : b + 1] - 1)
        share = np.divide(table**2, around, out=np.zeros_like(table), where=(table > 0) & (around > 0))
        purity[b] = share.sum(axis=1) @ weights[:, b] / faces[b]
    return {
        "pair_precision": precision,
        "pair_recall": recall,
        "pair_f1": _f1(precision, recall),
        "bcubed_precision": purity,
        "bcubed_recall": completeness,
        "bcubed_f1": _f1(purity, completeness),
    }


def _f1(precision: np.ndarray, recall: np.ndarray) -> np.ndarray:
    return 2 * precision * recall / np.maximum(precision + recall, 1e-12)


def judged(faces: Faces, groups: np.ndarray, n_boot: int) -> dict[str, Any]:
    named = np.array([bool(name) for name in faces.names])
    names, mine = np.array(faces.names)[named], np.asarray(groups)[named]
    people = np.unique(names, return_inverse=True)[1]
    n_people = int(people.max()) + 1
    value = scores(people, mine, np.ones((n_people, 1)))
    (_, wrong), (missed, hit) = pair_confusion_matrix(people, mine)
    if hit + wrong:
        assert np.isclose(value["pair_precision"][0], hit / (hit + wrong))
    assert np.isclose(value["pair_recall"][0], hit / max(hit + missed, 1))
    resamples = list(ClusterBootstrap(range(n_people), n_boot).blocks())
    draws = [scores(people, mine, block) for block in resamples]
    out: dict[str, Any] = {
        "faces": len(faces.names),
        "judged": int(named.sum()),
        "people": n_people,
        "groups": len(np.unique(mine)),
        "genuine_pairs": int(hit + missed) // 2,
        "wrong_pairs": int(wrong) // 2,
    }
    for name, one in value.items():
        some = np.concatenate([draw[name] for draw in draws]) if draws else np.empty(0)
        out[name] = [
            round(float(v), 4) for v in (one[0], *(np.quantile(some, [0.025, 0.975]) if draws else ()))
        ]
    return out


def embedded(
    data: Path, name: str, engine: FaceEngine, cache: Path | None
) -> list[tuple[dict[str, str], Any]]:
    """(row, faces) of each picture of a set; kept in ``cache`` for the next run."""
    file = cache / f"{name}.pickle" if cache else None
    if file and file.is_file():
        return pickle.loads(file.read_bytes())  # written by this script
    with (data / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["set"] == name]
    answers = engine.found((data / row["path"] for row in rows), quality=True)
    found = [
        (row, () if isinstance(some, DataError) else some) for row, some in zip(rows, answers, strict=True)
    ]
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(pickle.dumps(found))
    return found


def chosen(found: list[tuple[dict[str, str], Any]], keep: Callable[[str], bool]) -> Faces:
    pictures, names, vectors = [], [], []
    for number, (row, some) in enumerate(found):
        if not keep(row["identity"]):
            continue
        for face in some:
            if (face.quality or {}).get("inter_eye_distance_px", 0.0) < LEAST_EYE_DISTANCE_PX:
                continue
            pictures.append(number)
            names.append(row["identity"] if face is max(some, key=area) else "")
            vectors.append(face.embedding)
    return Faces(pictures, names, np.array(vectors, np.float32))


def odd(identity: str) -> bool:
    return zlib.crc32(identity.encode()) % 2 == 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with manifest.csv and the face sets")
    parser.add_argument("--cache", type=Path, help="folder to keep templates in, outside the project")
    parser.add_argument("--choose", action="store_true")
    parser.add_argument("--judge", action="store_true")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    engine = FaceEngine(threads=1)
    asian = embedded(args.data, "asianfaces_dev", engine, args.cache)
    out: dict[str, Any] = {}
    if args.choose:
        half = chosen(asian, lambda name: not odd(name))
        for rate in RATES:
            limit = engine.threshold(rate).value
            for name, method in METHODS.items():
                groups = method(half.vectors, half.pictures, limit)
                out[f"{name}, {rate}"] = judged(half, groups, 0)
                print(name, rate, out[f"{name}, {rate}"], file=sys.stderr)
    if args.judge:
        lfw = embedded(args.data, "lfw_2folds", engine, args.cache)
        often = Counter(row["identity"] for row, _ in lfw)
        point = engine.threshold(DEFAULT_FMR)
        parts = {
            "asianfaces_dev, odd half": chosen(asian, odd),
            "lfw_2folds, people with 2 or more": chosen(lfw, lambda name: often[name] > 1),
            "lfw_2folds, all": chosen(lfw, lambda name: True),
        }
        out["threshold"] = [point.value, point.point and point.point.population]
        for name, faces in parts.items():
            start = time.process_time()
            groups = average_linkage(faces.vectors, point.value, faces.pictures)
            spent = time.process_time() - start
            out[name] = judged(faces, groups, 1000) | {"cpu_s": round(spent, 2)}
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
