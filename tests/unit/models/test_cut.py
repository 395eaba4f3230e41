"""A backbone kept up to a block: the same features up to there, fewer weights, and what cannot be cut."""

from __future__ import annotations

import pytest
import torch

from vnvision.errors import ConfigError
from vnvision.models import StagedNet, build_backbone
from vnvision.models.explained import explained

LITE = "tf_efficientnet_lite0"


def inputs():
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def maps_after(net, stage, units):
    """What the uncut network makes up to a unit of a stage."""
    x = net.bn1(net.conv_stem(inputs()))
    for block in net.blocks[:stage]:
        x = block(x)
    for unit in list(net.blocks[stage])[:units]:
        x = unit(x)
    return x


@pytest.mark.parametrize(
    ("cut", "stage", "units", "width"),
    [("blocks.4", 4, 3, 112), ("blocks.5.1", 5, 2, 192), ("blocks.6", 6, 1, 320)],
)
def test_features_are_those_of_the_whole_network_there(cut, stage, units, width):
    torch.manual_seed(1)
    whole = build_backbone(LITE, 3, weights="none").eval()
    torch.manual_seed(1)
    kept = build_backbone(LITE, 3, weights="none", cut=cut).eval()
    with torch.no_grad():
        expected = maps_after(whole, stage, units)
        torch.testing.assert_close(kept.forward_features(inputs()), expected)
        assert kept(inputs()).shape == (2, 3)
    assert kept.classifier.in_features == width


def test_the_weights_of_the_wheel_are_kept_and_most_of_the_network_is_gone():
    whole, kept = build_backbone(LITE, 0), build_backbone(LITE, 0, cut="blocks.4")
    torch.testing.assert_close(kept.blocks[4][2].conv_pw.weight, whole.blocks[4][2].conv_pw.weight)
    assert sum(p.numel() for p in kept.parameters()) < 0.25 * sum(p.numel() for p in whole.parameters())


def test_it_is_staged_and_explained_like_any_other():
    net = build_backbone(LITE, 3, weights="none", cut="blocks.2").eval()
    staged = StagedNet(net)
    staged.freeze_before("head")
    assert [stage.name for stage in staged.stages][-3:] == ["blocks.2", "conv_head", "head"]
    with torch.no_grad():
        torch.testing.assert_close(staged(staged.frozen(inputs())), net(inputs()))
    seen = explained(net, inputs())
    assert seen is not None
    assert seen.has_cam


@pytest.mark.parametrize(("name", "cut"), [(LITE, "blocks.7"), (LITE, "blocks.5.4"), (LITE, "head")])
def test_a_block_that_is_not_there(name, cut):
    with pytest.raises(ConfigError, match=f"there is no '{cut}' to cut behind, expected|no '{cut}'"):
        build_backbone(name, 3, weights="none", cut=cut)


def test_other_networks_are_not_cut():
    with pytest.raises(ConfigError, match="cut is for EfficientNets"):
        build_backbone("resnet18", 3, weights="none", cut="blocks.1")
