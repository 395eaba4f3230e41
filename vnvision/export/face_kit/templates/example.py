"""Whether the largest faces of two pictures show one person.

    python example.py a.jpg b.jpg [--threshold fmr=1e-4@korean] [--threads 2] [--json]

Ends with 0 (answered) or 2 (it could not: no face, no picture). A person decides; the answer helps.
"""

import argparse
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from face_chain import Chain, FaceChainError, in_a_line, read, similarity  # noqa: E402


def largest(chain, path):
    """The largest face of a picture, and how many there are."""
    faces = chain.faces(read(path))
    if not faces:
        raise FaceChainError(
            f"no face found in {path}: take another picture, nearer and brighter, looking at the camera"
            f" | không thấy khuôn mặt trong {path}: hãy chụp lại gần hơn, sáng hơn, nhìn thẳng vào máy"
        )
    return max(faces, key=lambda face: face.area), len(faces)


def about_threshold(chain, request, limit):
    """Where a threshold comes from, in words."""
    chosen = chain.about["thresholds"]["chosen"]
    if request is not None and request in chain.about["thresholds"]["values"]:
        return f"{limit:.4f} ({request})"
    if request is not None or chosen["target"] is None:
        return f"{limit:.4f} (stated)"
    whom = f"the strictest of {chosen['populations']} populations: " if chosen["populations"] > 1 else ""
    return f"{limit:.4f} ({chosen['target']}, {whom}{chosen['population']})"


def main():
    """See the top of this file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pictures", nargs=2)
    parser.add_argument("--threshold", help="a cosine, or a rate listed in manifest.json")
    parser.add_argument("--threads", type=int, default=1, help="of one inference")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    try:
        chain = Chain(HERE, wanted.threads)
        limit = chain.threshold(wanted.threshold)
        (one, n_one), (other, n_other) = (largest(chain, path) for path in wanted.pictures)
    except Exception as exc:  # noqa: BLE001  engines have errors of their own
        print(in_a_line(exc), file=sys.stderr)
        return 2
    cosine = similarity(one, other)
    same = cosine >= limit
    if wanted.json:
        answer = {"similarity": cosine, "threshold": limit, "same": same, "faces": [n_one, n_other]}
        print(json.dumps(answer))
        return 0
    for path, count in zip(wanted.pictures, (n_one, n_other), strict=True):
        if count > 1:
            print(
                f"note: {count} faces in {path}, the largest is compared | so mặt lớn nhất trong {count} mặt"
            )
    verdict = "the same person | cùng một người" if same else "not the same person | không cùng một người"
    print(f"{verdict}: cosine {cosine:.4f}, threshold {about_threshold(chain, wanted.threshold, limit)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
