"""Angles from cosines: exact values, finite gradients at the ends, and margins that never turn round."""

import math

import numpy as np
import pytest
import torch

from vnvision.losses.margin.angles import add_angle, add_angle_within, angle, falling_cosine, sine

ENDS = torch.tensor([-1.0, 1.0])
FINE = torch.linspace(-1, 1, 4001, dtype=torch.float64)


def slopes(function, cosines):
    cosines = cosines.clone().requires_grad_()
    function(cosines).sum().backward()
    return cosines.grad


def test_sine_and_angle_are_exact_also_at_the_ends():
    cosines = torch.cat([ENDS, torch.tensor([0.0, 0.5, -0.3])])
    np.testing.assert_allclose(angle(cosines), np.arccos(cosines.double()), atol=1e-6)
    np.testing.assert_allclose(sine(cosines), np.sin(np.arccos(cosines.double())), atol=1e-6)
    past = torch.tensor([1.0000001, -1.0000001])
    assert sine(past).tolist() == [0.0, 0.0]
    assert angle(past).tolist() == pytest.approx([0.0, math.pi])


@pytest.mark.parametrize("function", [sine, angle])
def test_derivatives_are_true_inside(function):
    inside = torch.linspace(-0.999, 0.999, 25, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(function, inside)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("margin", [0.0, 0.3, 0.5, 1.2])
def test_slope_with_a_margin_is_finite_and_never_zero_anywhere(margin, dtype):
    cosines = torch.cat([FINE.to(dtype), ENDS.to(dtype), torch.tensor([1.0000001, -1.0000001], dtype=dtype)])
    slope = slopes(lambda c: add_angle(c, margin), cosines)
    assert torch.isfinite(slope).all()
    assert (slope > 0).all()


@pytest.mark.parametrize("margin", [0.1, 0.5, 1.0, math.pi / 2])
def test_added_angle_falls_with_theta_and_is_the_formula(margin):
    got = add_angle(FINE, margin)
    assert (got.diff() > 0).all()
    for cosine, value in zip(FINE.tolist(), got.tolist(), strict=True):
        theta = math.acos(cosine)
        if theta + margin < math.pi - 1e-9:
            assert value == pytest.approx(math.cos(theta + margin), abs=1e-9)
        elif theta + margin > math.pi + 1e-9:
            assert value == pytest.approx(cosine - margin * math.sin(margin), abs=1e-9)


@pytest.mark.parametrize("margin", [0.3, 0.5])
def test_added_angle_of_a_tensor_is_that_of_numbers(margin):
    torch.testing.assert_close(add_angle(FINE, torch.full_like(FINE, margin)), add_angle(FINE, margin))


@pytest.mark.parametrize("shift", [-0.4, -0.1, 0.0, 0.2, 0.4])
def test_angle_within_is_the_formula_and_never_rises_with_theta(shift):
    got = add_angle_within(FINE, torch.full_like(FINE, shift))
    assert (got.diff() >= -1e-12).all()
    expected = np.cos(np.clip(np.arccos(FINE.numpy()) + shift, 0, math.pi))
    np.testing.assert_allclose(got, expected, atol=1e-9)
    assert torch.isfinite(slopes(lambda c: add_angle_within(c, torch.full_like(c, shift)), ENDS)).all()


def test_falling_cosine_is_continuous_and_falls():
    phi = torch.linspace(0, 4 * math.pi, 2001, dtype=torch.float64)
    got = falling_cosine(phi)
    assert (got.diff() <= 1e-12).all()
    assert got.diff().abs().max() < 0.01
    assert got[[0, 500, 1000, 1500, 2000]].tolist() == pytest.approx([1, -1, -3, -5, -7])
