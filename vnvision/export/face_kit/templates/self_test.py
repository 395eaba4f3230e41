"""The golden pictures against the original's answers, with numpy, OpenCV and the kit's engine alone.

    python self_test.py [--threads 2] [--repeat 20] [--json]

Ends with 0 (PASS), 1 (FAIL: this machine answers otherwise, do not ship) or 2 (it could not run).
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from face_chain import Chain, FaceChainError, in_a_line  # noqa: E402

GROUPS = ("class", "objectness", "box", "landmarks")


def golden(folder):
    """The arrays of golden.npz by name."""
    try:
        with np.load(folder / "golden.npz", allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError) as exc:
        raise FaceChainError(f"cannot read {folder / 'golden.npz'}: {exc}") from exc


def compared(name, got, right, limits):
    """Figures of one raw output: difference over the spread of the original's answers, and cosine."""
    if got.shape != right.shape or not np.isfinite(got).all():
        return [{"name": f"{name} shape", "value": None, "limit": None, "passed": False}]
    gap = np.abs(got.astype(np.float64) - right).max() / (right.max(0) - right.min(0)).max()
    one, other = (np.asarray(a, np.float64).reshape(len(a), -1) for a in (got, right))
    sizes = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    cosine = float(((one * other).sum(1) / np.maximum(sizes, 1e-30)).mean())
    return [at_most(f"{name} relative difference", gap, limits["relative"]),
            at_least(f"{name} mean cosine", cosine, limits["cosine"])]  # fmt: skip


def at_most(name, value, limit):
    """A figure that has to stay below; one that is no number fails."""
    return {"name": name, "value": float(value), "limit": limit, "passed": bool(value <= limit)}


def at_least(name, value, limit):
    """A figure that has to stay above."""
    return {"name": name, "value": float(value), "limit": limit, "passed": bool(value >= limit)}


def networks(chain, kept, limits):
    """Raw outputs of the two networks, from uint8 pictures."""
    planes = np.ascontiguousarray(kept["patches"][..., ::-1].transpose(0, 3, 1, 2), np.float32)
    rows = [chain.detector(plane[None]) for plane in planes]
    maps = [np.concatenate(column) for column in zip(*rows, strict=True)]
    figures = []
    for place, group in enumerate(GROUPS):
        right = [kept[f"map_{i:02d}"] for i in range(3 * place, 3 * place + 3)]
        if [m.shape for m in maps[3 * place : 3 * place + 3]] != [m.shape for m in right]:
            return [{"name": f"detector, {group} shape", "value": None, "limit": None, "passed": False}]
        got = np.concatenate(maps[3 * place : 3 * place + 3], axis=1)
        figures += compared(f"detector, {group}", got, np.concatenate(right, axis=1), limits)
    raw = np.concatenate([chain.embedder(one[None])[0] for one in chain.inputs(kept["images"])])
    return figures + compared("embedder", raw, kept["outputs"], limits)


def whole(chain, kept, limits):
    """The chain, picture by picture: faces, crops on the template, embeddings."""
    gaps = {"box": [0.0], "landmark": [0.0], "score": [0.0], "crop": [0.0], "cosine": [1.0]}
    figures, first = [], 0
    for number in range(sum(name.startswith("picture_") for name in kept)):
        picture, rows = kept[f"picture_{number}"], kept[f"faces_{number}"]
        faces = chain.faces(picture)
        if len(faces) != len(rows):
            name = f"picture {number}, number of faces"
            figures.append({"name": name, "value": len(faces), "limit": len(rows), "passed": False})
            first += len(rows)
            continue
        for face, row in zip(faces, rows, strict=True):
            marks, crop = row[4:14].reshape(5, 2), kept["images"][first].astype(np.float64)
            gaps["box"].append(np.abs(face.box - row[:4]).max())
            gaps["landmark"].append(np.abs(face.landmarks - marks).max())
            gaps["score"].append(abs(face.score - row[14]))
            gaps["crop"].append(np.abs(chain.align(picture, marks) - crop).mean())
            gaps["cosine"].append(float(face.embedding @ kept["embeddings"][first]))
            first += 1
    return [
        *figures,
        at_most("boxes, pixels apart", max(gaps["box"]), limits["box_px"]),
        at_most("landmarks, pixels apart", max(gaps["landmark"]), limits["landmark_px"]),
        at_most("scores apart", max(gaps["score"]), limits["score"]),
        at_most("aligned crops, mean levels apart", max(gaps["crop"]), limits["crop_levels"]),
        at_least("embeddings, least cosine", min(gaps["cosine"]), limits["cosine"]),
    ]


def times(chain, picture, repeat):
    """Median milliseconds of each step on one picture, and of all on the 95th percentile."""
    spent = []
    for _ in range(repeat):
        marks = [time.perf_counter()]
        faces = chain.detect(picture)
        marks.append(time.perf_counter())
        crops = np.stack([chain.align(picture, face.landmarks) for face in faces])
        marks.append(time.perf_counter())
        chain.embed(crops)
        marks.append(time.perf_counter())
        spent.append([*np.diff(marks), marks[-1] - marks[0]])
    detect, align, embed, chain_ms = (1000 * np.median(spent, axis=0)).tolist()
    late = 1000 * float(np.percentile(np.array(spent)[:, 3], 95))
    return {"detect": detect, "align": align, "embed": embed, "chain": chain_ms, "chain_p95": late}


def main():
    """See the top of this file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1, help="of one inference")
    parser.add_argument("--repeat", type=int, default=0, help="measure time so often")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    try:
        chain, kept = Chain(HERE, wanted.threads), golden(HERE)
        limits = chain.about["tolerance"]
        figures = networks(chain, kept, limits) + whole(chain, kept, limits)
        spent = times(chain, kept["picture_0"], wanted.repeat) if wanted.repeat > 0 else None
    except Exception as exc:  # noqa: BLE001  engines have errors of their own
        print(f"cannot run: {in_a_line(exc)}", file=sys.stderr)
        return 2
    passed = all(figure["passed"] for figure in figures)
    if wanted.json:
        print(json.dumps({"passed": passed, "figures": figures, "time_ms": spent}))
        return 0 if passed else 1
    for figure in figures:
        value = "missing" if figure["value"] is None else f"{figure['value']:.7g}"
        print(
            f"{figure['name']:<44}{value:>14} (limit {figure['limit']}){'' if figure['passed'] else '  FAIL'}"
        )
    if spent:
        each = ", ".join(f"{name} {spent[name]:.1f}" for name in ("detect", "align", "embed", "chain"))
        size = "{} x {}".format(*kept["picture_0"].shape[1::-1])
        print(f"milliseconds, median of {wanted.repeat}, {size} pixels: {each}; p95 {spent['chain_p95']:.1f}")
    print("PASS" if passed else "FAIL")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
