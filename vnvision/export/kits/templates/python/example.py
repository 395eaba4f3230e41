"""A picture file in, an answer out.

    python example.py leaf.jpg more.png
    python example.py one_face.png other_face.png

First run self_test.py: it shows that this machine gives the original's answers. Not included: the scope gate
("this is no picture of the kind that the model knows"), the check for leaves that look healthy, reading
DICOM, finding faces. The package vnvision does these.
"""

import argparse
import json
import sys
from pathlib import Path

import cv2
from answers import answer, matches
from model import KitError, Model, positive
from picture import place, read


def told(found, task):
    """An answer as lines of text, Vietnamese and English."""
    names = {x["id"]: f"{x['vi'] or x['id']} / {x['en'] or x['id']}" for x in task["labels"]}
    if "embedding" in found:
        return [f"embedding of {len(found['embedding'])} numbers, length 1"]
    if "boxes" in found:
        lines = [f"{names[name]}: {count}" for name, count in found["counts"].items()]
        for box in found["boxes"]:
            sides = [round(side) for side in box["box_xyxy_px"]]
            lines.append(f"  {box['label']} at {sides} ({box['score']:.2f})")
        return lines
    if "areas_px" in found:
        lines = [f"{names[name]}: {area} pixels" for name, area in found["areas_px"].items()]
        share = found.get("severity")
        return lines + ([] if share is None else [f"bị bệnh / diseased: {share:.1%}"])
    doubt = ["không chắc / not sure: "] if found["unsure"] else [""]
    if "present" in found:
        said = "; ".join(f"{names[name]} ({found['probabilities'][name]:.2f})" for name in found["present"])
        return [doubt[0] + (said or "không có nhãn nào / none of the labels")]
    lines = [f"{doubt[0]}{names[found['label']]}, {found['probability']:.2f}"]
    for point in found["points"]:
        where = "at or above" if point["reached"] else "below"
        lines.append(f"  {point['label']}: {where} {point['threshold']:.3f} ({point['target']})")
    return lines


def run(model, path, landmarks, folder):
    """The answer to one picture file; a mask goes to a PNG file where a folder was given."""
    picture = read(path)
    crop, scale, offset = place(picture, model.spec, landmarks)
    found = answer(model, crop, scale, offset, picture.shape[:2])
    drawn = found.pop("mask", None)
    if drawn is not None and folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        file = Path(folder) / f"{Path(path).stem}.mask.png"
        file.write_bytes(cv2.imencode(".png", drawn)[1].tobytes())
        found["mask_file"] = str(file)
    return found


def show(model, wanted):
    """Print the answers; of two faces also how alike they are."""
    landmarks = json.loads(Path(wanted.landmarks).read_text("utf-8")) if wanted.landmarks else {}
    embeddings = []
    for path in wanted.pictures:
        found = run(model, path, landmarks.get(Path(path).name), wanted.out)
        embeddings.append(found.get("embedding"))
        if wanted.json:
            print(json.dumps({"picture": path, **found}, ensure_ascii=False))
        else:
            print("\n".join([f"{path}: {told(found, model.task)[0]}", *told(found, model.task)[1:]]))
    if len(embeddings) == 2 and embeddings[0]:
        cosine = sum(a * b for a, b in zip(*embeddings, strict=True))
        points = matches(cosine, model.about["operating_points"])
        if wanted.json:
            print(json.dumps({"cosine": cosine, "points": points}, ensure_ascii=False))
            return
        print(f"cosine {cosine:.3f}")
        for point in points:
            said = "cùng một người / same person" if point["match"] else "khác người / different people"
            print(f"  {said} at {point['threshold']:.3f} ({point['target']}, {point['population']})")
        if not points:
            print("  this kit has no threshold: measure one on people like yours before you decide")


def main():
    """See the top of this file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pictures", nargs="+")
    parser.add_argument("--threads", type=positive, default=1, help="for one inference")
    parser.add_argument("--json", action="store_true", help="one JSON line a picture")
    parser.add_argument("--out", help="folder for masks, as PNG files of label indices")
    parser.add_argument("--landmarks", help='JSON file {"face.jpg": [[x, y], ... five]} of uncut faces')
    wanted = parser.parse_args()
    try:
        show(Model(threads=wanted.threads), wanted)
    except KitError as exc:
        print(f"example: {exc}", file=sys.stderr)
        return 2
    except (OSError, ValueError, AttributeError) as exc:
        print(f"example: {wanted.landmarks or wanted.out}: {exc}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
