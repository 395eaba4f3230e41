"""Google's converter from torch to LiteRT and its quantiser. Runs in the environment of ``litert.txt``."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
from serving import serve  # type: ignore[import-not-found]

LAYOUT = "nhwc"
"""Name of the signature: how the input lies. The engine reads it there."""


def convert(
    onnx: str, file: str, shape: list[int], precision: str, calibration: np.ndarray | None = None
) -> dict[str, Any]:
    """Make a ``.tflite`` file for one image at a time, (1, H, W, C) in.

    Args:
        onnx: the canonical ONNX file.
        file: what to write.
        shape: (1, C, H, W), as the ONNX file takes it.
        precision: ``fp32``, ``fp16``, ``int8-dynamic`` or ``int8``.
        calibration: (N, C, H, W) float32 normalised, for ``int8``.
    """
    import litert_torch  # type: ignore[import-not-found]
    import torch
    from onnx_torch import read_net  # type: ignore[import-not-found]

    _, channels, height, width = shape
    net = read_net(onnx, tuple(shape), channels_last=True)
    example = {"input": torch.zeros(1, height, width, channels)}
    with torch.no_grad():
        model = litert_torch.signature(LAYOUT, net, sample_kwargs=example).convert()
    model.export(file)
    if precision != "fp32":
        _quantise(file, precision, calibration)
    return {"bytes": Path(file).stat().st_size}


def _quantise(file: str, precision: str, calibration: np.ndarray | None) -> None:
    from ai_edge_quantizer import qtyping, quantizer, recipe  # type: ignore[import-not-found]

    tool = quantizer.Quantizer(file)
    found = None
    if precision == "fp16":
        _half(tool)
    elif precision == "int8-dynamic":
        tool.load_quantization_recipe(recipe.dynamic_wi8_afp32())
    else:
        assert calibration is not None
        tool.load_quantization_recipe(recipe.static_wi8_ai8())
        for name in ("INPUT", "OUTPUT"):  # these stay float32
            tool.update_quantization_recipe(
                regex=".*", operation_name=qtyping.TFLOperationName[name], algorithm_key="no_quantize"
            )
        images = np.ascontiguousarray(calibration.transpose(0, 2, 3, 1))
        found = tool.calibrate({LAYOUT: [{"input": image[None]} for image in images]}, num_threads=1)
    result = tool.quantize(found, enable_progress_report=False)
    Path(file).write_bytes(bytes(result.quantized_model))


def _half(tool: Any) -> None:
    """Weights in half precision; the arithmetic is float32 on a CPU, half on a GPU or NPU."""
    from ai_edge_quantizer import qtyping

    kind = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
    config = qtyping.OpQuantizationConfig(
        weight_tensor_config=kind, compute_precision=qtyping.ComputePrecision.FLOAT, explicit_dequantize=True
    )
    names = qtyping.TFLOperationName
    for name in (names.FULLY_CONNECTED, names.CONV_2D, names.DEPTHWISE_CONV_2D, names.CONV_2D_TRANSPOSE):
        tool.update_quantization_recipe(
            regex=".*", operation_name=name, op_config=config, algorithm_key="float_casting"
        )


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        serve({"convert": convert})
