"""What reading in a decoder process costs: milliseconds a file, direct and isolated in turn.

    python training/benchmarks/isolated_overhead.py --repeats 200

A 1-megapixel JPEG of quality 90 and a thumbnail, both drawn; the start of a process; the memory that a
10-megapixel picture of each kind needs, as the smallest limit under which it decodes. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import cv2
import numpy as np

from vnvision.errors import DataError
from vnvision.imaging import read
from vnvision.imaging.isolated import IsolatedReader


def drawn(width: int, height: int, channels: int = 3, dtype: type = np.uint8) -> np.ndarray:
    small = np.random.default_rng(0).integers(0, 256, (40, 40, channels), dtype=np.uint8)
    image = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).reshape(height, width, channels)
    return image.astype(dtype) * (257 if dtype is np.uint16 else 1)


def encoded(kind: str, image: np.ndarray) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, 90] if kind == ".jpg" else []
    return bytes(cv2.imencode(kind, image, options)[1])


def milliseconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - began)


def compare(data: bytes, repeats: int) -> dict[str, float]:
    """Medians, and quartiles of the difference between neighbours."""
    with IsolatedReader() as reader:
        reader.read(data)
        pairs = [
            (milliseconds(lambda: read(data)), milliseconds(lambda: reader.read(data)))
            for _ in range(repeats)
        ]
    times = np.array(pairs)
    low, median, high = np.percentile(times[:, 1] - times[:, 0], (25, 50, 75))
    direct, isolated = np.median(times, axis=0)
    found = {"direct_ms": direct, "isolated_ms": isolated, "more_ms": median, "low": low, "high": high}
    return {"bytes": len(data)} | {key: round(float(value), 2) for key, value in found.items()}


def start_ms(repeats: int) -> float:
    def once() -> None:
        with IsolatedReader() as reader:
            assert reader.limits

    return round(float(np.median([milliseconds(once) for _ in range(repeats)])), 1)


def smallest_mb(data: bytes) -> int:
    """The smallest memory limit, in steps of 10 MB, under which a file decodes."""
    low, high = 0, 100
    while low < high:
        middle = (low + high) // 2
        try:
            with IsolatedReader(memory_mb=10 * (middle + 1)) as reader:
                reader.read(data)
            high = middle
        except DataError:
            low = middle + 1
    return 10 * (low + 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=200)
    args = parser.parse_args()
    large = (3650, 2740)
    kinds = {
        "jpeg": encoded(".jpg", drawn(*large)),
        "png rgb 8": encoded(".png", drawn(*large)),
        "png rgba 8": encoded(".png", drawn(*large, 4)),
        "png rgba 16": encoded(".png", drawn(*large, 4, np.uint16)),
    }
    result = {
        "jpeg_1_mp": compare(encoded(".jpg", drawn(1155, 866)), args.repeats),
        "jpeg_64_px": compare(encoded(".jpg", drawn(64, 64)), args.repeats),
        "start_ms": start_ms(5),
        "megapixels": large[0] * large[1] / 1e6,
        "smallest_memory_mb": {kind: smallest_mb(data) for kind, data in kinds.items()},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
