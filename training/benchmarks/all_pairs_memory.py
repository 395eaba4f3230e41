"""Peak memory and time of the all-pairs protocol on many stored templates, in a process of its own.

Synthetic templates: persons are random directions, images of a person scatter around them. No N x N matrix is
formed: the peak should be that of the templates, twice, and a few blocks. Prints JSON.

    python training/benchmarks/all_pairs_memory.py
    python training/benchmarks/all_pairs_memory.py --images 100000
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import time

import numpy as np

_PART = 4096


def synthetic(images: int, dimensions: int, images_each: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(N, D) unit-norm float32, and (N,) person codes; made in parts so that making them costs no peak."""
    rng = np.random.default_rng(seed)
    codes = np.arange(images) // images_each
    centres = rng.normal(size=(codes[-1] + 1, dimensions)).astype(np.float32)
    out = np.empty((images, dimensions), np.float32)
    for at in range(0, images, _PART):
        part = slice(at, at + _PART)
        out[part] = centres[codes[part]] + 0.9 * rng.standard_normal((len(out[part]), dimensions), np.float32)
        out[part] /= np.linalg.norm(out[part], axis=1, keepdims=True)
    return out, codes


def measure(images: int, dimensions: int, images_each: int, groups: int, block: int) -> dict[str, object]:
    """Evaluate in this process."""
    from vnvision.evaluate.faces import evaluate_faces
    from vnvision.faces.embedded import EmbeddedFaces

    before = peak_mib()
    embeddings, codes = synthetic(images, dimensions, images_each)
    columns = {
        "identity": tuple(f"p{code}" for code in codes.tolist()),
        "group": tuple(f"g{code % groups}" for code in codes.tolist()),
    }
    paths = tuple(f"{i}.jpg" for i in range(images))
    faces = EmbeddedFaces(embeddings, paths, ("",) * images, columns, "synthetic", "0" * 64)
    del embeddings
    made, start, busy = peak_mib(), time.perf_counter(), time.process_time()
    report = evaluate_faces(faces, "all-pairs", group="group", block=block)
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    return {
        "images": images,
        "dimensions": dimensions,
        "persons": report.n_subjects,
        "comparisons": report.n_genuine + report.n_impostor,
        "templates_mib": round(images * dimensions * 4 / 2**20),
        "n_by_n_mib": round(images**2 * 4 / 2**20),
        "peak_mib": {"imports": before, "with templates": made, "evaluated": peak_mib()},
        "seconds": round(seconds, 1),
        "cpu_seconds": round(busy, 1),
        "python": platform.python_version(),
        "machine": platform.processor() or platform.machine(),
    }


def peak_mib() -> int:
    """The most memory this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--images-each", type=int, default=10)
    parser.add_argument("--groups", type=int, default=4)
    parser.add_argument("--block", type=int, default=2048)
    parser.add_argument("--here", action="store_true", help="measure in this process")
    asked = parser.parse_args()
    if asked.here:
        result = measure(asked.images, asked.dimensions, asked.images_each, asked.groups, asked.block)
        print(json.dumps(result, indent=2))
        return
    subprocess.run([sys.executable, __file__, *sys.argv[1:], "--here"], check=True)


if __name__ == "__main__":
    main()
