import copy

import pytest
import torch

from vnvision.errors import ConfigError, ModelError
from vnvision.models.mobilefacenet import Bottleneck, MobileFaceNet

# Table 1 of Chen et al. 2018: side, input channels, t, c, n, s of the bottlenecks.
TABLE = [(56, 64, 2, 64, 5, 2), (28, 64, 4, 128, 1, 2), (14, 128, 2, 128, 6, 1), (14, 128, 4, 128, 1, 2),
         (7, 128, 2, 128, 2, 1)]  # fmt: skip


def by_table(size):
    """Weights of convolutions, and their multiply-accumulates at 112 px, from the paper's table."""
    weights, macs = [27 * 64, 9 * 64], [27 * 64 * 56**2, 9 * 64 * 56**2]
    for side, n_in, t, c, n, s in TABLE:
        small = side // s
        for i in range(n):
            inside, before = t * n_in, side if i == 0 else small
            weights += [n_in * inside, 9 * inside, inside * c]
            macs += [n_in * inside * before**2, 9 * inside * small**2, inside * c * small**2]
            n_in = c
    weights += [128 * 512, 49 * 512, 512 * size]
    macs += [128 * 512 * 49, 49 * 512, 512 * size]
    return sum(weights), sum(macs)


def test_weights_are_those_of_the_papers_table():
    with torch.device("meta"):
        net = MobileFaceNet(128)
    matrices = sum(p.numel() for p in net.parameters() if p.ndim > 1)
    assert matrices == by_table(128)[0]
    total = sum(p.numel() for p in net.parameters())
    assert total == pytest.approx(0.99e6, rel=0.02), "the paper says 0.99 M"


def test_multiply_accumulates_are_those_of_the_papers_table():
    from vnvision.models import describe_embedder

    assert describe_embedder("mobilefacenet", 128).macs == by_table(128)[1]
    assert by_table(128)[1] == pytest.approx(221e6, rel=0.01)


def test_only_units_that_keep_their_shape_have_a_shortcut():
    net = MobileFaceNet(16, size_px=32)
    units = [module for module in net.modules() if isinstance(module, Bottleneck)]
    assert [unit.residual for unit in units] == [
        i > 0 or s == 1 for *_, n, s in TABLE for i in range(n)
    ]  # the paper's shapes: 64 to 64 and 128 to 128 inside a row


def test_the_width_widens_what_flows_between_the_units_and_not_the_units():
    with torch.device("meta"):
        plain, wide = MobileFaceNet(512), MobileFaceNet(512, width=2)
    outer = [(a.project.conv.out_channels, b.project.conv.out_channels) for a, b in pairs(plain, wide)]
    inner = [(a.depthwise.conv.out_channels, b.depthwise.conv.out_channels) for a, b in pairs(plain, wide)]
    assert all(b == 2 * a for a, b in outer)
    assert all(b == a for a, b in inner)
    assert sum(p.numel() for p in wide.parameters()) == pytest.approx(2.06e6, rel=0.01)


def pairs(one, other):
    units = [[m for m in net.modules() if isinstance(m, Bottleneck)] for net in (one, other)]
    return list(zip(*units, strict=True))


def test_every_cell_of_the_last_map_has_a_weight_of_its_own():
    net = MobileFaceNet(16).eval()
    gdc = net.pool[0].conv
    assert (gdc.kernel_size, gdc.groups, gdc.padding) == ((7, 7), 512, (0, 0))
    maps = torch.randn(2, 512, 7, 7)
    pooled = (maps * gdc.weight.view(1, 512, 7, 7)).sum((2, 3)) / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(net.pool(maps), pooled, rtol=1e-4, atol=1e-4)


def test_checkpointing_gives_the_same_gradients_and_statistics():
    torch.manual_seed(0)
    net, x = MobileFaceNet(16, size_px=32, drop_rate=0.2), torch.randn(4, 3, 32, 32)
    results = []
    for on in (False, True):
        one = copy.deepcopy(net).train()
        one.set_grad_checkpointing(on)
        torch.manual_seed(1)
        one(x).square().sum().backward()
        results.append({n: p.grad for n, p in one.named_parameters()} | dict(one.named_buffers()))
    for name, expected in results[0].items():
        torch.testing.assert_close(results[1][name], expected, rtol=1e-5, atol=1e-5, msg=name)


def test_the_end_is_float32_inside_autocast():
    net = MobileFaceNet(16, size_px=32)
    with torch.autocast("cpu", torch.bfloat16):
        assert net(torch.randn(2, 3, 32, 32)).dtype == torch.float32


def test_bad_input_is_one_clear_line():
    with pytest.raises(ConfigError, match=r"width is wrong: expected above 0, got -1\.0"):
        MobileFaceNet(16, width=-1.0)
    with pytest.raises(ModelError, match=r"expected \(N, 3, 112, 112\), got \(1, 1, 112, 112\)"):
        MobileFaceNet(16)(torch.zeros(1, 1, 112, 112))
