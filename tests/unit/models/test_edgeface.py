import pytest
import torch
from torch import nn

from vnvision.errors import ConfigError, ModelError
from vnvision.models.edgeface import VARIANTS, EdgeFace, LowRankLinear, build_edgeface, split, split_linears

PUBLISHED_M = {"edgeface_xs": 1.77, "edgeface_s": 3.65}
"""Parameters in millions, 512 numbers (Table 2 of the paper)."""


@pytest.mark.parametrize("name", PUBLISHED_M)
def test_parameters_and_operations_are_those_published(name):
    from vnvision.models import describe_embedder

    size = describe_embedder(name, 512)
    assert size.parameters / 1e6 == pytest.approx(PUBLISHED_M[name], abs=0.005)
    # The paper counts multiplications and additions apart.
    assert 2 * size.macs == pytest.approx({"edgeface_xs": 154.0e6, "edgeface_s": 306.12e6}[name], rel=0.005)


def test_no_linear_layer_is_left_whole():
    net = build_edgeface("edgeface_xs", 64)
    inside = {id(part) for m in net.modules() if isinstance(m, LowRankLinear) for part in m.children()}
    linears = [module for module in net.modules() if isinstance(module, nn.Linear)]
    assert linears
    assert {id(linear) for linear in linears} == inside
    fc = net.get_classifier()
    assert (fc.down.in_features, fc.down.out_features, fc.up.out_features) == (192, int(64 * 0.6), 64)


@pytest.mark.parametrize(("n_in", "n_out", "bias"), [(12, 30, True), (30, 12, False)])
def test_a_split_layer_is_the_nearest_of_its_rank(n_in, n_out, bias):
    torch.manual_seed(0)
    layer = nn.Linear(n_in, n_out, bias=bias)
    low = split(layer, 0.5)
    product = low.up.weight @ low.down.weight
    left_out = torch.linalg.svdvals(layer.weight)[6:]
    assert torch.linalg.matrix_rank(product) == 6
    torch.testing.assert_close((product - layer.weight).norm(), left_out.norm(), rtol=1e-4, atol=1e-5)
    full, x = split(layer, 1.0), torch.randn(4, n_in)
    torch.testing.assert_close(full(x), layer(x), rtol=1e-4, atol=1e-5)


def test_starting_weights_of_edgenext_come_through_the_split(monkeypatch):
    """At full rank the split network is the network it started from."""
    import timm

    from vnvision.models import edgeface

    torch.manual_seed(0)
    donor = timm.create_model("edgenext_x_small", num_classes=8).eval()
    whole = edgeface.Variant("edgenext_x_small", VARIANTS["edgeface_xs"].dims, 4, 1.0)
    monkeypatch.setitem(VARIANTS, "edgeface_xs", whole)
    monkeypatch.setattr(edgeface, "build_backbone", lambda *_, **__: timm_copy(donor))
    net, x = build_edgeface("edgeface_xs", 8, weights="download").eval(), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(net(x), donor(x), rtol=1e-3, atol=1e-4)


def timm_copy(net):
    import copy

    return copy.deepcopy(net)


def test_checkpointing_gives_the_same_gradients():
    torch.manual_seed(0)
    net, x = EdgeFace(VARIANTS["edgeface_xs"], 8), torch.randn(2, 3, 64, 64)
    results = []
    for on in (False, True):
        net.set_grad_checkpointing(on)
        net.zero_grad()
        net(x).square().sum().backward()
        results.append({name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None})
    assert results[0].keys() == results[1].keys()
    for name, expected in results[0].items():
        torch.testing.assert_close(results[1][name], expected, rtol=1e-4, atol=1e-6, msg=name)


def test_the_end_is_float32_inside_autocast():
    net = EdgeFace(VARIANTS["edgeface_xs"], 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert net(torch.randn(2, 3, 64, 64)).dtype == torch.float32


def test_bad_choices_are_one_clear_line():
    with pytest.raises(ConfigError, match="unknown EdgeFace 'edgeface': expected edgeface_xs or edgeface_s"):
        build_edgeface("edgeface")
    with pytest.raises(ModelError, match="no offline ImageNet weights for edgenext_x_small"):
        build_edgeface("edgeface_xs", weights="offline")
    with pytest.raises(ConfigError, match="rank_ratio is wrong: expected above 0, at most 1, got 0"):
        split_linears(nn.Linear(2, 2), 0)
