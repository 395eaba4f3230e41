"""A blind test of the parity gate: seeded exports, each with one planted fault or none.

Three networks trained on drawn leaves (``blind/subjects.py``) are exported for ONNX Runtime, ncnn and RKNN's
simulator in the precisions these have. A list drawn by lot says which export gets which fault, planted in the
file or in its record as integrators do it (``blind/planting.py``). The list is sealed first: its SHA-256 is
printed, the gate is given the file, its record and the original's answers, and the list is opened when all
are judged. 8-bit files are judged on other leaves than their ranges were measured on.

    python training/benchmarks/gate_blind.py --n 100 --seed 0 --out FOLDER

Writes ``sealed.json`` and ``result.json`` and prints the confusion matrix: rows are what was planted, columns
what the gate said. A run that was cut off goes on with the same command. Without RKNN's environment pass
``--engines onnxruntime ncnn``. A fault is *missed* where the gate passes it; a *false alarm* refuses an
export without fault. About half an hour on two free cores.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from vnvision import atomic
from vnvision.engines import EngineName
from vnvision.errors import ExportError
from vnvision.export import Reference, check_parity
from vnvision.export.result import GateResult

sys.path.insert(0, str(Path(__file__).parent))
from blind.counting import summary, table
from blind.planning import Planned, drawn
from blind.planting import Handed, plant
from blind.subjects import MODELS, subject

ENGINES: tuple[EngineName, ...] = ("onnxruntime", "ncnn", "rknn")
_GOLDEN = 8


def run(
    n: int,
    seed: int,
    *,
    models: Sequence[str] = tuple(MODELS),
    engines: Sequence[EngineName] = ENGINES,
    most_rknn: int | None = None,
    nets: int = 2,
    jobs: int = 1,
    folder: Path | None = None,
) -> dict[str, Any]:
    """The whole test.

    Args:
        n: exports.
        seed: of everything drawn.
        models: of ``blind.subjects.MODELS``.
        engines: to export for.
        most_rknn: exports for RKNN, whose converter and simulator take longest; a third of all if None.
        nets: networks of a kind, each with weights of its own.
        jobs: processes; all exports of a network are made in one.
        folder: for the gate's word on each export, under the list's hash; one that is there already is not
            made again.

    Returns:
        JSON-ready: see ``summary``, with the seconds it took.
    """
    began = time.monotonic()
    sealed = drawn(n, seed, models, engines, seeds=nets, most_rknn=most_rknn)
    text = json.dumps([asdict(plan) for plan in sealed], sort_keys=True)
    seal = hashlib.sha256(text.encode()).hexdigest()
    print(f"sealed list: sha256 {seal}", file=sys.stderr, flush=True)
    if folder is not None:
        folder = folder / seal[:16]
        folder.mkdir(parents=True, exist_ok=True)
    of_net: dict[tuple[str, int], list[Planned]] = defaultdict(list)
    for plan in sealed:
        of_net[plan.model, plan.seed].append(plan)
    groups = sorted(of_net.values(), key=len, reverse=True)
    results: dict[int, GateResult | None] = {}
    if jobs == 1:
        for group in groups:
            results |= judge_net(group, folder)
            progress(len(results), n, time.monotonic() - began)
    else:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, mp_context=context) as pool:
            for done in as_completed([pool.submit(judge_net, group, folder) for group in groups]):
                results |= done.result()
                progress(len(results), n, time.monotonic() - began)
    found = summary(sealed, [results[plan.number] for plan in sealed])
    return found | {"n": n, "seed": seed, "sealed_sha256": seal, "seconds": round(time.monotonic() - began)}


def judge_net(plans: Sequence[Planned], folder: Path | None = None) -> dict[int, GateResult | None]:
    """Train one network and put its exports through the gate; by their number, None: not made."""
    torch.set_num_threads(1)
    one = subject(plans[0].model, plans[0].seed)
    original = {
        False: Reference(one.net, one.task, one.shown[:_GOLDEN]),
        True: Reference(one.net, one.task, one.shown),
    }
    results: dict[int, GateResult | None] = {}
    for plan in plans:
        kept = None if folder is None else folder / f"{plan.number:03d}.json"
        if kept is not None and kept.is_file():
            results[plan.number] = GateResult.load(kept)
            continue
        with tempfile.TemporaryDirectory() as place:
            try:
                handed = plant(plan, one, Path(place))
            except ExportError as exc:
                print(f"\nexport {plan.number} could not be made: {exc}", file=sys.stderr)
                results[plan.number] = None
                continue
            found = results[plan.number] = judged(handed, original[handed.precision.startswith("int8")])
        if kept is not None:
            found.save(kept)
        print(".", end="", file=sys.stderr, flush=True)
    return results


def judged(handed: Handed, reference: Reference) -> GateResult:
    """The gate's word: it sees the file, what its record says, and the original's answers."""
    return check_parity(handed.path, "blind", handed.engine, reference, handed.precision, took=handed.took)


def progress(done: int, of: int, seconds: float) -> None:
    """A bar on stderr."""
    bar = "#" * round(30 * done / of)
    print(
        f"\r[{bar:<30}] {done}/{of} {seconds:.0f} s",
        end="\n" if done == of else "",
        file=sys.stderr,
        flush=True,
    )


def main() -> None:
    """Read the command line, run, write, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=tuple(MODELS))
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--most-rknn", type=int, help="exports for RKNN at most")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--out", type=Path, required=True, help="folder for sealed.json and result.json")
    args = parser.parse_args()
    found = run(
        args.n,
        args.seed,
        models=args.models,
        engines=args.engines,
        most_rknn=args.most_rknn,
        jobs=args.jobs,
        folder=args.out,
    )
    keys = Planned.__dataclass_fields__
    atomic.write_json(args.out / "sealed.json", [{key: row[key] for key in keys} for row in found["rows"]])
    atomic.write_json(args.out / "result.json", found)
    print(table(found))


if __name__ == "__main__":
    main()
