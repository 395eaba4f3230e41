"""The PyPI package `face_recognition` and our YuNet with SFace on the same pictures, measured the same way.

    python training/benchmarks/face_recognition_stack.py --env DIR --out DIR

Makes an environment of the package's own in ``--env`` (with uv; only where it is not there yet), embeds
lfw_2folds and asianfaces_dev with it (``face_recognition_worker.py``) and with ours, and compares all pairs
of each population. The largest face counts; a picture without one is a failure to enrol. Thresholds for our
rows and for the package's second column are found on LFW at FMR 1e-3. Intervals are 95 %, over subjects.
Embeddings are kept in ``--out`` and not made twice.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from vnvision.faces.engine import FaceEngine, area
from vnvision.metrics.comparisons import Comparisons, tar_at_fmr
from vnvision.metrics.intervals import rate_interval
from vnvision.metrics.thresholds import threshold_at_fmr
from vnvision.records import Metric

PINNED = (
    "dlib-bin==20.0.1.post1",
    "setuptools==80.10.2",
    "face_recognition_models==0.3.0",
    "numpy==2.4.6",
    "pillow==13.0.0",
    "click==8.5.1",
)
PACKAGE = "face_recognition==1.3.0"
DOCUMENTED, TARGET = 0.6, 1e-3
LFW, ASIAN = "lfw_2folds", "asianfaces_dev"
WORKER = Path(__file__).with_name("face_recognition_worker.py")
# Measured when the project began: FMR at 0.6 and at the LFW threshold, TAR at the own FMR 1e-3. Asian
# portraits were the whole set (1,435 pictures, the dev set is half), our LFW rows all 13,233 pictures.
ANCHORS: dict[tuple[str, str], dict[str, float]] = {
    ("face_recognition", "LFW"): {"at_documented": 5.5e-3, "at_lfw": 1e-3, "tar": 0.881},
    ("face_recognition", "Asian portraits, all"): {"at_documented": 0.30, "at_lfw": 0.14, "tar": 0.497},
    ("face_recognition", "... korean"): {"at_documented": 0.59, "at_lfw": 0.35, "tar": 0.355},
    ("YuNet + SFace", "LFW"): {"at_lfw": 1e-3, "tar": 0.997},
    ("YuNet + SFace", "Asian portraits, all"): {"at_lfw": 2.4e-3, "tar": 0.885},
    ("YuNet + SFace", "... korean"): {"at_lfw": 8.1e-3, "tar": 0.798},
    ("YuNet + SFace", "... japanese"): {"at_lfw": 1.7e-3, "tar": 0.903},
    ("YuNet + SFace", "... chinese"): {"at_lfw": 1.6e-3, "tar": 0.957},
}


def own_python(env: Path) -> Path:
    """The interpreter of the package's environment, made where it is not there."""
    python = env / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.is_file():
        run = {"check": True, "env": os.environ | {"VIRTUAL_ENV": str(env)}}
        subprocess.run(["uv", "venv", "--quiet", "--python", "3.11", str(env)], **run)
        subprocess.run(["uv", "pip", "install", "--no-config", "--quiet", *PINNED], **run)
        subprocess.run(["uv", "pip", "install", "--no-config", "--quiet", "--no-deps", PACKAGE], **run)
    return python


def rows_of(data: Path, name: str, limit: int | None) -> list[dict[str, str]]:
    """Manifest rows of a set: all, or the first ones of each group, about ``limit`` in all."""
    with (data / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["set"] == name]
    if not limit:
        return rows
    groups = sorted({row["group"] for row in rows})
    each = -(-limit // len(groups))
    return [row for group in groups for row in [r for r in rows if r["group"] == group][:each]]


def theirs(python: Path, paths: list[Path], out: Path) -> tuple[np.ndarray, dict[str, Any]]:
    """(N, 128) float64 encodings, NaN without a face, and what the worker says."""
    report = out.with_suffix(".json")
    if not out.is_file():
        listing = out.with_suffix(".txt")
        listing.write_text("\n".join(map(str, paths)) + "\n", encoding="utf-8")
        command = [str(python), "-W", "ignore", str(WORKER), "--list", str(listing), "--out", str(out)]
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        report.write_text(answer.stdout, encoding="utf-8")
    return np.load(out)["embeddings"], json.loads(report.read_text(encoding="utf-8"))


def ours(paths: list[Path], out: Path) -> np.ndarray:
    """(N, 128) embeddings, NaN without a face."""
    if not out.is_file():
        engine = FaceEngine(threads=1)
        found = [max(faces, key=area, default=None) for faces in engine.represent(paths)]
        np.save(out, [[np.nan] * 128 if face is None else face.embedding for face in found])
        engine.close()
    embeddings: np.ndarray = np.load(out)
    return embeddings


def all_pairs(embeddings: np.ndarray, subjects: list[str], distance: bool) -> Comparisons:
    """Every pair of enrolled pictures; the score is the cosine, or less the Euclidean distance."""
    enrolled = ~np.isnan(embeddings[:, 0])
    rows, names = embeddings[enrolled], np.array(subjects)[enrolled]
    dots = rows @ rows.T
    if distance:
        squares = np.diag(dots)
        dots = -np.sqrt(np.maximum(squares[:, None] + squares - 2 * dots, 0))
    a, b = np.triu_indices(len(rows), 1)
    return Comparisons.from_pairs(dots[a, b], names[a].tolist(), names[b].tolist())


def measured(pairs: Comparisons, lfw_threshold: float, documented: float | None) -> dict[str, Any]:
    """The row's three numbers, each with its interval."""
    row = {"at_lfw": rate_interval(pairs.false_matches(lfw_threshold))}
    missed = rate_interval(pairs.false_non_matches(lfw_threshold))
    row["fnmr_at_lfw"] = missed
    if documented is not None:
        row["at_documented"] = rate_interval(pairs.false_matches(documented))
    own = tar_at_fmr(pairs, target=TARGET, n_boot=500)
    return row | {"tar": own.tar, "own_threshold": own.at.threshold}


def compared(stack: str, embeddings: np.ndarray, rows: list[dict[str, str]]) -> list[dict[str, Any]]:
    """One row a population, LFW first."""
    distance, at_lfw, found = stack == "face_recognition", 0.0, []
    for population, inside in populations(rows).items():
        subjects = [row["identity"] for row, yes in zip(rows, inside, strict=True) if yes]
        pairs = all_pairs(embeddings[inside], subjects, distance)
        if population == "LFW":
            at_lfw = threshold_at_fmr(pairs.impostor, TARGET).threshold
        # compare_faces says "same" where distance <= 0.6; the score is less the distance.
        row = measured(pairs, at_lfw, -DOCUMENTED if distance else None)
        anchors = ANCHORS.get((stack, population), {})
        told = {key: agrees(row[key], anchors.get(key)) for key in anchors if key in row}
        plain = {k: v.model_dump(mode="json") if isinstance(v, Metric) else v for k, v in row.items()}
        found.append(
            {"population": population, "stack": stack, "pictures": int(inside.sum())}
            | {"no_face": int(np.isnan(embeddings[inside][:, 0]).sum()), "subjects": len(set(subjects))}
            | {"lfw_threshold": at_lfw, "anchors": told, **plain}
        )
    return found


def agrees(metric: Metric, anchor: float | None) -> bool | None:
    """Whether the interval holds the anchor; None where there is nothing to compare."""
    if anchor is None or metric.low is None or metric.high is None:
        return None
    return metric.low <= anchor <= metric.high


def populations(rows: list[dict[str, str]]) -> dict[str, np.ndarray]:
    """Name of each population and which rows are in it."""
    sets, groups = (np.array([row[key] for row in rows]) for key in ("set", "group"))
    found = {"LFW": sets == LFW, "Asian portraits, all": sets == ASIAN}
    return found | {f"... {group}": groups == group for group in ("korean", "japanese", "chinese")}


def table(report: dict[str, Any]) -> str:
    """The rows as a markdown table."""
    lines = [
        "| population | stack | pictures (no face) | subjects | FMR at distance 0.6 | FMR at LFW's 1e-3 "
        "| FNMR there | TAR at own FMR 1e-3 | anchors in the interval |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        cells = [_cell(row.get(key)) for key in ("at_documented", "at_lfw", "fnmr_at_lfw", "tar")]
        told = [f"{key} {'yes' if ok else 'NO'}" for key, ok in row["anchors"].items() if ok is not None]
        counts = f"{row['pictures']} ({row['no_face']})"
        cells = [
            row["population"],
            row["stack"],
            counts,
            str(row["subjects"]),
            *cells,
            ", ".join(told) or "-",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(metric: dict[str, Any] | None) -> str:
    if metric is None:
        return "-"
    digits = [f"{metric[key]:.3g}" if metric[key] is not None else "?" for key in ("value", "low", "high")]
    return f"{digits[0]} ({digits[1]}-{digits[2]})"


def main() -> None:
    """Embed, compare, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--env", type=Path, required=True, help="the package's environment; made if missing")
    parser.add_argument("--out", type=Path, required=True, help="folder for embeddings and result.json")
    parser.add_argument("--data", type=Path, help="folder of manifest.csv; default VNVISION_DATA/faces")
    parser.add_argument("--limit", type=int, help="about so many pictures a set (rates are then rough)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    args = parser.parse_args()
    data = args.data or Path(os.environ["VNVISION_DATA"]) / "faces"
    args.out.mkdir(parents=True, exist_ok=True)
    python, rows, parts, reports = own_python(args.env), [], {"face_recognition": [], "YuNet + SFace": []}, {}
    for name in (LFW, ASIAN):
        mine = rows_of(data, name, args.limit)
        paths, tag = [data / row["path"] for row in mine], f"{name}_{len(mine)}"
        encodings, reports[name] = theirs(python, paths, args.out / f"{tag}.npz")
        parts["face_recognition"].append(encodings)
        parts["YuNet + SFace"].append(ours(paths, args.out / f"{tag}_ours.npy"))
        rows += mine
    embeddings = {stack: np.concatenate(values) for stack, values in parts.items()}
    found = [row for stack, values in embeddings.items() for row in compared(stack, values, rows)]
    order = list(populations(rows))
    found.sort(key=lambda row: order.index(row["population"]))
    report = {
        "machine": platform.machine(),
        "python": sys.version.split()[0],
        "worker": reports,
        "rows": found,
    }
    (args.out / "result.json").write_text(json.dumps(report, indent=2), encoding="utf-8")
    print(json.dumps(report, indent=2) if args.json else table(report))


if __name__ == "__main__":
    main()
