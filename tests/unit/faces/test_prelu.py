"""A network with its PReLUs split answers as before, in numpy's words and in the engine's."""

import errno

import numpy as np
import pytest

from vnvision.engines import open_engine
from vnvision.faces import prelu

onnx = pytest.importorskip("onnx")


def write(path, slopes):
    """x -> PRelu -> PRelu, one after the other, on (N, C, 4, 4)."""
    helper, tensor = onnx.helper, onnx.TensorProto.FLOAT
    names = ["x", *(f"y{i}" for i in range(len(slopes)))]
    shape = ("n", 3, 4, 4)
    nodes = [helper.make_node("PRelu", [names[i], f"a{i}"], [names[i + 1]]) for i in range(len(slopes))]
    graph = helper.make_graph(
        nodes,
        "prelus",
        [helper.make_tensor_value_info("x", tensor, shape)],
        [helper.make_tensor_value_info(names[-1], tensor, shape)],
        [onnx.numpy_helper.from_array(slope, f"a{i}") for i, slope in enumerate(slopes)],
    )
    opset = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), str(path))
    return path


def answer(x, slopes):
    for slope in slopes:
        x = np.where(x > 0, x, slope * x)
    return x


@pytest.mark.parametrize(
    ("shapes", "left"), [([(3, 1, 1), (3, 1, 1)], 0), ([(3, 1, 1), (1,)], 1), ([(3, 4, 4)], 1)]
)
def test_answers_stay_equal(tmp_path, shapes, left):
    rng = np.random.default_rng(0)
    slopes = [rng.uniform(-0.6, 1.2, shape).astype(np.float32) for shape in shapes]
    path = write(tmp_path / "net.onnx", slopes)
    made = prelu.for_onnxruntime(path)
    assert made != path
    assert sum(node.op_type == "PRelu" for node in onnx.load(str(made)).graph.node) == left
    x = rng.normal(size=(5, 3, 4, 4)).astype(np.float32)
    x[0] = 0
    for file in (path, made):
        np.testing.assert_array_equal(open_engine(file, "onnxruntime").run(x)[0], answer(x, slopes))


def test_made_once_and_skipped_without_onnx(tmp_path, monkeypatch):
    path = write(tmp_path / "net.onnx", [np.full((3, 1, 1), 0.25, np.float32)])
    monkeypatch.setattr(prelu.importlib.util, "find_spec", lambda name: None)
    assert prelu.for_onnxruntime(path) == path
    monkeypatch.undo()
    made = prelu.for_onnxruntime(path)
    time = made.stat().st_mtime_ns
    monkeypatch.setattr(prelu.importlib.util, "find_spec", lambda name: None)
    assert prelu.for_onnxruntime(path) == made
    assert made.stat().st_mtime_ns == time


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_skipped_where_the_folder_cannot_be_written(tmp_path, monkeypatch, number):
    path = write(tmp_path / "net.onnx", [np.full((3, 1, 1), 0.25, np.float32)])

    def refuse(*_):
        raise OSError(number, "no")

    monkeypatch.setattr(prelu.atomic, "write_bytes", refuse)
    assert prelu.for_onnxruntime(path) == path
