"""Embeds a list of pictures with the PyPI package `face_recognition`, in that package's own environment.

Called by ``face_recognition_stack.py`` and ``face_pipeline.py``; imports nothing of this project. Each
picture goes through the package's documented calls with their defaults: ``load_image_file``,
``face_locations`` (HOG, upsampled once), ``face_encodings``. With ``--cpus`` pictures are shared among
processes, as the package's own command line does. Prints JSON with seconds; models are loaded before the
clock starts.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from importlib.metadata import version
from pathlib import Path

import face_recognition
import numpy as np

STEPS = ("decode", "detect", "embed")
PACKAGES = ("face_recognition", "face_recognition_models", "dlib-bin", "numpy", "pillow")


def embedded(path: str) -> tuple[np.ndarray, tuple[int, ...], int, list[float]]:
    """The largest face's encoding (128,) and box x0 y0 x1 y1, how many faces there are, and seconds a step.

    NaN and an empty box where there is none.
    """
    times = [time.perf_counter()]
    image = face_recognition.load_image_file(path)
    times.append(time.perf_counter())
    places = face_recognition.face_locations(image)
    times.append(time.perf_counter())
    encodings = face_recognition.face_encodings(image, places)
    times.append(time.perf_counter())
    steps = [after - before for before, after in zip(times, times[1:])]  # noqa: B905, RUF007
    if not places:
        return np.full(128, np.nan), (0, 0, 0, 0), 0, steps
    areas = [(bottom - top) * (right - left) for top, right, bottom, left in places]
    best = int(np.argmax(areas))
    top, right, bottom, left = places[best]
    return encodings[best], (left, top, right, bottom), len(places), steps


def main() -> None:
    """Embed the pictures named in a file, one path a line, and save them as ``npz``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", type=Path, required=True, help="file with one picture path a line")
    parser.add_argument("--out", type=Path, help="npz with embeddings, boxes, faces")
    parser.add_argument("--cpus", type=int, default=1, help="processes")
    args = parser.parse_args()
    paths = args.list.read_text(encoding="utf-8").splitlines()
    embedded(paths[0])  # warm-up
    if args.cpus > 1:
        with multiprocessing.Pool(args.cpus) as pool:
            pool.map(embedded, paths[:1] * args.cpus, chunksize=1)
            begin = time.perf_counter()
            found = pool.map(embedded, paths, chunksize=4)
            seconds = time.perf_counter() - begin
    else:
        begin = time.perf_counter()
        found = [embedded(path) for path in paths]
        seconds = time.perf_counter() - begin
    embeddings, boxes, faces, steps = zip(*found)  # noqa: B905
    if args.out:
        np.savez(args.out, embeddings=np.array(embeddings), boxes=np.array(boxes), faces=np.array(faces))
    report = {
        "pictures": len(paths),
        "seconds": seconds,
        "faces": int(sum(faces)),
        "steps_s": dict(zip(STEPS, np.sum(steps, axis=0).tolist())),  # noqa: B905
        "versions": {name: version(name) for name in PACKAGES},
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
