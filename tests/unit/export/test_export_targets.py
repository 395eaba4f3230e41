"""Names, options and precisions of targets; which target a bundle is opened with."""

from __future__ import annotations

import pytest

from vnvision.errors import ConfigError
from vnvision.export.targets import TARGETS, chosen_targets
from vnvision.records import TargetRecord
from vnvision.runtime.target import _preference


@pytest.mark.parametrize(
    ("names", "options", "made"),
    [
        (["tflite"], {"half": True}, "litert-fp16"),
        (["openvino"], {"int8": True}, "openvino-int8"),
        (["mnn"], {"int8": True}, "mnn-int8-weights"),  # no integer arithmetic there
        (["rknn"], {"chip": "rk3588"}, "rknn-rk3588-fp16"),
        (["rknn"], {"chip": "rv1106"}, "rknn-rv1106-int8"),  # computes in integers alone
        (["rknn-rk3566"], {"int8": True}, "rknn-rk3566-int8"),
        (["mlpackage"], {}, "coreml"),
        (["pt2"], {}, "torch"),
        (["openvino-int8"], {"half": True}, "openvino-int8"),  # a precision by name stays
    ],
)
def test_formats_options_and_precisions(names, options, made):
    assert list(chosen_targets(names, **options)) == ["onnx", made]


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (["ncnn"], {"int8": True}, "ncnn has no 8-bit precision: expected one of ncnn, ncnn-fp16"),
        (["torch"], {"half": True}, "torch has no half precision: expected one of torch"),
        (["rknn"], {}, "rknn needs the name of a chip: expected rk3588 or rk3566 or rv1106, got None"),
        (["rknn"], {"chip": "rk1808"}, "got rk1808"),
        (["engine"], {}, "engine is not made by this verb; TensorRT builds its file on the very GPU"),
        (["torchscript"], {}, "use torch"),
        (["onn"], {}, "unknown export target 'onn': expected some of onnx, "),
        (["onnx"], {"half": True, "int8": True}, "a file has one precision: expected half or int8, got both"),
    ],
)
def test_what_cannot_be_made(names, options, message):
    with pytest.raises(ConfigError) as caught:
        chosen_targets(names, **options)
    assert message in str(caught.value)


def test_files_of_two_targets_never_meet():
    files = [name for target in TARGETS.values() for name in (target.file, *target.extra_files)]
    assert len(set(files)) == len(files)
    assert all(target.file.split("/")[0] == key for key, target in TARGETS.items() if key != "onnx")


def test_auto_prefers_precision_then_speed_then_order():
    def record(engine, precision="fp32", p50=None):
        return TargetRecord(file="f", engine=engine, precision=precision, p50_ms=p50)

    slow, fast = record("openvino", p50=9.0), record("ncnn", p50=3.0)
    small, unknown = record("openvino", "int8", 1.0), record("onnxruntime")
    assert sorted([small, unknown, slow, fast], key=lambda r: _preference(r, by_speed=True)) == [
        fast, slow, unknown, small,
    ]  # fmt: skip
    assert sorted([fast, unknown, slow], key=lambda r: _preference(r, by_speed=False)) == [
        slow, unknown, fast,
    ]  # fmt: skip
