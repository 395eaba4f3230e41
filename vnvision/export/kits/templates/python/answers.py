"""From the model's raw output to an answer: probabilities, a unit embedding, a mask, boxes."""

import cv2
import numpy as np
from model import KitError


def answer(model, crop, scale, offset, size):
    """A dictionary for JSON of a crop, see ``picture.place``; ``size`` is the picture's height and width."""
    output, task = model.output(crop[None])[0], model.task
    if not np.isfinite(output).all():
        raise KitError("the model answered NaN or infinity")
    if task["kind"] == "embedding":
        return {"embedding": unit(output).tolist()}
    if task["kind"] == "detection":
        found = boxes(output, task, size, scale, offset)
        names = [box["label"] for box in found]
        return {"boxes": found, "counts": {name: names.count(name) for name in ids(task)}}
    if task["kind"] == "segmentation":
        found = mask(output, model.spec, size, scale, offset)
        return {"mask": found, **areas(found, task)}
    return classes(output, task, model.about["calibration"], model.about["operating_points"])


def ids(task):
    """The labels' ids, in the order of the outputs."""
    return [label["id"] for label in task["labels"]]


def unit(embedding):
    """An embedding scaled to length 1; the cosine of two faces is the product of theirs."""
    length = np.linalg.norm(embedding)
    if not length:
        raise KitError("the model answered an embedding of length 0")
    return embedding / length


def classes(logits, task, calibration, points):
    """Calibrated probabilities, the best label, and whether it is too unsure to act on."""
    many, names = task["kind"] == "multilabel", ids(task)
    logits = logits / np.array(calibration["temperatures"])
    found = np.exp(logits - logits.max())
    found = 1 / (1 + np.exp(-logits)) if many else found / found.sum()
    sure = np.maximum(found, 1 - found).min() if many else found.max()
    limit, rule = calibration["abstain_below"], calibration["abstention"]
    unsure = (limit is not None and sure < limit) or (rule is not None and rule["bound"] is None)
    best = int(found.argmax())
    answered = {"label": names[best], "probability": float(found[best]), "unsure": bool(unsure)}
    if many:
        answered = {"present": [name for name, p in zip(names, found, strict=True) if p >= 0.5],
                    "unsure": bool(unsure)}  # fmt: skip
    scores = dict(zip(names, found.tolist(), strict=True))
    reached = [
        {"label": point["label"], "target": point["target"], "threshold": point["threshold"],
         "reached": scores[point["label"]] >= point["threshold"]}
        for point in points if point["scale"] == "probability" and point["label"] in scores
    ]  # fmt: skip
    return {**answered, "probabilities": scores, "points": reached}


def matches(cosine, points):
    """Whether two faces count as one person, at each of the bundle's thresholds."""
    return [
        {"target": point["target"], "population": point["population"], "threshold": point["threshold"],
         "match": bool(cosine >= point["threshold"])}
        for point in points if point["scale"] == "cosine"
    ]  # fmt: skip


def mask(planes, spec, size, scale, offset):
    """Planes (C, h, w) -> label indices (H, W) of the picture."""
    step = np.array(planes.shape[:0:-1]) / np.array(spec["size_px"][::-1])
    (sx, sy), (ox, oy) = np.array(scale) * step, np.array(offset) * step
    matrix = np.array([[sx, 0, 0.5 * sx + ox - 0.5], [0, sy, 0.5 * sy + oy - 0.5]])
    flags = {"flags": cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, "borderMode": cv2.BORDER_REPLICATE}
    large = [cv2.warpAffine(p, matrix, size[::-1], **flags) for p in planes.astype(np.float32)]
    found = np.argmax(large, axis=0).astype(np.uint8)
    if spec["geometry"] == "crop":  # what the model did not see is label 0
        h, w = spec["size_px"]
        y = (np.arange(size[0]) + 0.5) * scale[1] + offset[1]
        x = (np.arange(size[1]) + 0.5) * scale[0] + offset[0]
        found[(y < 0) | (y > h)] = 0
        found[:, (x < 0) | (x > w)] = 0
    return found


def areas(found, task):
    """Pixels of each label, and the diseased share where the task has one."""
    names = ids(task)
    counts = dict(zip(names, np.bincount(found.reshape(-1), minlength=len(names)).tolist(), strict=True))
    if not task["severity"]:
        return {"areas_px": counts}
    sick, whole = (sum(counts[name] for name in task["severity"][key]) for key in ("diseased", "whole"))
    return {"areas_px": counts, "severity": sick / whole if whole else None}


def boxes(planes, task, size, scale, offset):
    """Planes (labels + 4, h, w) -> boxes in pixels of the picture, best first."""
    how, names = task["boxes"], ids(task)
    n = len(names)
    scores = 1 / (1 + np.exp(-planes[:n].clip(-60, 60)))
    logits, limits = planes[:n].astype(np.float32), np.resize(how["thresholds"], n)[:, None, None]
    peaks = np.stack([p == cv2.dilate(p, np.ones((3, 3), np.uint8)) for p in logits])
    places = np.argwhere(peaks & (scores >= limits))
    places = sorted(places.tolist(), key=lambda place: -scores[tuple(place)])[: 4 * how["max_boxes"]]
    found = []
    for label, row, column in places:
        left, top, right, bottom = planes[n:, row, column]
        sides = np.array([column + 0.5 - left, row + 0.5 - top, column + 0.5 + right, row + 0.5 + bottom])
        box = (sides * how["stride_px"] - np.tile(offset, 2)) / np.tile(scale, 2)
        box = box.clip(0, np.tile(size[::-1], 2))
        rivals = (other["box_xyxy_px"] for other in found if other["label"] == names[label])
        if (box[2:] > box[:2]).all() and all(overlap(box, rival) <= how["nms_iou"] for rival in rivals):
            score = float(scores[label, row, column])
            found.append({"box_xyxy_px": box.tolist(), "label": names[label], "score": score})
    return found[: how["max_boxes"]]


def overlap(one, other):
    """Intersection over union of two boxes."""
    wide, tall = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    shared = max(wide, 0) * max(tall, 0)
    area = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return shared / (area - shared)
