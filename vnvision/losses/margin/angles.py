"""Angles from cosines, with gradients that stay finite where a cosine is exactly -1 or 1.

The derivatives of the sine and of the angle by the cosine grow without bound at the ends, where an embedding
lies on its centre's axis. Clamping the cosine would zero the gradient. Here the value is exact, and only the
derivative's denominator is kept above the smallest sine that float arithmetic can resolve.
"""

from __future__ import annotations

import math

import torch


def sine(cosines: torch.Tensor) -> torch.Tensor:
    """Sine, 0 or more, of the angle in 0..pi with this cosine.

    Args:
        cosines: any shape; values past -1 or 1 by rounding count as the end.

    Returns:
        The same shape; the derivative by the cosine, -cos / sin, is finite everywhere.
    """
    flat, value, divisor = _parts(cosines)
    return value - (cosines - cosines.detach()) * (flat / divisor)


def angle(cosines: torch.Tensor) -> torch.Tensor:
    """Angle in 0..pi; the derivative by the cosine, -1 / sin, is finite everywhere.

    Args:
        cosines: any shape; values past -1 or 1 by rounding count as the end.
    """
    flat, _, divisor = _parts(cosines)
    return torch.acos(flat) - (cosines - cosines.detach()) / divisor


def add_angle(cosines: torch.Tensor, margin_rad: float | torch.Tensor) -> torch.Tensor:
    """cos(theta + m) while theta + m stays within pi, and beyond it cos(theta) - m sin(m).

    Past pi the cosine would rise again, and a worse embedding would be punished less. The continuation, which
    the authors of ArcFace use in their code, keeps the result falling with theta: at theta = pi - m it steps
    down (cos(m) + m sin(m) is 1 or more for m up to pi / 2), and beyond it has slope 1 in the cosine.

    Args:
        cosines: any shape, of theta.
        margin_rad: m, 0 to pi / 2; a number, or a tensor of the same shape.
    """
    cos_m: float | torch.Tensor
    sin_m: float | torch.Tensor
    if isinstance(margin_rad, torch.Tensor):
        cos_m, sin_m = margin_rad.cos(), margin_rad.sin()
    else:  # numbers stay numbers: nothing is copied to an accelerator at each step
        cos_m, sin_m = math.cos(margin_rad), math.sin(margin_rad)
    within = cosines * cos_m - sine(cosines) * sin_m
    return torch.where(cosines > -cos_m, within, cosines - margin_rad * sin_m)


def add_angle_within(cosines: torch.Tensor, shift_rad: torch.Tensor) -> torch.Tensor:
    """cos(theta + shift) with theta + shift held in 0..pi, where it is flat.

    Args:
        cosines: any shape, of theta.
        shift_rad: the same shape, -pi / 2 to pi / 2.
    """
    cos_s, sin_s = shift_rad.cos(), shift_rad.sin()
    shifted = cosines * cos_s - sine(cosines) * sin_s
    shifted = torch.where((shift_rad < 0) & (cosines > cos_s), torch.ones_like(shifted), shifted)
    return torch.where((shift_rad > 0) & (cosines < -cos_s), -torch.ones_like(shifted), shifted)


def falling_cosine(phi: torch.Tensor) -> torch.Tensor:
    """The cosine carried on past pi so that it keeps falling.

    (-1)^k cos(phi) - 2k for phi in k pi..(k + 1) pi: continuous, its slope never positive. Liu et al. 2017,
    "SphereFace: Deep Hypersphere Embedding for Face Recognition", the function psi.

    Args:
        phi: any shape, radians, 0 or more.
    """
    turns = (phi.detach() / math.pi).floor()
    sign = 1.0 - 2.0 * torch.remainder(turns, 2.0)
    return sign * phi.cos() - 2.0 * turns


def _parts(cosines: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The cosine held in -1..1, its sine, and the sine kept above what its type can resolve; no gradients."""
    flat = cosines.detach().clamp(-1.0, 1.0)
    value = ((1.0 - flat) * (1.0 + flat)).sqrt()
    return flat, value, value.clamp(min=math.sqrt(torch.finfo(cosines.dtype).eps))
