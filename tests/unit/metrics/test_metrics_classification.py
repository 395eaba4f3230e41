from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from sklearn import metrics as sk

from vnvision.errors import DataError
from vnvision.metrics import notes
from vnvision.metrics.calibration import ece
from vnvision.metrics.classification import HEADLINE, PER_CLASS, classification_metrics
from vnvision.metrics.scores import softmax
from vnvision.metrics.statistics import MultiLabel, SingleLabel


def fake(n=400, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, classes, n)
    p = softmax(rng.normal(size=(n, classes)) + 1.2 * (targets[:, None] == np.arange(classes)))
    return p, targets, rng.integers(0, n // 4, n).tolist(), [f"c{i}" for i in range(classes)]


def sklearn_single(p, y, w):
    answer, hot = p.argmax(axis=1), y[:, None] == np.arange(p.shape[1])
    classes = range(p.shape[1])
    columns = [1] if p.shape[1] == 2 else classes
    return {
        "accuracy": sk.accuracy_score(y, answer, sample_weight=w),
        "balanced_accuracy": sk.balanced_accuracy_score(y, answer, sample_weight=w),
        "macro_f1": sk.f1_score(y, answer, average="macro", sample_weight=w),
        "auroc": np.mean([sk.roc_auc_score(hot[:, c], p[:, c], sample_weight=w) for c in columns]),
        "auprc": np.mean([sk.average_precision_score(hot[:, c], p[:, c], sample_weight=w) for c in columns]),
        "brier": sk.brier_score_loss(y, p, sample_weight=w, labels=list(classes)),
        "nll": sk.log_loss(y, p, sample_weight=w, labels=list(classes)),
    }


@pytest.mark.parametrize("classes", [2, 4])
def test_point_estimates_agree_with_sklearn(classes):
    p, y, groups, labels = fake(classes=classes)
    result = classification_metrics(p, y, groups, labels, n_boot=0)
    assert list(result.metrics) == list(HEADLINE)
    for name, value in sklearn_single(p, y, np.ones(len(y))).items():
        assert result.metrics[name].value == pytest.approx(value, abs=1e-12), name
    assert result.metrics["ece"].value == pytest.approx(ece(p.max(axis=1), p.argmax(axis=1) == y))
    precision, recall, f1, support = sk.precision_recall_fscore_support(y, p.argmax(axis=1))
    for c, label in enumerate(labels):
        row = result.per_class[label]
        assert set(row) == {*PER_CLASS, "n"}
        assert row["precision"].value == pytest.approx(precision[c])
        assert row["recall"].value == pytest.approx(recall[c])
        assert row["f1"].value == pytest.approx(f1[c])
        assert row["auroc"].value == pytest.approx(sk.roc_auc_score(y == c, p[:, c]))
        assert row["n"].value == row["recall"].n == support[c]


@pytest.mark.parametrize("classes", [2, 4])
def test_weighted_statistics_agree_with_sklearn_sample_weights(classes):
    p, y, _, _ = fake(classes=classes, n=150)
    weights = np.random.default_rng(1).integers(0, 4, (150, 6)).astype(float)
    ours = SingleLabel(p, y)(weights)
    for b in range(6):
        for name, value in sklearn_single(p, y, weights[:, b]).items():
            assert ours[name][b] == pytest.approx(value, abs=1e-12), name


def test_intervals_agree_with_a_loop_over_sklearn():
    p, y, groups, labels = fake(n=240)
    ours = classification_metrics(p, y, groups, labels, n_boot=1500, seed=1).metrics
    keys = np.unique(groups)
    members = [np.flatnonzero(np.array(groups) == g) for g in keys]
    rng = np.random.default_rng(9)
    loop = []
    for _ in range(400):
        rows = np.concatenate([members[g] for g in rng.integers(0, len(keys), len(keys))])
        loop.append(
            (sk.accuracy_score(y[rows], p[rows].argmax(1)), sk.log_loss(y[rows], p[rows], labels=range(4)))
        )
    for name, column in zip(("accuracy", "nll"), np.array(loop).T, strict=True):
        low, high = np.quantile(column, [0.025, 0.975])
        assert ours[name].low == pytest.approx(low, abs=0.02)
        assert ours[name].high == pytest.approx(high, abs=0.02)
        assert ours[name].low < ours[name].value < ours[name].high


def test_grouped_images_widen_the_interval():
    p, y, _, labels = fake(n=100)
    copies = [np.repeat(v, 5, axis=0) for v in (p, y)]
    alone = classification_metrics(*copies, list(range(500)), labels).metrics["accuracy"]
    together = classification_metrics(*copies, np.repeat(np.arange(100), 5).tolist(), labels).metrics[
        "accuracy"
    ]
    assert (together.high - together.low) > 1.8 * (alone.high - alone.low)


def test_everything_right_is_not_certainty():
    y = np.arange(12) % 3
    p = np.where(y[:, None] == np.arange(3), 0.8, 0.1)
    metrics = classification_metrics(p, y, (np.arange(12) // 2).tolist(), list("abc")).metrics
    accuracy = metrics["accuracy"]
    assert accuracy.value == 1.0
    assert accuracy.low == pytest.approx(0.025 ** (1 / 6))
    assert "Clopper-Pearson interval on 6 groups" in accuracy.note
    for name in ("auroc", "macro_f1", "balanced_accuracy"):
        assert metrics[name].value == 1.0
        assert metrics[name].low is None
        assert metrics[name].note


def test_one_group_only():
    p, y, _, labels = fake(n=60)
    metrics = classification_metrics(p, y, ["same"] * 60, labels).metrics
    assert all(m.value is not None and m.low is None and notes.ONE_GROUP in m.note for m in metrics.values())


def test_absent_class_is_left_out_and_named():
    p, y, groups, labels = fake(classes=3)
    y = np.where(y == 1, 2, y)
    result = classification_metrics(p, y, groups, labels)
    absent = result.per_class["c1"]
    assert absent["recall"].value is None
    assert absent["recall"].note == notes.CLASS_ABSENT
    assert absent["auroc"].value is None
    assert absent["precision"].value == 0.0
    assert absent["n"].value == 0
    assert result.metrics["auroc"].note == "mean over the classes present, not defined for c1"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = sk.f1_score(y, p.argmax(axis=1), labels=[0, 2], average="macro")
    assert result.metrics["macro_f1"].value == pytest.approx(wanted)
    assert result.metrics["balanced_accuracy"].value == pytest.approx(
        np.mean([result.per_class[c]["recall"].value for c in ("c0", "c2")])
    )


def test_only_one_class_present():
    p, _, groups, labels = fake(classes=2)
    result = classification_metrics(p, np.zeros(len(p), int), groups, labels)
    for name in ("auroc", "auprc", "sensitivity_at_specificity_90"):
        assert result.metrics[name].value is None
        assert result.metrics[name].note == notes.FEW_CLASSES
    assert result.per_class["c0"]["auroc"].note == notes.ONLY_CLASS
    assert result.metrics["accuracy"].value is not None


def test_class_never_answered():
    p = np.tile([0.7, 0.3], (20, 1))
    result = classification_metrics(p, np.arange(20) % 2, list(range(20)), ["a", "b"])
    assert result.per_class["b"]["precision"].value is None
    assert result.per_class["b"]["precision"].note == notes.NEVER_ANSWERED
    assert result.per_class["b"]["f1"].value == 0.0


def test_rare_class_says_how_many_resamples_missed_it():
    p, y, _, labels = fake(n=60, classes=3)
    y = np.where(np.arange(60) == 0, 2, np.where(y == 2, 0, y))
    metric = classification_metrics(p, y, list(range(60)), labels).metrics["balanced_accuracy"]
    assert metric.low is not None
    missed = int(metric.note.split("not defined in ")[1].split(" of")[0])
    assert abs(missed / 1000 - math.exp(-1)) < 0.06


def test_no_images():
    result = classification_metrics(np.zeros((0, 2)), np.zeros(0, int), [], ["a", "b"])
    assert all(m.value is None and m.note == notes.NO_IMAGES for m in result.metrics.values())


def multilabel(n=300, seed=0):
    rng = np.random.default_rng(seed)
    y = (rng.random((n, 3)) < [0.5, 0.3, 0.6]).astype(np.int8)
    p = 1 / (1 + np.exp(-(rng.normal(size=(n, 3)) + 1.5 * (y - 0.5))))
    y[rng.random((n, 3)) < 0.25] = -1
    return p, y, rng.integers(0, 80, n).tolist(), list("abc")


def test_multilabel_agrees_with_sklearn_on_the_known_entries():
    p, y, groups, labels = multilabel()
    result = classification_metrics(p, y, groups, labels, kind="multilabel")
    wanted = {
        name: [] for name in ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "auprc", "brier", "nll")
    }
    errors = []
    for c, label in enumerate(labels):
        known = y[:, c] >= 0
        truth, score = y[known, c], p[known, c]
        called = score >= 0.5
        wanted["accuracy"].append(sk.accuracy_score(truth, called))
        wanted["balanced_accuracy"].append(sk.balanced_accuracy_score(truth, called))
        wanted["macro_f1"].append(sk.f1_score(truth, called))
        wanted["auroc"].append(sk.roc_auc_score(truth, score))
        wanted["auprc"].append(sk.average_precision_score(truth, score))
        wanted["brier"].append(sk.brier_score_loss(truth, score))
        wanted["nll"].append(sk.log_loss(truth, score))
        errors.append(ece(score, truth))
        row = result.per_class[label]
        assert row["precision"].value == pytest.approx(sk.precision_score(truth, called))
        assert row["recall"].value == pytest.approx(sk.recall_score(truth, called))
        assert row["n"].value == (truth == 1).sum()
        assert row["auroc"].n == known.sum()
    for name, values in wanted.items():
        metric = result.metrics[name]
        assert metric.value == pytest.approx(np.mean(values), abs=1e-12), name
        assert metric.low < metric.value < metric.high
    assert result.metrics["ece"].value == pytest.approx(np.mean(errors))


def test_multilabel_weights_mean_repeated_images():
    p, y, _, _ = multilabel(n=80)
    counts = np.random.default_rng(3).integers(0, 4, 80)
    ours = MultiLabel(p, y)(counts[:, None].astype(float))
    rows = np.repeat(np.arange(80), counts)
    again = MultiLabel(p[rows], y[rows])(np.ones((len(rows), 1)))
    for name, values in ours.items():
        np.testing.assert_allclose(values, again[name], atol=1e-12, err_msg=name)


def test_multilabel_label_without_any_yes_is_left_out():
    p, y, groups, labels = multilabel()
    y[:, 1] = np.where(y[:, 1] == 1, 0, y[:, 1])
    y[:, 2] = -1
    result = classification_metrics(p, y, groups, labels, kind="multilabel")
    assert result.metrics["auroc"].note == "mean over the classes present, not defined for b, c"
    assert result.metrics["auroc"].value == pytest.approx(result.per_class["a"]["auroc"].value)
    assert result.per_class["b"]["recall"].note == notes.CLASS_ABSENT
    assert result.per_class["c"]["auroc"].value is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label_ids": ["a"]}, r"probabilities do not fit the labels: expected \(N, 1\), got \(8, 2\)"),
        ({"targets": np.zeros(3, int)}, r"targets do not fit the probabilities: expected \(8,\), got \(3,\)"),
        ({"groups": [1]}, "groups do not fit the probabilities: expected 8 keys, got 1"),
        ({"targets": np.full(8, -1)}, r"a target is not a class: expected 0..1, got -1..-1; leave rows"),
    ],
)
def test_wrong_shapes_are_refused(change, message):
    args = {
        "probabilities": np.full((8, 2), 0.5),
        "targets": np.zeros(8, int),
        "groups": list(range(8)),
        "label_ids": ["a", "b"],
    } | change
    with pytest.raises(DataError, match=message):
        classification_metrics(**args)


def test_a_thousand_resamples_are_quick():
    import time

    p, y, groups, labels = fake(n=2000, classes=5)
    begin = time.perf_counter()
    classification_metrics(p, y, groups, labels)
    assert time.perf_counter() - begin < 3
