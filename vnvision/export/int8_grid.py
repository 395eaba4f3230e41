"""The grids that numbers are rounded to: step and zero point of activations, steps of weights."""

from __future__ import annotations

from typing import Any

import numpy as np

LIMIT = 127
"""Weights lie in -127..127."""
LEVELS = 255
"""Activations lie in 0..255."""
SMALLEST = 1e-8
_LARGEST_BIAS = 2**30  # the sum of products still fits into int32 beside it
Grid = tuple[np.float32, np.uint8]


def grid_of(low: float, high: float) -> Grid:
    """Step and zero point of uint8 that hold 0 and both ends."""
    low, high = min(low, 0.0), max(high, 0.0)
    if high - low < SMALLEST:
        return np.float32(SMALLEST), np.uint8(0)
    zero = round(-low / (high - low) * LEVELS)
    step = max(-low / max(zero, 0.5), high / max(LEVELS - zero, 0.5), SMALLEST)
    return np.float32(step), np.uint8(zero)


def on_grid(values: np.ndarray, grid: Grid) -> np.ndarray:
    """Each value as the nearest one of a grid, float32."""
    step, zero = grid[0], np.float32(grid[1])
    near: np.ndarray = (np.clip(np.rint(values / step) + zero, 0, LEVELS) - zero) * step
    return near.astype(np.float32)


def channel_axis(node: Any) -> int:
    """Which axis of a layer's weight counts its outputs."""
    return 1 if node.op_type == "MatMul" else 0


def weight_steps(weight: np.ndarray, axis: int) -> np.ndarray:
    """(out,) step of each channel: its largest magnitude is 127."""
    largest = np.abs(weight).max(axis=tuple(i for i in range(weight.ndim) if i != axis))
    steps: np.ndarray = np.maximum(largest / LIMIT, SMALLEST).astype(np.float32)
    return steps


def wide_enough(steps: np.ndarray, bias: np.ndarray, input_step: float) -> np.ndarray:
    """(out,) steps of weights, wider where the bias in these times ``input_step`` would leave int32."""
    wide: np.ndarray = np.maximum(steps, np.abs(bias) / (input_step * _LARGEST_BIAS)).astype(np.float32)
    return wide
