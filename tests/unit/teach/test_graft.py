"""The exchanged head, against arithmetic and against the package onnx."""

from __future__ import annotations

import numpy as np
import pytest

from vnvision.engines import open_engine
from vnvision.errors import ModelError
from vnvision.hub.shelf import SHIPPED
from vnvision.runtime.guard.onnx import check_onnx
from vnvision.teach.graft import with_head

FILE = SHIPPED / "rice" / "onnx-int8" / "model.onnx"


@pytest.fixture(scope="module")
def head():
    rng = np.random.default_rng(0)
    return rng.normal(size=(5, 192)).astype(np.float32), rng.normal(size=5).astype(np.float32)


@pytest.fixture(scope="module")
def grafted(head):
    return with_head(FILE.read_bytes(), *head, name="mine", notes={"vnvision.name": "mine"})


def test_it_computes_what_the_head_does(grafted, head, tmp_path):
    check_onnx(grafted)
    (tmp_path / "model.onnx").write_bytes(grafted)
    batch = np.random.default_rng(1).normal(size=(3, 3, 224, 224)).astype(np.float32)
    new, old = (open_engine(file, "onnxruntime", threads=1) for file in (tmp_path / "model.onnx", FILE))
    output, features, cam = new.run(batch)
    assert new.output_names == ("output", "features", "cam")
    np.testing.assert_array_equal(features, old.run(batch)[1])
    np.testing.assert_allclose(output, features @ head[0].T + head[1], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(cam.mean((2, 3)) + head[1], output, atol=0.05 * np.ptp(output))


def test_onnx_finds_it_valid_and_the_old_head_gone(grafted):
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(grafted)
    onnx.checker.check_model(model, full_check=True)
    read = {name for node in model.graph.node for name in node.input}
    assert all(tensor.name in read for tensor in model.graph.initializer)
    assert not any(name.startswith("output.weight") for name in read)
    assert {item.key: item.value for item in model.metadata_props} == {"vnvision.name": "mine"}
    assert model.graph.name == "mine"


@pytest.mark.parametrize("data", [b"", b"no model at all", FILE.read_bytes()[:5000]])
def test_what_is_no_classifier_is_refused(data, head):
    with pytest.raises(ModelError, match="cannot take another head"):
        with_head(data, *head, name="mine")


def test_a_network_of_planes_is_refused(head):
    planes = SHIPPED / "leaf_severity" / "onnx-int8" / "model.onnx"
    with pytest.raises(ModelError, match="cannot take another head"):
        with_head(planes.read_bytes(), *head, name="mine")
