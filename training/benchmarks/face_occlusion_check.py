"""Are covered mouths and eyes told from bare ones? AUROC and rates at the shipped limits, on other people.

    python training/benchmarks/face_occlusion_check.py --data "$VNVISION_DATA/faces"

Limits were chosen on people whose identity has an even crc32: drawn masks and glasses on
``asianfaces_dev``, bare faces of it and of ``lfw_2folds``. Here: the others. Real masks: ``masked_faces``, of
which nothing was used for the limits, but the ramps inside ``mouth_visibility`` were once set by hand with it
in view. Real dark glasses: pictures of ``lfw_2folds`` in which somebody looking at the 370 of lowest
``eye_lightness`` saw dark or tinted glasses (crc32 of their paths below); others may be among the rest, so
recall and AUROC are upper bounds. The forehead's measure, for which nothing ships, is the share of its pixels
like the skin beside the eyes, against drawn helmets and non la. Intervals: Clopper-Pearson; of AUROC, 1,000
resamples of people. Prints JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import zlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np
from sklearn.metrics import roc_auc_score

from vnvision.data.occlusion import occlude
from vnvision.faces.detector import YuNet
from vnvision.faces.engine import area
from vnvision.faces.occlusion import FaceOcclusion, occlusion_of
from vnvision.faces.pictures import as_rgb, decoded
from vnvision.faces.quality.crop import cut
from vnvision.metrics.bootstrap import ClusterBootstrap, clopper_pearson
from vnvision.records import Face

DARK_GLASSES = frozenset(
    (157470806, 166429550, 341149544, 359590516, 408762152, 460794139, 564293931, 1081678927, 1165184480,
     1270030592, 1381779309, 1610436088, 1988151769, 2098804223, 2125625190, 2564650609, 2704843507,
     2815319737, 2852957308, 3114945111, 3509362607, 3593205921, 3706295945, 4085526616)
)  # fmt: skip
_KINDS = ("surgical_mask", "sunglasses", "glasses", "motorbike_helmet", "non_la")
_SKIN = ((30, 59, 44, 66), (68, 59, 82, 66), (51, 46, 61, 62))


@dataclass
class Seen:
    who: str
    found: FaceOcclusion | None
    forehead: float = 0.0


def odd(text: str) -> bool:
    return zlib.crc32(text.encode()) % 2 == 1


def forehead(image: np.ndarray, face: Face) -> float:
    """Share of the forehead's pixels like the skin beside the eyes, in CIELAB."""
    lab = cv2.cvtColor(cut(image, face).rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    skin = np.median(np.concatenate([lab[y0:y1, x0:x1].reshape(-1, 3) for x0, y0, x1, y1 in _SKIN]), axis=0)
    apart = lab[16:38, 40:72].reshape(-1, 3) - skin
    like = (np.abs(apart[:, 0]) < 0.3 * (skin[0] + 12)) & (np.hypot(apart[:, 1], apart[:, 2]) < 10)
    return float(like.mean())


def rate(hits: list[bool]) -> list[Any]:
    low, high = clopper_pearson(sum(hits), len(hits))
    return [round(sum(hits) / len(hits), 4), round(low, 4), round(high, 4), len(hits)]


def auroc(covered: list[tuple[str, float]], bare: list[tuple[str, float]]) -> list[Any]:
    """Lower is covered; interval over people, who may be on both sides."""
    who = [name for name, _ in covered + bare]
    truth = np.array([1] * len(covered) + [0] * len(bare))
    score = -np.array([value for _, value in covered + bare])
    draws = []
    for block in ClusterBootstrap(who, 1000).blocks():
        for weights in block.T:
            if truth[weights > 0].min() != truth[weights > 0].max():
                draws.append(roc_auc_score(truth, score, sample_weight=weights))
    low, high = np.quantile(draws, [0.025, 0.975])
    value = roc_auc_score(truth, score)
    return [round(float(v), 4) for v in (value, low, high)] + [len(covered), len(bare)]


def collect(data: Path) -> dict[str, list[Seen]]:
    detector, out = YuNet(threads=1), defaultdict(list)

    def look(kind: str, who: str, image: np.ndarray) -> Face | None:
        faces = detector.detect([image])[0]
        face = max(faces, key=area) if faces else None
        found = occlusion_of(image, face) if face else None
        out[kind].append(Seen(who, found, forehead(image, face) if face else 0.0))
        return face

    with (data / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for number, row in enumerate(rows):
        name, who = row["set"], row["identity"] or row["path"]
        if name == "masked_faces":
            look(row["group"], row["path"], as_rgb(decoded(data / row["path"]), 0))
        elif name == "lfw_2folds" and odd(who):
            dark = zlib.crc32(row["path"].encode()) in DARK_GLASSES
            look("dark glasses" if dark else "lfw", who, as_rgb(decoded(data / row["path"]), 0))
        elif name == "asianfaces_dev" and odd(who):
            image = as_rgb(decoded(data / row["path"]), 0)
            face = look("asian", who, image)
            if face is not None:
                for kind in _KINDS:
                    look(f"drawn {kind}", who, occlude(image, face.landmarks_px, kind, seed=number))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with manifest.csv and the face sets")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    seen = collect(args.data)
    values: dict[str, dict[str, list[tuple[str, float]]]] = {"mouth": {}, "eyes": {}, "forehead": {}}
    out: dict[str, Any] = {"auroc": {}, "states": {}}
    for kind, some in seen.items():
        found = [one for one in some if one.found is not None and one.found.mouth_visibility is not None]
        values["mouth"][kind] = [(one.who, one.found.mouth_visibility or 0.0) for one in found]
        values["eyes"][kind] = [(one.who, one.found.eye_lightness or 0.0) for one in found]
        values["forehead"][kind] = [(one.who, one.forehead) for one in found]
        states = {"pictures": len(some), "not_found": rate([one.found is None for one in some])}
        for region in ("mouth", "eyes"):
            for state in ("covered", "visible", "unsure"):
                states[f"{region}_{state}"] = rate([getattr(one.found, region) == state for one in found])
        out["states"][kind] = states
    asked = {
        "mouth": ("masked", "masked_scene", "drawn surgical_mask"),
        "eyes": ("dark glasses", "drawn sunglasses"),
        "forehead": ("drawn motorbike_helmet", "drawn non_la"),
    }
    for region, kinds in asked.items():
        for kind in kinds:
            for bare in ("asian", "lfw"):
                known = values[region]
                out["auroc"][f"{region}: {kind} against {bare}"] = auroc(known[kind], known[bare])
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
