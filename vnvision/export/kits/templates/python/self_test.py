"""The golden pictures against the original's answers, on this machine.

    python self_test.py [--threads N]

Ends with 0 (PASS), 1 (FAIL: this machine does not give the original's answers) or 2 (it could not run).
"""

import argparse
import sys

import numpy as np
from model import HERE, KitError, Model, positive, read_golden


def self_test(folder=HERE, threads=1):
    """Print the largest relative difference of each output; True where all are within tolerance."""
    golden = read_golden(folder)
    model = Model(folder, threads)
    about = model.about
    print(f"{'model':<10} {about['name']}, target {about['target']}, {len(golden['images'])} golden pictures")
    found = model.differences(golden)
    for name, gap in found.items():
        limit = about["tolerance"][name]
        verdict = "ok" if gap <= limit else "WRONG"
        print(f"{name:<10} relative difference {gap:.3g} (at most {limit:g}) {verdict}")
    good = model.agrees(found) & placed_right(model, golden)
    print("PASS" if good else "FAIL")
    return good


def placed_right(model, golden):
    """Whether a picture of another size is brought to the model's size as in training."""
    if "picture" not in golden:
        return True
    try:
        import cv2
    except ImportError:
        print(f"{'size':<10} not tested: OpenCV is not installed")
        return True
    from picture import place

    crop, _, _ = place(golden["picture"], model.spec, golden.get("landmarks"))
    right = golden["placed"].astype(int)
    # Builds of OpenCV for other processors may round otherwise, by a level or two.
    gap = np.abs(crop - right).max() if crop.shape == right.shape else 255
    verdict = "ok" if gap <= 2 else "WRONG"
    opencv = f"OpenCV {cv2.__version__}"
    print(f"{'size':<10} largest difference {gap} of 255 levels (at most 2), {opencv} {verdict}")
    return bool(gap <= 2)


def main():
    """See the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=positive, default=1, help="for one inference")
    wanted = parser.parse_args()
    try:
        return 0 if self_test(threads=wanted.threads) else 1
    except KitError as exc:
        print(f"self_test: {exc}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
