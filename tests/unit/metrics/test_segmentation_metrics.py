"""Overlap figures against formulas written out and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from vnvision.errors import DataError
from vnvision.metrics import dense_notes, notes
from vnvision.metrics.overlap import compare_masks, overlap
from vnvision.metrics.segmentation import HEADLINE, segmentation_metrics

IDS = ("background", "leaf", "lesion")


def pictures(n=24, seed=0, labels=3):
    """Random masks; answers are the truth with a share of pixels replaced; some lack a label."""
    rng = np.random.default_rng(seed)
    pairs = []
    for i in range(n):
        truth = np.repeat(np.repeat(rng.integers(0, labels, (4, 5)), 5, 0), 5, 1).astype(np.uint8)
        if i % 4 == 0:
            truth[truth == labels - 1] = 0
        noise = rng.integers(0, labels, truth.shape)
        answer = np.where(rng.random(truth.shape) < rng.uniform(0, 0.4), noise, truth).astype(np.uint8)
        if i % 5 == 0:
            answer[answer == labels - 1] = 0
        pairs.append((truth, answer))
    return pairs


def judged(pairs, ids=IDS, spacings=None, **options):
    spacings = spacings or [None] * len(pairs)
    scores = [
        compare_masks(truth, answer, len(ids), spacing)
        for (truth, answer), spacing in zip(pairs, spacings, strict=True)
    ]
    groups = [f"g{i // 2}" for i in range(len(pairs))]
    return segmentation_metrics(scores, groups, ids, **({"n_boot": 200} | options))


def test_counts_of_each_label():
    truth, answer = pictures(1, seed=3)[0]
    both, there, said = overlap(truth, answer, 3)
    for label in range(3):
        assert both[label] == ((truth == label) & (answer == label)).sum()
        assert there[label] == (truth == label).sum()
        assert said[label] == (answer == label).sum()


def test_means_over_images_that_hold_the_label():
    pairs = pictures()
    result = judged(pairs)
    for index, label in enumerate(IDS[1:], 1):
        mine = [(t == index, a == index) for t, a in pairs]
        held = [(t.ravel(), a.ravel()) for t, a in mine if t.any()]
        rest = [a for t, a in mine if not t.any()]
        found = result.per_class[label]
        assert found["dice"].value == pytest.approx(np.mean([sk.f1_score(t, a) for t, a in held]))
        assert found["iou"].value == pytest.approx(np.mean([sk.jaccard_score(t, a) for t, a in held]))
        assert found["missed"].value == pytest.approx(np.mean([not a.any() for _, a in held]))
        assert found["dice"].n == found["n"].n == len(held)
        every = np.concatenate([t.ravel() for t, _ in mine]), np.concatenate([a.ravel() for _, a in mine])
        assert found["dice_pooled"].value == pytest.approx(sk.f1_score(*every))
        assert found["iou_pooled"].value == pytest.approx(sk.jaccard_score(*every))
        assert found["dice_pooled"].n == len(pairs)
        assert found["false_alarm"].n == len(rest)
        if rest:
            assert found["false_alarm"].value == pytest.approx(np.mean([a.any() for a in rest]))
            assert found["false_area"].value == pytest.approx(np.mean([a.mean() for a in rest]))
    for name in ("dice", "iou", "dice_pooled", "iou_pooled", "hd95_px"):
        both = [result.per_class[label][name].value for label in IDS[1:]]
        assert result.metrics[name].value == pytest.approx(np.mean(both))


def test_interval_is_the_percentile_bootstrap_over_groups():
    pairs = pictures(40)
    result = judged(pairs, n_boot=4000, seed=1)
    dice = np.array([sk.f1_score((t == 1).ravel(), (a == 1).ravel()) for t, a in pairs])
    rng = np.random.default_rng(9)
    groups = dice.reshape(-1, 2)
    draws = [groups[rng.integers(0, len(groups), len(groups))].mean() for _ in range(4000)]
    low, high = np.quantile(draws, [0.025, 0.975])
    metric = result.per_class["leaf"]["dice"]
    assert metric.low == pytest.approx(low, abs=0.1 * (high - low))
    assert metric.high == pytest.approx(high, abs=0.1 * (high - low))


def test_a_label_in_no_truth_is_not_defined_and_named():
    pairs = [(np.where(t == 2, 1, t).astype(np.uint8), a) for t, a in pictures()]
    result = judged(pairs)
    lesion = result.per_class["lesion"]
    assert lesion["dice"].value is lesion["hd95_px"].value is lesion["dice_pooled"].value is None
    assert lesion["dice"].note == dense_notes.NOT_IN_TRUTH
    assert lesion["false_alarm"].value == pytest.approx(np.mean([(a == 2).any() for _, a in pairs]))
    assert result.metrics["dice"].value == result.per_class["leaf"]["dice"].value
    assert result.metrics["dice"].note == notes.LEFT_OUT.format(labels="lesion")


def test_distance_leaves_out_images_without_an_answer_and_counts_them():
    truth, answer = np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8)
    truth[5:9, 5:9] = answer[5:9, 8:12] = 1
    nothing = np.zeros_like(truth)
    pairs = [(truth, answer), (truth, nothing), (truth, answer), (nothing, answer), (nothing, nothing)]
    result = judged(pairs, ("background", "lesion"), [(0.5, 0.5), (0.5, 0.5), None, None, None])
    assert result.metrics["hd95_px"].value == pytest.approx(3.0)
    assert result.metrics["hd95_px"].n == 2
    assert result.metrics["hd95_px"].note.startswith("left out: 1 of 3 images on which nothing was marked")
    assert result.metrics["hd95_mm"].value == pytest.approx(1.5)
    assert "left out: 1 of 3 images without a pixel spacing" in result.metrics["hd95_mm"].note
    assert result.metrics["dice"].value == pytest.approx(np.mean([0.25, 0, 0.25]))
    assert result.metrics["missed"].value == pytest.approx(1 / 3)
    assert result.metrics["false_alarm"].value == pytest.approx(1 / 2)
    assert result.metrics["false_area"].value == pytest.approx(16 / 400 / 2)


def test_millimetres_only_where_a_spacing_is_known():
    result = judged(pictures())
    assert set(result.metrics) == set(HEADLINE) - {"hd95_mm"}
    assert set(result.per_class["leaf"]) == set(HEADLINE) - {"hd95_mm"} | {"n"}


def test_a_perfect_answer():
    result = judged([(t, t) for t, _ in pictures()])
    assert result.metrics["dice"].value == result.metrics["iou"].value == 1.0
    assert result.metrics["hd95_px"].value == result.per_class["lesion"]["missed"].value == 0.0
    assert result.metrics["dice"].low is None  # [1, 1] from a few pictures would be a lie
    assert result.per_class["lesion"]["missed"].high > 0


def test_errors():
    mask = np.zeros((4, 4), np.uint8)
    with pytest.raises(DataError, match=r"masks differ in size: expected \(4, 4\), got \(4, 5\)"):
        overlap(mask, np.zeros((4, 5), np.uint8), 2)
    with pytest.raises(DataError, match="a mask holds values that are no labels: expected 0 to 1, got 2"):
        overlap(mask, mask + 2, 2)
    scores = [compare_masks(mask, mask, 2)]
    with pytest.raises(DataError, match="groups do not fit the masks: expected 1 keys, 1 or more, got 2"):
        segmentation_metrics(scores, ["a", "b"], IDS[:2])
    with pytest.raises(DataError, match="groups do not fit the masks"):
        segmentation_metrics([], [], IDS[:2])
    with pytest.raises(DataError, match="scores do not fit the labels: expected 3 labels each"):
        segmentation_metrics(scores, ["a"], IDS)
