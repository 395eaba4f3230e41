"""Exact 512-d face search: ours against FAISS Flat, and the same gallery calls over Milvus Lite.

    python training/benchmarks/face_search.py --env DIR

FAISS and Milvus run in an environment of their own in ``--env`` (made with uv where it is not there yet), in
which the script starts itself again with the checkout on its path; NumPy is that environment's for all.
Galleries of 10 k, 100 k and 1 M unit vectors (the last takes 2 GB, and FAISS keeps a copy), one query and 256
at once, best match; ours and FAISS's in turn within one process, forwards and backwards by rounds, all cores.
Then ``Gallery`` (encrypted, SQLite) and ``MilvusGallery`` enrol and identify the same photos.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

PINNED = (
    "faiss-cpu==1.15.1",
    "milvus-lite==3.2.2",
    "pymilvus==3.0.2",
    "numpy==2.4.6",
    "pydantic==2.14.3",
    "cryptography==50.0.2",
)
DIM, BATCHES = 512, (1, 256)
SCORES_A_ROUND = 20_000_000  # calls are repeated within a round until so many scores were made
PHOTOS_A_PERSON = 100


def own_python(env: Path) -> Path:
    """The environment's interpreter, made where it is not there."""
    python = env / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.is_file():
        run = {"check": True, "env": os.environ | {"VIRTUAL_ENV": str(env)}}
        subprocess.run(["uv", "venv", "--quiet", "--python", "3.11", str(env)], **run)
        subprocess.run(["uv", "pip", "install", "--no-config", "--quiet", *PINNED], **run)
    return python


def units(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, 512) float32 unit vectors, made in blocks."""
    rows = np.empty((count, DIM), np.float32)
    for at in range(0, count, 50_000):
        block = rows[at : at + 50_000]
        rng.standard_normal(out=block, dtype=np.float32)
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    return rows


def seconds_each(call: Callable[[], Any], repeats: int) -> float:
    """Mean seconds of a call."""
    begin = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - begin) / repeats


def search_speed(size: int, rounds: int) -> list[dict[str, Any]]:
    """One row a batch size: milliseconds a query and FAISS's time over ours."""
    import faiss

    from vnvision.faces.gallery.search import ExactIndex

    rng = np.random.default_rng(0)
    matrix = units(rng, size)
    flat = faiss.IndexFlatIP(DIM)
    flat.add(matrix)
    exact, rows = ExactIndex(matrix, np.arange(size)), []
    for batch in BATCHES:
        queries = units(rng, batch)
        queries[::2] = matrix[:: max(1, size // batch)][: len(queries[::2])]  # half are known people
        calls: dict[str, Callable[[], Any]] = {
            "exact": lambda q=queries: exact.top(q, 1),
            "faiss": lambda q=queries: flat.search(q, 1),
        }
        (scores, owners), (their_scores, their_rows) = (call() for call in calls.values())
        repeats = max(1, SCORES_A_ROUND // (size * batch))
        times: dict[str, list[float]] = {name: [] for name in calls}
        for turn in range(rounds):
            for name in list(calls)[:: -1 if turn % 2 else 1]:
                times[name].append(seconds_each(calls[name], repeats))
        ratios = [f / e for e, f in zip(times["exact"], times["faiss"], strict=True)]
        row = {
            "size": size,
            "batch": batch,
            "repeats": repeats,
            "same_people": bool((owners == their_rows).all()),
        }
        row["largest_score_difference"] = float(np.abs(scores - their_scores).max())
        for name, values in times.items():
            row[f"{name}_ms_a_query"] = round(statistics.median(values) / batch * 1e3, 4)
        row["faiss_over_exact"] = round(statistics.median(ratios), 3)
        rows.append(row | {"range": [round(min(ratios), 3), round(max(ratios), 3)]})
        print(f"{size} x {batch}: {rows[-1]}", file=sys.stderr)
    return rows


def gallery_speed(photos: int, rounds: int) -> dict[str, Any]:
    """The same calls on ``Gallery`` and on ``MilvusGallery``."""
    from vnvision.faces.gallery import Consent, Gallery, GalleryKey
    from vnvision.faces.gallery.milvus import MilvusGallery

    logging.disable(logging.WARNING)  # pymilvus warns at every query that Lite keeps no server time
    now = datetime.now(UTC)
    terms: dict[str, Any] = {
        "consent": Consent(given_by="benchmark", given_at=now, text="random vectors"),
        "purpose": "benchmark",
        "expires": now + timedelta(days=1),
    }
    rng = np.random.default_rng(0)
    rows = units(rng, photos)
    common: dict[str, Any] = {"key": GalleryKey(bytes(32)), "model": "random", "dim": DIM, "create": True}
    report: dict[str, Any] = {"photos": photos, "people": -(-photos // PHOTOS_A_PERSON)}
    with tempfile.TemporaryDirectory() as name:
        folder, answers = Path(name), {}
        stores: dict[str, Any] = {
            "gallery": Gallery.open(folder / "faces.db", **common),
            "milvus_lite": MilvusGallery.open(str(folder / "lite.db"), ledger=folder / "ledger.db", **common),
        }
        for kind, store in stores.items():
            begin = time.perf_counter()
            for at in range(0, photos, PHOTOS_A_PERSON):
                store.enroll(f"p{at}", rows[at : at + PHOTOS_A_PERSON], **terms)
            report[kind] = {"enroll_ms_a_photo": round((time.perf_counter() - begin) / photos * 1e3, 3)}
        for batch in BATCHES:
            queries = rows[:: max(1, photos // batch)][:batch]
            times: dict[str, list[float]] = {kind: [] for kind in stores}
            for kind, store in stores.items():
                answers[kind] = [found.person for found in store.identify(queries, 0.9)]
            for turn in range(rounds):
                for kind in list(stores)[:: -1 if turn % 2 else 1]:
                    store = stores[kind]
                    times[kind].append(seconds_each(lambda s=store, q=queries: s.identify(q, 0.9), 3))
            for kind, values in times.items():
                report[kind][f"identify_{batch}_ms_a_query"] = round(
                    statistics.median(values) / len(queries) * 1e3, 3
                )
            report[f"same_answers_{batch}"] = answers["gallery"] == answers["milvus_lite"]
        for store in stores.values():
            store.close()
    return report


def table(report: dict[str, Any]) -> str:
    """The result in markdown."""
    lines = [
        "| vectors | queries | ours, ms a query | FAISS Flat, ms a query | FAISS / ours (range) | same |",
        "|---|---|---|---|---|---|",
    ]
    for row in report["search"]:
        ratio = f"{row['faiss_over_exact']} ({row['range'][0]}-{row['range'][1]})"
        times = f"{row['exact_ms_a_query']} | {row['faiss_ms_a_query']}"
        lines.append(f"| {row['size']:,} | {row['batch']} | {times} | {ratio} | {row['same_people']} |")
    lines += ["", *(f"{key}: {value}" for key, value in report.items() if key != "search")]
    return "\n".join(lines)


def main() -> None:
    """Parse, start again in the other environment, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--env", type=Path, help="environment of FAISS and Milvus; made where it is missing")
    parser.add_argument("--sizes", nargs="+", type=int, default=[10_000, 100_000, 1_000_000], help="vectors")
    parser.add_argument("--rounds", type=int, default=6, help="rounds, each way once in each")
    parser.add_argument("--photos", type=int, default=10_000, help="in the galleries; 0 leaves them out")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    args = parser.parse_args()
    if args.env:
        rest = ["--sizes", *map(str, args.sizes), "--rounds", str(args.rounds), "--photos", str(args.photos)]
        rest += ["--json"] if args.json else []
        root = Path(__file__).resolve().parents[2]
        env = os.environ | {"PYTHONPATH": str(root)}
        sys.exit(
            subprocess.run([str(own_python(args.env)), __file__, *rest], env=env, check=False).returncode
        )
    report: dict[str, Any] = {
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "rounds": args.rounds,
        "versions": {
            n: importlib.metadata.version(n) for n in ("faiss-cpu", "numpy", "pymilvus", "milvus-lite")
        },
        "search": [row for size in args.sizes for row in search_speed(size, args.rounds)],
    }
    if args.photos:
        report["galleries"] = gallery_speed(args.photos, args.rounds)
    print(json.dumps(report, indent=2) if args.json else table(report))


if __name__ == "__main__":
    main()
