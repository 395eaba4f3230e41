"""Further outputs, planes and scope gates through the gate and into the bundle."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vnvision import atomic, runtime
from vnvision.errors import ExportError, ModelError
from vnvision.export import Reference, check_parity, export_bundle, to_onnx, to_openvino
from vnvision.export.onnx import with_explanation
from vnvision.export.run import _further_files
from vnvision.models.explained import ExplainedNet
from vnvision.records import AbstentionRule, Calibration, EvalReport, Licences, Metric
from vnvision.runtime.picture_quality import measure_all
from vnvision.runtime.scope import fit_scope
from vnvision.spec import BoxSpec, SeveritySpec, TaskSpec

timm = pytest.importorskip("timm")
pytest.importorskip("openvino")
LICENCES = Licences(weights="none")


@pytest.fixture
def leaf_net() -> torch.nn.Module:
    torch.manual_seed(0)
    net = timm.create_model("test_efficientnet", num_classes=4)
    with torch.no_grad():
        for _ in range(3):
            net(torch.randn(8, 3, 64, 96))
    return net.eval()


@pytest.fixture
def leaf_task(make) -> TaskSpec:
    return make.task(size_px=(64, 96))


class Planes(torch.nn.Module):
    """A tiny dense network: planes at a quarter of the size."""

    def __init__(self, planes: int) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.body = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3, stride=2, padding=1), torch.nn.ReLU(),
            torch.nn.Conv2d(8, 8, 3, stride=2, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(8, planes, 1),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)


def dense_task(make, kind: str) -> TaskSpec:
    base = make.task(size_px=(32, 48))
    extra = {"boxes": BoxSpec()} if kind == "detection" else {}
    if kind == "segmentation":
        extra = {"severity": SeveritySpec(diseased=("rust",), whole=("spot", "rust"))}
    return TaskSpec(kind=kind, preprocess=base.preprocess, labels=base.labels, score="sigmoid", **extra)


def export(net, task, images, out, **options):
    return export_bundle(
        net, task, out, name="it", golden_images=images, licences=LICENCES,
        targets=("onnx", "openvino", "openvino-fp16"), **options,
    )  # fmt: skip


@pytest.mark.parametrize("target", ["onnx", "openvino", "openvino-fp16"])
def test_every_target_gives_features_and_maps(leaf_net, leaf_task, make, tmp_path, target):
    images = make.images(leaf_task)
    manifest = export(leaf_net, leaf_task, images, tmp_path / "b")
    parity = manifest.targets[target].parity
    limit = 2e-2 if "fp16" in target else 1e-3
    assert 0 <= parity["features_max_relative"] <= limit
    assert 0 <= parity["cam_max_relative"] <= limit
    model = runtime.load_bundle(tmp_path / "b", target=target)
    assert model.engine.output_names == ("output", "features", "cam")
    with torch.inference_mode():
        batch = torch.from_numpy(model.preprocessor.batch(list(images)))
        last = leaf_net.forward_features(batch)
        expected = leaf_net(batch).numpy(), last.mean((2, 3)).numpy()
        weight = leaf_net.get_classifier().weight
        maps = torch.einsum("ck,nkyx->ncyx", weight, last).numpy()
    found = model.run_crops(list(images))
    for got, right in zip(found, (*expected, maps), strict=True):
        np.testing.assert_allclose(got, right, atol=limit * np.ptp(right, axis=0).max())
    golden = np.load(tmp_path / "b" / "golden.npz")
    np.testing.assert_allclose(golden["features"], expected[1], atol=1e-5)
    np.testing.assert_allclose(golden["cam"], maps, atol=1e-4)
    heat = model.heatmap(images[0], "rust")
    assert heat.shape == images.shape[1:3]
    model.close()


def test_a_file_with_wrong_further_outputs_is_refused(leaf_net, leaf_task, make, tmp_path):
    images = make.images(leaf_task)
    module = with_explanation(leaf_net, leaf_task, images)
    reference = Reference(module, leaf_task, images)

    class Wrong(ExplainedNet):
        def forward(self, x):
            output, features, cam = super().forward(x)
            return output, features, cam + 0.01 * reference_spread

    reference_spread = float(np.ptp(reference.further["cam"], axis=0).max())
    to_onnx(Wrong(module.net, has_cam=True), leaf_task, tmp_path / "m.onnx")
    result = check_parity(tmp_path / "m.onnx", "it", "onnxruntime", reference)
    assert any("of cam (at most 0.001)" in text for text in result.failures)
    assert result.max_relative < 1e-4
    assert result.further["cam"] == pytest.approx(0.01, rel=1e-2)
    to_onnx(leaf_net, leaf_task, tmp_path / "m.onnx")
    result = check_parity(tmp_path / "m.onnx", "it", "onnxruntime", reference)
    assert result.failures[0].startswith("features is missing where the original gives (6, ")


def test_networks_of_another_make_export_as_before(net, task, images, tmp_path):
    assert with_explanation(net, task, images) is net
    manifest = export(net, task, images, tmp_path / "b")
    assert not any("features" in key for key in manifest.targets["onnx"].parity)
    assert runtime.load_bundle(tmp_path / "b").engine.output_names == ("output",)


@pytest.mark.parametrize("kind", ["segmentation", "detection"])
def test_planes_go_through_every_target(make, tmp_path, kind):
    task = dense_task(make, kind)
    images, planes = make.images(task), 8 if kind == "detection" else 4
    net = Planes(planes)
    report = EvalReport(
        task=task, split="test", n=6, n_groups=3, manifest_sha256="0" * 64,
        metrics={"dice" if kind == "segmentation" else "map50": Metric(value=0.71, low=0.6, high=0.8, n=6)},
        per_class={"rust": {"iou": Metric(value=None, n=0, note="no pixel of it")}},
    )  # fmt: skip
    manifest = export(net, task, images, tmp_path / "b", report=report)
    for key, record in manifest.targets.items():
        names = {"segmentation": {"dice"}, "detection": {"labels_max_relative", "sides_max_relative"}}[kind]
        assert names <= set(record.parity), key
        assert record.parity["top1_n"] > 100
        assert record.parity["top1_agreement"] == 1.0
        if kind == "segmentation":
            assert record.parity["dice"] > 0.99
    model = runtime.load_bundle(tmp_path / "b", target="openvino")
    assert model.predict(images[0]).kind == kind
    card = (tmp_path / "b" / "MODEL_CARD.md").read_text()
    assert "0.710" in card
    assert "Scores of pixels and boxes are not calibrated." in card
    assert "No abstention limit" not in card


def test_sides_have_a_scale_of_their_own(make, tmp_path):
    """A detector whose logits drown its sides: an error of the sides alone is found."""
    task = dense_task(make, "detection")

    class Drowned(Planes):
        def __init__(self, wrong: float = 0.0) -> None:
            super().__init__(8)
            self.wrong = wrong

        def forward(self, x):
            out = self.body(x)
            return torch.cat([out[:, :4] * 1000, out[:, 4:] + self.wrong], dim=1)

    reference = Reference(Drowned(), task, make.images(task))
    to_onnx(Drowned(wrong=0.05), task, tmp_path / "m.onnx")
    result = check_parity(tmp_path / "m.onnx", "it", "onnxruntime", reference)
    assert result.max_relative < 1e-3
    assert any("of sides" in text for text in result.failures)


def test_planes_that_do_not_fit_are_named(make):
    segmentation, detection = dense_task(make, "segmentation"), dense_task(make, "detection")
    images = make.images(segmentation)
    with pytest.raises(ExportError, match=r"expected \(N, 4, h, w\), got \(6, 3, 8, 12\)"):
        Reference(Planes(3), segmentation, images)
    with pytest.raises(
        ExportError, match=r"fit the segmentation task: expected \(N, 4, h, w\), got \(6, 4\)"
    ):
        Reference(make.net(), segmentation, images)
    coarse = detection.model_copy(update={"boxes": BoxSpec(stride_px=8)})
    with pytest.raises(
        ExportError, match=r"cells do not fit its stride: expected cells of 8 pixels .* got 8 x 12"
    ):
        Reference(Planes(8), coarse, images)


def test_openvino_keeps_the_names(leaf_net, leaf_task, make, tmp_path):
    module = with_explanation(leaf_net, leaf_task, make.images(leaf_task))
    to_onnx(module, leaf_task, tmp_path / "m.onnx")
    to_openvino(tmp_path / "m.onnx", tmp_path)
    from vnvision.engines import open_engine

    for file, engine in (("m.onnx", "onnxruntime"), ("m.onnx", "openvino"), ("model.xml", "openvino")):
        assert open_engine(tmp_path / file, engine).output_names == ("output", "features", "cam")


def test_a_scope_gate_travels_and_is_applied(leaf_net, leaf_task, make, tmp_path):
    images = make.images(leaf_task, n=40)
    export(leaf_net, leaf_task, images[:6], tmp_path / "plain")
    model = runtime.load_bundle(tmp_path / "plain", target="onnx")
    features, looks = model.features(list(images)), measure_all(list(images), leaf_task.preprocess)
    gate = fit_scope(
        features, looks, range(40), val_features=features, val_measures=looks, val_groups=range(40)
    )
    file = gate.save(tmp_path / "scope.npz")
    rule = AbstentionRule(risk=0.1, delta=0.05, bound=0.08, coverage=0.9, n=40)
    named = {"scope_file": "scope.npz", "scope_sha256": atomic.sha256_file(file)}
    calibration = Calibration(**named, abstain_below=0.3, abstention=rule, n=40)
    export(
        leaf_net, leaf_task, images[:6], tmp_path / "b", calibration=calibration, files={"scope.npz": file}
    )
    scores = []
    for target in ("onnx", "openvino", "openvino-fp16"):
        gated = runtime.load_bundle(tmp_path / "b", target=target)
        scores.append(gated.scope_score(list(images)))
        grey = np.full((64, 96, 3), 128, np.uint8)
        assert {"too_blurred", "out_of_scope"} <= set(gated.predict(grey).reasons)
        gated.close()
    np.testing.assert_allclose(scores[0], gate.score(features, looks), rtol=1e-6)
    np.testing.assert_allclose(scores[1], scores[0], rtol=1e-3)
    np.testing.assert_allclose(scores[2], scores[0], rtol=5e-2)
    card = (tmp_path / "b" / "MODEL_CARD.md").read_text()
    assert "A gate for pictures out of scope is included (scope.npz)." in card
    assert "at most 0.100 of the answers given are wrong" in card
    assert "sai không quá 0,100" in card


def test_the_gate_of_a_run_travels_unless_it_was_changed(tmp_path):
    (tmp_path / "scope.npz").write_bytes(b"gate")
    digest = atomic.sha256_file(tmp_path / "scope.npz")
    calibration = Calibration(scope_file="scope.npz", scope_sha256=digest)
    assert _further_files(tmp_path, calibration, page=False) == {"scope.npz": tmp_path / "scope.npz"}
    assert set(_further_files(tmp_path, calibration, page=True)) == {"report.html", "scope.npz"}
    assert _further_files(tmp_path, Calibration(), page=False) == {}
    (tmp_path / "scope.npz").write_bytes(b"other")
    with pytest.raises(ModelError, match=r"scope\.npz is missing or was changed; train again"):
        _further_files(tmp_path, calibration, page=False)


def test_pictures_that_do_not_fit_are_named_first(leaf_net, leaf_task, make):
    with pytest.raises(
        ExportError, match=r"golden images do not fit the task: expected \(N, 64, 96, 3\) uint8"
    ):
        with_explanation(leaf_net, leaf_task, make.images(leaf_task)[:, :32])
