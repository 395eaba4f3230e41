"""The one mapping from a measure to how good it is."""

from __future__ import annotations


def ramp(value: float, worst: float, best: float) -> float:
    """0 up to ``worst``, 1 from ``best`` on, straight between; ``worst`` may be the larger number."""
    return min(1.0, max(0.0, (value - worst) / (best - worst)))
