"""ExecuTorch with XNNPACK answers as torch does, in float32 and within the rounding of 8 bits."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("executorch")

import engine_manners
import torch
from exported_nets import HEAVY, LIGHT, case

from vnvision.engines.executorch import ExecutorchEngine
from vnvision.engines.seal import sealed
from vnvision.errors import ConfigError, ExportError, MissingExtraError, ModelError
from vnvision.export.executorch import to_executorch

pytestmark = pytest.mark.slow  # importing the exporter alone takes seconds


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    wanted = case("small")
    return to_executorch(wanted.net, wanted.task, tmp_path_factory.mktemp("small"))[0]


@pytest.mark.parametrize("name", [*LIGHT, *HEAVY])
def test_executorch_equals_torch(tmp_path, name):
    wanted = case(name)
    engine = ExecutorchEngine(to_executorch(wanted.net, wanted.task, tmp_path)[0])
    assert engine.output_names == wanted.names
    assert engine.input_shape == (None, 3, wanted.size, wanted.size)
    for batch in (5, 1, 3):
        wanted.check(engine.run(wanted.inputs[:batch]))
    engine.close()


def test_int8_is_within_its_rounding_and_smaller(tmp_path):
    wanted = case("small")
    options = {"int8": True, "calibration": wanted.inputs}
    engine = ExecutorchEngine(to_executorch(wanted.net, wanted.task, tmp_path / "all", **options)[0])
    every = wanted.errors(engine.run(wanted.inputs))[0]
    assert 1e-4 < every < 0.05
    layers = ("body", "head")
    (path,) = to_executorch(wanted.net, wanted.task, tmp_path / "none", **options, float_layers=layers)
    assert wanted.errors(ExecutorchEngine(path).run(wanted.inputs))[0] < every / 10
    large = case("mobilenetv3_small_100")
    sizes = [
        to_executorch(large.net, large.task, tmp_path / str(len(given)), **given)[0].stat().st_size
        for given in ({}, {"int8": True, "calibration": large.inputs[:2]})
    ]
    assert sizes[1] < 0.3 * sizes[0]


def test_calibration_is_asked_for_and_checked(tmp_path):
    wanted = case("small")
    inputs = wanted.inputs
    calibrations = (inputs[:0], inputs[..., 1:], inputs.astype(np.float64))
    wrong = ({"int8": True}, *({"int8": True, "calibration": item} for item in calibrations))
    for given in wrong:
        with pytest.raises(ConfigError, match=r"int8 needs calibration inputs: expected \(N, 3, 32, 32\)"):
            to_executorch(wanted.net, wanted.task, tmp_path, **given)
    with pytest.raises(ConfigError, match="NaN or infinite"):
        to_executorch(wanted.net, wanted.task, tmp_path, int8=True, calibration=inputs * np.float32(np.nan))
    with pytest.raises(ConfigError, match="are for int8 alone"):
        to_executorch(wanted.net, wanted.task, tmp_path, calibration=inputs)
    with pytest.raises(ConfigError, match="no layer 'tail'"):
        to_executorch(wanted.net, wanted.task, tmp_path, int8=True, calibration=inputs, float_layers=["tail"])
    assert not list(tmp_path.iterdir())


def test_manners(small):
    inputs = case("small").inputs
    engine = ExecutorchEngine(small)
    engine_manners.any_batch_size_and_strides(engine, inputs, 1e-6)
    engine_manners.wrong_batches_are_refused(engine, inputs)
    engine_manners.no_image_is_no_answer(engine, inputs)
    engine_manners.threads_agree(engine, inputs)
    engine_manners.closed_says_so(engine, inputs)


def test_one_thread_count_for_all_open_engines(small):
    wanted = case("small")
    one = ExecutorchEngine(small, threads=1)
    with pytest.raises(ConfigError, match="one thread pool for all its models: expected threads=1"):
        ExecutorchEngine(small, threads=2)
    same = ExecutorchEngine(small, threads=1)
    wanted.check(same.run(wanted.inputs))
    one.close()
    same.close()
    two = ExecutorchEngine(small, threads=2)
    wanted.check(two.run(wanted.inputs))
    two.close()


def test_damage_is_named(small, tmp_path):
    def open_file(data: bytes) -> ExecutorchEngine:
        (tmp_path / "bad.pte").write_bytes(data)
        return ExecutorchEngine(tmp_path / "bad.pte")

    engine_manners.damage_is_named(open_file, small.read_bytes())
    with pytest.raises(ModelError, match=r"gone\.pte does not exist"):
        ExecutorchEngine(tmp_path / "gone.pte")


def test_one_changed_bit_anywhere_is_refused_before_executorch_reads_it(small, tmp_path):
    data = small.read_bytes()
    assert sealed(data) == data
    for place in np.random.default_rng(3).choice(len(data), 200, replace=False):
        changed = bytearray(data)
        changed[place] ^= 4
        if re.search(rb"vnvision:[0-9a-f]{27}", changed):
            (tmp_path / "bad.pte").write_bytes(changed)
            with pytest.raises(ModelError, match="its bytes are not those that were exported"):
                ExecutorchEngine(tmp_path / "bad.pte")


def test_equal_weights_give_equal_files(small, tmp_path):
    wanted = case("small")
    assert to_executorch(wanted.net, wanted.task, tmp_path)[0].read_bytes() == small.read_bytes()


def test_a_model_that_cannot_be_captured(tmp_path):
    class ByValue(torch.nn.Module):
        def forward(self, x):
            return x if x.sum().item() > 0 else -x

    with pytest.raises(ExportError, match=r"cannot be written for ExecuTorch: got .+"):
        to_executorch(ByValue(), case("small").task, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_missing_package_names_its_extra(monkeypatch, small):
    monkeypatch.setitem(sys.modules, "executorch.extension.pybindings._C", None)
    with pytest.raises(MissingExtraError, match=r"vnvision\[export-executorch\]"):
        ExecutorchEngine(small)
