"""Weights as integers that keep what a layer computes, not each weight, near float32."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vnvision.export.int8_graph import Graph
from vnvision.export.int8_grid import LIMIT, channel_axis, grid_of, weight_steps, wide_enough
from vnvision.export.int8_moments import Moments, moments
from vnvision.export.int8_ranges import Ranges

_DAMPING = 0.1  # of the mean variance, on top of each; 0.001 to 1 were compared on validation pictures
_BLOCK = 64
_READINGS = 4  # for each number that an output reads, at the least; with fewer the covariance is noise


@dataclass(frozen=True, slots=True, eq=False)
class Rounded:
    """One layer.

    Attributes:
        integers: int8, in the shape of the weight.
        steps: (out,) float32.
        bias: (out,) float32; None where the layer has none.
    """

    integers: np.ndarray
    steps: np.ndarray
    bias: np.ndarray | None


def rounded_layers(
    graph: Graph, ranges: Mapping[str, Ranges], inputs: np.ndarray | None
) -> dict[str, Rounded]:
    """Weights and biases of every layer, by the tensor it makes.

    Weights are rounded one after the other, and what one was rounded by is made up for by those behind it,
    in so far as their inputs vary together: Frantar et al. 2023, "GPTQ: Accurate Post-Training Quantization
    for Generative Pre-trained Transformers", equations 2 and 3 in the Cholesky form of section 3.3. What the
    rounding of inputs and weights then shifts each output by on average goes into its bias: Nagel et al.
    2019, section 4.2, with measured means.

    Args:
        graph: in float32.
        ranges: of its tensors; empty where activations stay in float32.
        inputs: (N, C, H, W) float32 calibration images; None rounds each weight to the nearest, and biases
            stay.
    """
    found = {}
    for node in graph.layers():
        weight, source = graph.arrays[node.input[1]], ranges.get(node.input[0])
        bias = graph.arrays[node.input[2]] if len(node.input) > 2 else None
        steps = weight_steps(weight, channel_axis(node))
        if bias is not None and source is not None:
            steps = wide_enough(steps, bias, float(grid_of(source.low, source.high)[0]))
        column = steps.reshape([-1 if i == channel_axis(node) else 1 for i in range(weight.ndim)])
        found[node.output[0]] = Rounded(_nearest(weight, column).astype(np.int8), steps, bias)
    for node, read in moments(graph, ranges, inputs) if inputs is not None else ():
        near = found[node.output[0]]
        found[node.output[0]] = _fitted(graph.arrays[node.input[1]], near, read)
    return found


def _nearest(weight: np.ndarray, steps: np.ndarray) -> np.ndarray:
    whole: np.ndarray = np.clip(np.rint(weight / steps), -LIMIT, LIMIT)
    return whole


def _fitted(weight: np.ndarray, near: Rounded, read: Moments) -> Rounded:
    """Integers of a convolution or Gemm fitted to what it reads."""
    groups = len(read.mean)
    shape = groups, len(weight) // groups, -1
    wide, steps = weight.astype(np.float64).reshape(shape), near.steps.astype(np.float64).reshape(groups, -1)
    whole = near.integers.astype(np.float64).reshape(shape)
    if read.covariance is not None and read.n >= _READINGS * wide.shape[2]:
        whole = compensated(wide, steps, read.covariance)
    shift = wide @ read.mean[:, :, None] - (whole * steps[:, :, None]) @ read.rounded_mean[:, :, None]
    assert near.bias is not None  # read_graph gives one to each
    bias = (near.bias + shift.reshape(-1)).astype(np.float32)
    return Rounded(whole.reshape(weight.shape).astype(np.int8), near.steps, bias)


def compensated(weight: np.ndarray, steps: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Integers whose products with inputs of a covariance vary little about those of the weights.

    Args:
        weight: (G, R, K) float64, R outputs of K inputs in each of G groups.
        steps: (G, R).
        covariance: (G, K, K) of the inputs.

    Returns:
        (G, R, K) whole numbers as float64.
    """
    size = weight.shape[2]
    variance = np.einsum("gkk->gk", covariance)
    order = np.argsort(-variance, axis=1, kind="stable")  # the inputs that matter most while all can make up
    mean = variance.mean(axis=1)[:, None, None]
    scaled = covariance / np.where(mean > 0, mean, 1) + _DAMPING * np.eye(size)
    scaled = np.take_along_axis(scaled, order[:, :, None], 1)
    scaled = np.take_along_axis(scaled, order[:, None, :], 2)
    upper = np.linalg.cholesky(np.linalg.inv(scaled)).transpose(0, 2, 1)
    left = np.take_along_axis(weight, order[:, None, :], 2)
    whole = np.empty_like(left)
    for start in range(0, size, _BLOCK):
        end = min(start + _BLOCK, size)
        errors = np.empty((*left.shape[:2], end - start))
        for i in range(start, end):
            whole[:, :, i] = _nearest(left[:, :, i], steps)
            error = (left[:, :, i] - whole[:, :, i] * steps) / upper[:, i, i, None]
            left[:, :, i + 1 : end] -= error[:, :, None] * upper[:, None, i, i + 1 : end]
            errors[:, :, i - start] = error
        left[:, :, end:] -= errors @ upper[:, start:end, end:]
    found = np.empty_like(whole)
    np.put_along_axis(found, order[:, None, :], whole, 2)
    return found
