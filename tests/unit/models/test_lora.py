import copy

import pytest
import torch
from torch import nn

from vnvision.errors import ConfigError
from vnvision.models.lora import LoraConv2d, LoraLinear, add_lora, merge_lora


def network():
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1, padding_mode="reflect"),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8),
        nn.Conv2d(8, 12, 1, bias=False),
        nn.BatchNorm2d(12),
        nn.Conv2d(12, 6, (3, 1), padding=(1, 0)),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(24, 10),
    ).eval()


PICTURES = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def moved(net):
    """The LoRA weights after some training."""
    for module in net.modules():
        if isinstance(module, (LoraLinear, LoraConv2d)):
            nn.init.normal_(module.up.weight, std=0.3)
    return net


def test_the_start_changes_nothing_and_only_lora_learns():
    net = network()
    before = net(PICTURES)
    names = add_lora(net, 2, 4.0, ["*"])
    assert names == ["0", "3", "5", "8"]  # not the depthwise one
    assert torch.equal(net(PICTURES), before)
    learning = {name for name, p in net.named_parameters() if p.requires_grad}
    assert learning == {f"{name}.{part}.weight" for name in names for part in ("down", "up")}


@pytest.mark.parametrize("rank", [1, 3])
def test_merged_equals_unmerged_and_leaves_a_plain_network(rank):
    plain = network()
    net = copy.deepcopy(plain)
    names = add_lora(net, rank, 2.0, ["*"])
    moved(net)
    unmerged = net(PICTURES)
    assert (unmerged - plain(PICTURES)).abs().max() > 0.01
    assert merge_lora(net) == names
    assert list(net.state_dict()) == list(plain.state_dict())
    assert [type(m) for m in net.modules()] == [type(m) for m in plain.modules()]
    torch.testing.assert_close(net(PICTURES), unmerged, rtol=0, atol=1e-6)
    assert merge_lora(net) == []


def test_a_linear_layer_follows_the_formula():
    base = nn.Linear(6, 5)
    weight, bias = base.weight.detach().clone(), base.bias.detach().clone()
    net = nn.Sequential(base)
    add_lora(net, 2, 3.0, ["0"])
    moved(net)
    a, b = net[0].down.weight, net[0].up.weight  # W0 x + (alpha / r) B A x
    x = torch.randn(7, 6)
    torch.testing.assert_close(net(x), x @ (weight + 3.0 / 2 * b @ a).T + bias)


def test_the_change_of_a_kernel_has_the_asked_rank():
    net = nn.Sequential(nn.Conv2d(6, 9, 3))
    before = net[0].weight.detach().clone()
    add_lora(net, 2, 2.0, ["0"])
    merge_lora(moved(net))
    change = (net[0].weight - before).flatten(1)
    assert torch.linalg.matrix_rank(change, rtol=1e-4) == 2


def test_a_step_moves_the_answer_and_not_the_base():
    net = network()
    add_lora(net, 2, 2.0, ["8"])
    base = net[8].base.weight.clone()
    before = net(PICTURES)
    optimiser = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
    net(PICTURES).square().sum().backward()
    optimiser.step()
    assert torch.equal(net[8].base.weight, base)
    assert not torch.equal(net(PICTURES), before)


def test_training_mode_of_the_layer_is_kept():
    net = network()
    add_lora(net, 1, 1.0, ["8"])
    assert not net[8].training


@pytest.mark.parametrize(
    ("rank", "alpha", "targets", "line"),
    [
        (
            2,
            1.0,
            ["2"],
            "no layer for LoRA is called '2': expected a linear layer or a convolution of one group",
        ),
        (2, 1.0, ["nothing*"], r"called 'nothing\*'.*for example 3, 5, 8"),
        (2, 1.0, [], "LoRA has no targets"),
        (0, 1.0, ["8"], "rank does not fit 8: expected 1 to 10, got 0"),
        (9, 1.0, ["0"], "rank does not fit 0: expected 1 to 8, got 9"),
        (2, 0.0, ["8"], "alpha is wrong: expected above 0"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(rank, alpha, targets, line):
    net = network()
    with pytest.raises(ConfigError, match=line):
        add_lora(net, rank, alpha, targets)
    assert all(p.requires_grad for p in net.parameters())


def test_a_second_lora_is_refused():
    net = network()
    add_lora(net, 1, 1.0, ["8"])
    with pytest.raises(ConfigError, match=r"has LoRA already; merge_lora\(net\) first"):
        add_lora(net, 1, 1.0, ["0"])
