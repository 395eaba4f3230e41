"""What each regional occlusion costs: plain templates against drawn-on probes, YuNet and SFace.

    python training/benchmarks/occluded_pairs.py --manifest FACES/manifest.csv --set asianfaces_dev

The manifest needs ``path`` (relative to its folder) and ``identity``; ``--set`` keeps the rows of one
``set``. One thread. Prints a table for BENCHMARKS.md, and writes the whole report with ``--json``.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2

from vnvision.data.occlusion import KINDS
from vnvision.evaluate.occluded import OccludedKind, OccludedReport, occluded_pairs
from vnvision.faces.engine import FaceEngine
from vnvision.faces.quality import measure
from vnvision.records import Metric


def read_pictures(manifest: Path, wanted: str | None, limit: int | None) -> list[tuple[Path, str]]:
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if wanted is None or row.get("set") == wanted]
    if not rows:
        sys.exit(f"no rows of set {wanted!r} in {manifest}")
    return [(manifest.parent / row["path"], row["identity"]) for row in rows[:limit]]


def shown(metric: Metric | None, digits: int = 3) -> str:
    if metric is None or metric.value is None:
        return "-"
    interval = "" if metric.low is None else f" [{metric.low:.{digits}f}, {metric.high:.{digits}f}]"
    return f"{metric.value:.{digits}f}{interval}"


def line(row: OccludedKind, *, quality: bool) -> str:
    cells = [row.kind, shown(row.tar), shown(row.cost), shown(row.fmr, 4), shown(row.failure_to_detect)]
    cells += [shown(row.detector_score)] + ([shown(row.quality)] if quality else [])
    return "| " + " | ".join(cells) + " |"


def table(report: OccludedReport) -> str:
    quality = report.plain.quality is not None
    heads = ["kind", f"TAR at FMR {report.threshold.target:g}", "cost", "FMR", "failure to detect"]
    heads += ["detector score"] + (["quality"] if quality else [])
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join(lines + [line(row, quality=quality) for row in (report.plain, *report.kinds)])


def commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--set", help="keep the rows whose column `set` says this")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS))
    parser.add_argument("--strength", type=float, default=1.0)
    parser.add_argument("--fmr", type=float, default=1e-3)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quality", action="store_true", help="mean quality score too (slower)")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    pictures = read_pictures(args.manifest, args.set, args.limit)
    begin = time.perf_counter()
    report = occluded_pairs(
        pictures,
        FaceEngine(threads=1),
        args.kinds,
        target_fmr=args.fmr,
        strength=args.strength,
        quality=(lambda image, face: measure(image, face).score) if args.quality else None,
        seed=args.seed,
        progress=lambda done, total: print(f"\r{done} of {total}", end="", file=sys.stderr),
    )
    facts = {
        "commit": commit(),
        "manifest_sha256": hashlib.sha256(args.manifest.read_bytes()).hexdigest(),
        "set": args.set,
        "hardware": f"{platform.processor() or platform.machine()}, 1 thread",
        "seconds": round(time.perf_counter() - begin, 1),
    }
    print(file=sys.stderr)
    print(table(report))
    print(json.dumps(facts | report.model_dump(mode="json", exclude={"plain", "kinds"}), indent=2))
    if args.json is not None:
        args.json.write_text(json.dumps(facts | {"report": report.model_dump(mode="json")}, indent=2) + "\n")


if __name__ == "__main__":
    main()
