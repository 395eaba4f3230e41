"""Triplet losses against their formulas in plain loops, and against pytorch-metric-learning."""

import math

import numpy as np
import pytest
import torch

from vnvision.errors import ConfigError, DataError
from vnvision.losses import batch_hard_triplet_loss, semi_hard_triplet_loss

BOTH = pytest.mark.parametrize("loss", [batch_hard_triplet_loss, semi_hard_triplet_loss])


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(4)
    target = torch.tensor([0, 0, 0, 1, 1, 2, 3, 3, 3, 3])  # 2 has no positive
    centres = torch.randn(4, 6, generator=generator)
    return centres[target] + torch.randn(10, 6, generator=generator), target


def distances(embeddings):
    unit = embeddings.numpy().astype(float)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    return np.linalg.norm(unit[:, None] - unit[None], axis=2)


@pytest.mark.parametrize("margin", [0.2, 0.7, None])
def test_batch_hard_is_the_formula(batch, margin):
    embeddings, target = batch
    d, y, losses = distances(embeddings), target.tolist(), []
    for a in range(10):
        positives = [d[a, p] for p in range(10) if y[p] == y[a] and p != a]
        if positives:
            gap = max(positives) - min(d[a, n] for n in range(10) if y[n] != y[a])
            losses.append(math.log1p(math.exp(gap)) if margin is None else max(0.0, margin + gap))
    assert len(losses) == 9
    got = batch_hard_triplet_loss(embeddings, target, margin=margin)
    assert got.item() == pytest.approx(np.mean(losses), abs=1e-6)


@pytest.mark.parametrize("margin", [0.2, 1.0])
def test_semi_hard_is_the_formula(batch, margin):
    embeddings, target = batch
    d, y, losses, fallen_back = distances(embeddings) ** 2, target.tolist(), [], 0
    for a in range(10):
        negatives = [d[a, n] for n in range(10) if y[n] != y[a]]
        for p in range(10):
            if y[p] == y[a] and p != a:
                beyond = [x for x in negatives if x > d[a, p]]
                fallen_back += not beyond
                losses.append(max(0.0, margin + d[a, p] - (min(beyond) if beyond else max(negatives))))
    assert semi_hard_triplet_loss(embeddings, target, margin=margin).item() == pytest.approx(
        np.mean(losses), abs=1e-6
    )


def test_semi_hard_without_a_negative_beyond_takes_the_farthest():
    angles = torch.tensor([0.0, 3.0, 0.5, 1.0]).double()
    embeddings = torch.stack([angles.cos(), angles.sin()], dim=1)
    d = distances(embeddings) ** 2
    expected = (max(0, 0.2 + d[0, 1] - d[0, 3]) + max(0, 0.2 + d[1, 0] - d[1, 2])) / 2
    got = semi_hard_triplet_loss(embeddings, torch.tensor([0, 0, 1, 2]))
    assert got.item() == pytest.approx(expected)


def test_semi_hard_negatives_are_farther_not_equally_far():
    """Anchor 0: a negative as far as the positive (2) and one beyond (4). Anchor 1: all at 2, none beyond."""
    embeddings = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 0]])
    got = semi_hard_triplet_loss(embeddings, torch.tensor([0, 0, 1, 2]), margin=0.2)
    assert got.item() == pytest.approx((0.0 + 0.2) / 2)


def test_batch_hard_agrees_with_the_library(batch):
    pml = pytest.importorskip("pytorch_metric_learning")
    from pytorch_metric_learning import distances as d
    from pytorch_metric_learning import losses, miners, reducers

    assert pml
    embeddings, target = batch
    miner = miners.BatchHardMiner(distance=d.LpDistance())
    theirs = losses.TripletMarginLoss(margin=0.4, distance=d.LpDistance(), reducer=reducers.MeanReducer())
    ours_in, theirs_in = embeddings.clone().requires_grad_(), embeddings.clone().requires_grad_()
    ours = batch_hard_triplet_loss(ours_in, target, margin=0.4)
    expected = theirs(theirs_in, target, miner(theirs_in, target))
    torch.testing.assert_close(ours, expected)
    ours.backward()
    expected.backward()
    torch.testing.assert_close(ours_in.grad, theirs_in.grad, rtol=1e-4, atol=1e-6)


@BOTH
def test_gradients_are_true(batch, loss):
    embeddings, target = batch
    wide = embeddings.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(x, target, margin=0.5), wide)


@BOTH
@pytest.mark.parametrize("target", [[0, 1, 2, 3], [0, 0, 0, 0]], ids=["no positives", "no negatives"])
def test_nothing_to_learn_gives_zero_with_zero_gradient(loss, target):
    embeddings = torch.randn(4, 6, requires_grad=True)
    value = loss(embeddings, torch.tensor(target))
    value.backward()
    assert value == 0
    assert embeddings.grad.abs().max() == 0


@BOTH
def test_twins_and_zero_embeddings_have_finite_gradients(loss):
    embeddings = torch.ones(6, 4)
    embeddings[4:] = 0
    embeddings.requires_grad_()
    value = loss(embeddings, torch.tensor([0, 0, 1, 1, 0, 1]))
    value.backward()
    assert value.item() > 0
    assert torch.isfinite(embeddings.grad).all()


@BOTH
def test_float32_inside_autocast(batch, loss):
    embeddings, target = batch
    with torch.autocast("cpu", torch.bfloat16):
        inside = loss(embeddings.bfloat16(), target)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, loss(embeddings.bfloat16().float(), target))
    torch.testing.assert_close(inside, loss(embeddings, target), rtol=0.05, atol=0.01)


@BOTH
def test_two_steps_lower_the_loss(batch, loss, stepped):
    embeddings, target = batch
    values = stepped(lambda x: loss(x, target), embeddings)
    assert values[2] < values[1] < values[0]


@BOTH
def test_bad_arguments_say_what_is_wrong(batch, loss):
    embeddings, target = batch
    with pytest.raises(ConfigError, match="margin of the triplet loss: expected greater than 0, got 0"):
        loss(embeddings, target, margin=0)
    with pytest.raises(DataError, match=r"expected \(N, D\) and \(N,\), got \(10, 6\) and \(9,\)"):
        loss(embeddings, target[:9])
