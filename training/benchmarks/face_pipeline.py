"""Images a second of detect, align and embed: our batches, plain one-by-one loops, and `face_recognition`.

    python training/benchmarks/face_pipeline.py --env DIR --limit 200 --rounds 4

The plain loops do what ``insightface.app.FaceAnalysis.get`` does, with our weights: ``cv2.imread``, YuNet at
batch 1, and for each face ``warpAffine`` onto the ArcFace template and the network at batch 1 on the crop and
on its mirror image. One runs ONNX Runtime with its default options, one OpenVINO with its default latency
hint, so that what the engine brings and what batching brings are seen apart. `face_recognition` runs in its
own environment (see ``face_recognition_stack.py``), in one process and in one a core. Every way runs in a
process of its own, in turn, forwards and backwards by rounds; models are loaded, and a few pictures done,
before the clock starts. Our embeddings must equal the plain loop's (cosine of the largest face).
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

OURS = ("ours_openvino", "ours_onnxruntime")
PLAIN = ("plain_onnxruntime", "plain_openvino")
THEIRS = ("face_recognition_1", "face_recognition_all")
WORKER = Path(__file__).with_name("face_recognition_worker.py")
_WARM_UP = 8


def plain_network(name: str, engine: str) -> Callable[[np.ndarray], list[np.ndarray]]:
    """A published network as one loads it by hand: default options of the engine, float32."""
    from vnvision.engines.onnxruntime import import_onnxruntime
    from vnvision.engines.openvino import import_openvino
    from vnvision.faces.graph import prepared

    path = prepared(name)
    if engine == "onnxruntime":
        session = import_onnxruntime().InferenceSession(str(path), providers=["CPUExecutionProvider"])
        entry = session.get_inputs()[0].name
        return lambda batch: session.run(None, {entry: batch})
    ov = import_openvino()
    hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    compiled = ov.Core().compile_model(path, "CPU", hints)
    return lambda batch: [np.array(value) for value in compiled(batch).values()]


class PlainLoop:
    """One picture after another, one face after another.

    Reading the networks' maps is our detector's, at batch 1: it is not what differs here.
    """

    def __init__(self, engine: str) -> None:
        from vnvision.faces.detector import YuNet

        self.steps: Counter[str] = Counter()
        self._detector, self._embed = YuNet(engine="onnxruntime", threads=1), plain_network("sface", engine)
        self._detector.close()
        network = plain_network("yunet", engine)
        self._detector._engine = Bare(network)

    def __call__(self, path: str) -> list[tuple[tuple[float, ...], np.ndarray]]:
        """Box and unit-norm embedding of each face."""
        import cv2

        from vnvision.imaging.align import similarity, template

        begin = time.perf_counter()
        image = np.ascontiguousarray(cv2.imread(path)[..., ::-1])
        read = time.perf_counter()
        faces = self._detector.detect([image])[0]
        found, self.steps["decode"] = time.perf_counter(), self.steps["decode"] + read - begin
        self.steps["detect"] += found - read
        answers = []
        for face in faces:
            start = time.perf_counter()
            matrix = similarity(np.array(face.landmarks_px), template())
            crop = cv2.warpAffine(image, matrix, (112, 112)).astype(np.float32).transpose(2, 0, 1)[None]
            cut = time.perf_counter()
            both = [self._embed(np.ascontiguousarray(c))[0][0] for c in (crop, crop[..., ::-1])]
            total = both[0] + both[1]
            answers.append((face.box_xyxy_px, total / np.linalg.norm(total)))
            self.steps["align"] += cut - start
            self.steps["embed"] += time.perf_counter() - cut
        return answers


class Bare:
    """A network's call as the detector expects it."""

    def __init__(self, call: Callable[[np.ndarray], list[np.ndarray]]) -> None:
        self.run = call


def ours_steps(engine: Any, paths: Sequence[str]) -> dict[str, float]:
    """Seconds of each step of ours, one after another (in ``represent`` decoding overlaps the rest)."""
    from vnvision.faces.pictures import batches

    steps: Counter[str] = Counter()
    begin = time.perf_counter()
    for images in batches(paths):
        times = [begin, time.perf_counter()]
        faces = engine.detector.detect(images)
        times.append(time.perf_counter())
        crops = [engine.embedder.align(i, f) for i, f in zip(images, faces, strict=True)]
        times.append(time.perf_counter())
        engine.embedder.embed(np.concatenate(crops))
        times.append(time.perf_counter())
        for step, a, b in zip(("decode", "detect", "align", "embed"), times, times[1:], strict=False):
            steps[step] += b - a
        begin = time.perf_counter()
    return dict(steps)


def child(way: str, listing: Path, out: Path) -> None:
    """Run one way over the listed pictures; prints JSON and saves every face's box and embedding."""
    from vnvision.faces.engine import FaceEngine

    paths = listing.read_text(encoding="utf-8").splitlines()
    kind, engine = way.split("_", 1)
    if kind == "ours":
        faces_of = FaceEngine(engine=engine)  # type: ignore[arg-type]
        faces_of.represent(paths[: 2 * _WARM_UP])
        begin, cpu = time.perf_counter(), time.process_time()
        found = [
            [(f.box_xyxy_px, np.array(f.embedding)) for f in faces] for faces in faces_of.represent(paths)
        ]
        seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
        steps = ours_steps(faces_of, paths)
    else:
        loop = PlainLoop(engine)
        for path in paths[:_WARM_UP]:
            loop(path)
        loop.steps.clear()
        begin, cpu = time.perf_counter(), time.process_time()
        found = [loop(path) for path in paths]
        seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
        steps = dict(loop.steps)
    largest = [max(faces, key=lambda f: _area(f[0]), default=None) for faces in found]
    np.savez(
        out,
        embeddings=np.array([np.full(128, np.nan) if f is None else f[1] for f in largest]),
        boxes=np.array([np.full(4, np.nan) if f is None else f[0] for f in largest]),
        faces=np.array([len(faces) for faces in found]),
    )
    print(json.dumps({"pictures": len(paths), "seconds": seconds, "cpu_s": cpu, "steps_s": steps}))


def _area(box: Sequence[float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def run(way: str, listing: Path, out: Path, python: Path | None, cores: int) -> dict[str, Any]:
    """One way in a process of its own."""
    if way in THEIRS:
        cpus = "1" if way == THEIRS[0] else str(cores)
        files = ["--list", str(listing), "--out", str(out), "--cpus", cpus]
        command = [str(python), "-W", "ignore", str(WORKER), *files]
    else:
        command = [sys.executable, __file__, "--child", way, "--list", str(listing), "--out", str(out)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    report: dict[str, Any] = json.loads(answer.stdout)
    return report


def equality(a: Path, b: Path) -> dict[str, Any]:
    """How two ways' answers differ: counts of faces, boxes in pixels, cosine of the largest face."""
    one, other = np.load(a), np.load(b)
    same = one["faces"] == other["faces"]
    both = (one["faces"] > 0) & (other["faces"] > 0)
    cosine = (one["embeddings"][both] * other["embeddings"][both]).sum(1)
    return {
        "pictures_with_other_face_count": int((~same).sum()),
        "largest_box_difference_px": float(np.abs(one["boxes"][both] - other["boxes"][both]).max()),
        "lowest_cosine": float(cosine.min()),
        "pictures_below_0.9999": int((cosine <= 0.9999).sum()),
    }


def summary(runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Medians by way, and ratios within each round to the best of the ways that are not ours."""
    rate = {way: [r["pictures"] / r["seconds"] for r in values] for way, values in runs.items()}
    ways = {}
    for way, values in runs.items():
        ways[way] = {
            "images_per_s": round(statistics.median(rate[way]), 2),
            "range": [round(min(rate[way]), 2), round(max(rate[way]), 2)],
            "steps_ms": {
                step: round(statistics.median(r["steps_s"][step] / r["pictures"] * 1e3 for r in values), 3)
                for step in values[0]["steps_s"]
            },
        }
        if "cpu_s" in values[0]:
            cpu = statistics.median(r["cpu_s"] / r["pictures"] * 1e3 for r in values)
            ways[way]["cpu_ms"] = round(cpu, 2)
    ratios = {}
    against = {"the_better_one": ("plain_onnxruntime", *THEIRS), "plain_openvino": ("plain_openvino",)}
    for mine in (way for way in OURS if way in runs):
        for name, others in against.items():
            known = [rate[way] for way in others if way in rate]
            if known:
                each = [own / max(best) for own, *best in zip(rate[mine], *known, strict=True)]
                ratios[f"{mine} / {name}"] = {
                    "median": round(statistics.median(each), 2),
                    "range": [round(min(each), 2), round(max(each), 2)],
                }
    return {"ways": ways, "ratios": ratios}


def bench(listing: Path, folder: Path, ways: list[str], rounds: int, python: Path | None) -> dict[str, Any]:
    """All ways in turn, forwards and backwards, and whether their answers are equal."""
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    for turn in range(rounds):
        for way in ways[:: -1 if turn % 2 else 1]:
            runs[way].append(run(way, listing, folder / f"{way}.npz", python, os.cpu_count() or 1))
            print(f"round {turn + 1}: {way} {runs[way][-1]['seconds']:.1f} s", file=sys.stderr)
    networks = [way for way in ways if way in OURS + PLAIN]
    pairs = [(a, b) for a in networks if a in OURS for b in networks if b in PLAIN]
    equal = {f"{a} and {b}": equality(folder / f"{a}.npz", folder / f"{b}.npz") for a, b in pairs}
    versions = next((r[0]["versions"] for way, r in runs.items() if way in THEIRS), None)
    return summary(runs) | {"equality": equal, "face_recognition_versions": versions}


def table(report: dict[str, Any]) -> str:
    """The result in markdown."""
    lines = []
    for name, one in report["sets"].items():
        lines += [
            f"\n{name}, {one['pictures']} pictures:\n",
            "| way | images/s (range) | CPU ms a picture | ms of each step a picture |",
            "|---|---|---|---|",
        ]
        for way, row in one["ways"].items():
            steps = ", ".join(f"{step} {value}" for step, value in row["steps_ms"].items())
            speed = f"{row['images_per_s']} ({row['range'][0]}-{row['range'][1]})"
            lines.append(f"| {way} | {speed} | {row.get('cpu_ms', '-')} | {steps} |")
        lines += ["", *(f"{k}: {v['median']}x {v['range']}" for k, v in one["ratios"].items())]
        lines += [f"{k}: {v}" for k, v in one["equality"].items()]
    return "\n".join(lines)


def main() -> None:
    """Parse, measure each set, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--env", type=Path, help="environment of face_recognition; without it only ours")
    parser.add_argument("--sets", nargs="+", default=["lfw_2folds", "asianfaces_dev"], help="of the manifest")
    parser.add_argument("--data", type=Path, help="folder of manifest.csv; default VNVISION_DATA/faces")
    parser.add_argument("--limit", type=int, default=200, help="pictures a set")
    parser.add_argument("--rounds", type=int, default=4, help="times each way is run, a few at least")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--list", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return child(args.child, args.list, args.out)
    from face_recognition_stack import own_python, rows_of

    data = args.data or Path(os.environ["VNVISION_DATA"]) / "faces"
    python = own_python(args.env) if args.env else None
    ways = [*OURS, *PLAIN, *(THEIRS if python else ())]
    report: dict[str, Any] = {
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", "engines' default"),
        "rounds": args.rounds,
        "versions": {n: importlib.metadata.version(n) for n in ("onnxruntime", "openvino", "opencv-python")},
        "sets": {},
    }
    for name in args.sets:
        with tempfile.TemporaryDirectory() as folder:
            paths = [str(data / row["path"]) for row in rows_of(data, name, args.limit)][: args.limit]
            listing = Path(folder) / "list.txt"
            listing.write_text("\n".join(paths) + "\n", encoding="utf-8")
            one = bench(listing, Path(folder), ways, args.rounds, python)
            report["sets"][name] = {"pictures": len(paths), **one}
    print(json.dumps(report, indent=2) if args.json else table(report))
    return None


if __name__ == "__main__":
    main()
