"""Apple's MIL operations in torch, as coremltools defines them: inputs by name -> a tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _pads(given: dict[str, Any]) -> list[int]:
    """(before, after) of height, then of width: ``valid``, ``custom`` or either kind of ``same``."""
    kind, spatial = given.get("pad_type", "valid"), given["x"].shape[2:]
    if kind == "valid":
        return [0] * 4
    if kind == "custom":
        return list(given["pad"])
    strides, dilations, kernel = given["strides"], given["dilations"], given["weight"].shape[2:]
    pads = []
    for axis in range(2):
        reach = (kernel[axis] - 1) * dilations[axis] + 1
        whole = max(0, (-(-spatial[axis] // strides[axis]) - 1) * strides[axis] + reach - spatial[axis])
        less = whole // 2
        pads += [whole - less, less] if kind == "same_lower" else [less, whole - less]
    return pads


def _conv(given: dict[str, Any]) -> Any:
    from torch.nn import functional

    top, bottom, left, right = _pads(given)
    x = functional.pad(given["x"], (left, right, top, bottom))
    return functional.conv2d(
        x, given["weight"], given.get("bias"), given["strides"], 0, given["dilations"], given["groups"]
    )


def _batch_norm(given: dict[str, Any]) -> Any:
    from torch.nn import functional

    return functional.batch_norm(
        given["x"], given["mean"], given["variance"], given.get("gamma"), given.get("beta"),
        eps=float(given["epsilon"]),
    )  # fmt: skip


def _pad(given: dict[str, Any]) -> Any:
    from torch.nn import functional

    pairs = np.reshape(given["pad"], (-1, 2))[::-1]  # torch counts from the last axis
    mode = {"constant": "constant", "reflect": "reflect", "replicate": "replicate"}[given["mode"]]
    fill = {"value": float(given["constant_val"])} if mode == "constant" else {}
    return functional.pad(given["x"], [int(item) for item in pairs.ravel()], mode=mode, **fill)


def _scaled(mode: str) -> Callable[[dict[str, Any]], Any]:
    def scale(given: dict[str, Any]) -> Any:
        from torch.nn import functional

        corners = {} if mode == "nearest" else {"align_corners": bool(given["align_corners"])}
        factors = (float(given["scale_factor_height"]), float(given["scale_factor_width"]))
        return functional.interpolate(given["x"], scale_factor=factors, mode=mode, **corners)

    return scale


def _prelu(given: dict[str, Any]) -> Any:
    from torch.nn import functional

    return functional.prelu(given["x"], given["alpha"])


def _linear(given: dict[str, Any]) -> Any:
    from torch.nn import functional

    return functional.linear(given["x"], given["weight"], given.get("bias"))


def _reduce(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda given: getattr(given["x"], name)(given["axes"], keepdim=bool(given["keep_dims"]))


def _expand(given: dict[str, Any]) -> Any:
    x = given["x"]
    for axis in sorted(given["axes"]):
        x = x.unsqueeze(axis)
    return x


def _joined(name: str) -> Callable[[dict[str, Any]], Any]:
    def join(given: dict[str, Any]) -> Any:
        import torch

        if given.get("interleave"):
            raise ValueError("interleaved")
        return getattr(torch, name)(given["values"], dim=given["axis"])

    return join


OPERATIONS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "add": lambda g: g["x"] + g["y"],
    "batch_norm": _batch_norm,
    "cast": lambda g: g["x"].float() if "fp" in g["dtype"] else g["x"].int(),
    "clip": lambda g: g["x"].clamp(float(g["alpha"]), float(g["beta"])),
    "concat": _joined("cat"),
    "conv": _conv,
    "exp": lambda g: g["x"].exp(),
    "expand_dims": _expand,
    "leaky_relu": lambda g: g["x"].where(g["x"] >= 0, g["x"] * g["alpha"]),
    "linear": _linear,
    "mul": lambda g: g["x"] * g["y"],
    "pad": _pad,
    "prelu": _prelu,
    "real_div": lambda g: g["x"] / g["y"],
    "reduce_mean": _reduce("mean"),
    "reduce_sum": _reduce("sum"),
    "relu": lambda g: g["x"].relu(),
    "relu6": lambda g: g["x"].clamp(0, 6),
    "reshape": lambda g: g["x"].reshape(g["shape"]),
    "sigmoid": lambda g: g["x"].sigmoid(),
    "sigmoid_hard": lambda g: (g["x"] * g["alpha"] + g["beta"]).clamp(0, 1),
    "silu": lambda g: g["x"] * g["x"].sigmoid(),
    "sqrt": lambda g: g["x"].sqrt(),
    "square": lambda g: g["x"] ** 2,
    "squeeze": lambda g: g["x"].squeeze(tuple(g["axes"])),
    "stack": _joined("stack"),
    "sub": lambda g: g["x"] - g["y"],
    "tanh": lambda g: g["x"].tanh(),
    "thresholded_relu": lambda g: g["x"].where(g["x"] >= g["alpha"], g["x"] * 0),
    "transpose": lambda g: g["x"].permute(g["perm"]),
    "upsample_bilinear": _scaled("bilinear"),
    "upsample_nearest_neighbor": _scaled("nearest"),
}
