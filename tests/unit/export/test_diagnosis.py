"""Which fault is named where answers carry the noise of 8 bits, and which are told at all."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vnvision.errors import ExportError
from vnvision.export import Reference, check_parity, faults, to_onnx
from vnvision.export import diagnosis as d
from vnvision.export.int8_onnx import Int8Options, to_int8_onnx
from vnvision.export.result import TOLERANCES
from vnvision.export.saturation import unfit_calibrations

PRECISION = "int8"


@pytest.fixture
def reference(net, make):
    task = make.task()
    return Reference(net, task, make.images(task, n=16))


def noisy(outputs, reference, part=0.1, seed=0):
    """Outputs with normal noise, a part of how far the original's answers to different pictures lie apart."""
    size = part * (reference.outputs - reference.outputs.mean(axis=0)).std()
    return outputs + np.random.default_rng(seed).normal(0, size, outputs.shape).astype(np.float32)


@pytest.mark.parametrize(
    "name",
    [
        faults.SWAPPED,
        faults.TWICE,
        faults.RANGE,
        f"{faults.UNIT_TWICE}, after normalising",
        "layout: NHWC memory read as NCHW",
        "layout: NCHW memory read as NHWC",
        "upside down",
        f"{faults.RAW}, {faults.CUT}",
    ],
)
def test_fault_is_named_through_the_noise_of_8_bits(reference, name):
    spoilt = faults.spoilt(reference.images, reference.task.preprocess)
    assert d.diagnose(noisy(reference.run(spoilt[name]), reference), reference, PRECISION) == name


def test_noise_alone_is_no_fault(reference):
    for seed in range(20):
        assert d.hidden_fault(noisy(reference.outputs, reference, 0.3, seed), reference, "int8-weights") == ""
    large = noisy(reference.outputs, reference, 3.0)
    assert d.diagnose(large, reference, PRECISION) == d.UNKNOWN


def test_fault_within_the_tolerance_is_found(reference):
    """A tenth of what swapped channels do, and noise: far inside 8 bits' tolerance, and still there."""
    swapped = reference.run(faults.spoilt(reference.images, reference.task.preprocess)[faults.SWAPPED])
    near = Weak(reference, reference.outputs + 0.1 * (swapped - reference.outputs))
    given = noisy(near.fault_outputs[faults.SWAPPED], reference, 0.02)
    assert d.relative_rms(given, reference.outputs) < TOLERANCES["int8"].relative
    assert d.hidden_fault(given, near, "int8-weights") == faults.SWAPPED


class Weak:
    """A reference on whose network swapped channels do little."""

    def __init__(self, reference, swapped):
        self.outputs, self.fault_outputs = (
            reference.outputs,
            reference.fault_outputs | {faults.SWAPPED: swapped},
        )


def test_unexplained_is_a_ratio_of_sums_of_squares():
    right, target, guess = np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]]), np.array([[3.0, 3.0]])
    assert d.unexplained(target, right, guess) == pytest.approx(1 / 25)
    assert d.unexplained(target, right, right) == 1
    assert d.unexplained(target, right, target) == 0


def test_relative_rms_is_over_the_deviation_about_the_mean_image():
    right = np.array([[1.0, 10.0], [3.0, 10.0]])
    target = right + np.array([[0.5, 0.0], [0.5, 0.0]])
    assert d.relative_rms(target, right) == pytest.approx(np.sqrt(0.125 / 0.5))


def test_what_is_done_to_the_output_must_show(reference):
    """Ranges far too small shrink every answer: it is not of unit length, though unit length is near it."""
    right = reference.outputs
    unit = right / np.linalg.norm(right, axis=1, keepdims=True)
    named = "output: the file normalises its output to unit length"
    assert d.diagnose(noisy(unit, reference, 0.02), reference, PRECISION) == named
    assert d.diagnose(unit * 0.5, reference, PRECISION) != named


def test_one_fault_is_named_before_two_that_do_as_well(reference):
    """On grey pictures swapped channels do nothing, so both together are as good a guess as one."""
    grey = np.repeat(reference.images[..., :1], 3, axis=3)
    alike = Reference(reference.model, reference.task, grey)
    twice = alike.run(faults.spoilt(grey, reference.task.preprocess)[faults.TWICE])
    for seed in range(5):
        assert d.diagnose(noisy(twice, alike, 0.05, seed), alike, PRECISION) == faults.TWICE


class TestSaturation:
    @pytest.mark.parametrize(
        ("unfit", "named"),
        [
            (lambda x, spec: faults.correct(127.5 + (x - 127.5) / 8, spec), faults.OF_PALE),
            (lambda x, spec: faults.correct(x / 8, spec), faults.OF_DARK),
        ],
    )
    def test_ranges_of_unfit_pictures_are_named(self, net, make, tmp_path, unfit, named):
        task = make.task()
        images = make.images(task, n=16)
        to_onnx(net, task, tmp_path / "m.onnx")
        options = Int8Options(least_cosine=0.0)
        ranges = unfit(make.images(task, n=16, seed=5), task.preprocess)
        to_int8_onnx(tmp_path / "m.onnx", tmp_path / "q.onnx", calibration=ranges, options=options)
        result = check_parity(tmp_path / "q.onnx", "it", "onnxruntime", Reference(net, task, images), "int8")
        assert not result.passed
        assert result.diagnosis.startswith(named)

    def test_well_chosen_pictures_pass(self, net, make, tmp_path):
        task = make.task()
        to_onnx(net, task, tmp_path / "m.onnx")
        ranges = faults.correct(make.images(task, n=16, seed=5), task.preprocess)
        to_int8_onnx(tmp_path / "m.onnx", tmp_path / "q.onnx", calibration=ranges)
        reference = Reference(net, task, make.images(task, n=16))
        result = check_parity(tmp_path / "q.onnx", "it", "onnxruntime", reference, "int8")
        assert (result.failures, result.diagnosis) == ((), "")

    def test_saturation_within_the_tolerance_is_refused(self, net, make, tmp_path):
        """A third less contrast moves this network's answers by less than 8 bits may move them."""
        task = make.task()
        to_onnx(net, task, tmp_path / "m.onnx")
        images = make.images(task, n=16, seed=5).astype(np.float64)
        ranges = faults.correct(127.5 + (images - 127.5) * 0.7, task.preprocess)
        to_int8_onnx(tmp_path / "m.onnx", tmp_path / "q.onnx", calibration=ranges)
        reference = Reference(net, task, make.images(task, n=16))
        result = check_parity(tmp_path / "q.onnx", "it", "onnxruntime", reference, "int8")
        assert result.max_relative < TOLERANCES["int8"].relative
        assert result.failures == ("within tolerance, but the answers are the original's under a fault",)
        assert result.diagnosis.startswith("saturated")

    def test_unfit_calibrations_are_what_they_say(self, reference):
        spec = reference.task.preprocess
        found = unfit_calibrations(reference.images, spec)
        mean, std = (np.array(values)[:, None, None] for values in (spec.mean, spec.std))
        unit = reference.images.transpose(0, 3, 1, 2) / 255.0
        wanted = {
            faults.OF_UNIT: unit,
            faults.OF_UNIT_TWICE: (unit / 255 - mean) / std,
            f"{faults.OF_PALE} (to 1/4)": (0.5 + (unit - 0.5) / 4 - mean) / std,
            f"{faults.OF_PALE} (to 1/12)": (0.5 + (unit - 0.5) / 12 - mean) / std,
            f"{faults.OF_DARK} (to 1/4)": (unit / 4 - mean) / std,
            f"{faults.OF_DARK} (to 1/12)": (unit / 12 - mean) / std,
        }
        assert set(found) == set(wanted)
        for name, inputs in found.items():
            np.testing.assert_allclose(inputs, wanted[name], atol=1e-5)

    def test_network_without_integers_still_gets_a_diagnosis(self, reference, monkeypatch):
        def refused(reference):
            raise ExportError("there is no layer in it")

        monkeypatch.setattr(d, "saturated_outputs", refused)
        odd = np.square(reference.outputs) * 3 + 2
        assert d.diagnose(odd, reference, PRECISION) == d.UNKNOWN


def test_every_diagnosis_reads_as_a_sentence_part(reference):
    """What people read: no identifiers, one line."""
    names = [*reference.fault_outputs, *unfit_calibrations(reference.images, reference.task.preprocess)]
    for name in names:
        assert "_" not in name
        assert "\n" not in name
        assert len(name) < 140


def test_blown_up_answers_do_not_hide_a_fault():
    """Every guess may overflow in the original: then nothing is named."""
    right = np.array([[0.0], [1.0]], np.float32)
    assert d._best(right + 5, right, {"a": np.full_like(right, np.inf)}) == ("", np.inf)


def test_torch_module_is_left_in_evaluation_mode(reference):
    d.diagnose(np.square(reference.outputs) * 3 + 2, reference, PRECISION)
    assert not any(module.training for module in reference.model.modules())
    assert isinstance(reference.model, torch.nn.Module)
