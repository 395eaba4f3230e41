from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import torch

from vnvision import runtime
from vnvision.errors import BundleError, ConfigError, ExportError, MissingExtraError
from vnvision.export import export_bundle
from vnvision.export import openvino as openvino_module
from vnvision.records import BundleManifest, Calibration, EvalReport, Licences, Metric, OperatingPoint

pytest.importorskip("openvino")

LICENCES = Licences(weights="Apache-2.0", training_data=("CC-BY-4.0",))
POINT = OperatingPoint(
    threshold=0.61, scale="probability", target="specificity=0.90", label="rust", population="test",
    achieved=Metric(value=0.9, n=10), n=10, manifest_sha256="0" * 64,
)  # fmt: skip


@pytest.fixture
def export(net, task, images, tmp_path):
    def run(**options):
        settings = {
            "module": net, "task": task, "out": tmp_path / "bundle", "name": "leaf",
            "golden_images": images, "licences": LICENCES,
        }  # fmt: skip
        return export_bundle(**(settings | options))

    return run


def report_of(task) -> EvalReport:
    metrics = {"accuracy": Metric(value=0.9, low=0.8, high=0.95, n=10)}
    return EvalReport(task=task, split="test", n=10, n_groups=5, manifest_sha256="0" * 64, metrics=metrics)


def test_bundle_is_complete(export, net, task, images, tmp_path):
    calibration = Calibration(temperatures=(1.5,), abstain_below=0.4, fitted_on="val", n=9)
    provenance = {"commit": "abc", "domain": "crop"}
    manifest = export(
        calibration=calibration, operating_points=(POINT,), report=report_of(task), provenance=provenance
    )
    out = tmp_path / "bundle"
    found = {item.relative_to(out).as_posix() for item in out.rglob("*") if item.is_file()}
    listed = {
        "model.onnx",
        "openvino/model.xml",
        "openvino/model.bin",
        "golden.npz",
        "report.json",
        "MODEL_CARD.md",
    }
    assert found == listed | {"manifest.json", "manifest.sha256"}
    assert set(manifest.files) == listed
    for name, digest in manifest.files.items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest
    text = (out / "manifest.json").read_bytes()
    assert BundleManifest.from_json(text) == manifest
    assert (out / "manifest.sha256").read_text() == hashlib.sha256(text).hexdigest() + "\n"
    assert EvalReport.load(out / "report.json") == report_of(task)
    assert list(manifest.targets) == ["onnx", "openvino"]
    for record in manifest.targets.values():
        assert record.calibration == calibration
        assert record.operating_points == (POINT,)
        assert record.converter_took == ()
        assert record.parity["max_relative"] < 1e-4
    assert manifest.provenance["commit"] == "abc"
    assert manifest.provenance["export"]["torch"] == torch.__version__
    golden = np.load(out / "golden.npz")
    np.testing.assert_array_equal(golden["images"], images)
    x = (images / 255.0 - np.array(task.preprocess.mean)) / np.array(task.preprocess.std)
    with torch.inference_mode():
        expected = net.eval()(torch.from_numpy(x.transpose(0, 3, 1, 2).astype(np.float32).copy())).numpy()
    np.testing.assert_allclose(golden["outputs"], expected, atol=1e-6)


@pytest.mark.parametrize("target", ["onnx", "openvino"])
def test_runtime_answers_as_the_model(export, images, tmp_path, target):
    export()
    predictor = runtime.load_bundle(tmp_path / "bundle", target=target)
    golden = np.load(tmp_path / "bundle" / "golden.npz")
    np.testing.assert_allclose(predictor.logits(list(images)), golden["outputs"], atol=1e-4)


def test_twice_gives_equal_bytes(export, tmp_path):
    first = export(out=tmp_path / "a")
    second = export(out=tmp_path / "b")
    assert first == second
    for name in (*first.files, "manifest.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_onnx_alone_and_fp16(export, tmp_path):
    assert list(export(targets=("onnx",)).targets) == ["onnx"]
    assert not (tmp_path / "bundle" / "openvino").exists()
    manifest = export(targets=["openvino-fp16"], overwrite=True)
    assert list(manifest.targets) == ["onnx", "openvino-fp16"]
    assert manifest.targets["openvino-fp16"].precision == "fp16"


def test_refused_target_leaves_nothing(export, net, tmp_path, monkeypatch):
    real = openvino_module.to_openvino

    def corrupted(onnx_path, folder, **options):
        xml, weights = real(onnx_path, folder, **options)
        values = np.frombuffer(weights.read_bytes(), np.uint8).copy()
        values[: len(values) // 2] = 0
        weights.write_bytes(values.tobytes())
        return xml, weights

    monkeypatch.setattr(openvino_module, "to_openvino", corrupted)
    net.train()
    with pytest.raises(ExportError, match="target openvino disagrees with the original model and is refused"):
        export()
    assert not list(tmp_path.iterdir())
    assert net.training


def test_refused_overwrite_keeps_the_old_bundle(export, net, tmp_path):
    export(targets=("onnx",))
    before = {p.name: p.read_bytes() for p in (tmp_path / "bundle").iterdir()}
    net.head.bias.data[0] = float("inf")
    with pytest.raises(ExportError, match="the model is dead"):
        export(overwrite=True)
    assert {p.name: p.read_bytes() for p in (tmp_path / "bundle").iterdir()} == before
    assert [item.name for item in tmp_path.iterdir()] == ["bundle"]


def test_self_check_finds_a_runtime_that_reads_otherwise(export, tmp_path, monkeypatch):
    real = runtime.open_target

    def wrong(*args, **kwargs):
        predictor = real(*args, **kwargs)
        logits = predictor.logits

        class Swapped:
            close = predictor.close

            def logits(self, images):
                return logits([image[..., ::-1] for image in images])

        return Swapped()

    monkeypatch.setattr("vnvision.export.finished.open_target", wrong)
    with pytest.raises(
        ExportError, match="finished bundle answers otherwise than the model through target onnx"
    ):
        export()
    assert not list(tmp_path.iterdir())


def test_taken_folder_is_refused_before_any_work(export, tmp_path, monkeypatch):
    export(targets=("onnx",))
    monkeypatch.setattr("vnvision.export.bundle.Reference", None)  # would be a TypeError
    with pytest.raises(ExportError, match="is not empty"):
        export()


def test_unknown_target_lists_those_there_are(export):
    with pytest.raises(
        ConfigError, match=r"unknown export target 'caffe': expected some of onnx, onnx-fp16, .*openvino"
    ):
        export(targets=("onnx", "caffe"))


def test_missing_package_names_its_extra_and_leaves_nothing(export, tmp_path, monkeypatch):
    def absent(*args, **kwargs):
        raise MissingExtraError("openvino", "export-openvino")

    monkeypatch.setattr(openvino_module, "to_openvino", absent)
    with pytest.raises(MissingExtraError, match=r"vnvision\[export-openvino\]"):
        export()
    assert not list(tmp_path.iterdir())


def test_further_files_travel_and_are_hashed(export, tmp_path):
    (tmp_path / "page.html").write_text("<p>")
    manifest = export(files={"extra/report.html": tmp_path / "page.html"}, targets=("onnx",))
    assert manifest.files["extra/report.html"] == hashlib.sha256(b"<p>").hexdigest()
    assert (tmp_path / "bundle" / "extra" / "report.html").read_text() == "<p>"
    runtime.load_bundle(tmp_path / "bundle").close()


def test_calibration_that_the_runtime_cannot_apply_is_refused(export, tmp_path):
    with pytest.raises(BundleError, match="wrong temperatures: expected 1 or 4, got 2"):
        export(calibration=Calibration(temperatures=(1.0, 2.0)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "spec",
    [{"colour": "bgr"}, {"flip_average": True}, {"geometry": "align"}, {"geometry": "crop", "crop_pct": 0.8}],
)
def test_self_check_follows_the_specification(export, make, tmp_path, spec):
    task = make.task(size_px=(112, 112), **spec)
    export(task=task, golden_images=make.images(task), targets=("onnx",))
    assert (tmp_path / "bundle" / "manifest.json").is_file()


@pytest.mark.parametrize(
    "name", ["../x", "/x", "model.onnx", "manifest.json", "openvino/y", "a\\b", "c:d", ""]
)
def test_file_names_stay_inside_and_out_of_the_way(export, tmp_path, name):
    (tmp_path / "x").write_text("x")
    with pytest.raises(ConfigError, match="a bundle cannot carry a file named"):
        export(files={name: tmp_path / "x"})


def test_absent_file_is_named(export, tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read .*nothing\.html"):
        export(files={"report.html": tmp_path / "nothing.html"})


def test_manifest_is_plain_json(export, tmp_path):
    export(targets=("onnx",), synthetic=True)
    value = json.loads((tmp_path / "bundle" / "manifest.json").read_text())
    assert value["schema_version"] == 1
    assert value["synthetic"] is True
    assert str(tmp_path) not in json.dumps(value)


def test_a_lean_bundle_leaves_the_original_out_once_the_rest_was_proven(export, tmp_path):
    whole = export(out=tmp_path / "whole", targets=("openvino",))
    lean = export(out=tmp_path / "lean", targets=("openvino",), lean=True)
    assert set(lean.targets) == {"openvino"}
    assert not (tmp_path / "lean" / "model.onnx").exists()
    assert "model.onnx" not in lean.files
    with np.load(tmp_path / "lean" / lean.golden) as kept, np.load(tmp_path / "whole" / whole.golden) as all_:
        assert set(kept.files) == set(all_.files)
        for name in kept.files:
            np.testing.assert_array_equal(kept[name], all_[name][:1])
    picture = np.zeros((30, 40, 3), np.uint8)
    found = [
        runtime.load_bundle(tmp_path / name).predict(picture).probabilities for name in ("lean", "whole")
    ]
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)
    assert "model.onnx" not in (tmp_path / "lean" / "MODEL_CARD.md").read_text()


def test_a_lean_bundle_of_the_original_alone_keeps_it(export, tmp_path):
    assert set(export(out=tmp_path / "lean", targets=("onnx",), lean=True).targets) == {"onnx"}
