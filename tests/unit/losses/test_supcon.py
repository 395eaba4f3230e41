"""Supervised contrastive loss against its formula in plain loops, and against pytorch-metric-learning."""

import math

import numpy as np
import pytest
import torch

from vnvision.errors import ConfigError, DataError
from vnvision.losses import supervised_contrastive_loss


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(4)
    return torch.randn(9, 6, generator=generator) * 3, torch.tensor([0, 0, 0, 1, 1, 2, 3, 3, 3])


@pytest.mark.parametrize("temperature", [0.07, 0.1, 1.0])
def test_it_is_the_formula(batch, temperature):
    embeddings, target = batch
    z = embeddings.numpy().astype(float)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    losses = []
    for i in range(9):
        positives = [p for p in range(9) if p != i and target[p] == target[i]]
        total = sum(math.exp(z[i] @ z[a] / temperature) for a in range(9) if a != i)
        if positives:
            shares = [math.log(math.exp(z[i] @ z[p] / temperature) / total) for p in positives]
            losses.append(-np.mean(shares))
    assert len(losses) == 8
    got = supervised_contrastive_loss(embeddings, target, temperature=temperature)
    assert got.item() == pytest.approx(np.mean(losses), abs=1e-5)


def test_it_agrees_with_the_library(batch):
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    embeddings, target = batch
    ours_in, theirs_in = embeddings.clone().requires_grad_(), embeddings.clone().requires_grad_()
    ours = supervised_contrastive_loss(ours_in, target)
    theirs = losses.SupConLoss(temperature=0.1)(theirs_in, target)
    torch.testing.assert_close(ours, theirs)
    ours.backward()
    theirs.backward()
    torch.testing.assert_close(ours_in.grad, theirs_in.grad, rtol=1e-4, atol=1e-5)


def test_gradients_are_true(batch):
    embeddings, target = batch
    wide = embeddings.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: supervised_contrastive_loss(x, target), wide)


@pytest.mark.parametrize("target", [[0], [0, 1, 2, 3]])
def test_without_positives_it_is_zero_with_zero_gradient(target):
    embeddings = torch.randn(len(target), 6, requires_grad=True)
    value = supervised_contrastive_loss(embeddings, torch.tensor(target))
    value.backward()
    assert value == 0
    assert embeddings.grad.abs().max() == 0


def test_a_batch_of_one_identity_still_pulls_together():
    embeddings = torch.randn(4, 6, requires_grad=True)
    supervised_contrastive_loss(embeddings, torch.zeros(4, dtype=torch.int64)).backward()
    assert torch.isfinite(embeddings.grad).all()
    assert embeddings.grad.abs().max() > 0


def test_float32_inside_autocast_and_stable_when_cold(batch):
    embeddings, target = batch
    with torch.autocast("cpu", torch.bfloat16):
        inside = supervised_contrastive_loss(embeddings.bfloat16(), target)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, supervised_contrastive_loss(embeddings.bfloat16().float(), target))
    torch.testing.assert_close(inside, supervised_contrastive_loss(embeddings, target), rtol=0.05, atol=0.05)
    assert torch.isfinite(supervised_contrastive_loss(embeddings, target, temperature=1e-4))


def test_two_steps_lower_the_loss(batch, stepped):
    embeddings, target = batch
    values = stepped(lambda x: supervised_contrastive_loss(x, target), embeddings)
    assert values[2] < values[1] < values[0]


def test_bad_arguments_say_what_is_wrong(batch):
    embeddings, target = batch
    with pytest.raises(ConfigError, match=r"temperature of the .* loss: expected greater than 0, got 0"):
        supervised_contrastive_loss(embeddings, target, temperature=0)
    with pytest.raises(DataError, match=r"expected \(N, D\) and \(N,\), got \(9, 6\) and \(8,\)"):
        supervised_contrastive_loss(embeddings, target[:8])
