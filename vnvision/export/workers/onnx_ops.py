"""ONNX operators (opset 13 to 18) in torch, as far as our networks use them. Runs under another Python.

Tensors come as torch tensors; shapes, axes, pads and indices as numpy arrays. See the operator list of the
ONNX standard for what each attribute means.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def _ints(values: Any) -> list[int]:
    return [int(value) for value in np.atleast_1d(values)]


def _number(value: Any) -> float | None:
    """A limit as a plain number."""
    return float(np.ravel(value)[0]) if value is not None and np.size(value) else None


def _padded(x: Tensor, pads: list[int] | None, auto_pad: str, value: float = 0.0) -> Tensor:
    if auto_pad not in ("NOTSET", "VALID"):
        raise ValueError(f"auto_pad {auto_pad} is not supported")
    if not pads or not any(pads):
        return x
    half = len(pads) // 2
    order = [side for axis in reversed(range(half)) for side in (pads[axis], pads[axis + half])]
    return functional.pad(x, order, value=value)


def _even(pads: list[int] | None) -> tuple[int, ...] | None:
    """Padding that is the same on both sides, as torch's layers take it."""
    if not pads:
        return (0, 0)
    half = len(pads) // 2
    return tuple(pads[:half]) if pads[:half] == pads[half:] else None


def conv(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, group: int = 1, pads: Any = None,
         strides: Any = (1, 1), dilations: Any = (1, 1), kernel_shape: Any = None,
         auto_pad: str = "NOTSET") -> Tensor:  # fmt: skip
    """Conv, in two dimensions."""
    even = _even(pads)
    if even is None or auto_pad != "NOTSET":
        x, even = _padded(x, pads, auto_pad), (0, 0)
    return functional.conv2d(x, weight, bias, tuple(strides), even, tuple(dilations), group)


def conv_transpose(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, group: int = 1, pads: Any = None,
                   strides: Any = (1, 1), dilations: Any = (1, 1), kernel_shape: Any = None,
                   output_padding: Any = (0, 0), auto_pad: str = "NOTSET") -> Tensor:  # fmt: skip
    """ConvTranspose, in two dimensions, padded alike on both sides."""
    even = _even(pads)
    if even is None or auto_pad != "NOTSET":
        raise ValueError("ConvTranspose with uneven padding is not supported")
    steps, out = tuple(strides), tuple(output_padding)
    return functional.conv_transpose2d(x, weight, bias, steps, even, out, group, tuple(dilations))


def max_pool(x: Tensor, *, kernel_shape: Any, strides: Any = (1, 1), pads: Any = None,
             dilations: Any = (1, 1), ceil_mode: int = 0, auto_pad: str = "NOTSET",
             storage_order: int = 0) -> Tensor:  # fmt: skip
    """MaxPool."""
    x = _padded(x, pads, auto_pad, float("-inf"))
    return functional.max_pool2d(x, tuple(kernel_shape), tuple(strides), 0, tuple(dilations), bool(ceil_mode))


def average_pool(x: Tensor, *, kernel_shape: Any, strides: Any = (1, 1), pads: Any = None, ceil_mode: int = 0,
                 count_include_pad: int = 0, auto_pad: str = "NOTSET") -> Tensor:  # fmt: skip
    """AveragePool, padded alike on both sides."""
    even = _even(pads)
    if even is None or auto_pad != "NOTSET":
        raise ValueError("AveragePool with uneven padding is not supported")
    sizes, steps = tuple(kernel_shape), tuple(strides)
    return functional.avg_pool2d(x, sizes, steps, even, bool(ceil_mode), bool(count_include_pad))


def gemm(a: Tensor, b: Tensor, c: Tensor | None = None, *, alpha: float = 1.0, beta: float = 1.0,
         transA: int = 0, transB: int = 0) -> Tensor:  # noqa: N803  # fmt: skip
    """Gemm."""
    a, b = a.T if transA else a, b if transB else b.T
    if alpha == 1.0 and beta == 1.0:
        return functional.linear(a, b, c)
    product = alpha * functional.linear(a, b)
    return product if c is None else product + beta * c


def batch_norm(x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, *,
               epsilon: float = 1e-5, momentum: float = 0.9, training_mode: int = 0) -> Tensor:  # fmt: skip
    """BatchNormalization with stored statistics."""
    return functional.batch_norm(x, mean, variance, scale, bias, False, 0.0, epsilon)


def instance_norm(x: Tensor, scale: Tensor, bias: Tensor, *, epsilon: float = 1e-5) -> Tensor:
    """InstanceNormalization, written out: mean and variance over the places of each image."""
    axes = tuple(range(2, x.dim()))
    centred = x - x.mean(axes, keepdim=True)
    variance = (centred * centred).mean(axes, keepdim=True)
    shape = (1, -1) + (1,) * len(axes)
    return centred * torch.rsqrt(variance + epsilon) * scale.reshape(shape) + bias.reshape(shape)


def layer_norm(x: Tensor, scale: Tensor, bias: Tensor | None = None, *, axis: int = -1,
               epsilon: float = 1e-5, stash_type: int = 1) -> Tensor:  # fmt: skip
    """LayerNormalization."""
    return functional.layer_norm(x, tuple(x.shape[axis:]), scale, bias, epsilon)


def clip(x: Tensor, low: Any = None, high: Any = None) -> Tensor:
    """Clip; 0 to 6 as the operation phones have for it."""
    limits = _number(low), _number(high)
    if limits == (0.0, 6.0):
        return functional.relu6(x)
    return torch.relu(x) if limits == (0.0, None) else torch.clamp(x, *limits)


def prelu(x: Tensor, slope: Tensor) -> Tensor:
    """PRelu, the slope a number or one for each channel."""
    if slope.numel() == 1 or x.dim() == 2:
        return torch.relu(x) - slope.reshape(-1) * torch.relu(-x)
    return torch.relu(x) - slope.reshape((-1,) + (1,) * (x.dim() - 2)) * torch.relu(-x)


def _reduced(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A reduction with its axes as an attribute (to opset 17) or an input (from 18)."""

    def run(x: Tensor, given: Any = None, *, axes: Any = None, keepdims: int = 1,
            noop_with_empty_axes: int = 0) -> Tensor:  # fmt: skip
        wanted = _ints(given if given is not None else axes) if (given is not None or axes) else []
        return function(x, tuple(wanted) or tuple(range(x.dim())), keepdim=bool(keepdims))

    return run


def pad(x: Tensor, pads: Any, value: Any = None, axes: Any = None, *, mode: str = "constant") -> Tensor:
    """Pad, on all axes or on those named."""
    given = _ints(pads)
    half = len(given) // 2
    where = _ints(axes) if axes is not None else list(range(half))
    sides = {axis % x.dim(): (given[i], given[i + half]) for i, axis in enumerate(where)}
    order = [side for axis in reversed(range(x.dim())) for side in sides.get(axis, (0, 0))]
    while len(order) > 2 and order[-2:] == [0, 0]:
        order = order[:-2]
    if mode == "constant":
        return functional.pad(x, order, value=_number(value) or 0.0)
    return functional.pad(x, order, mode={"edge": "replicate"}.get(mode, mode))


def resize(x: Tensor, roi: Any = None, scales: Any = None, sizes: Any = None, *, mode: str = "nearest",
           coordinate_transformation_mode: str = "half_pixel", nearest_mode: str = "round_prefer_floor",
           cubic_coeff_a: float = -0.75, **_: Any) -> Tensor:  # fmt: skip
    """Resize of height and width: nearest by whole factors, and linear."""
    if sizes is not None and np.size(sizes):
        goal = _ints(sizes)[2:]
    else:
        factors = scales.tolist()
        goal = [int(side * factor) for side, factor in zip(x.shape[2:], factors[2:], strict=True)]
    if mode == "linear":
        corners = coordinate_transformation_mode == "align_corners"
        if not corners and coordinate_transformation_mode not in ("half_pixel", "pytorch_half_pixel"):
            raise ValueError(f"Resize with {coordinate_transformation_mode} is not supported")
        return functional.interpolate(x, goal, mode="bilinear", align_corners=corners)
    plain = coordinate_transformation_mode == "asymmetric" and nearest_mode == "floor"
    whole = all(new % old == 0 for new, old in zip(goal, x.shape[2:], strict=True))
    if mode != "nearest" or not (plain or (whole and coordinate_transformation_mode == "half_pixel")):
        raise ValueError(f"Resize by {mode}, {coordinate_transformation_mode} is not supported")
    return functional.interpolate(x, goal, mode="nearest")


def reshape(x: Tensor, shape: Any, *, allowzero: int = 0) -> Tensor:
    """Reshape; 0 keeps a size."""
    wanted = _ints(shape)
    if not allowzero:
        wanted = [x.shape[place] if size == 0 else size for place, size in enumerate(wanted)]
    return x.reshape(wanted)


def strided(x: Tensor, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Tensor:
    """Slice with positive steps."""
    first, last = _ints(starts), _ints(ends)
    where = _ints(axes) if axes is not None else list(range(len(first)))
    pace = _ints(steps) if steps is not None else [1] * len(first)
    for axis, start, end, step in zip(where, first, last, pace, strict=True):
        index = [slice(None)] * x.dim()
        index[axis] = slice(start, min(end, x.shape[axis]), step)
        x = x[tuple(index)]
    return x


def gather(x: Tensor, indices: Any, *, axis: int = 0) -> Tensor:
    """Gather with constant indices."""
    if np.ndim(indices) == 0:
        return x.select(axis, int(indices))
    shape = (*x.shape[:axis], *np.shape(indices), *x.shape[axis % x.dim() + 1 :])
    return x.index_select(axis, torch.tensor(np.ravel(indices))).reshape(shape)


def split(x: Tensor, sizes: Any = None, *, axis: int = 0, num_outputs: int = 0) -> tuple[Tensor, ...]:
    """Split."""
    parts = _ints(sizes) if sizes is not None else -(-x.shape[axis] // num_outputs)
    return tuple(torch.split(x, parts, axis))


def squeeze(x: Tensor, axes: Any = None) -> Tensor:
    """Squeeze."""
    return x.squeeze(tuple(_ints(axes))) if axes is not None else x.squeeze()


def unsqueeze(x: Tensor, axes: Any) -> Tensor:
    """Unsqueeze."""
    for axis in sorted(_ints(axes)):
        x = x.unsqueeze(axis)
    return x


def flatten(x: Tensor, *, axis: int = 1) -> Tensor:
    """Flatten of all but the batch."""
    return x.reshape(int(np.prod(x.shape[:axis])), -1)


OPS: dict[str, Callable[..., Any]] = {
    "Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": torch.div, "Pow": torch.pow,
    "MatMul": torch.matmul, "Sqrt": torch.sqrt, "Exp": torch.exp, "Log": torch.log, "Neg": torch.neg,
    "Abs": torch.abs, "Erf": torch.erf, "Tanh": torch.tanh, "Sigmoid": torch.sigmoid, "Relu": torch.relu,
    "Reciprocal": torch.reciprocal, "Max": torch.maximum, "Min": torch.minimum,
    "Softplus": functional.softplus, "HardSwish": functional.hardswish,
    "HardSigmoid": lambda x, *, alpha=0.2, beta=0.5: torch.clamp(alpha * x + beta, 0.0, 1.0),
    "LeakyRelu": lambda x, *, alpha=0.01: functional.leaky_relu(x, alpha),
    "Elu": lambda x, *, alpha=1.0: functional.elu(x, alpha),
    "Gelu": lambda x, *, approximate="none": functional.gelu(x, approximate=approximate),
    "Softmax": lambda x, *, axis=-1: torch.softmax(x, axis),
    "Identity": lambda x: x, "Dropout": lambda x, *_, **__: x,
    "Cast": lambda x, *, to, saturate=1: x if to == 1 else x.to({7: torch.int64, 6: torch.int32}[to]),
    "Clip": clip, "PRelu": prelu, "Conv": conv, "ConvTranspose": conv_transpose, "Gemm": gemm,
    "BatchNormalization": batch_norm, "InstanceNormalization": instance_norm,
    "LayerNormalization": layer_norm, "MaxPool": max_pool, "AveragePool": average_pool,
    "GlobalAveragePool": lambda x: x.mean(tuple(range(2, x.dim())), keepdim=True),
    "GlobalMaxPool": lambda x: x.amax(tuple(range(2, x.dim())), keepdim=True),
    "ReduceMean": _reduced(torch.mean), "ReduceSum": _reduced(torch.sum), "ReduceMax": _reduced(torch.amax),
    "ReduceMin": _reduced(torch.amin),
    "ReduceL2": _reduced(lambda x, dim, keepdim: (x * x).sum(dim, keepdim=keepdim).sqrt()),
    "Pad": pad, "Resize": resize, "Reshape": reshape, "Slice": strided, "Gather": gather, "Split": split,
    "Squeeze": squeeze, "Unsqueeze": unsqueeze, "Flatten": flatten,
    "Transpose": lambda x, *, perm: x.permute(perm),
    "Concat": lambda *parts, axis: torch.cat(parts, axis),
}  # fmt: skip
