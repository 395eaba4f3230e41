"""Planes become masks and boxes at the picture's own size, whatever the geometry did."""

import numpy as np
import pytest

from vnvision.data.centres import centre_maps
from vnvision.errors import ModelError
from vnvision.imaging import Preprocessor
from vnvision.imaging.geometry import placement
from vnvision.imaging.rle import encode
from vnvision.metrics.severity import severity_of
from vnvision.records import Detections, MaskPrediction
from vnvision.runtime.dense import box_answer, detections, mask_answer, masks, suppress
from vnvision.spec import BoxSpec, Label, PreprocessSpec, SeveritySpec, TaskSpec


def task(kind="segmentation", geometry="squash", size=(96, 128), n=3, **more):
    labels = tuple(Label(id=name) for name in ("background", "leaf", "lesion")[:n])
    return TaskSpec(
        kind=kind,
        labels=labels,
        preprocess=PreprocessSpec(size_px=size, geometry=geometry, interpolation="bilinear"),
        score="softmax" if kind == "segmentation" else "sigmoid",
        boxes=BoxSpec(**more) if kind == "detection" else None,
        severity=SeveritySpec(diseased=("lesion",), whole=("leaf", "lesion"))
        if kind == "segmentation"
        else None,
    )


def scene(height, width):
    mask = np.zeros((height, width), np.uint8)
    mask[height // 5 : height // 2, width // 4 : width // 2] = 1
    mask[height // 3 : height // 2, width // 3 : width // 2] = 2
    return mask


@pytest.mark.parametrize("geometry", ["squash", "letterbox", "crop"])
@pytest.mark.parametrize("size_px", [(480, 640), (333, 100), (64, 200)])
@pytest.mark.parametrize("stride", [1, 4])
def test_a_mask_sent_through_the_geometry_comes_back(geometry, size_px, stride):
    spec = task(geometry=geometry)
    truth = scene(*size_px)
    planes = []
    for label in range(3):
        plane = np.repeat(((truth == label) * np.uint8(255))[:, :, None], 3, axis=2)
        small = Preprocessor(spec.preprocess).geometry(plane)[:, :, 0].astype(np.float32)
        planes.append(small.reshape(96 // stride, stride, 128 // stride, stride).mean(axis=(1, 3)))
    answer = masks(np.stack(planes)[None], [size_px], spec)[0]
    assert answer.shape == size_px
    inside = np.ones(size_px, bool)
    if geometry == "crop":
        where = placement(size_px, (96, 128), "crop")
        x = (np.arange(size_px[1]) + 0.5) * where.scale[0] + where.offset_px[0]
        y = (np.arange(size_px[0]) + 0.5) * where.scale[1] + where.offset_px[1]
        inside = np.outer((y >= 0) & (y <= 96), (x >= 0) & (x <= 128))
        assert not answer[~inside].any()
    assert (answer == truth)[inside].mean() > (0.97 if stride == 1 else 0.93)


@pytest.mark.parametrize("geometry", ["squash", "letterbox", "crop"])
def test_boxes_sent_through_the_geometry_come_back(geometry):
    spec = task("detection", geometry, n=2, stride_px=4, thresholds=(0.5,))
    size_px = (240, 300)
    boxes = np.array([[100, 60, 160, 130], [180, 100, 220, 140]], np.float32)
    where = placement(size_px, (96, 128), geometry)
    maps = centre_maps(where.to_model(boxes), np.array([0, 1]), 2, (96, 128), 4)
    heat = np.clip(maps[:2], 1e-4, 0.99)
    planes = np.concatenate([np.log(heat / (1 - heat)), maps[2:6]]).astype(np.float32)
    found = detections(planes[None], [size_px], spec)[0]
    assert found.labels.tolist() == [0, 1]
    np.testing.assert_allclose(found.boxes_xyxy_px, boxes, atol=0.6)
    np.testing.assert_allclose(found.scores, 0.99, atol=1e-3)
    assert len(detections(planes[None], [size_px], spec, min_score=0.995)[0]) == 0


def test_thresholds_a_label_and_the_most_boxes():
    planes = np.full((6, 8, 8), -9.0, np.float32)
    planes[2:] = 0.4
    planes[0, 1, 1], planes[1, 5, 5] = 0.0, 0.0
    spec = task("detection", size=(32, 32), n=2, thresholds=(0.6, 0.4))
    assert detections(planes[None], [(32, 32)], spec)[0].labels.tolist() == [1]
    planes[0] = np.where(np.indices((8, 8)).sum(axis=0) % 4 == 0, 3.0, -9.0)
    few = task("detection", size=(32, 32), n=2, thresholds=(0.4,), max_boxes=3)
    assert len(detections(planes[None], [(32, 32)], few)[0]) == 3


def test_suppression_is_greedy_a_label_and_keeps_other_labels():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10], [30, 30, 40, 40]], np.float32)
    assert suppress(boxes, np.array([0, 0, 1, 0]), 0.5).tolist() == [0, 2, 3]
    assert suppress(boxes, np.array([0, 0, 1, 0]), 0.9).tolist() == [0, 1, 2, 3]


def test_a_task_without_boxes_says_so():
    with pytest.raises(ModelError, match="does not say how boxes are read"):
        detections(np.zeros((1, 7, 8, 8), np.float32), [(8, 8)], task())


def test_mask_answer_counts_and_severity():
    mask = scene(60, 80)
    answer = mask_answer(mask, task(), "leaf.jpg")
    np.testing.assert_array_equal(answer.mask(), mask)
    assert MaskPrediction.from_json(answer.to_json()) == answer
    assert answer.areas_px == {"background": int((mask == 0).sum()), "leaf": int((mask == 1).sum()),
                               "lesion": int((mask == 2).sum())}  # fmt: skip
    assert answer.severity == pytest.approx((mask == 2).sum() / (mask > 0).sum())
    assert mask_answer(np.zeros((4, 4), np.uint8), task(), None).severity is None
    assert severity_of(mask, ("background", "leaf", "lesion"), task().severity) == answer.severity


def test_box_answer_counts_every_label():
    found = Detections(np.array([[0, 0, 2, 2]], np.float32), np.array([1]), np.array([0.75], np.float32))
    answer = box_answer(found, task("detection", n=2), None)
    assert answer.counts == {"background": 0, "leaf": 1}
    assert answer.boxes[0].label == "leaf"


def test_run_lengths_are_exact():
    rng = np.random.default_rng(0)
    for shape in ((1, 1), (7, 5), (40, 60)):
        mask = rng.integers(0, 3, shape, dtype=np.uint8)
        answer = MaskPrediction(size_px=shape, mask_rle=encode(mask))
        np.testing.assert_array_equal(answer.mask(), mask)
    with pytest.raises(ValueError, match="covers 5 pixels of 6"):
        MaskPrediction(size_px=(2, 3), mask_rle=((0, 5),))
