"""Heads against pytorch-metric-learning, which takes margins in degrees and centres as columns."""

import math

import pytest
import torch

from vnvision.losses.margin import ClassCentres, build_head, margin_loss

theirs = pytest.importorskip("pytorch_metric_learning.losses")


@pytest.fixture
def batch():
    """Embeddings of length 4, some opposite their centre."""
    torch.manual_seed(1)
    centres = ClassCentres(5, 8)
    target = torch.arange(10) % 5
    embeddings = torch.randn(10, 8)
    embeddings[:2] = -30 * centres.weight.detach()[target[:2]] + 0.05 * embeddings[:2]
    return 4 * torch.nn.functional.normalize(embeddings), target, centres


def compare_losses(head, reference, batch, centres=None):
    embeddings, target, plain = batch
    centres = centres or plain
    reference.W.data = centres.weight.data.T.clone()
    ours_in, theirs_in = embeddings.clone().requires_grad_(), embeddings.clone().requires_grad_()
    ours, expected = margin_loss(head, centres(ours_in, target)), reference(theirs_in, target)
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)
    ours.backward()
    expected.backward()
    torch.testing.assert_close(ours_in.grad, theirs_in.grad, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(centres.weight.grad, reference.W.grad.T, rtol=1e-3, atol=2e-2)


@pytest.mark.parametrize("margin", [0.2, 0.5, 1.0])
def test_arcface(batch, margin):
    reference = theirs.ArcFaceLoss(5, 8, margin=math.degrees(margin), scale=32)
    compare_losses(build_head("arcface", margin_rad=margin, scale=32), reference, batch)


def test_cosface(batch):
    reference = theirs.CosFaceLoss(5, 8, margin=0.35, scale=64)
    compare_losses(build_head("cosface"), reference, batch)
    compare_losses(build_head("amsoftmax", scale=64), reference, batch)


def test_subcenter_arcface(batch):
    head = build_head("subcenter_arcface", sub_centres=3)
    reference = theirs.SubCenterArcFaceLoss(
        num_classes=5, embedding_size=8, sub_centers=3, margin=math.degrees(0.5), scale=64
    )
    compare_losses(head, reference, batch, ClassCentres(5, 8, sub_centres=head.sub_centres))


def test_combined_is_sphereface_with_a_factor_on_the_angle(batch):
    """Theirs multiplies logits by the embedding's length, 4 for all rows here."""
    head = build_head("combined", angle_factor=4, margin_rad=0, margin_cosine=0, scale=12)
    embeddings, target, centres = batch
    reference = theirs.SphereFaceLoss(5, 8, margin=4, scale=3)
    reference.W.data = centres.weight.data.T.clone()
    ours = margin_loss(head, centres(embeddings, target))
    torch.testing.assert_close(ours, reference(embeddings, target), rtol=1e-4, atol=1e-4)
