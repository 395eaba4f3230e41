"""SphereFace2 and UniFace against their formulas, and their thresholds."""

import math

import pytest
import torch

from vnvision.losses.margin import build_head, margin_loss


def sphereface2(cosine, own, bias, *, r=40.0, m=0.4, share=0.7, t=3.0):
    g = 2 * ((cosine + 1) / 2) ** t - 1
    if own:
        return share / r * math.log1p(math.exp(-r * (g - m) - bias))
    return (1 - share) / r * math.log1p(math.exp(r * (g + m) + bias))


def uniface(cosine, own, bias, *, s=64.0, m=0.4, weight=1.0):
    if own:
        return math.log1p(math.exp(-s * (cosine - m) + bias))
    return weight * math.log1p(math.exp(s * cosine - bias))


def expected(comparison, pair):
    return [
        [pair(c, label == comparison.column[row].item()) for label, c in enumerate(cosines)]
        for row, cosines in enumerate(comparison.cosines.tolist())
    ]


@pytest.mark.parametrize("detach", [True, False])
def test_sphereface2_is_the_formula(detach, comparison):
    head = build_head("sphereface2", detach_similarity=detach)
    head.bias.data.fill_(0.7)
    bias = 0.7 + head.start_bias(6)
    rows = expected(comparison, lambda c, own: sphereface2(c, own, bias))
    torch.testing.assert_close(head.terms(comparison), torch.tensor(rows, dtype=torch.float64))
    total = sum(map(sum, rows)) / 8
    assert margin_loss(head, comparison).item() == pytest.approx(total)


def test_uniface_is_the_formula(comparison):
    head = build_head("uniface", negative_weight=0.5, sampled_share=0.3)
    head.bias.data.fill_(-0.4)
    bias = -0.4 + math.log(10 * 6 * 0.3)
    rows = expected(comparison, lambda c, own: uniface(c, own, bias, weight=0.5))
    torch.testing.assert_close(head.terms(comparison), torch.tensor(rows, dtype=torch.float64))


@pytest.mark.parametrize("n", [1, 2, 3, 10, 1000, 1_000_000])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_sphereface2_starts_where_the_untrained_loss_is_least(n, share):
    head = build_head("sphereface2", positive_share=share, scale=8.0)
    least = head.start_bias(n)

    def loss(bias):
        own = sphereface2(0.0, True, bias, r=8.0, share=share)
        return own + max(n - 1, 1) * sphereface2(0.0, False, bias, r=8.0, share=share)

    assert loss(least) < min(loss(least - 0.01), loss(least + 0.01))


def test_sphereface2_start_is_finite_for_large_scales():
    for name in ({"scale": 5000.0}, {"scale": 5000.0, "positive_share": 0.5}):
        assert math.isfinite(build_head("sphereface2", **name).start_bias(2))


def test_detached_similarity_has_the_gradient_of_the_cosine():
    cosines = torch.tensor([-1.0, -0.3, 0.4, 1.0, -1.0000001], requires_grad=True)
    build_head("sphereface2").similarity(cosines).sum().backward()
    assert cosines.grad.tolist() == [1.0] * 5
    values = build_head("sphereface2", detach_similarity=False).similarity(cosines.detach())
    torch.testing.assert_close(values, build_head("sphereface2").similarity(cosines.detach()))
    assert torch.isfinite(values).all()


@pytest.mark.parametrize("name", ["sphereface2", "uniface"])
def test_the_bias_learns(name, comparison):
    head = build_head(name)
    margin_loss(head, comparison).backward()
    assert head.bias.grad.abs() > 0


def test_a_softmax_head_has_no_terms_and_a_binary_head_no_logits(comparison):
    with pytest.raises(NotImplementedError, match="SphereFace2 is a binary head without logits"):
        build_head("sphereface2").logits(comparison)
    with pytest.raises(NotImplementedError, match="ArcFace is a softmax head without terms"):
        build_head("arcface").terms(comparison)
