import pytest
import torch
from torch import nn
from torch.nn import functional

from vnvision.errors import ConfigError
from vnvision.models.adapter import AdaptedNet, EmbeddingAdapter


@pytest.fixture
def rows():
    return 7 * torch.randn(5, 16, generator=torch.Generator().manual_seed(2))


@pytest.fixture(params=["gelu", "none"])
def trained(request):
    torch.manual_seed(4)
    adapter = EmbeddingAdapter(16, 4, activation=request.param)
    nn.init.normal_(adapter.up.weight, std=0.5)
    nn.init.normal_(adapter.up.bias, std=0.1)
    return adapter


@pytest.mark.parametrize("activation", ["gelu", "none"])
def test_it_starts_as_the_identity(rows, activation):
    assert torch.equal(EmbeddingAdapter(16, 4, activation=activation)(rows), rows)


def test_it_follows_the_formula(rows, trained):
    unit = functional.normalize(rows, dim=1)
    hidden = trained.act(unit @ trained.down.weight.T + trained.down.bias)
    change = hidden @ trained.up.weight.T + trained.up.bias
    torch.testing.assert_close(trained(rows), rows + rows.norm(dim=1, keepdim=True) * change)


def test_length_does_not_change_the_direction(rows, trained):
    torch.testing.assert_close(3.5 * trained(rows), trained(3.5 * rows))


def test_an_embedding_of_zeros_stays(trained):
    assert torch.equal(trained(torch.zeros(1, 16)), torch.zeros(1, 16))


def test_only_the_adapter_of_an_adapted_net_learns(rows):
    net = AdaptedNet(nn.Sequential(nn.Linear(16, 16), nn.BatchNorm1d(16)), EmbeddingAdapter(16, 2)).train()
    statistics = net.net[1].running_mean.clone()
    net(rows).square().sum().backward()
    assert {name for name, p in net.named_parameters() if p.grad is not None} == {
        f"adapter.{name}" for name, _ in net.adapter.named_parameters()
    }
    assert torch.equal(net.net[1].running_mean, statistics)
    step = rows
    for stage in net.as_stages():
        step = stage.run(step)
    assert torch.equal(step, net(rows))


@pytest.mark.parametrize(
    ("sizes", "activation", "line"),
    [
        ((16, 0), "gelu", "size is wrong: expected 1 or more, got 16, 0"),
        ((16, 2), "swish", "no activation 'swish': expected gelu or none"),
    ],
)
def test_wrong_options_are_refused(sizes, activation, line):
    with pytest.raises(ConfigError, match=line):
        EmbeddingAdapter(*sizes, activation=activation)
