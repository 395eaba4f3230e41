"""Average precision against pycocotools, the rest against formulas written out."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from sklearn.metrics import f1_score

from vnvision.errors import DataError, MissingExtraError
from vnvision.metrics import dense_notes
from vnvision.metrics.coco import coco_average_precision
from vnvision.metrics.detection import (
    HEADLINE,
    PER_CLASS,
    average_precision_50,
    choose_thresholds,
    detection_metrics,
)
from vnvision.metrics.detection_matching import (
    average_precision,
    iou_matrix,
    match_all,
    match_boxes,
    precision_recall,
)
from vnvision.records import Detections

IDS = ("rice", "bug", "bee")


def boxes(*rows):
    """Rows of left, top, right, bottom, label, score."""
    table = np.array(rows, dtype=np.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4].astype(np.int64), table[:, 5])


def scene(seed, n=25, labels=3, crowd=12, digits=1):
    """Random objects; most are found a little off, some boxes are of nothing; scores have ties, 1 digit."""
    rng = np.random.default_rng(seed)
    found, truth = [], []
    for _ in range(n):
        count, extra = rng.integers(0, crowd), rng.integers(0, crowd)
        corner, side = rng.uniform(0, 80, (count, 2)), rng.uniform(5, 30, (count, 2))
        objects, ids = np.concatenate([corner, corner + side], 1), rng.integers(0, labels, count)
        kept = rng.random(count) < 0.8
        near = (objects + rng.normal(0, 1.5, objects.shape))[kept]
        corner, side = rng.uniform(0, 80, (extra, 2)), rng.uniform(5, 30, (extra, 2))
        all_boxes = np.concatenate([near, np.concatenate([corner, corner + side], 1)]).astype(np.float32)
        all_ids = np.concatenate([ids[kept], rng.integers(0, labels, extra)])
        scores = rng.uniform(0.1, 1, len(all_boxes)).round(digits).astype(np.float32)
        found.append(Detections(all_boxes, all_ids, scores))
        truth.append(Detections(objects.astype(np.float32), ids, np.ones(count, np.float32)))
    return found, truth


@pytest.mark.parametrize("seed", range(10))
def test_average_precision_equals_pycocotools(seed):
    found, truth = scene(seed)
    reference = coco_average_precision(found, truth, 3)
    ones = np.ones((len(truth), 1))
    ours = np.stack([average_precision(one, ones)[:, 0] for one in match_all(found, truth, 3)], axis=1)
    np.testing.assert_allclose(ours, reference, atol=1e-6)


def test_average_precision_equals_pycocotools_at_other_settings():
    found, truth = scene(5, crowd=30)
    for ious, most in (((0.3, 0.75), 3), ((0.5,), 1)):
        reference = coco_average_precision(found, truth, 3, ious, most)
        ours = [
            average_precision(one, np.ones((len(truth), 1)))[:, 0]
            for one in match_all(found, truth, 3, ious, most)
        ]
        np.testing.assert_allclose(np.stack(ours, axis=1), reference, atol=1e-6)


def test_weights_are_repetitions():
    found, truth = scene(2, n=12, digits=9)  # without ties, whose order repetition would change
    weights = np.random.default_rng(0).integers(0, 4, 12)
    again = np.repeat(np.arange(12), weights)
    reference = coco_average_precision([found[i] for i in again], [truth[i] for i in again], 3)
    for label, one in enumerate(match_all(found, truth, 3)):
        ours = average_precision(one, weights[:, None].astype(float))[:, 0]
        np.testing.assert_allclose(ours, reference[:, label], atol=1e-6)


def test_many_resamples_at_once_equal_one_by_one(monkeypatch):
    found, truth = scene(3)
    weights = np.random.default_rng(1).multinomial(25, [1 / 25] * 25, size=40).T.astype(float)
    one = match_all(found, truth, 3)[0]
    whole = average_precision(one, weights)
    monkeypatch.setattr("vnvision.metrics.detection_matching._CELLS", 2 * len(one.image))
    np.testing.assert_array_equal(average_precision(one, weights), whole)
    for column in (0, 17, 39):
        np.testing.assert_allclose(average_precision(one, weights[:, [column]])[:, 0], whole[:, column])


def test_no_object_is_undefined_and_nothing_found_is_zero():
    nothing, thing = boxes(), boxes((0, 0, 10, 10, 0, 1))
    for found, truth, expected in (
        ([nothing], [thing], 0.0),
        ([thing], [nothing], np.nan),
        ([thing], [thing], 1.0),
    ):
        ours = average_precision(match_all(found, truth, 1)[0], np.ones((1, 1)))
        np.testing.assert_allclose(ours[:, 0], expected)
        np.testing.assert_allclose(coco_average_precision(found, truth, 1)[:, 0], expected)


def test_iou_of_boxes():
    a = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [5, 5, 5, 5]])
    b = np.array([[5, 0, 15, 10], [20, 20, 30, 30]])
    np.testing.assert_allclose(iou_matrix(a, b), [[1 / 3, 0], [1 / 3, 0], [0, 0]])


def test_each_object_is_found_once_and_by_the_best_box():
    objects = np.array([[0, 0, 10, 10], [20, 0, 30, 10]])
    found = np.array([[0, 0, 10, 9], [0, 0, 10, 10], [20, 0, 30, 5]])
    hit = match_boxes(found, objects, (0.5, 0.6))
    assert hit.tolist() == [[True, False, True], [True, False, False]]


def test_figures_at_the_thresholds_and_per_label():
    found, truth = scene(7, n=30)
    kept = [
        Detections(*(side[one.scores >= 0.5] for side in (one.boxes_xyxy_px, one.labels, one.scores)))
        for one in found
    ]
    result = detection_metrics(found, kept, truth, [i // 2 for i in range(30)], IDS, n_boot=100)
    reference = coco_average_precision(found, truth, 3)
    assert set(result.metrics) == set(HEADLINE)
    assert result.metrics["map50"].value == pytest.approx(reference[0].mean())
    assert result.metrics["map"].value == pytest.approx(reference.mean())
    for k, label in enumerate(IDS):
        row = result.per_class[label]
        assert set(row) == {*PER_CLASS, "n"}
        assert row["ap50"].value == pytest.approx(reference[0, k])
        assert row["ap"].value == pytest.approx(reference[:, k].mean())
        right, marked, objects = 0, 0, 0
        for one, true in zip(kept, truth, strict=True):
            mine, theirs = one.labels == k, true.labels == k
            order = np.argsort(-one.scores[mine], kind="stable")
            right += match_boxes(one.boxes_xyxy_px[mine][order], true.boxes_xyxy_px[theirs], (0.5,)).sum()
            marked, objects = marked + mine.sum(), objects + theirs.sum()
        assert row["recall"].value == pytest.approx(right / objects)
        assert row["precision"].value == pytest.approx(right / marked)
        assert row["f1"].value == pytest.approx(2 * right / (marked + objects))
        assert row["n"].value == objects
        assert row["ap50"].low < row["ap50"].value < row["ap50"].high
        assert result.curves[f"pr:{label}"][-1][0] <= 1
    assert result.metrics["map50"].low < result.metrics["map50"].value < result.metrics["map50"].high


def test_interval_agrees_with_pycocotools_on_resampled_pictures():
    found, truth = scene(11, n=20, labels=1)
    metric = detection_metrics(found, found, truth, list(range(20)), IDS[:1], n_boot=1000).metrics["map50"]
    rng = np.random.default_rng(4)
    draws = []
    for _ in range(150):
        drawn = rng.integers(0, 20, 20)
        sides = [found[i] for i in drawn], [truth[i] for i in drawn]
        draws.append(coco_average_precision(*sides, 1, (0.5,))[0, 0])
    low, high = np.quantile(draws, [0.025, 0.975])
    value = coco_average_precision(found, truth, 1, (0.5,))[0, 0]
    expected = 2 * value - high, max(high, 2 * value - low)  # reflected: chance pushes the figure up
    assert (metric.low, metric.high) == pytest.approx(expected, abs=0.3 * (high - low))


def test_interval_ends_at_1():
    rng = np.random.default_rng(0)
    truth = [boxes((0, 0, 9, 9, 0, 1), (20, 20, 29, 29, 0, 1)) for _ in range(30)]
    found = [
        boxes(*[(*side, 0, 0.9) for side in one.boxes_xyxy_px[: 1 + (rng.random() < 0.97)]]) for one in truth
    ]
    metric = detection_metrics(found, found, truth, list(range(30)), IDS[:1], n_boot=200).metrics["map50"]
    assert metric.low < metric.value < metric.high <= 1


def test_absent_labels_are_named_and_never_zero():
    truth = [boxes((0, 0, 9, 9, 0, 1)), boxes((0, 0, 9, 9, 0, 1), (20, 0, 29, 9, 1, 1))]
    found = [boxes((0, 0, 9, 9, 0, 0.9), (40, 40, 50, 50, 2, 0.8)), boxes((0, 0, 9, 9, 0, 0.7))]
    result = detection_metrics(found, found, truth, ["a", "b"], IDS, n_boot=20)
    assert result.metrics["map50"].value == pytest.approx((1 + 0) / 2)
    assert result.metrics["map50"].note.startswith("mean over the classes present, not defined for bee")
    assert result.per_class["bee"]["ap50"].value is None
    assert result.per_class["bee"]["ap50"].note == dense_notes.NO_OBJECT
    assert result.per_class["bee"]["precision"].value == 0.0
    assert result.per_class["bug"]["precision"].value is None
    assert result.per_class["bug"]["precision"].note == dense_notes.NOTHING_FOUND
    assert result.per_class["bug"]["f1"].value == 0.0
    assert "pr:bee" not in result.curves


def test_threshold_of_the_best_f1():
    found, truth = scene(21, n=40)
    chosen = choose_thresholds(found, truth, IDS)
    for k, (one, threshold) in enumerate(zip(match_all(found, truth, 3, (0.5,)), chosen, strict=True)):
        objects = int(one.truths.sum())

        def f1_at(limit, one=one, objects=objects):
            kept = one.score >= limit
            answers = np.append(kept, np.zeros(objects - int(one.hit[0].sum()), bool))
            is_object = np.append(one.hit[0], np.ones(objects - int(one.hit[0].sum()), bool))
            return f1_score(is_object, answers)

        best = max(f1_at(limit) for limit in np.unique(one.score))
        assert f1_at(threshold) == pytest.approx(best), k
        assert threshold not in one.score  # halfway, so that rounding cannot flip a box


def test_threshold_where_there_is_nothing_to_choose_from():
    truth = [boxes((0, 0, 9, 9, 0, 1))]
    found = [boxes((0, 0, 9, 9, 0, 0.75), (50, 50, 60, 60, 1, 0.9), (80, 80, 90, 90, 0, 0.25))]
    assert choose_thresholds(found, truth, IDS, default=0.4) == (0.5, 0.4, 0.4)
    assert choose_thresholds([boxes((0, 0, 9, 9, 0, 0.5))], truth, IDS[:1]) == (0.25,)


def test_one_quick_number():
    found, truth = scene(6)
    pairs = [(one.boxes_xyxy_px, one.labels) for one in truth]
    assert average_precision_50(found, pairs, 3) == pytest.approx(
        coco_average_precision(found, truth, 3, (0.5,)).mean()
    )
    assert average_precision_50([boxes()], [(np.empty((0, 4)), np.empty(0, np.int64))], 3) == 0.0


def test_precision_and_recall_after_each_box():
    truth = [boxes((0, 0, 9, 9, 0, 1), (20, 0, 29, 9, 0, 1))]
    found = [boxes((0, 0, 9, 9, 0, 0.9), (50, 50, 60, 60, 0, 0.8), (20, 0, 29, 9, 0, 0.7))]
    recall, precision = precision_recall(match_all(found, truth, 1)[0])
    assert recall.tolist() == [0.5, 0.5, 1.0]
    assert precision.tolist() == pytest.approx([1, 0.5, 2 / 3])


def test_errors(monkeypatch):
    one = boxes((0, 0, 9, 9, 2, 0.9))
    with pytest.raises(DataError, match="boxes do not fit the truth: expected 1 pictures, got 2"):
        match_all([one, one], [one], 3)
    with pytest.raises(DataError, match="a box has no label of the task: expected 0 to 1, got 2"):
        match_all([one], [one], 2)
    with pytest.raises(DataError, match="groups do not fit the pictures: expected 1 keys, 1 or more, got 0"):
        detection_metrics([one], [one], [one], [], IDS)
    monkeypatch.setitem(sys.modules, "pycocotools.coco", None)
    with pytest.raises(MissingExtraError, match=r"pycocotools is not installed.*vnvision\[eval\]"):
        coco_average_precision([one], [one], 3)
