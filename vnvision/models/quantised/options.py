"""How a network is brought to 8-bit integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vnvision.errors import ConfigError

Grid = Literal["uint8", "int8", "int8_symmetric"]
LIMITS: dict[str, tuple[int, int]] = {"uint8": (0, 255), "int8": (-128, 127), "int8_symmetric": (-128, 127)}
"""Lowest and highest integer of an activation."""
FIRST, LAST = "first", "last"


@dataclass(frozen=True, slots=True)
class QuantOptions:
    """Weights are symmetric int8 with a step for every output channel, activations have one step a tensor.

    Attributes:
        activations: ``uint8`` or ``int8`` with a zero point, or ``int8_symmetric`` with zero at 0.
        weight_bits: 8, or 7 for x86 processors without VNNI, whose 16-bit sums overflow with 8.
        percentile: cut the range of an activation there at both ends, as 99.99; None takes minimum and
            maximum.
        momentum: share of the old range kept at every training step, from 0.
        observe_steps: training steps in which ranges are measured; then they stand still. None: always.
        keep_float: layers that stay in float32, as patterns of names (``fnmatch``), ``first`` or ``last``.
        pre_activation: round what a convolution gives also before its PReLU. ONNX Runtime computes a
            convolution in integers only then; OpenVINO and most NPUs join the two and lose less without.
            ReLU and other clippings are always joined.
        learned_steps: steps learn, as factors on the measured ones (Esser et al. 2020).

    Raises:
        ConfigError: an option out of range.
    """

    activations: Grid = "uint8"
    weight_bits: int = 8
    percentile: float | None = None
    momentum: float = 0.95
    observe_steps: int | None = None
    keep_float: tuple[str, ...] = ()
    pre_activation: bool = True
    learned_steps: bool = False

    def __post_init__(self) -> None:
        rules = (
            ("activations", self.activations in LIMITS, f"one of {', '.join(LIMITS)}"),
            ("weight_bits", self.weight_bits in (7, 8), "7 or 8"),
            ("percentile", self.percentile is None or 50 < self.percentile <= 100, "above 50, at most 100"),
            ("momentum", 0 <= self.momentum < 1, "0 or more, below 1"),
            ("observe_steps", self.observe_steps is None or self.observe_steps >= 1, "1 or more"),
        )
        for name, fits, expected in rules:
            if not fits:
                raise ConfigError(f"{name} is wrong", expected=expected, got=str(getattr(self, name)))

    @property
    def weight_limit(self) -> int:
        """The largest integer of a weight: 127, or 63 with 7 bits."""
        return int(2 ** (self.weight_bits - 1)) - 1
