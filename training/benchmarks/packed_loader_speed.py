"""Faces a second of the training loader from files, a ``.rec`` and tar shards, in turn; memory of their rows.

    python training/benchmarks/packed_loader_speed.py --out SCRATCH
    python training/benchmarks/packed_loader_speed.py --out SCRATCH --faces 100000 --workers 4 --cold

Drawn 112 px JPEG faces are written three ways under SCRATCH (a new folder) and read through the loader of a
run, with the augmentation of ``training/runs/face.yaml``. ``random`` is the order of training, ``sequential``
that of the set. With ``--cold`` the set's files leave the page cache before each reading (Linux), as far as
the kernel heeds the advice. Ratios are of medians over rounds that take turns. Memory: what a process of its
own holds more once a set of ``--rows`` pictures is open (freed memory that glibc keeps is given back first);
the pictures are a few bytes, and shards are not read, since their rows are kept beside them. Prints JSON.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np

SIDE, A_PERSON, BATCH = 112, 20, 64
KINDS = {"files": "faces.csv", "rec": "faces.rec", "shards": "shards"}
ORDERS = ("random", "sequential")


def draw(out: Path, n: int) -> None:
    """The same faces as files, ``.rec`` and shards."""
    from vnvision.data.records.face_rec import write_face_rec
    from vnvision.data.records.packing import pack_shards

    rng = np.random.default_rng(0)
    rows = [("path", "identity", "split")]
    people: list[list[bytes]] = []
    for number in range(n):
        person = number // A_PERSON
        if number % A_PERSON == 0:
            people.append([])
            (out / f"{person:06d}").mkdir()
        soft = cv2.resize(
            rng.integers(0, 256, (14, 14, 3), np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC
        )
        grain = rng.integers(0, 12, soft.shape, np.uint8)
        data = cv2.imencode(".jpg", cv2.add(soft, grain), [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
        name = f"{person:06d}/{number:09d}.jpg"
        (out / name).write_bytes(data)
        people[-1].append(data)
        rows.append((name, str(person), "train"))
    with (out / "faces.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    write_face_rec(out / "faces.rec", people)
    pack_shards(out / "faces.csv", out / "shards", shard_mb=64)


def forget(root: Path) -> None:
    """Ask the kernel to drop these files from its cache."""
    os.sync()
    for file in root.rglob("*"):
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def rate(path: Path, order: str, workers: int, n: int) -> float:
    """Augmented faces a second, the loader's start left out."""
    import torch

    from vnvision.data.augment import Augmenter
    from vnvision.imaging import Preprocessor
    from vnvision.spec import PreprocessSpec
    from vnvision.train.config import load_config
    from vnvision.train.data import Pictures, Steps, in_order, make_loader
    from vnvision.train.packed import images_of, open_data

    torch.set_num_threads(1)
    os.environ["FACES"] = str(path)
    config = load_config(Path(__file__).parents[1] / "runs" / "face.yaml")
    images = images_of(open_data(path))
    spec = PreprocessSpec(size_px=(SIDE, SIDE), geometry="squash", mean=(0.5,) * 3, std=(0.5,) * 3)
    preprocessor = Preprocessor(spec)
    pictures = Pictures(images, preprocessor, Augmenter(config.phase_augment(0), SIDE), 0)
    steps: object = in_order(len(pictures), BATCH)[: n // BATCH]
    if order == "random":
        steps = Steps(len(pictures), BATCH, accumulate=1, seed=0, start=0, stop=n // BATCH)
    loader = make_loader(pictures, steps, workers=workers, table=preprocessor.table)  # type: ignore[arg-type]
    times = [time.perf_counter() for _ in loader]
    skipped = max(1, 4 * workers)  # read ahead while the loader started
    return BATCH * (len(times) - 1 - skipped) / (times[-1] - times[skipped])


def speed(out: Path, n: int, workers: int, rounds: int, *, cold: bool) -> dict[str, object]:
    """Medians of every kind and order, and their ratios to files."""
    found: dict[str, list[float]] = {f"{kind} {order}": [] for kind in KINDS for order in ORDERS}
    for _ in range(rounds):
        for kind, name in KINDS.items():
            for order in ORDERS:
                if cold:
                    forget(out)
                found[f"{kind} {order}"].append(rate(out / name, order, workers, n))
        print({name: [round(v) for v in values] for name, values in found.items()}, file=sys.stderr)
    median = {name: statistics.median(values) for name, values in found.items()}
    ratios = {
        f"{kind} {order}": round(median[f"{kind} {order}"] / median[f"files {order}"], 3)
        for kind in ("rec", "shards")
        for order in ORDERS
    }
    return {
        "faces_per_s": {name: round(value) for name, value in median.items()},
        "spread": {name: [round(min(values)), round(max(values))] for name, values in found.items()},
        "over_files": ratios,
    }


def many(out: Path, n: int) -> None:
    """Sets of n pictures of a few bytes: a manifest, a ``.rec``, and the rows of shards that are holes."""
    from vnvision.data.records.coded import Coded
    from vnvision.data.records.face_rec import write_face_rec
    from vnvision.data.records.shard_index import PackJob, Shard, ShardIndex
    from vnvision.data.records.shard_rows import ShardRows, write_rows

    with (out / "many.csv").open("w", newline="") as stream:
        line = csv.writer(stream)
        line.writerow(("path", "identity", "group", "split"))
        line.writerows((f"{i // 1000:06d}/{i:09d}.jpg", str(i // A_PERSON), "g", "train") for i in range(n))
    write_face_rec(out / "many.rec", ([b"x"] * A_PERSON for _ in range(n // A_PERSON)))
    folder, each, step = out / "many", 25_000, 10_240
    folder.mkdir()
    shards = []
    for number in range(-(-n // each)):
        here = min(each, n - number * each)
        file = folder / f"many-{number:06d}.tar"
        with file.open("wb") as hole:
            hole.truncate(here * step)
        size, none = here * step, hashlib.sha256(b"").hexdigest()
        shards.append(Shard(file=file.name, n=here, bytes=size, sha256=none, first_row=number * each))
    columns = ("path", "identity", "group", "split")
    job = PackJob(name="many", manifest_sha256="0" * 64, shard_bytes=each * step, n=n, columns=columns)
    index = ShardIndex(job=job, shards=tuple(shards))
    index.save(folder / "many.index.json")
    people = np.arange(n, dtype=np.int32) // A_PERSON
    only = np.zeros(n, np.int8)
    held = {
        "identity": Coded(people, tuple(map(str, range(n // A_PERSON)))),
        "group": Coded(only, ("g",)), "split": Coded(only, ("train",)),
    }  # fmt: skip
    digest = hashlib.sha256((folder / "many.index.json").read_bytes()).hexdigest()
    offsets = (np.arange(n, dtype=np.int64) % each) * step + 512
    rows = ShardRows(index, folder / "many.index.json", digest, offsets, np.full(n, 9000, np.int16), held)
    write_rows(rows)


_OPEN = """
import ctypes, gc, json, sys, time
from pathlib import Path
import vnvision.train.prepare
from vnvision.train.packed import open_data
def held():
    gc.collect()
    if sys.platform == 'linux':  # what glibc keeps of freed memory is no row's
        ctypes.CDLL('libc.so.6').malloc_trim(0)
    lines = (line.split() for line in Path('/proc/self/status').read_text().splitlines())
    return {line[0]: int(line[1]) * 1024 for line in lines if line[0] in ('VmRSS:', 'VmHWM:')}
before, start = held(), time.perf_counter()
data = open_data(sys.argv[1])
train = data.split('train') if not sys.argv[1].endswith('.rec') else data
spent, after = time.perf_counter() - start, held()
print(json.dumps({'held': (after['VmRSS:'] - before['VmRSS:']) / len(data), 's': spent,
                  'most': (after['VmHWM:'] - before['VmRSS:']) / len(data)}))
"""


def memory(out: Path, n: int) -> dict[str, object]:
    """Bytes a row that an open set holds, the most while it opened, and seconds to open it."""
    many(out, n)
    found: dict[str, object] = {}
    for kind, name in {"manifest": "many.csv", "rec": "many.rec", "shards": "many"}.items():
        command = [sys.executable, "-c", _OPEN, str(out / name)]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        found[kind] = {
            "bytes_a_row": round(told["held"], 1),
            "most_while_opening": round(told["most"], 1),
            "seconds_to_open": round(told["s"], 2),
        }
    return {"rows": n, **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--faces", type=int, default=8_000)
    parser.add_argument("--read", type=int, default=6_400, help="faces of one reading")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rows", type=int, default=1_000_000, help="for memory; 0 leaves it out")
    parser.add_argument("--cold", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True)
    cv2.setNumThreads(0)
    draw(args.out, args.faces)
    read = min(args.read, args.faces)
    result: dict[str, object] = {
        "faces": args.faces,
        "read": read,
        "workers": args.workers,
        "cold": args.cold,
    }
    result |= speed(args.out, read, args.workers, args.rounds, cold=args.cold)
    if args.rows:
        result["memory"] = memory(args.out, args.rows)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
