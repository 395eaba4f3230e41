import pytest
import torch
from torch import nn

from vnvision.errors import ConfigError
from vnvision.models import StagedNet, build_backbone

FAMILIES = ["test_efficientnet", "mobilenetv4_conv_small", "mobilenetv3_small_050", "test_resnet", "test_vit"]


@pytest.fixture(params=FAMILIES)
def net(request):
    torch.manual_seed(0)
    return StagedNet(build_backbone(request.param, 5, weights="none", drop_rate=0.0))


def test_every_cut_gives_the_same_logits_as_timm(net):
    net.eval()
    x = torch.randn(2, 3, 160, 160)
    with torch.no_grad():
        expected = net.net(x)
        for name in ["all", *(stage.name for stage in net.stages)]:
            net.freeze_before(name)
            torch.testing.assert_close(net(net.frozen(x)), expected, atol=1e-4, rtol=1e-4)


def test_only_what_comes_after_the_cut_learns(net):
    net.freeze_before("head")
    learning = {id(p) for p in net.parameters() if p.requires_grad}
    assert learning == {id(p) for p in net.net.get_classifier().parameters()}
    net.freeze_before("all")
    assert all(p.requires_grad for p in net.parameters())


def test_frozen_stages_keep_their_statistics_in_training_mode(net):
    last = net.stages[-2].name
    net.freeze_before(last)
    net.train()
    before = {k: v.clone() for k, v in net.net.state_dict().items() if "running" in k}
    frozen_modules = {
        id(m) for stage in net.stages[: net.n_frozen] for top in stage.modules for m in top.modules()
    }
    x = net.frozen(torch.randn(4, 3, 160, 160))
    assert not x.requires_grad
    net(x)
    after = net.net.state_dict()
    owner = {f"{n}.running_mean": id(m) for n, m in net.net.named_modules() if isinstance(m, nn.BatchNorm2d)}
    for key, module in owner.items():
        if module in frozen_modules:
            assert torch.equal(before[key], after[key]), key


def test_dropout_is_applied_once_where_the_pooling_is_frozen():
    net = StagedNet(build_backbone("test_efficientnet", 5, weights="none", drop_rate=0.5))
    net.freeze_before("head")
    net.train()
    x = torch.randn(2, 3, 160, 160)
    assert torch.equal(net.frozen(x), net.frozen(x)), "features to be cached must not be random"
    features = torch.ones(2, net.net.num_features)
    assert not torch.equal(net(features), net(features))


def test_an_unknown_stage_lists_the_stages(net):
    with pytest.raises(ConfigError, match=r"no stage 'blocks\.99'.*head"):
        net.freeze_before("blocks.99")


def test_adapted_norms_hold_the_mean_and_variance_of_the_images_and_only_below_the_cut():
    torch.manual_seed(0)
    net = StagedNet(build_backbone("test_efficientnet", 5, weights="none"))
    net.freeze_before("blocks.2")
    net.train()
    before = {k: v.clone() for k, v in net.net.state_dict().items()}
    batches = [3 + 2 * torch.randn(8, 3, 64, 64) for _ in range(3)]
    count = net.adapt_norms(batches)
    stem = [net.net.conv_stem(x).detach() for x in batches]
    mean = torch.stack([x.mean((0, 2, 3)) for x in stem]).mean(0)
    variance = torch.stack([x.var((0, 2, 3)) for x in stem]).mean(0)
    torch.testing.assert_close(net.net.bn1.running_mean, mean)
    torch.testing.assert_close(net.net.bn1.running_var, variance)
    changed = {
        k for k, v in net.net.state_dict().items() if not torch.equal(v, before[k]) and "num_batches" not in k
    }
    assert len(changed) == 2 * count
    assert not any(k.startswith(("blocks.2", "blocks.3", "conv_head", "classifier")) for k in changed)
    assert net.net.bn1.momentum == pytest.approx(0.1)
    assert not net.net.bn1.training


def test_adapting_without_frozen_norms_does_nothing():
    net = StagedNet(build_backbone("test_efficientnet", 5, weights="none"))
    assert net.adapt_norms([torch.randn(2, 3, 64, 64)]) == 0
