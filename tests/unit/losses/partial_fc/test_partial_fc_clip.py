"""Clipping over all gradients at once, against one gradient after the other."""

import pytest
import torch
from torch.testing import assert_close

from vnvision.losses.margin import build_head
from vnvision.losses.partial_fc import PartialFC, clip_grad_norm_, share_overflow


def one_by_one(grads, max_norm):
    """Norm, and scaled copies, from sums of squares in float64."""
    norm = sum(float((grad.double() ** 2).sum()) for grad in grads) ** 0.5
    factor = min(1.0, max_norm / (norm + 1e-6))
    return norm, [(grad.double() * factor).float() for grad in grads]


@pytest.fixture
def trained():
    """A network of several layers, one of them frozen, its Partial FC, and gradients in both."""
    torch.manual_seed(2)
    net = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.PReLU(16), torch.nn.Linear(16, 8))
    net[1].requires_grad_(False)
    layer = PartialFC(build_head("sphereface2"), 20, 8, sample_rate=0.5)
    layer.attach(torch.optim.SGD([*net.parameters(), *layer.parameters()], 0.1))
    layer(net(torch.randn(4, 6)), torch.tensor([0, 3, 3, 19]), 0).backward()
    return net, layer


@pytest.mark.parametrize("share", [0.01, 0.5, 2.0])
def test_norm_and_scaled_gradients(trained, share):
    net, layer = trained
    holders = [p for p in (*net.parameters(), *layer.head.parameters(), layer.sampled) if p.grad is not None]
    assert len(holders) == 6
    limit = share * one_by_one([p.grad for p in holders], 1.0)[0]
    norm, expected = one_by_one([p.grad for p in holders], limit)
    before = [p.grad for p in holders]
    got = clip_grad_norm_(iter(net.parameters()), layer, limit)
    assert got.shape == ()
    assert got.item() == pytest.approx(norm, rel=1e-6)
    assert all(p.grad is grad for p, grad in zip(holders, before, strict=True))  # scaled in place
    assert_close([p.grad for p in holders], expected, rtol=1e-6, atol=0.0)


def test_without_centres_or_without_a_network_it_clips_what_there_is(trained):
    net, layer = trained
    centres = layer.sampled.grad.clone()
    norm = (centres.double().norm() ** 2 + layer.head.bias.grad.double() ** 2).sqrt()
    assert clip_grad_norm_([], layer, 1e9).item() == pytest.approx(float(norm), rel=1e-6)
    layer.sampled.grad = layer.head.bias.grad = None
    assert clip_grad_norm_([], layer, 1.0) == 0
    norm, expected = one_by_one([net[0].weight.grad], 0.1)
    assert clip_grad_norm_([net[0].weight], layer, 0.1).item() == pytest.approx(norm, rel=1e-6)
    assert_close(net[0].weight.grad, expected[0], rtol=1e-6, atol=0.0)


def test_an_overflow_is_marked_in_the_first_centre_only(trained):
    _, layer = trained
    before = layer.sampled.grad.clone()
    share_overflow(layer)
    assert torch.equal(layer.sampled.grad, before)
    layer.sampled.grad[3, 2] = torch.nan
    share_overflow(layer)
    assert layer.sampled.grad[0].isinf().all()
    assert torch.equal(layer.sampled.grad[1:3], before[1:3])
