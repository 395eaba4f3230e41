"""Every softmax head against its paper's formula, a number at a time."""

import math

import pytest
import torch

from vnvision.losses.margin import build_head, margin_loss


def arc(cosine, m):
    theta = math.acos(cosine)
    return math.cos(theta + m) if theta + m <= math.pi else cosine - m * math.sin(m)


def psi(phi):
    k = math.floor(phi / math.pi)
    return (-1) ** k * math.cos(phi) - 2 * k


def mag_margin(norm):
    return 0.45 + (0.8 - 0.45) / (110 - 10) * (min(max(norm, 10), 110) - 10)


CASES = {
    "arcface": ({}, 64, lambda c, a: arc(c, 0.5)),
    "arcface-0.8": ({"margin_rad": 0.8, "scale": 32.0}, 32, lambda c, a: arc(c, 0.8)),
    "cosface": ({}, 64, lambda c, a: c - 0.35),
    "amsoftmax": ({}, 30, lambda c, a: c - 0.35),
    "combined": ({}, 64, lambda c, a: arc(c, 0.3) - 0.2),
    "combined-0.9": (
        {"angle_factor": 0.9, "margin_rad": 0.4, "margin_cosine": 0.15},
        64,
        lambda c, a: psi(0.9 * math.acos(c) + 0.4) - 0.15,
    ),
    "combined-4": (
        {"angle_factor": 4, "margin_rad": 0.0, "margin_cosine": 0.0},
        64,
        lambda c, a: psi(4 * math.acos(c)),
    ),
    "subcenter_arcface": ({}, 64, lambda c, a: arc(c, 0.5)),
    "magface": ({}, 64, lambda c, a: arc(c, mag_margin(a))),
    "elasticface": ({"deviation": 0.0}, 64, lambda c, a: arc(c, 0.5)),
    "elasticface-cos": ({"margin_cosine": 0.35, "deviation": 0.0}, 64, lambda c, a: c - 0.35),
}


@pytest.mark.parametrize("case", CASES)
def test_logits_and_loss_are_the_formula(case, comparison):
    options, scale, own_value = CASES[case]
    head = build_head(case.split("-")[0], **options)
    got, losses = head.logits(comparison), []
    for row in range(8):
        values = []
        for label in range(6):
            cosine = comparison.cosines[row, label].item()
            own = label == comparison.column[row]
            values.append(scale * (own_value(cosine, comparison.norms[row].item()) if own else cosine))
        assert got[row].tolist() == pytest.approx(values, abs=1e-6)
        largest = max(values)
        total = largest + math.log(sum(math.exp(value - largest) for value in values))
        losses.append(total - values[comparison.column[row]])
    expected = sum(losses) / 8
    if case == "magface":
        norms = comparison.norms.tolist()
        slope = 1 / 110**2 - 1 / 10**2
        g = [1 / a + a / 110**2 if a >= 10 else 1 / 10 + 10 / 110**2 + slope * (a - 10) for a in norms]
        expected += 35 * sum(g) / 8
    assert margin_loss(head, comparison).item() == pytest.approx(expected, abs=1e-6)


def test_combined_is_arcface_and_cosface_where_they_are_its_cases(comparison):
    only_angle = build_head("combined", margin_rad=0.5, margin_cosine=0.0)
    only_cosine = build_head("combined", margin_rad=0.0, margin_cosine=0.35)
    torch.testing.assert_close(only_angle.logits(comparison), build_head("arcface").logits(comparison))
    torch.testing.assert_close(only_cosine.logits(comparison), build_head("cosface").logits(comparison))


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.35, 2.0, 4.0])
def test_combined_falls_with_the_angle(factor, make):
    cosines = torch.linspace(-1, 1, 1001, dtype=torch.float64)[:, None]
    column = torch.zeros(1001, dtype=torch.int64)
    head = build_head("combined", angle_factor=factor, margin_rad=0.4, margin_cosine=0.1)
    assert (head.logits(make(cosines, column, torch.ones(1001))).diff(dim=0) > 0).all()


def test_magface_teaches_lengths_outside_its_range_and_stays_finite(make):
    norms = torch.tensor([0.0, 1e-3, 5.0, 50.0, 200.0], requires_grad=True)
    head = build_head("magface")
    comparison = make(torch.zeros(5, 3), torch.zeros(5, dtype=torch.int64), norms)
    head.penalty(comparison).backward()
    assert torch.isfinite(norms.grad).all()
    assert (norms.grad[:4] < 0).all()  # longer is better below the highest length
    assert norms.grad[4] > 0


def test_magface_margin_grows_with_length_and_has_a_gradient(make):
    norms = torch.tensor([20.0, 60.0, 100.0], requires_grad=True)
    head = build_head("magface")
    margin = head.margin_rad(norms)
    assert margin.tolist() == pytest.approx([0.485, 0.625, 0.765])
    head.logits(make(torch.zeros(3, 2), torch.zeros(3, dtype=torch.int64), norms))[:, 0].sum().backward()
    assert (norms.grad < 0).all()
