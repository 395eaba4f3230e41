"""What the face quality score and gate are worth: error-versus-discard, masks found, rates by group.

    python training/benchmarks/quality_discard.py --data "$VNVISION_DATA/faces"

Embeds ``asianfaces_dev`` and ``lfw_2folds`` with ``FaceEngine``, the latter also with SYNTHETIC blur,
darkness, glare and shrinking of four images in seven; the threshold is that of FMR 1e-3 on all impostor pairs
of the set. The score's constants were set on half of the identities (crc32 even); ``held_out`` is the other
half. Then the gate's reasons on ``masked_faces`` and on faces without masks, and by group on
``utkface_sample`` as it is and darkened. Prints JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np

from vnvision.faces.engine import FaceEngine, area
from vnvision.faces.pictures import decoded
from vnvision.faces.quality import Quality, QualityGate, measure
from vnvision.metrics.bootstrap import clopper_pearson
from vnvision.metrics.discard import GenuineQuality, discard_curve
from vnvision.metrics.pairs import iter_pairs_blocks
from vnvision.metrics.thresholds import threshold_at_fmr
from vnvision.records import Metric

Change = Callable[[np.ndarray, str], np.ndarray]
_AT_ONCE = 32
_KINDS = ("none", "none", "none", "blur", "dark", "bright", "shrink")


@dataclass
class Measured:
    """Every image of a set in which a face was found."""

    identities: list[str]
    groups: list[str]
    embeddings: np.ndarray
    qualities: list[Quality]
    images: int
    ms_per_face: float


def degraded(image: np.ndarray, key: str) -> np.ndarray:
    """An image made worse in a way and by an amount that ``key`` alone decides; three in seven stay."""
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    kind, amount = _KINDS[rng.integers(len(_KINDS))], rng.uniform()
    height, width = image.shape[:2]
    if kind == "blur":
        image = cv2.GaussianBlur(image, (0, 0), 1 + 3 * amount)
    elif kind == "dark":
        noise = rng.normal(0, 2, image.shape)
        image = np.clip(image * (0.4 - 0.36 * amount) + noise, 0, 255).astype(np.uint8)
    elif kind == "bright":
        image = np.clip(image * (1.8 + 1.7 * amount), 0, 255).astype(np.uint8)
    elif kind == "shrink":
        by = 2 + 4 * amount
        small = cv2.resize(image, (round(width / by), round(height / by)), interpolation=cv2.INTER_AREA)
        image = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return image


def darkened(image: np.ndarray, key: str) -> np.ndarray:
    """Three tenths of the light (in 8-bit values), the same for everybody."""
    dark: np.ndarray = np.clip(image * 0.3, 0, 255).astype(np.uint8)
    return dark


def collect(data: Path, name: str, engine: FaceEngine, change: Change | None = None) -> Measured:
    """Embed and measure the largest face of each image of a set."""
    with (data / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["set"] == name]
    kept, embeddings, qualities, spent = [], [], [], 0.0
    for at in range(0, len(rows), _AT_ONCE):
        part = rows[at : at + _AT_ONCE]
        images = [decoded(data / row["path"]) for row in part]
        if change is not None:
            images = [change(image, row["path"]) for image, row in zip(images, part, strict=True)]
        for row, image, faces in zip(part, images, engine.represent(images), strict=True):
            if not faces:
                continue
            face = max(faces, key=area)
            start = time.process_time()
            qualities.append(measure(image, face))
            spent += time.process_time() - start
            kept.append(row)
            embeddings.append(face.embedding)
    return Measured(
        [row["identity"] for row in kept],
        [row["group"] for row in kept],
        np.array(embeddings, np.float32),
        qualities,
        len(rows),
        1e3 * spent / max(len(kept), 1),
    )


def curves(found: Measured, at_fmr: float = 1e-3) -> dict[str, Any]:
    """Error-versus-discard of a set: all, held-out identities, and the detector's score alone there."""
    block = next(iter_pairs_blocks(found.embeddings, found.identities, len(found.embeddings)))
    threshold = threshold_at_fmr(block.impostor, at_fmr)
    pairs = np.stack(block.genuine_at, axis=1)
    score = np.array([quality.score for quality in found.qualities])
    detector = np.array([quality.values["detector_score"] for quality in found.qualities])
    held_out = np.array([zlib.crc32(name.encode()) % 2 == 1 for name in found.identities])
    everybody = np.ones(len(score), bool)
    parts = {
        "all": (score, everybody),
        "tuned_on": (score, ~held_out),
        "held_out": (score, held_out),
        "held_out_detector_score_alone": (detector, held_out),
    }
    out: dict[str, Any] = {"images": found.images, "faces": len(score), "threshold": threshold.model_dump()}
    for name, (quality, who) in parts.items():
        inside = who[pairs[:, 0]]
        place = np.cumsum(who) - 1
        genuine = GenuineQuality(
            block.genuine[inside],
            place[pairs[inside]],
            quality[who],
            [one for one, wanted in zip(found.identities, who, strict=True) if wanted],
        )
        out[name] = {of: _curve(genuine, threshold.threshold, of) for of in ("comparisons", "images")}
    return out


def _curve(genuine: GenuineQuality, threshold: float, of: Any) -> dict[str, Any]:
    curve = discard_curve(genuine, threshold, of=of)
    wanted = (0.0, 0.05, 0.1, 0.2)
    return {
        "fnmr": {str(p.discard): _short(p.fnmr) for p in curve.points if p.discard in wanted},
        "change_at_0.1": _short(curve.change),
        "shown": curve.shown,
        "area_to_0.2": _short(curve.area),
        "area_best": curve.area_best,
    }


def _short(rate: Metric) -> list[Any]:
    numbers = [None if one is None else round(one, 4) for one in (rate.value, rate.low, rate.high)]
    return [*numbers, rate.n]


def _share(hits: Sequence[bool]) -> list[Any]:
    """Share with its Clopper-Pearson interval over images, and n."""
    low, high = clopper_pearson(sum(hits), len(hits))
    return [round(sum(hits) / len(hits), 4), round(low, 4), round(high, 4), len(hits)]


def refused(found: Measured) -> dict[str, Any]:
    """The gate's rates by purpose and group: refused at all, and for what."""
    out: dict[str, Any] = {}
    for purpose in ("enrol", "verify"):
        gate = QualityGate(purpose)
        verdicts = [gate.check(quality) for quality in found.qualities]
        for group in sorted(set(found.groups)):
            mine = [v for v, own in zip(verdicts, found.groups, strict=True) if own == group]
            said = Counter(reason.code for verdict in mine for reason in verdict.reasons)
            scores = [q.score for q, own in zip(found.qualities, found.groups, strict=True) if own == group]
            out.setdefault(purpose, {})[group] = {
                "score_quartiles": np.percentile(scores, [25, 50, 75]).round(1).tolist(),
                "refused": _share([not verdict.accepted for verdict in mine]),
                "mouth_covered": _share([any(r.code == "mouth_covered" for r in v.reasons) for v in mine]),
                "too_dark": _share([any(r.code == "too_dark" for r in v.reasons) for v in mine]),
                "reasons": {code: round(n / len(mine), 4) for code, n in said.most_common()},
            }
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with manifest.csv and the face sets")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    engine = FaceEngine(threads=1)
    out: dict[str, Any] = {"discard": {}, "gate": {}, "cpu_ms_per_face": {}}
    for label, name, change in (
        ("asianfaces_dev", "asianfaces_dev", None),
        ("lfw_2folds", "lfw_2folds", None),
        ("lfw_2folds, SYNTHETIC degradation", "lfw_2folds", degraded),
        ("masked_faces", "masked_faces", None),
        ("utkface_sample", "utkface_sample", None),
        ("utkface_sample, SYNTHETIC darkness", "utkface_sample", darkened),
    ):
        found = collect(args.data, name, engine, change)
        out["cpu_ms_per_face"][label] = round(found.ms_per_face, 2)
        out["gate"][label] = refused(found)
        if name in ("asianfaces_dev", "lfw_2folds"):
            out["discard"][label] = curves(found)
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
