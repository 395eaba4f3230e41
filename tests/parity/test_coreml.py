"""What can be proven of a CoreML package off Apple. CoreML itself never runs here."""

from __future__ import annotations

import sys

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("coremltools")

import torch
from exported_nets import HEAVY, IN_HALF, LIGHT, case

from vnvision.errors import ExportError, MissingExtraError
from vnvision.export import coreml
from vnvision.export.coreml import to_coreml
from vnvision.export.mil import read_package
from vnvision.export.result import TOLERANCES

pytestmark = pytest.mark.slow  # importing coremltools alone takes seconds


CASES = [(name, False) for name in (*LIGHT, *HEAVY)] + [(name, True) for name in IN_HALF]


@pytest.mark.parametrize(("name", "fp16"), CASES)
def test_the_programs_arithmetic_is_the_modules(tmp_path, name, fp16):
    wanted = case(name)
    result = to_coreml(wanted.net, wanted.task, tmp_path, fp16=fp16)
    assert result.run_by_coreml is False
    assert result.max_relative <= TOLERANCES["fp16" if fp16 else "fp32"].relative
    package = read_package(tmp_path / "model.mlpackage")
    assert package.inputs == {"input": ((1, 3, wanted.size, wanted.size), "float32")}
    assert tuple(package.outputs) == wanted.names
    rows = [package.evaluate(torch.from_numpy(wanted.inputs[i : i + 1])) for i in range(5)]
    wanted.check(
        tuple(np.concatenate([row[key] for row in rows]) for key in wanted.names), "fp16" if fp16 else "fp32"
    )


def test_files_repeat_are_whole_and_halve(tmp_path):
    wanted = case("small")
    one, two = (to_coreml(wanted.net, wanted.task, tmp_path / key) for key in "ab")
    assert [a.read_bytes() for a in one.files] == [b.read_bytes() for b in two.files]
    assert one.files[-1].name == "Manifest.json"
    assert {item for item in (tmp_path / "a").rglob("*") if item.is_file()} == set(one.files)
    again = to_coreml(wanted.net, wanted.task, tmp_path / "a", fp16=True)
    weights = [next(item for item in found.files if item.name == "weight.bin") for found in (two, again)]
    assert weights[1].stat().st_size < 0.7 * weights[0].stat().st_size


def test_plain_weights_are_in_the_package_as_they_are(tmp_path):
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Flatten(), torch.nn.Linear(7200, 4)).eval()
    to_coreml(net, case("small").task, tmp_path)
    package = read_package(tmp_path / "model.mlpackage")
    stored = {
        (op.op_type, name): np.asarray(var.val)
        for op in package.operations
        for name, var in op.inputs.items()
        if name in ("weight", "bias")
    }
    for kind, layer in (("conv", net[0]), ("linear", net[2])):
        np.testing.assert_array_equal(stored[kind, "weight"], layer.weight.detach().numpy())
        np.testing.assert_array_equal(stored[kind, "bias"], layer.bias.detach().numpy())


def test_a_package_with_other_weights_is_refused(tmp_path, monkeypatch):
    wanted, real = case("small"), coreml.read_package

    def spoilt(path):
        weights = path / "Data" / "com.apple.CoreML" / "weights" / "weight.bin"
        data = bytearray(weights.read_bytes())
        middle = data[len(data) // 2 :]
        middle[3::4] = bytes(value ^ 0x80 for value in middle[3::4])  # other signs
        weights.write_bytes(data[: len(data) // 2] + middle)
        return real(path)

    monkeypatch.setattr(coreml, "read_package", spoilt)
    with pytest.raises(ExportError, match=r"the CoreML"):
        to_coreml(wanted.net, wanted.task, tmp_path)
    assert not list(tmp_path.iterdir())


def test_dead_weights_are_refused(tmp_path):
    net = torch.nn.Conv2d(3, 4, 3)
    with torch.no_grad():
        net.weight[0, 0, 0, 0] = float("inf")
    with pytest.raises(ExportError, match="holds NaN or infinite numbers"):
        to_coreml(net, case("small").task, tmp_path)
    with torch.no_grad():
        net.weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(ExportError, match="CoreML"):
        to_coreml(net, case("small").task, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_model_that_cannot_be_converted(tmp_path):
    class ByValue(torch.nn.Module):
        def forward(self, x):
            return x if x.sum().item() > 0 else -x

    with pytest.raises(ExportError, match=r"cannot be converted to CoreML: got .+"):
        to_coreml(ByValue(), case("small").task, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_missing_package_names_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "coremltools", None)
    with pytest.raises(MissingExtraError, match=r"vnvision\[export-coreml\]"):
        to_coreml(case("small").net, case("small").task, tmp_path)
