"""Heads that keep running statistics or draw margins."""

import math
import statistics

import pytest
import torch

from vnvision.losses.margin import build_head


def arc(cosine, m):
    theta = math.acos(cosine)
    return math.cos(theta + m) if theta + m <= math.pi else cosine - m * math.sin(m)


def test_adaface_is_the_formula_with_its_running_statistics(comparison):
    head = build_head("adaface", momentum=0.9)
    mean, deviation = 20.0, 100.0
    norms = [min(max(norm, 0.001), 100) for norm in comparison.norms.tolist()]
    for _ in range(3):
        got = head.logits(comparison)
        mean = 0.9 * mean + 0.1 * statistics.fmean(norms)
        deviation = 0.9 * deviation + 0.1 * statistics.stdev(norms)
        for row, label in enumerate(comparison.column.tolist()):
            quality = min(max(0.333 * (norms[row] - mean) / (deviation + 1e-3), -1), 1)
            theta = math.acos(comparison.own[row]) - 0.4 * quality
            own = math.cos(min(max(theta, 0), math.pi)) - (0.4 * quality + 0.4)
            expected = (64 * comparison.cosines[row]).tolist()
            expected[label] = 64 * own
            assert got[row].tolist() == pytest.approx(expected, abs=1e-4)
    assert head.norm_mean.item() == pytest.approx(mean, rel=1e-5)
    assert head.norm_deviation.item() == pytest.approx(deviation, rel=1e-5)


@pytest.mark.parametrize(("length", "as_head"), [(0.001, "arcface"), (20.0, "cosface")])
def test_adaface_spans_arcface_and_cosface(length, as_head, comparison, make):
    inside = comparison.own.abs() < 0.9
    picked = make(
        comparison.cosines[inside],
        comparison.column[inside],
        torch.full((int(inside.sum()),), length).double(),
    )
    ada = build_head("adaface").eval()
    ada.norm_deviation.fill_(0.5)
    margin = {"margin_rad": 0.4} if as_head == "arcface" else {"margin_cosine": 0.4}
    torch.testing.assert_close(
        ada.logits(picked), build_head(as_head, **margin).logits(picked), atol=1e-5, rtol=0
    )


def test_adaface_of_one_row_keeps_its_deviation(make):
    head = build_head("adaface")
    head.logits(make(torch.zeros(1, 3), torch.zeros(1, dtype=torch.int64), torch.tensor([30.0])))
    assert head.norm_mean.item() == pytest.approx(20.1)
    assert head.norm_deviation.item() == 100.0


def test_curricularface_is_the_formula_with_its_running_mean(comparison):
    head = build_head("curricularface", momentum=0.9)
    t = 0.0
    for _ in range(3):
        got = head.logits(comparison)
        t = 0.9 * t + 0.1 * comparison.own.mean().item()
        for row, label in enumerate(comparison.column.tolist()):
            own = arc(comparison.own[row].item(), 0.5)
            expected = [64 * (c * (t + c) if c > own else c) for c in comparison.cosines[row].tolist()]
            expected[label] = 64 * own
            assert got[row].tolist() == pytest.approx(expected, abs=1e-4)
    assert head.t.item() == pytest.approx(t, rel=1e-5)


@pytest.mark.parametrize("name", ["adaface", "curricularface"])
def test_statistics_rest_in_evaluation_and_travel_in_the_state(name, comparison):
    head = build_head(name)
    head.logits(comparison)
    twin = build_head(name)
    twin.load_state_dict(head.state_dict())
    before = {key: value.clone() for key, value in twin.state_dict().items()}
    assert before
    twin.eval()
    head.eval()
    assert torch.equal(twin.logits(comparison), head.logits(comparison))
    assert all(torch.equal(value, before[key]) for key, value in twin.state_dict().items())


@pytest.mark.parametrize("name", ["adaface", "curricularface"])
def test_two_forwards_before_one_backward(name, comparison):
    head = build_head(name)
    leaf = comparison.cosines.float().requires_grad_()
    own = leaf.gather(1, comparison.column[:, None])[:, 0]
    tracked = type(comparison)(leaf, comparison.column, own, comparison.norms.float(), 6)
    (head.logits(tracked).sum() + head.logits(tracked).sum()).backward()
    assert torch.isfinite(leaf.grad).all()


@pytest.mark.parametrize("options", [{"margin_rad": 0.5}, {"margin_cosine": 0.35}])
def test_elasticface_draws_around_its_mean_and_rests_in_evaluation(options):
    head = build_head("elasticface", deviation=0.05, **options)
    mean = next(iter(options.values()))
    torch.manual_seed(0)
    drawn = head.margins(torch.zeros(20000))
    assert drawn.mean().item() == pytest.approx(mean, abs=0.002)
    assert drawn.std().item() == pytest.approx(0.05, abs=0.002)
    torch.manual_seed(0)
    assert torch.equal(head.margins(torch.zeros(20000)), drawn)
    assert head.eval().margins(torch.zeros(5)).tolist() == pytest.approx([mean] * 5)


def test_elasticface_plus_gives_the_largest_margin_to_the_farthest_row():
    own = torch.tensor([0.3, -0.8, 0.9, 0.1, 0.5])
    torch.manual_seed(1)
    margins = build_head("elasticface", deviation=0.1, sort=True).margins(own)
    torch.manual_seed(1)
    drawn = build_head("elasticface", deviation=0.1).margins(own)
    assert sorted(margins.tolist()) == sorted(drawn.tolist())
    assert margins[own.argsort()].tolist() == sorted(drawn.tolist(), reverse=True)


def test_elasticface_margins_never_fall_below_zero():
    drawn = build_head("elasticface", margin_rad=0.0, deviation=0.5).margins(torch.zeros(100))
    assert drawn.min() == 0
    assert drawn.max() <= math.pi / 2
