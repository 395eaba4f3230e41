"""Where a classifier looked: class activation maps out of its file, or occlusion on any model. No torch."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from vnvision.errors import ConfigError, ModelError
from vnvision.imaging.geometry import placement
from vnvision.imaging.strips import strips_of
from vnvision.metrics.scores import probabilities
from vnvision.runtime.target import CropModel
from vnvision.spec import PreprocessSpec, TaskSpec

METHODS = ("auto", "cam", "occlusion")
_CELLS = 14  # positions of the occluding square along each side
_SHARE = 1 / 5  # its side, as a share of the picture's
_BATCH = 16


def heatmap(model: CropModel, image: np.ndarray, label: str | None, method: str) -> np.ndarray:
    """See ``Predictor.heatmap``: (H, W) float32, 0 to 1."""
    if method not in METHODS:
        raise ConfigError("there is no such heatmap", expected=" or ".join(METHODS), got=repr(method))
    if model.task.kind not in ("classification", "multilabel"):
        raise ConfigError("a heatmap needs a classifier", got=model.task.kind)
    crop = model.preprocessor.geometry(image)
    outputs = model.run_crops([crop])
    index = _index(model.task, label, outputs.answer[0])
    if method == "cam" and outputs.cam is None:
        raise ModelError(
            f"the file of {model.name} holds no class activation maps",
            fix="use method='occlusion', or export it again; networks that do not end in a mean have none",
        )
    if method == "occlusion" or outputs.cam is None:
        plane = occlusion(lambda crops: model.run_crops(crops).answer, crop, index, model.task)
    else:
        plane = outputs.cam[0, index]
    size = (image.shape[0], image.shape[1])
    return unit_range(to_picture(plane, size, model.task.preprocess))


def occlusion(
    run: Callable[[list[np.ndarray]], np.ndarray], crop: np.ndarray, label: int, task: TaskSpec
) -> np.ndarray:
    """How much a label's log odds fall where a square hides the picture (Zeiler & Fergus 2014, section 4.2).

    A square of a fifth of each side, in the crop's mean colour, at 14 x 14 places. A place of the map is
    the mean fall over the squares that cover it.

    Args:
        run: crops -> logits (N, C).
        crop: (h, w, C) as the model's preprocessing gives it.
        label: index.
        task: how logits are read.

    Returns:
        (h, w) float32; negative where hiding makes the label likelier.
    """
    height, width = crop.shape[:2]
    sides = max(1, round(height * _SHARE)), max(1, round(width * _SHARE))
    tops = np.unique(np.linspace(0, height - sides[0], _CELLS).round().astype(int))
    lefts = np.unique(np.linspace(0, width - sides[1], _CELLS).round().astype(int))
    fill = np.rint(crop.mean(axis=(0, 1))).astype(crop.dtype)
    places = [(slice(t, t + sides[0]), slice(x, x + sides[1])) for t in tops.tolist() for x in lefts.tolist()]
    whole = _log_odds(run([crop]), label, task)[0]
    total, covered = np.zeros((height, width)), np.zeros((height, width))
    for start in range(0, len(places), _BATCH):
        part = places[start : start + _BATCH]
        hidden = [crop.copy() for _ in part]
        for picture, place in zip(hidden, part, strict=True):
            picture[place] = fill
        for place, odds in zip(part, _log_odds(run(hidden), label, task), strict=True):
            total[place] += whole - odds
            covered[place] += 1
    return (total / np.maximum(covered, 1)).astype(np.float32)


def to_picture(plane: np.ndarray, size_px: tuple[int, int], spec: PreprocessSpec) -> np.ndarray:
    """A plane (h, w) over the model's input, enlarged bilinearly to the picture (H, W).

    0 where the model saw nothing of the picture: the rim of a centre crop. Of strips each goes back to its
    own place.
    """
    if spec.geometry == "strips":
        strips = strips_of(size_px)
        squashed = spec.model_copy(update={"geometry": "squash"})
        return strips.unstack(to_picture(plane, strips.stacked_px, squashed))
    where = placement(size_px, spec.size_px, spec.geometry, spec.crop_pct)
    height, width = plane.shape
    scale = where.scale[0] * width / spec.size_px[1], where.scale[1] * height / spec.size_px[0]
    start = where.offset_px[0] * width / spec.size_px[1], where.offset_px[1] * height / spec.size_px[0]
    matrix = np.array(
        [[scale[0], 0, 0.5 * scale[0] + start[0] - 0.5], [0, scale[1], 0.5 * scale[1] + start[1] - 0.5]]
    )
    large = cv2.warpAffine(
        np.ascontiguousarray(plane, dtype=np.float32),
        matrix,
        size_px[::-1],
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    for axis, (factor, offset, size) in enumerate(
        zip(where.scale, where.offset_px, spec.size_px[::-1], strict=True)
    ):
        at = (np.arange(size_px[1 - axis]) + 0.5) * factor + offset
        unseen = (at < 0) | (at > size)
        large[(slice(None), unseen) if axis == 0 else (unseen, slice(None))] = 0
    return np.asarray(large, dtype=np.float32)


def unit_range(plane: np.ndarray) -> np.ndarray:
    """Positive part over the largest value, float32 0 to 1; all 0 where nothing is positive."""
    positive = np.maximum(plane, 0).astype(np.float32)
    top = float(positive.max(initial=0))
    return np.asarray(positive / np.float32(top)) if top > 0 else positive


def _index(task: TaskSpec, label: str | None, logits: np.ndarray) -> int:
    if label is None:
        return int(logits.argmax())
    if label not in task.label_ids:
        raise ConfigError(f"there is no label {label!r}", expected=", ".join(task.label_ids))
    return task.label_ids.index(label)


def _log_odds(logits: np.ndarray, label: int, task: TaskSpec) -> np.ndarray:
    """(N,) log of p / (1 - p) of a label."""
    if task.kind == "multilabel":
        return logits[:, label].astype(np.float64)
    p = probabilities(logits, "softmax")
    others = np.delete(p, label, axis=1).sum(axis=1)
    tiny = np.finfo(np.float64).tiny
    return np.asarray(np.log(np.maximum(p[:, label], tiny)) - np.log(np.maximum(others, tiny)))
