from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from vnvision.errors import ExportError
from vnvision.export import Reference, check_parity, to_onnx, to_openvino
from vnvision.export.diagnosis import BATCH, CONSTANT, DAMAGED, NOT_FINITE
from vnvision.export.faults import RANGE, SWAPPED, TWICE, correct
from vnvision.export.result import TOLERANCES

pytest.importorskip("openvino")
ENGINES = ("onnxruntime", "openvino")


class Spoilt(torch.nn.Module):
    """The network with something done to its input or output inside the file."""

    def __init__(self, net, before=lambda x: x, after=lambda y: y) -> None:
        super().__init__()
        self.net, self.before, self.after = net, before, after

    def forward(self, x):
        return self.after(self.net(self.before(x)))


def exported(module, task, folder, engine):
    to_onnx(module, task, folder / "m.onnx")
    return folder / "m.onnx" if engine == "onnxruntime" else to_openvino(folder / "m.onnx", folder)[0]


def stats(task):
    view = (1, -1, 1, 1)
    spec = task.preprocess
    return torch.tensor(spec.mean).view(view), torch.tensor(spec.std).view(view)


def normalise(task):
    mean, std = stats(task)
    return lambda x: (x - mean) / std


def range_and_normalise(task):
    mean, std = stats(task)
    return lambda x: (x / 255 - mean) / std


def as_nhwc(x):
    _, c, h, w = x.shape
    return x.reshape(-1, h, w, c).permute(0, 3, 1, 2)


@pytest.mark.parametrize("engine", ENGINES)
def test_true_export_passes(net, task, images, tmp_path, engine):
    path = exported(net, task, tmp_path, engine)
    result = check_parity(path, "it", engine, Reference(net, task, images))
    assert result.passed
    assert (result.failures, result.diagnosis, result.blind_to) == ((), "", ())
    assert result.max_relative < 1e-5
    assert result.batch_relative < 1e-5
    assert result.cosine_min > 0.999999
    assert (result.n, result.top1_n, result.top1_agreement) == (6, 6, 1.0)
    result.require()
    figures = result.parity()
    assert figures["n"] == 6
    assert all(type(value) is float for value in figures.values())


def test_figures_are_what_they_say(net, task, images, tmp_path):
    to_onnx(Spoilt(net, after=lambda y: y + torch.tensor([0.0, 0.0, 0.25, 0.0])), task, tmp_path / "m.onnx")
    reference = Reference(net, task, images)
    result = check_parity(tmp_path / "m.onnx", "it", "onnxruntime", reference)
    right = reference.outputs.astype(float)
    wrong = right + np.array([0, 0, 0.25, 0])
    scale = np.ptp(right, axis=0).max()
    cosine = (right * wrong).sum(1) / np.linalg.norm(right, axis=1) / np.linalg.norm(wrong, axis=1)
    assert result.max_abs == pytest.approx(0.25, rel=1e-4)
    assert result.scale == pytest.approx(scale)
    assert result.max_relative == pytest.approx(0.25 / scale, rel=1e-4)
    assert result.cosine_mean == pytest.approx(cosine.mean(), abs=1e-6)
    assert result.cosine_min == pytest.approx(cosine.min(), abs=1e-6)
    agreement = (right.argmax(1) == wrong.argmax(1)).mean()
    assert result.top1_agreement == pytest.approx(agreement)
    assert not result.passed


FAULTS = {
    "bgr": (lambda task: {"before": lambda x: x.flip(1)}, SWAPPED),
    "twice": (lambda task: {"before": normalise(task)}, TWICE),
    "twice with range": (lambda task: {"before": range_and_normalise(task)}, TWICE),
    "range": (lambda task: {"before": lambda x: x * 255}, RANGE),
    "range below": (lambda task: {"before": lambda x: x / 255}, "range 0-1 taken twice"),
    "nhwc": (lambda task: {"before": as_nhwc}, "layout: NCHW memory read as NHWC"),
    "clipped": (lambda task: {"before": lambda x: x.clamp(-1, 1)}, "saturated: inputs clipped to -1..1"),
    "upside down": (lambda task: {"before": lambda x: x.flip(2)}, "upside down"),
    "swapped twice": (
        lambda task: {"before": lambda x: normalise(task)(x).flip(1)},
        f"{SWAPPED} and {TWICE}",
    ),
    "constant": (lambda task: {"after": lambda y: y * 0 + 1}, CONSTANT),
    "nan": (lambda task: {"after": lambda y: y / (y * 0)}, NOT_FINITE),
    "softmax": (lambda task: {"after": lambda y: y.softmax(1)}, "output: the file applies softmax itself"),
    "reordered": (
        lambda task: {"after": lambda y: y[:, [2, 0, 3, 1]]},
        "output: the columns are in another order",
    ),
    "noise": (lambda task: {"after": lambda y: y * y + 3}, "no simple preprocessing fault explains it"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("engine", ENGINES)
def test_planted_fault_is_refused_and_named(net, task, images, tmp_path, fault, engine):
    plant, diagnosis = FAULTS[fault]
    path = exported(Spoilt(net, **plant(task)), task, tmp_path, engine)
    result = check_parity(path, engine, engine, Reference(net, task, images))
    assert not result.passed
    assert result.failures
    assert result.diagnosis.startswith(diagnosis)
    with pytest.raises(
        ExportError, match=f"target {engine} disagrees .* refused: .*likely cause: "
    ) as caught:
        result.require()
    assert result.diagnosis in str(caught.value)


def test_bgr_specification_is_honoured(net, make, tmp_path):
    task = make.task(colour="bgr")
    images = make.images(task)
    reference = Reference(net, task, images)
    to_onnx(net, task, tmp_path / "m.onnx")
    assert check_parity(tmp_path / "m.onnx", "it", "onnxruntime", reference).passed
    # The same pictures, blue first, through the formula written out.
    x = (images[..., ::-1] / 255.0 - np.array(task.preprocess.mean)) / np.array(task.preprocess.std)
    with torch.inference_mode():
        expected = net.eval()(torch.from_numpy(x.transpose(0, 3, 1, 2).astype(np.float32).copy()))
    np.testing.assert_allclose(reference.outputs, expected.numpy(), atol=1e-6)
    to_onnx(Spoilt(net, before=lambda x: x.flip(1)), task, tmp_path / "m.onnx")
    assert SWAPPED in check_parity(tmp_path / "m.onnx", "it", "onnxruntime", reference).diagnosis


def test_crop_geometry_is_not_applied_again(net, make, tmp_path):
    task = make.task(size_px=(32, 32), geometry="crop", crop_pct=0.875)
    to_onnx(net, task, tmp_path / "m.onnx")
    reference = Reference(net, task, make.images(task))
    assert check_parity(tmp_path / "m.onnx", "it", "onnxruntime", reference).max_relative < 1e-5


def raw_export(module, example, path, batch="batch"):
    axes = {"input": {0: batch}, "output": {0: batch}} if batch else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(), (example,), str(path), dynamo=False, input_names=["input"],
            output_names=["output"], dynamic_axes=axes, opset_version=18,
        )  # fmt: skip


def test_nhwc_file_is_named(net, task, images, tmp_path):
    raw_export(
        Spoilt(net, before=lambda x: x.permute(0, 3, 1, 2)), torch.zeros(2, 24, 32, 3), tmp_path / "m.onnx"
    )
    result = check_parity(tmp_path / "m.onnx", "it", "onnxruntime", Reference(net, task, images))
    assert not result.passed
    assert result.diagnosis.startswith("layout: NHWC where NCHW is due")


def test_fixed_batch_is_named(net, task, images, tmp_path):
    raw_export(net, torch.zeros(1, 3, 24, 32), tmp_path / "m.onnx", batch=None)
    result = check_parity(tmp_path / "m.onnx", "it", "onnxruntime", Reference(net, task, images))
    assert not result.passed
    assert result.diagnosis.startswith("batch: fixed at 1")


def test_answer_that_depends_on_the_batch_is_refused(net, task, images, tmp_path):
    def rotten(y):  # right for the batch of the golden images only
        return y + (y.shape[0] - len(images)) * 0.5

    to_onnx(Spoilt(net, after=rotten), task, tmp_path / "m.onnx")
    result = check_parity(tmp_path / "m.onnx", "it", "onnxruntime", Reference(net, task, images))
    assert any("alone and in a batch" in text for text in result.failures)
    assert result.diagnosis == BATCH


def test_damaged_file_is_refused_not_raised(net, task, images, tmp_path):
    to_onnx(net, task, tmp_path / "m.onnx")
    whole = (tmp_path / "m.onnx").read_bytes()
    (tmp_path / "m.onnx").write_bytes(whole[: len(whole) // 2])
    result = check_parity(tmp_path / "m.onnx", "it", "onnxruntime", Reference(net, task, images))
    assert not result.passed
    assert result.diagnosis == DAMAGED
    assert result.max_abs is None


def test_other_layer_is_named(net, task, images, tmp_path):
    to_onnx(Spoilt(net, after=lambda y: y[:, :2]), task, tmp_path / "m.onnx")
    result = check_parity(tmp_path / "m.onnx", "it", "onnxruntime", Reference(net, task, images))
    assert result.diagnosis == "output: another layer was exported"


def test_grey_pictures_are_blind_to_swapped_channels(net, task, images):
    grey = np.repeat(images[..., :1], 3, axis=3)
    blind = Reference(net, task, grey).blind_to(1e-3)
    assert blind == (SWAPPED,)
    assert Reference(net, task, images).blind_to(1e-3) == ()


def test_fp16_has_its_own_tolerance(net, task, images, tmp_path):
    to_onnx(net, task, tmp_path / "m.onnx")
    path, _ = to_openvino(tmp_path / "m.onnx", tmp_path, fp16=True)
    result = check_parity(path, "half", "openvino", Reference(net, task, images), "fp16")
    assert result.passed
    assert result.max_relative < 5e-3


def test_fault_within_the_tolerance_of_8_bits_is_refused(net, task, images, tmp_path):
    """A network that hardly minds colours: swapped, its answers stay inside the tolerance."""
    weight = net.body[0].weight.data
    net.body[0].weight.data = weight.mean(1, keepdim=True) + 0.03 * weight
    reference = Reference(net, task, images)
    to_onnx(net, task, tmp_path / "m.onnx")
    assert check_parity(tmp_path / "m.onnx", "it", "onnxruntime", reference, "int8").passed
    to_onnx(Spoilt(net, before=lambda x: x.flip(1)), task, tmp_path / "bgr.onnx")
    result = check_parity(tmp_path / "bgr.onnx", "it", "onnxruntime", reference, "int8")
    assert result.max_relative < TOLERANCES["int8"].relative
    assert result.failures == ("within tolerance, but the answers are the original's under a fault",)
    assert result.diagnosis.startswith(SWAPPED)


@pytest.mark.parametrize("kind", ["multilabel", "embedding"])
def test_other_kinds_of_answers(net, make, tmp_path, kind):
    task = make.task(kind=kind)
    to_onnx(net, task, tmp_path / "m.onnx")
    reference = Reference(net, task, make.images(task))
    result = check_parity(tmp_path / "m.onnx", "it", "onnxruntime", reference)
    assert result.passed
    assert (result.top1_agreement is None) == (kind == "embedding")
    to_onnx(Spoilt(net, after=lambda y: -y), task, tmp_path / "m.onnx")
    result = check_parity(tmp_path / "m.onnx", "it", "onnxruntime", reference)
    assert result.cosine_mean == pytest.approx(-1, abs=1e-5)
    if kind == "multilabel":
        assert result.top1_agreement == 0.0
        assert result.top1_n == 24  # every label of every picture is a question of its own


def test_grey_model_passes(make, tmp_path):
    task = make.task(colour="grey")
    net = make.net(channels=1)
    to_onnx(net, task, tmp_path / "m.onnx")
    reference = Reference(net, task, make.images(task))
    assert not any("channel" in name for name in reference.fault_outputs)
    assert check_parity(tmp_path / "m.onnx", "it", "onnxruntime", reference).passed


class TestReference:
    def test_inputs_follow_the_formula(self, task, images):
        x = correct(images, task.preprocess)
        spec = task.preprocess
        expected = (images[2, 5, 7].astype(float) / 255 - spec.mean) / spec.std
        np.testing.assert_allclose(x[2, :, 5, 7], expected, rtol=1e-6)
        assert x.dtype == np.float32

    def test_nan_is_a_dead_model(self, net, task, images):
        net.head.bias.data[1] = float("nan")
        with pytest.raises(ExportError, match="model is dead: NaN or infinite outputs for 6 of 6"):
            Reference(net, task, images)

    def test_constant_is_a_dead_model(self, net, task, images):
        net.head.weight.data.zero_()
        with pytest.raises(ExportError, match="model is dead: it gives the same output to all 6"):
            Reference(net, task, images)

    def test_equal_images_prove_nothing(self, net, task, images):
        with pytest.raises(ExportError, match="golden images do not differ"):
            Reference(net, task, images[[0, 0, 0]])

    @pytest.mark.parametrize("spoil", [lambda x: x[0], lambda x: x / 255.0, lambda x: x[:, 1:]])
    def test_wrong_images_are_named(self, net, task, images, spoil):
        with pytest.raises(ExportError, match=r"golden images do not fit.*expected \(N, 24, 32, 3\) uint8"):
            Reference(net, task, spoil(images))

    def test_wrong_width_is_named(self, task, images, make):
        with pytest.raises(ExportError, match=r"expected \(N, 4\), got \(6, 7\)"):
            Reference(make.net(n_outputs=7), task, images)

    def test_forward_must_give_a_tensor(self, net, task, images):
        with pytest.raises(ExportError, match=r"does not give one tensor: .* got dict"):
            Reference(Spoilt(net, after=lambda y: {"output": y}), task, images)

    def test_module_state_is_untouched(self, net, task, images):
        net.train()
        Reference(net, task, images)
        assert net.training
        assert all(p.requires_grad for p in net.parameters())
