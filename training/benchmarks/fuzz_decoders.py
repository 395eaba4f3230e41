"""Feed mutated PNG, JPEG and DICOM files to the decoders, and count what comes out.

    python training/benchmarks/fuzz_decoders.py --n 100000 --seed 0 --workers 2 --json OUT.json --save FOLDER
    python training/benchmarks/fuzz_decoders.py --only 4711 --save FOLDER

Each case follows from the seed and its index alone, so ``--only`` makes any of them again. A file may decode
or give a typed error. Everything else is a violation, its input is saved, and the run exits 1: a crash, an
exception without a type of ours, an answer that makes no sense, an image or an error line of another kind
than promised. Memory and time limits that were reached are typed errors, counted on their own. At the end
every sound file must decode as at the beginning, and as without isolation.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from vnvision.errors import VnvisionError
from vnvision.imaging import read
from vnvision.imaging.isolated import DecoderError, IsolatedReader
from vnvision.records import Sample

sys.path.insert(0, str(Path(__file__).parent))
from fuzzing.cases import KINDS, Case, make, sound_files

ALLOWED = ("decoded", "refused", "memory", "time")
BATCH = 1000
_ADDRESS = re.compile("0x[0-9a-f]+")  # of an object, which Pillow quotes


@dataclass(frozen=True)
class Outcome:
    """What came of it; ``result`` names the image or the error."""

    outcome: str
    result: str


def judge(reader: IsolatedReader, case: Case) -> Outcome:
    """Decode one case and say what came of it."""
    try:
        sample = reader.read(case.data, max_pixels=case.max_pixels)
    except DecoderError as exc:
        return Outcome(exc.kind, str(exc))
    except VnvisionError as exc:
        line = str(exc)
        plain = line.startswith(("image bytes ", "image bytes: ")) and "\n" not in line
        return Outcome("refused" if plain else "odd error", f"{type(exc).__name__}: {line}")
    return Outcome("decoded" if promised(sample) else "odd image", describe(sample))


def promised(sample: Sample) -> bool:
    """Whether an image is of a kind that ``read`` says it returns."""
    image = sample.image
    fits = image.ndim == 3 and image.shape[2] in (1, 3) and image.size > 0 and sample.source is None
    return fits and image.dtype in (np.uint8, np.uint16, np.float32)


def describe(sample: Sample) -> str:
    shape = "x".join(map(str, sample.image.shape))
    facts = zlib.crc32(repr((sample.spacing_mm, sorted(sample.meta.items()))).encode())
    return f"{shape} {sample.image.dtype} crc {zlib.crc32(sample.image.tobytes()):08x} {facts:08x}"


def fingerprint(sample: Sample | VnvisionError) -> str:
    return describe(sample) if isinstance(sample, Sample) else f"{type(sample).__name__}: {sample}"


def pristine(reader: IsolatedReader, kinds: tuple[str, ...]) -> dict[str, str]:
    """What every sound file decodes to."""
    named = {name: data for kind in kinds for name, data in sound_files()[kind].items()}
    return dict(zip(named, map(fingerprint, reader.read_many(named.values())), strict=True))


def direct(kinds: tuple[str, ...]) -> dict[str, str]:
    """The same without isolation: these files are sound."""
    found = {}
    for kind in kinds:
        for name, data in sound_files()[kind].items():
            try:
                found[name] = fingerprint(read(data))
            except VnvisionError as exc:
                found[name] = fingerprint(exc)
    return found


def run(n: int, seed: int, kinds: tuple[str, ...], workers: int, memory_mb: int, save: Path | None) -> dict:
    """All cases ``0 .. n - 1``; a summary that JSON can hold."""
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in kinds}
    listed: list[dict[str, object]] = []
    slowest: list[tuple[float, int]] = []
    digest, began = 0, time.monotonic()
    with (
        IsolatedReader(workers=workers, memory_mb=memory_mb) as reader,
        ThreadPoolExecutor(workers) as pool,
    ):
        before = pristine(reader, kinds)

        def one(index: int) -> tuple[Case, Outcome, float]:
            case = make(seed, index, kinds)
            started = time.monotonic()
            return case, judge(reader, case), time.monotonic() - started

        for start in range(0, n, BATCH):
            for case, outcome, took in pool.map(one, range(start, min(start + BATCH, n))):
                slowest = sorted([*slowest, (round(took, 2), case.index)])[-5:]
                counts[case.kind][outcome.outcome] += 1
                result = _ADDRESS.sub("", outcome.result)
                digest = zlib.crc32(f"{case.index} {outcome.outcome} {result}".encode(), digest)
                if outcome.outcome not in ("decoded", "refused"):
                    listed.append(record(case, outcome))
                    if save:
                        write(save, case, outcome)
            spent = time.monotonic() - began
            print(f"{start + BATCH:>8} {spent:7.0f} s {json.dumps(counts)}", file=sys.stderr, flush=True)
        after = pristine(reader, kinds)
    plain = direct(kinds)
    changed = [name for name in before if not before[name] == after[name] == plain[name]]
    return {
        "n": n,
        "seed": seed,
        "kinds": {kind: dict(sorted(counts[kind].items())) for kind in kinds},
        "violations": sum(item["outcome"] not in ALLOWED for item in listed),
        "sound_files": len(before),
        "sound_files_that_decode": sum("crc" in text for text in before.values()),
        "sound_files_changed": changed,
        "seconds": round(time.monotonic() - began, 1),
        "slowest_s_and_index": slowest[::-1],
        "digest": f"{digest:08x}",
        "listed": listed,
    }


def record(case: Case, outcome: Outcome) -> dict[str, object]:
    facts = asdict(case) | asdict(outcome) | {"bytes": len(case.data)}
    del facts["data"]
    return facts


def write(folder: Path, case: Case, outcome: Outcome) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{case.index}_{outcome.outcome.replace(' ', '_')}.{case.kind}"
    path.write_bytes(case.data)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--memory-mb", type=int, default=1024)
    parser.add_argument("--json", type=Path, help="write the result here too")
    parser.add_argument("--save", type=Path, help="folder for the inputs that broke something")
    parser.add_argument("--only", type=int, metavar="INDEX", help="this case alone")
    args = parser.parse_args()
    kinds = tuple(args.kinds)
    if args.only is not None:
        case = make(args.seed, args.only, kinds)
        with IsolatedReader(memory_mb=args.memory_mb) as reader:
            outcome = judge(reader, case)
        if args.save:
            print(write(args.save, case, outcome), file=sys.stderr)
        print(json.dumps(record(case, outcome), ensure_ascii=False, indent=1))
        sys.exit(outcome.outcome not in ALLOWED)
    result = run(args.n, args.seed, kinds, args.workers, args.memory_mb, args.save)
    if args.json:
        args.json.write_text(json.dumps(result, ensure_ascii=False, indent=1), encoding="utf-8")
    print(json.dumps(result, ensure_ascii=False))
    sys.exit(bool(result["violations"] or result["sound_files_changed"]))


if __name__ == "__main__":
    main()
