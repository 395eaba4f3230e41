"""Every exported target of a real network answers as torch does, from uint8 pixels to probabilities."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from vnvision.engines import available_engines
from vnvision.export import TARGETS, TOLERANCES, export_bundle, golden_images
from vnvision.metrics.scores import probabilities
from vnvision.records import Licences
from vnvision.runtime import load_bundle
from vnvision.spec import Label, PreprocessSpec, TaskSpec

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")
pytest.importorskip("onnx")
pytest.importorskip("openvino")

HERE = {
    name: target
    for name, target in TARGETS.items()
    if not target.is_8_bit and target.engine in available_engines() and target.engine != "litert"
}
"""Float targets that need no environment of their own; ``test_litert`` and ``test_rknn`` have those."""

NETWORKS = {
    "mobilenetv4_conv_small": (64, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "tf_efficientnet_lite0": (96, (127 / 255,) * 3, (128 / 255,) * 3),
}


def task_of(network: str) -> TaskSpec:
    size, mean, std = NETWORKS[network]
    spec = PreprocessSpec(size_px=(size, size), mean=mean, std=std)
    labels = tuple(Label(id=name) for name in ("healthy", "spot", "blight", "rust"))
    return TaskSpec(kind="classification", preprocess=spec, labels=labels)


def network_of(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=4)


def torch_outputs(net: torch.nn.Module, task: TaskSpec, images: np.ndarray) -> np.ndarray:
    spec = task.preprocess
    x = (images.astype(np.float64) / 255 - np.array(spec.mean)) / np.array(spec.std)
    with torch.inference_mode():
        return net.eval()(torch.from_numpy(x.transpose(0, 3, 1, 2).astype(np.float32).copy())).numpy()


@pytest.fixture(
    scope="module", params=[n if "v4" in n else pytest.param(n, marks=pytest.mark.slow) for n in NETWORKS]
)
def exported(request, tmp_path_factory):
    """(network, task, bundle folder, manifest) with every target there is."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    net, task = network_of(request.param), task_of(request.param)
    out = tmp_path_factory.mktemp("parity") / "bundle"
    manifest = export_bundle(
        net, task, out, name=request.param, targets=tuple(HERE),
        golden_images=golden_images(None, task.preprocess), licences=Licences(weights="none"),
    )  # fmt: skip
    yield net, task, out, manifest
    torch.set_num_threads(before)


@pytest.mark.parametrize("target", HERE)
def test_target_equals_torch(exported, target):
    net, task, out, manifest = exported
    rng = np.random.default_rng(7)
    size = task.preprocess.size_px
    fresh = rng.integers(0, 256, (5, 4, 4, 3), np.uint8).repeat(size[0] // 4, 1).repeat(size[1] // 4, 2)
    expected = torch_outputs(net, task, fresh)  # pictures the gate has not seen
    answers = load_bundle(out, target=target).logits(list(fresh))
    scale = np.ptp(expected, axis=0).max()
    precision = TARGETS[target].precision
    assert np.abs(answers - expected).max() <= TOLERANCES[precision].relative * scale
    if precision == "fp32":
        np.testing.assert_allclose(answers, expected, rtol=0, atol=1e-4 * scale)
        np.testing.assert_array_equal(answers.argmax(1), expected.argmax(1))
        gap = probabilities(answers / scale, "softmax") - probabilities(expected / scale, "softmax")
        assert np.abs(gap).max() < 1e-4
    assert manifest.targets[target].parity["max_relative"] <= TOLERANCES[precision].relative


def test_golden_outputs_are_torch_outputs(exported):
    net, task, out, _ = exported
    golden = np.load(out / "golden.npz")
    expected = torch_outputs(net, task, golden["images"])
    np.testing.assert_allclose(golden["outputs"], expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.realdata
@pytest.mark.skipif("VNVISION_DATA" not in os.environ, reason="VNVISION_DATA is not set")
def test_real_leaves_pass_the_gate(tmp_path):
    from vnvision.data.manifest import read_manifest

    manifest = read_manifest(Path(os.environ["VNVISION_DATA"]) / "agri" / "ibean" / "manifest.csv")
    task = task_of("mobilenetv4_conv_small")
    images = golden_images(manifest, task.preprocess, n=6)
    assert images.shape == (6, 64, 64, 3)
    bundle = export_bundle(
        network_of("mobilenetv4_conv_small"), task, tmp_path / "b", name="leaf", golden_images=images,
        licences=Licences(weights="none"),
    )  # fmt: skip
    assert all(record.parity["max_relative"] < 1e-4 for record in bundle.targets.values())
