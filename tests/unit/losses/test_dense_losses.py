"""Dice and centre focal loss against their formulas, written out."""

import math

import numpy as np
import pytest
import torch

from vnvision.losses import centre_focal_loss, soft_dice_loss


def test_dice_is_the_formula():
    rng = np.random.default_rng(0)
    logits, masks = rng.normal(size=(2, 3, 4, 5)).astype(np.float32), rng.integers(0, 3, (2, 4, 5))
    exp = np.exp(logits)
    shares = exp / exp.sum(axis=1, keepdims=True)
    dice = []
    for image in (0, 1):
        for label in (1, 2):
            p, t = shares[image, label], masks[image] == label
            dice.append((2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1))
    got = soft_dice_loss(torch.from_numpy(logits), torch.from_numpy(masks))
    assert got.item() == pytest.approx(1 - np.mean(dice), abs=1e-6)


def test_dice_of_nothing_found_where_nothing_is():
    logits = torch.zeros(1, 2, 8, 8)
    logits[:, 0] = 20.0
    empty = torch.zeros(1, 8, 8, dtype=torch.int64)
    assert soft_dice_loss(logits, empty).item() == pytest.approx(0, abs=1e-5)
    assert soft_dice_loss(-logits, empty).item() > 0.9


def test_dice_agrees_with_the_library():
    smp = pytest.importorskip("segmentation_models_pytorch")
    torch.manual_seed(0)
    logits, masks = torch.randn(1, 2, 8, 8), torch.randint(0, 2, (1, 8, 8))
    theirs = smp.losses.DiceLoss(mode="multiclass", classes=[1], smooth=0.0)(logits, masks)
    assert soft_dice_loss(logits, masks, smooth=0.0).item() == pytest.approx(theirs.item(), abs=1e-5)


def test_centre_focal_is_the_formula():
    logits, heat = [0.3, -1.2, 2.0, -0.5], [1.0, 0.6, 0.0, 0.0]
    total = 0.0
    for x, y in zip(logits, heat, strict=True):
        p = 1 / (1 + math.exp(-x))
        total += (1 - p) ** 2 * math.log(p) if y == 1 else (1 - y) ** 4 * p**2 * math.log(1 - p)
    got = centre_focal_loss(torch.tensor(logits).reshape(1, 1, 2, 2), torch.tensor(heat).reshape(1, 1, 2, 2))
    assert got.item() == pytest.approx(-total, abs=1e-6)


def test_centre_focal_without_objects_and_at_extremes_is_finite():
    logits = torch.tensor([[[[80.0, -80.0]]]], requires_grad=True)
    loss = centre_focal_loss(logits, torch.zeros(1, 1, 1, 2))
    loss.backward()
    assert math.isfinite(loss.item())
    assert torch.isfinite(logits.grad).all()
