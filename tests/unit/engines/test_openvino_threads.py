"""Batches that OpenVINO's threads share come back whole, in order, and fail in words."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from vnvision.engines import open_engine
from vnvision.errors import ModelError


def batch(n, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 3, 5, 7)).astype(np.float32)


@pytest.mark.parametrize("threads", [2, 3])
def test_every_size_in_order(tiny, threads):
    model = open_engine(tiny.xml, "openvino", threads=threads)
    for n in (3, 4, 5, 6, 7, 16, 17, 50, 1, 33):
        outputs = model.run(batch(n, n))
        np.testing.assert_allclose(outputs[0], tiny.answer(batch(n, n)), atol=1e-5)
        np.testing.assert_allclose(outputs[1], -outputs[0])


def test_answers_belong_to_the_caller(tiny):
    model = open_engine(tiny.xml, "openvino", threads=2)
    first = model.run(batch(20))[0]
    kept = first.copy()
    model.run(batch(20, 5))
    np.testing.assert_array_equal(first, kept)
    first[:] = 0  # writable


def test_several_callers(tiny):
    model = open_engine(tiny.xml, "openvino", threads=2)
    with ThreadPoolExecutor(4) as pool:
        for seed, outputs in enumerate(pool.map(lambda s: model.run(batch(9, s)), range(32))):
            np.testing.assert_allclose(outputs[0], tiny.answer(batch(9, seed)), atol=1e-5)


def test_a_failure_in_a_thread_is_raised_and_passes(tmp_path, monkeypatch):
    """A graph that is open in name only: inside it holds a batch of 1 or of 4 (105 or 420 numbers)."""
    onnx = pytest.importorskip("onnx")
    helper, tensor = onnx.helper, onnx.TensorProto
    sizes = np.array([-1, 4 * 105], np.int64)
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["x", "shape"], ["y"])],
        "fours",
        [helper.make_tensor_value_info("x", tensor.FLOAT, ("n", 3, 5, 7))],
        [helper.make_tensor_value_info("y", tensor.FLOAT, ("m", 420))],
        [onnx.numpy_helper.from_array(sizes, "shape")],
    )
    path = tmp_path / "fours.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    monkeypatch.setattr("vnvision.engines.openvino.check_shapes", lambda *_: None)  # it would find this
    model = open_engine(path, "openvino", threads=2)
    for _ in range(2):
        with pytest.raises(ModelError, match="inference failed in openvino: got "):
            model.run(batch(6))  # shared as 3 and 3
        np.testing.assert_array_equal(model.run(batch(8))[0], batch(8).reshape(2, 420))


def test_closed(tiny):
    model = open_engine(tiny.xml, "openvino", threads=2)
    model.run(batch(8))
    model.close()
    with pytest.raises(ModelError, match="the openvino engine is closed; load the model again"):
        model.run(batch(8))
