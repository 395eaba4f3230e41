from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit
from sklearn import metrics as sk

from vnvision.data.manifest import Manifest, Row
from vnvision.errors import ConfigError, DataError
from vnvision.evaluate import evaluate_logits, fit_calibration
from vnvision.metrics.scores import softmax
from vnvision.records import Calibration, EvalReport
from vnvision.spec import Label, PreprocessSpec, TaskSpec

SHA = "ab" * 32


def task_of(*ids, kind="classification"):
    score = "softmax" if kind == "classification" else "sigmoid"
    labels = tuple(Label(id=i) for i in ids)
    return TaskSpec(kind=kind, preprocess=PreprocessSpec(size_px=(8, 8)), labels=labels, score=score)


def manifest_of(rows, warnings=()):
    return Manifest(tuple(rows), Path("data"), Path("data/manifest.csv"), SHA, tuple(warnings))


def made(n=240, ids=("healthy", "rust", "spot"), seed=0, groups=True):
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, len(ids), n)
    rows = [
        Row(
            line=i + 2,
            path=f"img/{i:03}.png",
            label=ids[t],
            split="test",
            group_id=f"g{i // 2}" if groups else None,
            region=("north", "south", None)[i % 3],
            extra={"phone": f"model{i % 2}"},
        )
        for i, t in enumerate(targets)
    ]
    logits = rng.normal(size=(n, len(ids))) + 1.5 * (targets[:, None] == np.arange(len(ids)))
    return manifest_of(rows), logits.astype(np.float32), targets, task_of(*ids)


def judge(logits, manifest, task, **more):
    return evaluate_logits(logits, manifest, task, **({"split": "test", "data": {}, "n_boot": 200} | more))


def test_report_agrees_with_sklearn_and_survives_json():
    manifest, logits, targets, task = made()
    report = judge(logits, manifest, task, model={"name": "m"}, data={"sources": ["x"]})
    p = softmax(logits)
    assert report.n == 240
    assert report.n_groups == 120
    assert report.manifest_sha256 == SHA
    assert report.metrics["accuracy"].value == pytest.approx(sk.accuracy_score(targets, p.argmax(1)))
    assert report.metrics["auroc"].value == pytest.approx(sk.roc_auc_score(targets, p, multi_class="ovr"))
    assert report.confusion == tuple(map(tuple, sk.confusion_matrix(targets, p.argmax(1)).tolist()))
    assert sum(count for _, _, count in report.reliability) == 240
    assert set(report.curves) == {"roc:healthy", "roc:rust", "roc:spot", "selective"}
    assert report.model == {"name": "m"}
    assert report.data == {"sources": ["x"]}
    assert report.operating_points == ()
    assert report.warnings == ()
    assert EvalReport.from_json(report.to_json()) == report


def test_rows_of_each_region_and_of_another_column():
    manifest, logits, targets, task = made()
    report = judge(logits, manifest, task, columns=("region", "phone", "absent"))
    names = [(row.column, row.value, row.n) for row in report.groups]
    assert names == [
        ("region", "north", 80),
        ("region", "south", 80),
        ("region", "", 80),
        ("phone", "model0", 120),
        ("phone", "model1", 120),
    ]
    south = np.arange(240) % 3 == 1
    row = report.groups[1]
    assert row.metrics["accuracy"].value == pytest.approx((logits[south].argmax(1) == targets[south]).mean())
    assert row.metrics["accuracy"].low < row.metrics["accuracy"].value < row.metrics["accuracy"].high


def test_many_values_are_cut_with_a_warning():
    manifest, logits, _, task = made()
    rows = [Row(line=r.line, path=r.path, label=r.label, extra={"farm": r.path}) for r in manifest.rows]
    report = judge(logits, manifest_of(rows), task, columns=("farm",), n_boot=2)
    assert len(report.groups) == 30
    assert "column farm has 240 values; the 30 most frequent are shown" in report.warnings


def test_temperature_is_applied_before_anything_is_measured():
    manifest, logits, targets, task = made()
    report = judge(logits, manifest, task, calibration=Calibration(temperatures=(2.5,)))
    assert report.metrics["nll"].value == pytest.approx(sk.log_loss(targets, softmax(logits / 2.5)))
    assert report.calibration.temperatures == (2.5,)


def test_unknown_rows_are_left_out_counted_and_never_looked_at():
    manifest, logits, _, task = made()
    rows = [
        Row(line=r.line, path=r.path, label=None if i % 10 == 0 else r.label, group_id=r.group_id)
        for i, r in enumerate(manifest.rows)
    ]
    logits[::10] = np.nan
    report = judge(logits, manifest_of(rows), task)
    assert report.n == 216
    assert "24 rows with an unknown label were left out" in report.warnings
    assert sum(map(sum, report.confusion)) == 216


def test_worst_mistakes_first_with_relative_paths():
    manifest, logits, targets, task = made(seed=3)
    report = judge(logits, manifest, task)
    p = softmax(logits)
    assert len(report.mistakes) == 24
    confidences = [m.probability for m in report.mistakes]
    assert confidences == sorted(confidences, reverse=True)
    wrong = p.argmax(1) != targets
    assert confidences[0] == pytest.approx(p.max(1)[wrong].max())
    for m in report.mistakes:
        i = int(re.fullmatch(r"img/(\d+)\.png", m.path)[1])
        assert m.truth == task.label_ids[targets[i]]
        assert m.answer == task.label_ids[p[i].argmax()] != m.truth


def test_binary_operating_points():
    manifest, logits, targets, task = made(ids=("no_finding", "pneumonia"), n=400)
    report = judge(logits, manifest, task)
    assert set(report.curves) == {"roc:pneumonia", "selective"}
    scores, positive = softmax(logits)[:, 1], targets == 1
    assert [point.target for point in report.operating_points] == ["specificity=0.90", "specificity=0.95"]
    for point, asked in zip(report.operating_points, (0.90, 0.95), strict=True):
        assert point.label == "pneumonia"
        assert point.scale == "probability"
        assert point.population == "manifest.csv, test"
        assert point.achieved.value == pytest.approx((scores[~positive] < point.threshold).mean())
        assert point.achieved.value >= asked
        assert point.achieved.n == (~positive).sum()
        sensitivity = (scores[positive] >= point.threshold).mean()
        assert f"sensitivity at this threshold {sensitivity:.3f} (" in point.achieved.note
        name = f"sensitivity_at_specificity_{round(100 * asked)}"
        assert report.metrics[name].value == pytest.approx(sensitivity)


def test_warnings_name_what_is_wrong():
    manifest, logits, _, task = made(n=40, groups=False)
    rows = [
        Row(line=r.line, path=r.path, label="rust" if i else "healthy") for i, r in enumerate(manifest.rows)
    ]
    calibration = Calibration(fitted_on="test", n=40, manifest_sha256=SHA)
    report = judge(logits, manifest_of(rows, ["no column licence"]), task, calibration=calibration)
    text = "\n".join(report.warnings)
    assert "small test set: 40 images in 40 groups" in text
    assert "no image of: spot" in text
    assert "fewer than 10 images of: healthy" in text
    assert "no group_id: each image counts as its own group" in text
    assert "fitted on this very data" in text
    assert "manifest: no column licence" in text
    assert report.per_class["spot"]["recall"].value is None


def test_some_rows_without_a_group():
    manifest, logits, _, task = made()
    rows = [
        Row(line=r.line, path=r.path, label=r.label, group_id="one" if i else None)
        for i, r in enumerate(manifest.rows)
    ]
    report = judge(logits, manifest_of(rows), task)
    assert "1 of 240 images have no group_id and count as their own group" in report.warnings
    assert report.n_groups == 2


def test_abstention_is_measured_where_there_is_a_limit():
    manifest, logits, targets, task = made()
    report = judge(logits, manifest, task, calibration=Calibration(abstain_below=0.6))
    p = softmax(logits)
    kept = p.max(1) >= 0.6
    assert report.metrics["coverage"].value == pytest.approx(kept.mean())
    assert report.metrics["selective_accuracy"].value == pytest.approx((p.argmax(1) == targets)[kept].mean())
    nothing = judge(logits, manifest, task, calibration=Calibration(abstain_below=1.0)).metrics
    assert nothing["selective_accuracy"].value is None
    assert nothing["selective_accuracy"].note == "every answer was withheld: not defined"
    assert "coverage" not in judge(logits, manifest, task).metrics


def test_multilabel():
    rng = np.random.default_rng(0)
    truth = (rng.random((150, 2)) < 0.4).astype(int)
    logits = rng.normal(size=(150, 2)) + 2 * (truth - 0.5)
    known = rng.random((150, 2)) < 0.8
    known[0] = False
    rows = [
        Row(
            line=i + 2,
            path=f"{i}.png",
            group_id=f"g{i}",
            labels={k: int(truth[i, c]) if known[i, c] else None for c, k in enumerate(("effusion", "mass"))},
        )
        for i in range(150)
    ]
    task = task_of("effusion", "mass", kind="multilabel")
    report = judge(logits, manifest_of(rows), task)
    inside = known[:, 0]
    assert report.per_class["effusion"]["auroc"].value == pytest.approx(
        sk.roc_auc_score(truth[inside, 0], logits[inside, 0])
    )
    assert report.confusion == ()
    assert set(report.curves) == {"roc:effusion", "roc:mass"}
    assert [p.label for p in report.operating_points] == ["effusion", "effusion", "mass", "mass"]
    assert sum(count for _, _, count in report.reliability) == known.sum()
    nothing = (~known.any(axis=1)).sum()
    assert f"{nothing} rows with an unknown label were left out" in report.warnings
    first = report.mistakes[0]
    assert re.fullmatch(r"(effusion|mass)=[01]", first.truth)
    i = int(first.path.split(".")[0])
    c = ("effusion", "mass").index(first.truth.split("=")[0])
    assert first.truth.endswith(str(truth[i, c]))
    assert first.answer.endswith(str(1 - truth[i, c]))
    assert first.probability == pytest.approx(max(expit(logits[i, c]), 1 - expit(logits[i, c])))


def test_labels_that_are_not_the_models_list_both():
    manifest, logits, _, _ = made()
    with pytest.raises(
        DataError,
        match=re.escape(
            "labels of manifest.csv are not the model's (spot): expected blight, healthy, rust, "
            "got healthy, rust, spot; rename"
        ),
    ):
        judge(logits, manifest, task_of("healthy", "rust", "blight"))


def test_manifest_of_the_other_kind():
    manifest, logits, _, _ = made()
    with pytest.raises(
        DataError, match="does not fit the model: expected columns label:<id>, got a column label"
    ):
        judge(logits, manifest, task_of("healthy", "rust", "spot", kind="multilabel"))


def test_wrong_logits_and_wrong_task():
    manifest, logits, _, task = made()
    with pytest.raises(
        DataError, match=re.escape("logits do not fit the manifest: expected (240, 3), got (239, 3)")
    ):
        judge(logits[1:], manifest, task)
    logits[7, 1] = np.inf
    with pytest.raises(DataError, match=r"outputs for 1 rows of manifest.csv are not numbers \(rows 9\)"):
        judge(logits, manifest, task)
    embedding = TaskSpec(kind="embedding", preprocess=task.preprocess, embedding_dim=4, score="cosine")
    with pytest.raises(ConfigError, match="expected classification or multilabel, got embedding"):
        judge(logits, manifest, embedding)


def test_no_known_label_at_all():
    manifest, logits, _, task = made(n=4)
    rows = [Row(line=r.line, path=r.path) for r in manifest.rows]
    with pytest.raises(DataError, match=r"no row of manifest.csv has a known label; fill"):
        judge(logits, manifest_of(rows), task)


def test_fit_calibration():
    _, logits, targets, task = made(n=600)
    targets = targets.copy()
    targets[:10] = -1
    found = fit_calibration(logits * 4, targets, task, risk=0.15, manifest_sha256=SHA)
    assert found.n == 590
    assert found.fitted_on == "val"
    assert found.manifest_sha256 == SHA
    p = softmax(logits * 4 / np.array(found.temperatures))[10:]
    kept = p.max(1) >= found.abstain_below
    assert (p.argmax(1) == targets[10:])[kept].mean() >= 0.85
    assert found.abstention.bound <= 0.15
    assert found.abstention.coverage == pytest.approx(kept.mean())
    assert sk.log_loss(targets[10:], p) < sk.log_loss(targets[10:], softmax(logits * 4)[10:])
    assert fit_calibration(logits, targets, task).abstain_below is None


def test_same_seed_same_report():
    manifest, logits, _, task = made()
    assert judge(logits, manifest, task, seed=4) == judge(logits, manifest, task, seed=4)
    assert judge(logits, manifest, task, seed=4) != judge(logits, manifest, task, seed=5)
