"""8-bit targets: refused without pictures, judged on some, with calibration and thresholds of their own."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from vnvision.data.manifest import Row, read_manifest, write_manifest
from vnvision.errors import ConfigError, DataError, ExportError
from vnvision.export import export_bundle
from vnvision.export.field import FieldPictures
from vnvision.export.judge import Judge
from vnvision.export.judge_faces import comparisons, judge_embeddings, points_again
from vnvision.export.original import Original
from vnvision.metrics.comparisons import tar_at_fmr
from vnvision.records import Calibration, Judgement, LesionRule, Licences, Metric, OperatingPoint
from vnvision.runtime import load_bundle
from vnvision.runtime.answers import unit_norm

pytest.importorskip("openvino")
LABELS = ("healthy", "spot", "blight", "rust")


def pictures_of(folder, task, net, *, n=72):
    """A manifest whose truth is what the network itself answers, but for every ninth picture."""
    rng = np.random.default_rng(5)
    height, width = task.preprocess.size_px
    shown = rng.integers(0, 256, (n, height // 8, width // 8, 3), np.uint8).repeat(8, 1).repeat(8, 2)
    answers = Original(net, task, "net").logits(list(shown)).argmax(1)
    rows = []
    for index, (image, answer) in enumerate(zip(shown, answers, strict=True)):
        cv2.imwrite(str(folder / f"{index}.png"), image[..., ::-1])
        truth = LABELS[(answer + (index % 9 == 0)) % 4]
        split = ("train", "val", "val", "test")[index % 4]
        rows.append(Row(0, f"{index}.png", label=truth, split=split, group_id=f"g{index // 2}"))
    return write_manifest(rows, folder / "m.csv")


@pytest.fixture
def field(tmp_path, task, net):
    (tmp_path / "data").mkdir()
    return FieldPictures.read(pictures_of(tmp_path / "data", task, net), task.preprocess, n=18)


@pytest.fixture
def export(net, task, images, tmp_path):
    def run(**options):
        return export_bundle(
            net, task, tmp_path / "bundle", name="leaf", golden_images=images,
            licences=Licences(weights="none"), **options,
        )  # fmt: skip

    return run


def test_8_bits_without_pictures_are_refused_before_any_work(export, tmp_path):
    with pytest.raises(ConfigError, match=r"8-bit targets need calibration images \(openvino-int8\)"):
        export(targets=("openvino",), int8=True)
    assert not list(tmp_path.iterdir())


def test_ranges_come_from_training_rows_and_judgement_from_validation_rows(field):
    assert field.measured.record()["by_split"] == {"train": 18}
    assert {row.split for row in field.judged.rows} == {"val"}
    assert len(field.shown) <= 32


def test_no_validation_rows(tmp_path, task, net):
    (tmp_path / "d").mkdir()
    path = pictures_of(tmp_path / "d", task, net, n=24)
    path.write_text(path.read_text().replace(",val,", ",train,"))
    with pytest.raises(DataError, match="no rows to judge an 8-bit model on"):
        FieldPictures.read(path, task.preprocess)


def test_int8_bundle(export, field, tmp_path):
    before = Calibration(temperatures=(3.0,), fitted_on="elsewhere", n=5)
    manifest = export(
        targets=("onnx-int8", "openvino-int8"), pictures=field, calibration=before, time_it=True
    )
    assert list(manifest.targets) == ["onnx", "onnx-int8", "openvino-int8"]
    assert manifest.targets["onnx"].calibration == before
    assert manifest.targets["onnx"].judged is None
    for name in ("onnx-int8", "openvino-int8"):
        record = manifest.targets[name]
        assert record.precision == "int8"
        assert record.judged.metric == "accuracy"
        assert record.judged.original == pytest.approx(
            np.mean([int(row.path.split(".")[0]) % 9 != 0 for row in field.judged.rows])
        )
        assert record.judged.change.value == pytest.approx(record.judged.target - record.judged.original)
        assert record.judged.agreement >= 0.9
        assert record.calibration.fitted_on == "val"  # its own
        assert record.calibration.n == len(field.judged)
        assert record.p50_ms > 0
    assert manifest.provenance["calibration_images"]["n"] == 18
    card = (tmp_path / "bundle" / "MODEL_CARD.md").read_text()
    assert "openvino-int8: Accuracy" in card
    with contextlib.closing(load_bundle(tmp_path / "bundle", target="onnx-int8")) as predictor:
        assert predictor.calibration.fitted_on == "val"


def test_saturated_ranges_are_refused_or_skipped(export, field, tmp_path, monkeypatch):
    measured = field.measured
    dark = SimpleNamespace(images=measured.images, inputs=measured.inputs * 0.05, record=measured.record)
    monkeypatch.setitem(field.__dict__, "measured", dark)
    with pytest.raises(
        ExportError, match="target onnx-int8 disagrees with the original model and is refused"
    ):
        export(targets=("onnx-int8",), pictures=field)
    assert [item.name for item in tmp_path.iterdir()] == ["data"]
    manifest = export(targets=("onnx-int8", "openvino"), pictures=field, skip_refused=True)
    assert list(manifest.targets) == ["onnx", "openvino"]
    assert "disagrees" in manifest.provenance["refused"]["onnx-int8"]
    assert not (tmp_path / "bundle" / "onnx-int8").exists()


def test_what_is_not_fitted_again_is_kept(field, net, task):
    before = Calibration(
        scope_file="scope.npz",
        scope_sha256="0" * 64,
        lesions=LesionRule(least_share=0.01),
        temperatures=(9.0,),
    )
    judge = Judge(Original(net, task, "net"), field.judged)
    rng = np.random.default_rng(0)
    after = judge.calibration(before, rng.normal(size=(len(judge.part), len(task.labels))))
    assert after.temperatures != before.temperatures
    assert (after.scope_file, after.scope_sha256) == (before.scope_file, before.scope_sha256)
    assert after.lesions == before.lesions


def judgement(**changes) -> Judgement:
    facts = {
        "split": "val",
        "n": 100,
        "manifest_sha256": "0" * 64,
        "metric": "accuracy",
        "original": 0.9,
        "target": 0.9,
        "change": Metric(value=0.0, low=-0.02, high=0.02, n=100),
    }
    return Judgement(**facts | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"change": Metric(value=-0.03, low=-0.05, high=0.01, n=9)},
            "accuracy falls by 0.0300 (at most 0.02)",
        ),
        ({"change": Metric(value=-0.01, low=-0.015, high=-0.002, n=9)}, "falls, between 0.0020 and 0.0150"),
        ({"agreement": 0.8}, "same answer for 80.0% (at least 90%)"),
        ({"cosine_mean": 0.5}, "mean cosine 0.5000"),
    ],
)
def test_what_judging_refuses(field, net, task, changes, message):
    judge = Judge(Original(net, task, "net"), field.judged)
    judge.require(judgement(), "fine")
    with pytest.raises(ExportError) as caught:
        judge.require(judgement(**changes), "openvino-int8")
    assert message in str(caught.value)
    assert "target openvino-int8 answers worse than the original on 100 val pictures" in str(caught.value)


@pytest.fixture
def people(tmp_path):
    """40 people, four pictures each, as rows and as embeddings that tell them apart for the most part."""
    rng = np.random.default_rng(0)
    centre = rng.normal(size=(40, 16))
    vectors = (centre.repeat(4, 0) + 0.75 * rng.normal(size=(160, 16))).astype(np.float32)
    rows = []
    for index in range(160):
        (tmp_path / f"{index}.png").write_bytes(b"x")
        rows.append(Row(0, f"{index}.png", group_id=f"p{index // 4}", split="val"))
    return read_manifest(write_manifest(rows, tmp_path / "people.csv")), vectors


def test_faces_are_judged_at_thresholds_of_their_own(people):
    part, vectors = people
    facts = {"split": "val", "n": len(part), "manifest_sha256": part.sha256}
    same = judge_embeddings(vectors, 3 * vectors, part, facts)
    assert same.change.value == 0
    assert same.cosine_min == pytest.approx(1, abs=1e-6)
    noisy = vectors + np.random.default_rng(1).normal(size=vectors.shape).astype(np.float32)
    worse = judge_embeddings(vectors, noisy, part, facts)
    names = [row.group_id for row in part.rows]
    tar = {key: tar_at_fmr(comparisons(unit_norm(x), names), target=1e-3, n_boot=0).tar.value
           for key, x in (("original", vectors), ("target", noisy))}  # fmt: skip
    assert (worse.original, worse.target) == (pytest.approx(tar["original"]), pytest.approx(tar["target"]))
    assert worse.change.high < 0
    assert set(worse.further) == {"tar_fmr0.0001"}


def test_thresholds_are_derived_again_for_the_same_rates(people):
    part, vectors = people
    before = [
        OperatingPoint(
            threshold=0.3,
            scale="cosine",
            target="fmr=0.01",
            achieved=Metric(value=0.01, n=9),
            population="LFW",
            n=9,
            manifest_sha256="0" * 64,
        )
    ]
    (point,) = points_again(before, vectors, part, "val split of net")
    scores = comparisons(unit_norm(vectors), [row.group_id for row in part.rows]).impostor
    assert (scores >= point.threshold).mean() <= 0.01 < (scores >= point.threshold - 2e-4).mean() + 2e-4
    assert point.population == "val split of net"
    assert points_again([], vectors, part, "x") == ()


def test_original_averages_the_flip(net, make):
    task = make.task(kind="embedding", flip_average=True, geometry="none")
    image = make.images(task, 1)
    plain = Original(net, make.task(kind="embedding", geometry="none"), "n")
    both = (plain.logits(list(image)) + plain.logits(list(image[:, :, ::-1]))) / 2
    np.testing.assert_allclose(Original(net, task, "n").logits(list(image)), both, rtol=1e-5, atol=1e-6)
    assert torch.is_grad_enabled()
