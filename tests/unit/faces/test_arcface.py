import shutil
import sys

import numpy as np
import pytest
import toys

from vnvision.errors import ConfigError, DataError, MissingExtraError, ModelError
from vnvision.faces.arcface import ArcFaceOnnx


@pytest.fixture(scope="module")
def crops():
    return np.random.default_rng(5).integers(0, 256, (5, 112, 112, 3), dtype=np.uint8)


def opened(path, **options):
    return ArcFaceOnnx(path, engine="onnxruntime", threads=1, **options)


def check(model, crops, **reference):
    wanted = np.stack([toys.embedding(crop, **reference) for crop in crops])
    got = model.embed(crops)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, wanted, atol=1e-5)
    model.close()


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_embeddings_are_those_written_out_in_numpy(tmp_path, crops, engine):
    pytest.importorskip(engine)
    check(ArcFaceOnnx(toys.arcface(tmp_path / "a.onnx"), engine=engine, batch_size=2), crops)


def test_flip_averages_with_the_mirror_image(tmp_path, crops):
    check(opened(toys.arcface(tmp_path / "a.onnx"), flip=True), crops, flip=True)


def test_bgr_networks_are_fed_blue_first_and_take_rgb_crops(tmp_path, crops):
    model = opened(toys.arcface(tmp_path / "a.onnx"), colour="bgr")
    wanted = np.stack([toys.embedding(crop[..., ::-1]) for crop in crops])
    np.testing.assert_allclose(model.embed(crops), wanted, atol=1e-5)


def test_declared_scaling_is_used(tmp_path, crops):
    model = opened(toys.arcface(tmp_path / "a.onnx"), mean_px=100.0, std_px=64.0)
    check(model, crops, mean=100, std=64)


@pytest.mark.parametrize("layout", [{"batch": 1}, {"batch": 1, "traced_batch": True}, {"traced_batch": True}])
def test_files_made_for_one_crop_take_them_in_turn(tmp_path, crops, layout):
    model = opened(toys.arcface(tmp_path / "a.onnx", **layout), batch_size=4)
    assert model.batch_size == 1
    check(model, crops)


def test_a_graph_that_scales_is_used_as_declared(tmp_path, crops):
    steps = [("Sub", 127.5), ("Mul", 1 / 127.5)]
    check(opened(toys.arcface(tmp_path / "a.onnx", before=steps), normalised_inside=True), crops)
    # The same as frameworks write it that keep constants in nodes, or fold it into a batch norm.
    nodes = toys.arcface(tmp_path / "c.onnx", before=steps, constant_nodes=True)
    check(opened(nodes, normalised_inside=True), crops)
    moments = [("BatchNormalization", [0.5] * 3, [0.0] * 3, [127.5] * 3, [63.75**2] * 3)]
    check(opened(toys.arcface(tmp_path / "n.onnx", before=moments), normalised_inside=True), crops)
    sharp = [("BatchNormalization", [1 / 127.5] * 3, [0.0] * 3, [127.5] * 3, [1.0] * 3)]
    check(opened(toys.arcface(tmp_path / "s.onnx", before=sharp), normalised_inside=True), crops)
    # From 0..1: the other half of the scaling is declared outside.
    half = [("Sub", [0.5]), ("Div", np.full((1, 3, 1, 1), 0.5))]
    check(opened(toys.arcface(tmp_path / "b.onnx", before=half), mean_px=0.0, std_px=255.0), crops)


@pytest.mark.parametrize("steps", [[("Sub", 127.5), ("Mul", 0.0078125)], [("Div", 255.0)]])
@pytest.mark.parametrize("constant_nodes", [False, True])
def test_scaling_twice_is_refused(tmp_path, steps, constant_nodes):
    path = toys.arcface(tmp_path / "a.onnx", before=steps, constant_nodes=constant_nodes)
    with pytest.raises(ConfigError) as caught:
        opened(path)
    text = str(caught.value)
    assert "begins with " + ", ".join(f"{kind} {value:g}" for kind, value in steps) in text
    assert "scaled twice" in text
    assert "normalised_inside=True" in text
    opened(path, normalised_inside=True).close()


def test_a_batch_norm_that_scales_counts_too(tmp_path):
    moments = [("BatchNormalization", [0.5] * 3, [0.0] * 3, [127.5] * 3, [63.75**2] * 3)]
    with pytest.raises(ConfigError, match=r"begins with BatchNormalization, so pixels would be scaled twice"):
        opened(toys.arcface(tmp_path / "a.onnx", before=moments))


def test_scaling_too_little_or_not_at_all_is_refused(tmp_path):
    path = toys.arcface(tmp_path / "a.onnx", before=[("Sub", 127.5)])
    with pytest.raises(ConfigError, match=r"scaled too little: .*got a range of 255"):
        opened(path, normalised_inside=True)
    with pytest.raises(ConfigError, match="its graph begins with no such step; declare mean_px and std_px"):
        opened(toys.arcface(tmp_path / "b.onnx"), normalised_inside=True)


@pytest.mark.parametrize("shape", [(112, 112, 3), (3, 96, 112), (1, 112, 112), (3, "H", "W")])
def test_another_layout_is_refused(tmp_path, shape):
    path = tmp_path / "a.onnx"
    from onnx import helper

    nodes = [helper.make_node("ReduceMean", ["data"], ["y"], axes=[2, 3], keepdims=0)]
    toys.write(path, nodes, [("data", ["N", *shape])], [("y", ["N", shape[0]])], {})
    with pytest.raises(
        ModelError, match=r"takes no ArcFace crops: expected input \(N or 1, 3, 112, 112\)"
    ) as e:
        opened(path)
    assert ("export it with channels first" in str(e.value)) == (shape == (112, 112, 3))


def test_what_is_no_embedder_is_refused(tmp_path):
    from onnx import helper

    shape = [("data", ["N", 3, 112, 112])]
    same = [helper.make_node("Identity", ["data"], ["y"])]
    toys.write(tmp_path / "image.onnx", same, shape, [("y", ["N", 3, 112, 112])], {})
    with pytest.raises(ModelError, match=r"is no embedder: expected one output \(N, D\)"):
        opened(tmp_path / "image.onnx")
    toys.arcface(tmp_path / "dead.onnx", before=[("Mul", 0.0), ("Add", 1.0)])
    with pytest.raises(ConfigError, match="begins with Mul 0, Add 1"):
        opened(tmp_path / "dead.onnx")
    with pytest.raises(ModelError, match="does not exist"):
        opened(tmp_path / "nothing.onnx")
    (tmp_path / "text.onnx").write_text("not a model")
    with pytest.raises(ModelError, match="cannot be loaded"):
        opened(tmp_path / "text.onnx")


def test_a_dead_network_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(toys, "projection", lambda seed: np.zeros((588, toys.DIM), np.float32))
    with pytest.raises(ModelError, match="the same for different crops"):
        opened(toys.arcface(tmp_path / "a.onnx"))


def test_wrong_crops_and_settings_are_refused(tmp_path, crops):
    model = opened(toys.arcface(tmp_path / "a.onnx"))
    for wrong in (crops.astype(np.float32), crops[:, :96], crops[0], crops[..., :1]):
        with pytest.raises(DataError, match=r"crops do not fit: expected \(K, 112, 112, 3\) uint8 RGB"):
            model.embed(wrong)
    for wrong in ({"batch_size": 0}, {"std_px": 0.0}, {"colour": "grey"}):
        with pytest.raises(ConfigError, match="the embedder's settings are wrong"):
            opened(model.path, **wrong)


def test_no_crops_give_no_embeddings(tmp_path):
    model = opened(toys.arcface(tmp_path / "a.onnx"))
    none = model.align(np.zeros((50, 40, 3), np.uint8), [])
    assert none.shape == (0, 112, 112, 3)
    assert model.embed(none).shape == (0, toys.DIM) == (0, model.size)


def test_the_fingerprint_tells_weights_and_preprocessing_apart(tmp_path):
    path = toys.arcface(tmp_path / "a.onnx")
    copy = shutil.copy(path, tmp_path / "renamed.onnx")
    first = opened(path).fingerprint
    assert opened(copy).fingerprint == first
    others = [
        opened(toys.arcface(tmp_path / "b.onnx", seed=1)),
        opened(path, flip=True),
        opened(path, colour="bgr"),
        opened(path, std_px=128.0),
    ]
    assert len({first, *(model.fingerprint for model in others)}) == 5


def test_weights_kept_in_another_file_count_for_the_fingerprint(tmp_path, crops):
    beside = {"save_as_external_data": True, "location": "w.data", "size_threshold": 0}
    models = [
        opened(toys.arcface(tmp_path / str(seed) / "a.onnx", seed=seed, before=[("Mul", 1.0)], **beside))
        for seed in (0, 1)
    ]
    assert models[0].path.read_bytes() == models[1].path.read_bytes(), "the test would show nothing"
    assert models[0].fingerprint != models[1].fingerprint
    check(models[1], crops, seed=1)


def test_without_onnx_the_extra_is_named(tmp_path, monkeypatch):
    path = toys.arcface(tmp_path / "a.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'vnvision\[faces\]'"):
        opened(path)
