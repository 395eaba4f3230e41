from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from vnvision.data.manifest import Row, read_manifest, write_manifest
from vnvision.errors import ConfigError, DataError
from vnvision.evaluate.field import FieldReport, change, evaluate_field
from vnvision.records import Calibration, Metric
from vnvision.spec import Label, PreprocessSpec, TaskSpec

IDS = ("healthy", "rust", "spot")


def write_set(folder, name, labels, *, seed, groups=None, right=1.0, split="test"):
    """Small pictures whose first pixel says what the model will answer; noise makes every file its own."""
    rng = np.random.default_rng(seed)
    rows = []
    (folder / name).mkdir(parents=True, exist_ok=True)
    for i, label in enumerate(labels):
        truth = IDS.index(label) if label in IDS else 0
        answer = truth if rng.random() < right else (truth + 1) % 3
        image = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        image[0, 0] = 40 * answer
        path = f"{name}/{i:03}.png"
        cv2.imwrite(str(folder / path), image)
        group = f"{name}-{i // 2}" if groups is None else groups[i]
        rows.append(Row(0, path, label=label or None, split=split, group_id=group))
    return read_manifest(write_manifest(rows, folder / f"{name}.csv"))


def model(ids=IDS, kind="classification"):
    """Answers with the class written into the first pixel."""
    score = "softmax" if kind == "classification" else "sigmoid"
    labels = tuple(Label(id=i) for i in ids)
    task = TaskSpec(kind=kind, preprocess=PreprocessSpec(size_px=(8, 8)), labels=labels, score=score)

    def logits(images, batch_size=16):
        return np.stack([4.0 * (np.arange(len(ids)) == image[0, 0, 0] // 40) for image in images])

    return SimpleNamespace(name="toy", task=task, logits=logits, calibration=Calibration())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sets")


@pytest.fixture(scope="module")
def lab(folder):
    return write_set(folder, "lab", list(IDS) * 40, seed=1, right=0.95)


@pytest.fixture(scope="module")
def field(folder):
    return write_set(
        folder, "field", ["healthy", "rust"] * 40 + ["canker"] * 5, seed=2, right=0.5, split="train"
    )


def test_both_numbers_the_change_and_what_is_not_compared(lab, field):
    seen = []
    report = evaluate_field(
        model(), lab, field, n_boot=300, progress=lambda done, total: seen.append((done, total))
    )
    assert report.labels == ("healthy", "rust")
    assert report.only_lab == ("spot",)
    assert report.only_field == ("canker",)
    assert (report.lab.n, report.field.n) == (80, 80)
    assert (report.lab.n_groups, report.field.n_groups) == (80 - 20, 40)
    assert report.lab.left_out == {"spot": 40}
    assert report.field.left_out == {"canker": 5}
    assert [row.name for row in report.rows] == ["accuracy", "balanced_accuracy", "macro_f1", "auroc", "ece"]
    accuracy = report.rows[0]
    assert accuracy.lab.value > 0.85
    assert accuracy.field.value == pytest.approx(0.5, abs=0.15)
    assert accuracy.change.value == pytest.approx(accuracy.field.value - accuracy.lab.value)
    assert accuracy.change.high < 0
    assert [row.name for row in report.recall] == ["healthy", "rust"]
    assert report.near_duplicates == 0
    assert seen[-1] == (160, 160)
    assert FieldReport.from_json(report.to_json()) == report


def test_an_answer_outside_the_shared_labels_is_wrong_on_both_sides(folder, lab):
    """Rust answered as spot, which the field has not: wrong, not ruled out."""
    field = write_set(folder, "answers", ["healthy", "rust"] * 20, seed=3, right=0.0)
    report = evaluate_field(model(), lab, field, n_boot=50)
    assert report.rows[0].field.value == 0.0


def test_the_change_is_the_mover_interval_of_two_proportions():
    """Newcombe 1998, table II, method 10: 56/70 less 48/80 gives 0.2 [0.0524, 0.3339]."""

    def wilson(hits, n, z=1.959964):
        p = hits / n
        centre, half = (p + z * z / 2 / n), z * np.sqrt(p * (1 - p) / n + z * z / 4 / n**2)
        return Metric(
            value=p, low=(centre - half) / (1 + z * z / n), high=(centre + half) / (1 + z * z / n), n=n
        )

    found = change(wilson(48, 80), wilson(56, 70))
    assert found.value == pytest.approx(0.2)
    assert found.low == pytest.approx(0.0524, abs=5e-5)
    assert found.high == pytest.approx(0.3339, abs=5e-5)


def test_the_mover_interval_agrees_with_resampling_both_sides():
    rng = np.random.default_rng(0)
    a, b = rng.random(200) < 0.9, rng.random(150) < 0.6
    draws_a = rng.choice(a, (4000, 200)).mean(axis=1)
    draws_b = rng.choice(b, (4000, 150)).mean(axis=1)

    def metric(values, draws):
        low, high = np.quantile(draws, [0.025, 0.975])
        return Metric(value=float(values.mean()), low=float(low), high=float(high), n=len(values))

    found = change(metric(a, draws_a), metric(b, draws_b))
    low, high = np.quantile(draws_b - draws_a, [0.025, 0.975])
    assert found.low == pytest.approx(low, abs=0.01)
    assert found.high == pytest.approx(high, abs=0.01)


def test_a_side_without_value_or_interval_says_so():
    whole, bare = Metric(value=0.5, low=0.4, high=0.6, n=9), Metric(value=0.7, n=9)
    assert change(whole, Metric(value=None, n=0)).note == "not defined on one of the two sides"
    found = change(whole, bare)
    assert found.value == pytest.approx(0.2)
    assert (found.low, found.note) == (None, "one of the two sides has no interval")


def test_a_shared_group_is_refused_even_from_the_training_rows(folder, lab):
    train = write_set(folder, "train", ["rust", "spot"] * 4, seed=4, groups=["p1", "p2"] * 4, split="train")
    rows = [*lab.rows, *train.rows]
    whole = read_manifest(write_manifest(rows, folder / "whole.csv"))
    field = write_set(folder, "shared", ["rust", "spot"] * 4, seed=5, groups=["p1", "q"] * 4)
    with pytest.raises(
        DataError, match=r"whole.csv and shared.csv share 1 groups: .* got p1; name the groups"
    ):
        evaluate_field(model(), whole, field)


def test_a_shared_file_is_refused_under_another_name(folder, lab):
    field = write_set(folder, "copied", ["rust", "spot"] * 4, seed=6)
    (folder / field.rows[3].path).write_bytes((folder / lab.rows[0].path).read_bytes())
    with pytest.raises(DataError, match=r"share 1 files: expected lab and field apart, got copied/003.png"):
        evaluate_field(model(), lab, field)


def test_a_near_copy_is_counted_and_warned_about(folder, lab):
    field = write_set(folder, "near", ["rust", "spot"] * 4, seed=7)
    picture = cv2.imread(str(folder / lab.rows[0].path))
    cv2.imwrite(str(folder / field.rows[1].path), cv2.convertScaleAbs(picture, alpha=0.9))
    report = evaluate_field(model(), lab, field, n_boot=20)
    assert report.near_duplicates == 1
    assert (
        "1 field pictures look like copies of lab pictures: the field may be no other place"
        in report.warnings
    )
    assert evaluate_field(model(), lab, field, n_boot=20, check_copies=False).near_duplicates is None


def test_few_groups_are_warned_about(folder, lab):
    field = write_set(folder, "few", ["rust", "spot"] * 4, seed=8)
    report = evaluate_field(model(), lab, field, n_boot=20)
    assert "few.csv: only 4 groups; its intervals are wide and may still be too narrow" in report.warnings


def test_splits_are_chosen_on_each_side(folder, lab, field):
    with pytest.raises(DataError, match=r"has no split 'val'"):
        evaluate_field(model(), lab, field, split="val")
    with pytest.raises(DataError, match=r"has no split 'test'"):
        evaluate_field(model(), lab, field, field_split="test")
    report = evaluate_field(model(), lab, field, field_split="train", n_boot=10)
    assert (report.lab.split, report.field.split) == ("test", "train")


def test_what_cannot_be_compared_is_refused(folder, lab):
    other = write_set(folder, "other", ["canker", "rust"] * 4, seed=9)
    with pytest.raises(DataError, match=r"share too few labels of the model: expected two or more, got rust"):
        evaluate_field(model(), lab, other)
    with pytest.raises(ConfigError, match=r"lab and field: expected a classification model, got multilabel"):
        evaluate_field(model(kind="multilabel"), lab, other)
    with pytest.raises(ConfigError, match=r"batch_size: expected 1 or more, got 0"):
        evaluate_field(model(), lab, other, batch_size=0)


def test_outputs_that_are_no_numbers_are_refused(folder, lab, field):
    broken = model()
    broken.logits = lambda images, batch_size=16: np.full((len(images), 3), np.nan)
    with pytest.raises(DataError, match=r"outputs for lab.csv: expected \(80, 3\) finite numbers"):
        evaluate_field(broken, lab, field)
