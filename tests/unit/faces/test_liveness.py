"""Liveness against a network whose answer is known in numpy: channel means, a linear layer, softmax."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vnvision.errors import ConfigError, DataError, ModelError
from vnvision.faces.liveness import (
    LIVENESS_FILE,
    Liveness,
    LivenessModels,
    LivenessSpec,
    context_box,
    context_factor,
)
from vnvision.records import Face
from vnvision.spec import PreprocessSpec

SIDE = 12
WEIGHTS = np.random.default_rng(3).normal(size=(3, 3)).astype(np.float32)
BGR = PreprocessSpec(size_px=(SIDE, SIDE), colour="bgr", std=(0.5,) * 3, mean=(0.25,) * 3)


def write(path: Path, output: str = "logits", batch: str | int = "batch", broken: bool = False) -> Path:
    from onnx import TensorProto, helper, numpy_helper, save

    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("Log", ["flat"], ["nan"]),  # of 0: minus infinity
    ]
    answer = "nan" if broken else output
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info(answer, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(WEIGHTS, "weights")],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


def declare(path: Path, **changes) -> LivenessSpec:
    values = {
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "scale": 2.0,
        "preprocess": BGR,
        "classes": 3,
        "live_index": 1,
        "output": "logits",
    }
    return LivenessSpec(**{**values, **changes})


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("liveness") / "tiny.onnx")


def face(*box: float) -> Face:
    return Face(box_xyxy_px=box, landmarks_px=((0.0, 0.0),) * 5, score=0.9)


def picture(seed: int, height: int = 60, width: int = 80) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def expected(crop: np.ndarray, index: int = 1) -> float:
    """The answer for a crop (RGB), written out."""
    small = cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR).astype(np.float64)
    means = ((small[:, :, ::-1] / 255 - 0.25) / 0.5).mean(axis=(0, 1))
    exp = np.exp(means @ WEIGHTS)
    return float(exp[index] / exp.sum())


BOX = (30.0, 20.0, 50.0, 36.0)  # 20 x 16 about (40, 28); twice that is 20..60 x 12..44


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_score_is_that_of_the_written_out_network(tiny, engine):
    pytest.importorskip(engine)
    model = Liveness([declare(tiny)], engine, 1, folder=tiny.parent)
    image = picture(1)
    assert model.score(image, face(*BOX)) == pytest.approx(expected(image[12:45, 20:61]), abs=1e-6)


def test_fusion_is_the_mean_over_models(tiny):
    specs = [declare(tiny), declare(tiny, scale=1.0), declare(tiny, live_index=2)]
    model = Liveness(specs, threads=1, folder=tiny.parent)
    image = picture(2)
    near, far = image[20:37, 30:51], image[12:45, 20:61]
    each = [expected(far), expected(near), expected(far, 2)]
    np.testing.assert_allclose(model.model_scores([image], [face(*BOX)]), [each], atol=1e-6)
    assert model.score(image, face(*BOX)) == pytest.approx(np.mean(each), abs=1e-6)


def test_rgb_and_bgr_are_kept_apart(tiny):
    image = np.zeros((60, 80, 3), np.uint8)
    image[..., 0] = 255
    rgb = declare(tiny, preprocess=BGR.model_copy(update={"colour": "rgb"}))
    scores = Liveness([declare(tiny), rgb], folder=tiny.parent).model_scores([image], [face(*BOX)])[0]
    assert scores[0] == pytest.approx(expected(image), abs=1e-6)
    assert scores[1] == pytest.approx(expected(image[:, :, ::-1]), abs=1e-6)
    assert abs(scores[0] - scores[1]) > 0.01


@pytest.mark.parametrize("batch", ["batch", 1])
def test_batches_give_what_single_calls_give(tmp_path, batch):
    path = write(tmp_path / "model.onnx", batch=batch)
    model = Liveness([declare(path)], folder=tmp_path, batch_size=3)
    images = [picture(seed, 40 + seed, 70) for seed in range(7)]
    faces = [face(5 + seed, 6, 25 + seed, 30) for seed in range(7)]
    together = model.scores(images, faces)
    assert together.shape == (7,)
    assert together.dtype == np.float64
    assert ((together >= 0) & (together <= 1)).all()
    alone = [model.score(image, one) for image, one in zip(images, faces, strict=True)]
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert model.scores([], []).shape == (0,)


def test_grey_pictures_are_repeated(tiny):
    model = Liveness([declare(tiny)], folder=tiny.parent)
    grey = picture(4)[:, :, :1]
    assert model.score(grey, face(*BOX)) == model.score(np.repeat(grey, 3, axis=2), face(*BOX))


def test_probabilities_are_taken_as_they_are(tmp_path):
    path = write(tmp_path / "soft.onnx", "probabilities")
    image = picture(5)
    model = Liveness([declare(path, output="probabilities")], folder=tmp_path)
    assert model.score(image, face(*BOX)) == pytest.approx(expected(image[12:45, 20:61]), abs=1e-6)


def test_from_folder_and_json_both_ways(tiny, tmp_path):
    (tmp_path / tiny.name).write_bytes(tiny.read_bytes())
    declared = LivenessModels(models=(declare(tiny), declare(tiny, scale=4.0)), licence="MIT", source="here")
    declared.save(tmp_path / LIVENESS_FILE)
    assert LivenessModels.load(tmp_path / LIVENESS_FILE) == declared
    model = Liveness.from_folder(tmp_path, threads=1)
    assert model.models == declared.models
    assert model.scores([picture(6)], [face(*BOX)]).shape == (1,)


# --- the crop ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("box", "scale", "wanted"),
    [
        ((90, 40, 110, 60), 2.7, (73, 23, 128, 78)),  # 54 x 54 about (100, 50)
        ((90, 40, 110, 50), 2.0, (80, 35, 121, 56)),  # aspect kept
        ((0, 0, 20, 20), 2.0, (0, 0, 41, 41)),  # moved right and down
        ((180, 40, 200, 60), 2.0, (159, 30, 200, 71)),  # moved left
        ((60, 10, 140, 90), 4.0, (50, 0, 150, 100)),  # 99 / 80 is all that fits
        ((-10, 40, 10, 60), 1.0, (0, 40, 21, 61)),  # a box over the edge
    ],
)
def test_context_by_hand(box, scale, wanted):
    assert context_box(box, scale, (100, 200)) == wanted


def test_a_face_that_fills_its_picture_gets_less_context():
    assert context_factor((90, 40, 110, 60), 2.7, (100, 200)) == 2.7
    assert context_factor((60, 10, 140, 90), 4.0, (100, 200)) == pytest.approx(99 / 80)
    assert context_factor((0, 0, 100, 50), 4.0, (51, 101)) == 1.0


@given(
    st.tuples(*[st.floats(-20, 90)] * 2),
    st.tuples(*[st.floats(1, 200)] * 2),
    st.floats(0.1, 8),
    st.tuples(*[st.integers(2, 120)] * 2),
)
def test_context_stays_inside_and_keeps_the_aspect(corner, sides, scale, size_px):
    height, width = size_px
    box = (*corner, corner[0] + sides[0], corner[1] + sides[1])
    if box[2] <= 0 or box[3] <= 0 or box[0] >= width or box[1] >= height:
        return
    x0, y0, x1, y1 = context_box(box, scale, size_px)
    assert 0 <= x0 < x1 <= width
    assert 0 <= y0 < y1 <= height
    factor = min(scale, (width - 1) / sides[0], (height - 1) / sides[1])
    assert x1 - x0 == pytest.approx(factor * sides[0] + 1, abs=1.001)
    assert y1 - y0 == pytest.approx(factor * sides[1] + 1, abs=1.001)


@pytest.mark.parametrize("box", [(10, 10, 10, 20), (20, 10, 10, 20), (80, 0, 90, 10), (0, -30, 10, 0)])
def test_a_face_outside_its_picture_is_refused(tiny, box):
    model = Liveness([declare(tiny)], folder=tiny.parent)
    with pytest.raises(DataError, match=r"a face box does not fit its picture: .* within 80 x 60 pixels"):
        model.score(picture(1), face(*box))


# --- what is refused --------------------------------------------------------------------------------


def test_pictures_that_cannot_be_judged(tiny):
    model = Liveness([declare(tiny)], folder=tiny.parent)
    good = picture(1)
    with pytest.raises(DataError, match="faces do not fit: expected 1, one a picture, got 2"):
        model.scores([good], [face(*BOX)] * 2)
    for bad, got in ((good[:, :, 0], r"\(60, 80\) uint8"), (good.astype(np.float32), "float32")):
        with pytest.raises(DataError, match=f"picture 1 cannot be judged for liveness: .*{got}"):
            model.scores([good, bad], [face(*BOX)] * 2)


def refused(message, tiny, error=ModelError, **changes):
    with pytest.raises(error, match=message) as caught:
        Liveness([declare(tiny, **changes)], folder=tiny.parent)
    assert "\n" not in str(caught.value)


def test_files_that_are_not_what_was_declared(tiny, tmp_path):
    refused(r"liveness model .*other\.onnx does not exist", tiny, file="other.onnx")
    refused(r"tiny\.onnx is not the declared file: expected sha256 000000000000", tiny, sha256="0" * 64)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    refused("cannot be loaded", broken)


def test_networks_that_do_not_do_what_was_declared(tiny, tmp_path):
    larger = BGR.model_copy(update={"size_px": (80, 80)})
    refused(r"does not take what its spec says: expected \(any or 1, 3, 80, 80\)", tiny, preprocess=larger)
    refused(
        r"does not answer what its spec says: expected \(1, 4\) finite numbers, got \(1, 3\)", tiny, classes=4
    )
    refused("does not answer probabilities: .* declare output as logits", tiny, output="probabilities")
    refused("expected .any or 1", write(tmp_path / "four.onnx", batch=4))
    refused(
        r"expected \(1, 3\) finite numbers, got \(1, 3, 1, 1\)|NaN", write(tmp_path / "n.onnx", broken=True)
    )


def test_bad_specs_name_every_wrong_key(tiny, tmp_path):
    with pytest.raises(ModelError, match=r"cannot read .*liveness\.json"):
        Liveness.from_folder(tmp_path)
    good = LivenessModels(models=(declare(tiny),)).to_json()
    cases = [
        (good.replace('"live_index": 1', '"live_index": 3'), "live_index must be below classes = 3, got 3"),
        (good.replace('"scale": 2.0', '"scale": 0, "zoom": 1'), r"scale: .*; models\.0\.zoom: unknown key"),
        (good.replace('"squash"', '"crop"'), "preprocess must squash uint8 crops"),
        (good.replace("tiny.onnx", "../tiny.onnx"), "file: .*must stay inside the folder"),
        (good.replace("tiny.onnx", "C:/tiny.onnx"), "file: .*must stay inside the folder"),
        ('{"models": []}', "models: .*at least 1 item"),
    ]
    for text, message in cases:
        (tmp_path / LIVENESS_FILE).write_text(text)
        with pytest.raises(ModelError, match=message) as caught:
            Liveness.from_folder(tmp_path)
        assert "\n" not in str(caught.value)


def test_wrong_arguments(tiny):
    with pytest.raises(ConfigError, match=r"liveness cannot start: .* got 0 models, batch_size 32"):
        Liveness([])
    with pytest.raises(ConfigError, match="got 1 models, batch_size 0"):
        Liveness([declare(tiny)], folder=tiny.parent, batch_size=0)
    model = Liveness([declare(tiny)], folder=tiny.parent)
    model.close()
    with pytest.raises(ModelError, match="engine is closed"):
        model.score(picture(1), face(*BOX))
