"""The face baseline, measured again: error rates of portraits at the threshold that LFW would choose.

The threshold has an FMR of 1e-3 over all pairs of LFW folds 1-2. At it, and at each set's own threshold, the
rates of the Asian portraits (development half) and of their groups, with intervals over people, beside the
rows measured before on the whole sets. A row agrees where the earlier value lies inside our interval. Images
of different sets are never compared. Prints JSON.

    python training/benchmarks/face_baseline.py --data $VNVISION_DATA/faces/manifest.csv
    python training/benchmarks/face_baseline.py --lfw lfw.parquet --portraits portraits.parquet
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from vnvision.evaluate.faces import FaceReport, evaluate_faces
from vnvision.faces.embedded import EmbeddedFaces
from vnvision.metrics.identification import complement
from vnvision.records import Metric

FMR = 1e-3
GROUPS = ("korean", "japanese", "chinese")
# Whole sets, same detector and embedder: FMR and TAR at LFW's threshold, TAR at the set's own FMR 1e-3.
EARLIER = {
    "lfw": {"n": 13233, "people": 5749, "threshold": 0.365, "fmr": 1.0e-3, "tar": 0.997, "own_tar": 0.997},
    "asian": {"n": 1435, "people": 802, "fmr": 2.4e-3, "tar": 0.919, "own_tar": 0.885},
    "korean": {"n": 592, "people": 280, "fmr": 8.1e-3, "tar": 0.902, "own_tar": 0.798},
    "japanese": {"n": 538, "people": 359, "fmr": 1.7e-3, "tar": 0.921, "own_tar": 0.903},
    "chinese": {"n": 305, "people": 163, "fmr": 1.6e-3, "tar": 0.957, "own_tar": 0.957},
}


def only(faces: EmbeddedFaces, column: str, value: str) -> EmbeddedFaces:
    """The rows with one value."""
    rows = [i for i, one in enumerate(faces.column(column)) if one == value]
    return EmbeddedFaces(
        faces.embeddings[rows],
        tuple(faces.paths[i] for i in rows),
        tuple(faces.reasons[i] for i in rows),
        {name: tuple(cells[i] for i in rows) for name, cells in faces.columns.items()},
        faces.model,
        faces.manifest_sha256,
    )


def said(metric: Metric, earlier: float) -> dict[str, Any]:
    """Value, interval, the earlier value, and whether the interval holds it."""
    inside = None
    if metric.low is not None and metric.high is not None:
        inside = bool(metric.low <= earlier <= metric.high)
    return {
        "value": metric.value,
        "low": metric.low,
        "high": metric.high,
        "n": metric.n,
        "earlier": earlier,
        "agrees": inside,
    }


def row(name: str, report: FaceReport) -> dict[str, Any]:
    """One line of the table."""
    assert report.operating is not None
    earlier = EARLIER[name]
    own = next(one for one in report.tar_at_fmr if one.at.target == FMR)
    return {
        "set": name,
        "images": report.n_images,
        "people": report.n_subjects,
        "threshold": report.operating.threshold,
        "fmr": said(report.operating.fmr, earlier["fmr"]),
        "tar": said(complement(report.operating.fnmr), earlier["tar"]),
        "own_threshold": own.at.threshold,
        "own_tar": said(own.tar, earlier["own_tar"]),
        "failure_to_enrol": report.failure_to_enrol.value,
    }


def baseline(lfw: EmbeddedFaces, portraits: EmbeddedFaces) -> list[dict[str, Any]]:
    """All rows of the table.

    Args:
        lfw: images of LFW folds 1-2 with the column ``identity``.
        portraits: Asian portraits with the columns ``identity`` and ``group``.
    """
    first = evaluate_faces(lfw, "all-pairs", fmr=FMR)
    assert first.operating is not None
    limit = first.operating.threshold
    sets = {"asian": portraits, **{name: only(portraits, "group", name) for name in GROUPS}}
    reports = {name: evaluate_faces(some, "all-pairs", threshold=limit) for name, some in sets.items()}
    return [row(name, report) for name, report in {"lfw": first, **reports}.items()]


def embedded(manifest: Path, name: str) -> EmbeddedFaces:
    """Embed one set of the manifest, largest face of each picture."""
    from vnvision.faces.bulk import embed_in_memory
    from vnvision.faces.engine import FaceEngine
    from vnvision.faces.listing import list_pictures

    return embed_in_memory(FaceEngine(), list_pictures(manifest, where=[f"set={name}"]))


def read(path: Path) -> EmbeddedFaces:
    """Templates as ``vnvision face embed`` wrote them."""
    from vnvision.faces.parquet import read_embedded

    return read_embedded(path)


def main() -> None:
    parser = argparse.ArgumentParser(description="The face baseline, measured again.")
    parser.add_argument("--data", type=Path, help="faces/manifest.csv with the columns set, identity, group")
    parser.add_argument("--lfw", type=Path, help="templates of LFW folds 1-2, Parquet")
    parser.add_argument("--portraits", type=Path, help="templates of the Asian portraits, Parquet")
    asked = parser.parse_args()
    if asked.lfw and asked.portraits:
        lfw, portraits = read(asked.lfw), read(asked.portraits)
    elif asked.data:
        lfw, portraits = embedded(asked.data, "lfw_2folds"), embedded(asked.data, "asianfaces_dev")
    else:
        parser.error("give --data, or both --lfw and --portraits")
    result = {"model": lfw.model, "numpy": np.__version__, "rows": baseline(lfw, portraits)}
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
