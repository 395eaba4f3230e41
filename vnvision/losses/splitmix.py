"""SplitMix64 on int64 tensors: random bits that follow from keys alone, on any device.

Source: Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators". The c-th number, from 1, of
the stream started at a key is ``mix_(key + c * STRIDE)``; int64 arithmetic wraps, as wanted.
"""

from __future__ import annotations

import torch


def _signed(value: int) -> int:
    """64 bits read as a signed number."""
    return value - 2**64 if value >= 2**63 else value


STRIDE = _signed(0x9E3779B97F4A7C15)
_FIRST, _SECOND = _signed(0xBF58476D1CE4E5B9), _signed(0x94D049BB133111EB)


def mix_(state: torch.Tensor) -> torch.Tensor:
    """All 64 bits of each number stirred, in place."""
    state.bitwise_xor_(shifted(state, 30)).mul_(_FIRST)
    state.bitwise_xor_(shifted(state, 27)).mul_(_SECOND)
    return state.bitwise_xor_(shifted(state, 31))


def shifted(state: torch.Tensor, bits: int) -> torch.Tensor:
    """Shifted right by 1 to 63 bits, zeros coming in: the highest 64 - ``bits``, 0 or more."""
    return (state >> bits).bitwise_and_((1 << (64 - bits)) - 1)
