"""Networks that round as 8-bit integers do, against the arithmetic written out in numpy."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from vnvision.errors import ConfigError, ModelError
from vnvision.models import build_embedder
from vnvision.models.quantised import (
    ActivationQuantiser,
    QuantisedConv2d,
    QuantOptions,
    calibrate,
    equalise,
    quantise,
)
from vnvision.models.quantised.graph import folded_graph

PX = 16


@pytest.fixture(autouse=True)
def _same_numbers():
    torch.manual_seed(0)


class Tiny(nn.Module):
    """Every case of a BatchNorm: behind a convolution, before a padded one, behind a linear layer; a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1, self.act1 = nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.PReLU(8)
        self.before = nn.BatchNorm2d(8)
        self.conv2, self.act2 = nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.ReLU()
        self.fc, self.bn2 = nn.Linear(8 * (PX // 2) ** 2, 6), nn.BatchNorm1d(6)
        for module in self.modules():
            if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm1d)):
                nn.init.uniform_(module.running_mean, -0.3, 0.3)
                nn.init.uniform_(module.running_var, 0.5, 1.5)
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.uniform_(module.bias, -0.3, 0.3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act1(self.bn1(self.conv1(x)))
        x = x + self.act2(self.conv2(self.before(x)))
        return self.bn2(self.fc(x.flatten(1)))


@pytest.fixture
def tiny():
    return Tiny().eval()


@pytest.fixture
def pictures():
    return torch.randn(6, 3, PX, PX)


def test_folding_changes_nothing_and_leaves_no_norm(tiny, pictures):
    graph = folded_graph(tiny, pictures)
    torch.testing.assert_close(graph(pictures), tiny(pictures), rtol=1e-4, atol=1e-5)
    kinds = [type(module).__name__ for module in graph.modules()]
    assert not any("BatchNorm" in kind for kind in kinds)
    assert kinds.count("Conv2d") == 3  # the one before the padded convolution became depthwise
    assert any(isinstance(module, nn.BatchNorm2d) for module in tiny.modules())


@pytest.mark.parametrize("name", ["mobilefacenet", "iresnet18", "timm:test_efficientnet"])
def test_our_networks_fold(name):
    net = build_embedder(name, 16).eval()
    x = torch.randn(1, 3, 112, 112)
    graph = folded_graph(net, x)
    assert torch.nn.functional.cosine_similarity(graph(x), net(x)).item() > 0.9999
    assert not any(isinstance(module, nn.BatchNorm2d) for module in graph.modules())


def test_what_cannot_be_traced_is_said():
    class Asks(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(ModelError, match="Asks cannot be brought to 8-bit integers"):
        quantise(Asks(), torch.zeros(1, 3, 4, 4))


def test_a_graph_that_answers_otherwise_is_refused():
    class Counts(nn.Module):
        calls = 0

        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            Counts.calls += 1
            return self.conv(x) * Counts.calls

    with pytest.raises(ModelError, match="answers otherwise"):
        quantise(Counts(), torch.zeros(1, 3, 4, 4))


@pytest.mark.parametrize(
    ("kind", "low", "high", "step", "zero"),
    [
        ("uint8", 0.0, 2.55, 0.01, 0),
        ("uint8", -1.0, 1.0, 1 / 127, 128),  # the longer side of -1..1 has 127 steps
        ("uint8", 0.5, 2.55, 0.01, 0),  # 0 is always inside
        ("int8", 0.0, 2.55, 0.01, -128),
        ("int8_symmetric", -0.5, 1.27, 0.01, 0),
    ],
)
def test_the_grid(kind, low, high, step, zero):
    one = ActivationQuantiser(QuantOptions(activations=kind))
    one.low.fill_(low)
    one.high.fill_(high)
    found = one.grid()
    assert found[0].item() == pytest.approx(step, rel=1e-5)
    assert found[1].item() == zero


@pytest.mark.parametrize("kind", ["uint8", "int8", "int8_symmetric"])
@pytest.mark.parametrize("training", [True, False])
def test_rounding_equals_the_formula(kind, training):
    """q = clip(round(x / s) + z), (q - z) s: the definition of ONNX QuantizeLinear and DequantizeLinear."""
    one = ActivationQuantiser(QuantOptions(activations=kind))
    x = torch.randn(500)
    one.train()(x)
    found = one.train(training)(x)
    step, zero = (part.numpy() for part in one.grid())
    low, high = {"uint8": (0, 255)}.get(kind, (-128, 127))
    wanted = (np.clip(np.rint(x.numpy() / step) + zero, low, high) - zero) * step
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-6)
    assert len(np.unique(found.numpy())) <= 256
    assert np.abs(found.numpy() - x.numpy()).max() < step  # nothing was cut off


def test_the_range_is_a_moving_average_that_stops():
    one = ActivationQuantiser(QuantOptions(momentum=0.75, observe_steps=2)).train()
    for high in (4.0, 8.0, 100.0):
        one(torch.tensor([-1.0, high]))
    assert one.high.item() == pytest.approx(0.75 * 4 + 0.25 * 8)
    assert one.low.item() == -1
    one.eval()(torch.tensor([1000.0]))
    assert one.seen.item() == 3
    assert one.high.item() == 5


def test_percentiles_cut_outliers():
    x = torch.randn(100_000)
    x[7] = 1000.0
    one = ActivationQuantiser(QuantOptions(percentile=99.9)).train()
    one(x)
    low, high = np.percentile(x.numpy(), [0.1, 99.9])
    assert one.low.item() == pytest.approx(low, abs=0.3)
    assert one.high.item() == pytest.approx(high, abs=0.3)


def test_the_gradient_passes_inside_the_range_only():
    one = ActivationQuantiser(QuantOptions(observe_steps=1)).train()
    one(torch.tensor([-1.0, 1.0]))
    x = torch.tensor([-0.5, 0.3, 7.0], requires_grad=True)
    one(x).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 0.0]


def test_without_a_range_evaluation_lets_everything_through():
    x = torch.randn(5)
    assert torch.equal(ActivationQuantiser(QuantOptions()).eval()(x), x)


@pytest.mark.parametrize("bits", [7, 8])
def test_weights_lie_on_the_grid_of_their_channel(bits, tiny, pictures):
    net = quantise(tiny, pictures, QuantOptions(weight_bits=bits))
    layer = net.get_submodule("graph.conv2")
    assert isinstance(layer, QuantisedConv2d)
    seen = {}
    layer.apply_weight = lambda x, weight, bias: seen.setdefault("weight", weight)  # type: ignore[method-assign]
    layer.train()(pictures)
    limit = 2 ** (bits - 1) - 1
    for channel, rounded in zip(layer.weight.detach(), seen["weight"].detach(), strict=True):
        step = channel.abs().max() / limit
        np.testing.assert_allclose(rounded / step, np.rint(channel / step), atol=1e-3)


def by_hand(net, x):
    """Tiny in integers: whole sums in float64, steps from the network's own ranges.

    Real numbers are float32, as in a runtime: steps of one range divide evenly, so ties are common.
    """
    get = lambda name: net.get_submodule(f"graph.{name}")  # noqa: E731
    scale = lambda name: [float(v) for v in get(f"ranges.{name}").grid()]  # noqa: E731

    def rounded(values, name):
        step, zero = scale(name)
        scaled = np.float32(values) / np.float32(step)
        return (np.clip(np.rint(scaled) + zero, 0, 255) - zero).astype(np.int64), step

    def layer(name, integers, step):
        module = get(name)
        weight = module.weight.detach().double().numpy()
        shape = (-1, *(1,) * (weight.ndim - 1))
        steps = np.abs(weight).reshape(len(weight), -1).max(1) / 127
        whole = torch.from_numpy(np.rint(weight / steps.reshape(shape)))
        bias = torch.from_numpy(np.rint(module.bias.detach().double().numpy() / (step * steps)))
        sums = module.apply_weight(torch.from_numpy(integers.astype(np.float64)), whole, bias).numpy()
        return sums * (step * steps).reshape((1, -1, 1, 1) if sums.ndim == 4 else (1, -1))

    now, step = rounded(x.double().numpy(), "x")
    now, step = rounded(layer("conv1", now, step), "conv1")
    slope = get("act1").weight.detach().numpy().reshape(1, -1, 1, 1)
    real = np.float32(now) * np.float32(step)
    first, first_step = rounded(np.where(real > 0, real, slope * real), "act1")
    now, step = rounded(layer("before", first, first_step), "before")
    now, step = rounded(np.maximum(layer("conv2", now, step), 0), "act2")
    now, step = rounded(now * step + first * first_step, "add")
    return layer("fc", now.reshape(len(now), -1), step)


def test_evaluation_equals_integer_arithmetic(tiny, pictures):
    net = quantise(tiny, pictures)
    calibrate(net, [pictures])
    found = net.eval()(pictures).numpy()
    np.testing.assert_allclose(found, by_hand(net, pictures), rtol=1e-3, atol=1e-4)
    off = np.abs(found - tiny(pictures).detach().numpy()).max()
    assert 0 < off < 0.2


def test_training_and_evaluation_agree_but_for_single_steps(tiny, pictures):
    net = quantise(tiny, pictures, QuantOptions(observe_steps=1)).train()
    net(pictures)
    found = torch.nn.functional.cosine_similarity(net(pictures), net.eval()(pictures))
    assert found.min().item() > 0.999


def test_calibration_is_the_mean_over_batches(tiny, pictures):
    net = quantise(tiny, pictures)
    assert calibrate(net, [pictures[:3], pictures[3:]]) == 2
    wanted = (pictures[:3].max() + pictures[3:].max()) / 2
    assert net.get_submodule("graph.ranges.x").high.item() == pytest.approx(wanted.item())
    assert not net.training
    with pytest.raises(ConfigError, match="calibrate was given no pictures"):
        calibrate(net, [])


@pytest.mark.parametrize("learned", [False, True])
def test_it_learns_from_another_network(learned, tiny, pictures):
    wanted = Tiny().eval()(pictures).detach()
    net = quantise(tiny, pictures, QuantOptions(weight_bits=7, learned_steps=learned)).train()
    calibrate(net, [pictures])
    optimiser = torch.optim.Adam(net.parameters(), lr=2e-3)
    losses = []
    for _ in range(40):
        loss = (net(pictures) - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert min(losses[-5:]) < 0.5 * losses[0]
    if learned:
        gains = [value for name, value in net.named_parameters() if name.endswith("log_gain")]
        assert gains
        assert all(value.abs().max() > 0 for value in gains)


def test_state_goes_into_a_checkpoint_and_back(tiny, pictures):
    net = quantise(tiny, pictures).train()
    net(pictures)
    again = quantise(Tiny(), pictures)
    again.load_state_dict(copy.deepcopy(net.state_dict()))
    assert torch.equal(again.eval()(pictures), net.eval()(pictures))
    assert torch.equal(copy.deepcopy(net)(pictures), net(pictures))


def test_what_stays_float(tiny, pictures):
    names = quantise(tiny, pictures).layers
    assert names == ("conv1", "before", "conv2", "fc")
    kept = quantise(tiny, pictures, QuantOptions(keep_float=("first", "last")))
    assert kept.layers == ("before", "conv2")
    assert "graph.ranges.x" not in kept.quantisers()
    assert isinstance(kept.get_submodule("graph.fc"), nn.Linear)


def test_a_prelu_can_be_joined_to_its_convolution(tiny, pictures):
    both = set(quantise(tiny, pictures).quantisers())
    joined = set(quantise(tiny, pictures, QuantOptions(pre_activation=False)).quantisers())
    assert both - joined == {"graph.ranges.conv1"}
    assert "graph.ranges.conv2" not in both  # a ReLU always is


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activations": "int4"}, "activations is wrong: expected one of uint8, int8, int8_symmetric"),
        ({"weight_bits": 4}, "weight_bits is wrong: expected 7 or 8, got 4"),
        ({"percentile": 30}, "percentile is wrong"),
        ({"momentum": 1.0}, "momentum is wrong"),
        ({"observe_steps": 0}, "observe_steps is wrong"),
        ({"keep_float": ("stem",)}, "keep_float: no layer is called 'stem'"),
        ({"keep_float": ("*",)}, "keep_float leaves no layer"),
    ],
)
def test_wrong_options_are_said(options, message, tiny, pictures):
    with pytest.raises(ConfigError, match=message):
        quantise(tiny, pictures, QuantOptions(**options))


def test_a_network_without_layers_is_refused():
    with pytest.raises(ConfigError, match="nothing to bring to integers"):
        quantise(nn.Sequential(nn.ReLU()), torch.zeros(1, 3, 4, 4))


def test_autocast_does_not_reach_inside(tiny, pictures):
    net = quantise(tiny, pictures)
    calibrate(net, [pictures])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = net.eval()(pictures)
    assert found.dtype == torch.float32
    assert torch.equal(found, net(pictures))


class Uneven(nn.Module):
    """Three convolutions, the second depthwise, with channels of ranges from 1 to 1000."""

    def __init__(self, act: nn.Module) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 16, 3, groups=8), nn.Conv2d(16, 4, 1)
        self.act = act
        with torch.no_grad():
            spread = torch.logspace(0, 3, 8)
            self.a.weight.mul_(spread.view(-1, 1, 1, 1))
            self.a.bias.mul_(spread)
            self.b.weight.div_(spread.repeat_interleave(2).view(-1, 1, 1, 1))
            wide = torch.logspace(0, 2, 16)
            self.b.weight.mul_(wide.view(-1, 1, 1, 1))
            self.c.weight.div_(wide.view(1, -1, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.c(self.b(self.act(self.a(x))))


@pytest.mark.parametrize("act", [nn.PReLU(8), nn.ReLU(), nn.Identity(), nn.LeakyReLU(0.2)])
def test_equalising_keeps_the_function_and_brings_integers_nearer(act, pictures):
    net = Uneven(act).eval()
    wanted = net(pictures).detach()

    @torch.no_grad()
    def gap(share: float | None) -> float:
        q = quantise(net, pictures[:1]).eval()
        if share is not None:
            assert equalise(q, pictures.split(2), share) == 2
            assert not any(int(one.seen) for one in q.quantisers().values())
            plain = copy.deepcopy(net)
            for name, layer in (("a", plain.a), ("b", plain.b), ("c", plain.c)):
                made = q.graph.get_submodule(name)
                layer.weight, layer.bias = made.weight, made.bias
            torch.testing.assert_close(plain(pictures), wanted, rtol=1e-4, atol=1e-4)
        calibrate(q, pictures.split(2))
        return float((q(pictures) - wanted).square().mean().sqrt() / wanted.std())

    before = gap(None)
    assert gap(0.7) < before / 3
    assert gap(0.5) < before / 3


def test_in_front_of_depthwise_all_ranges_become_equal(pictures):
    q = quantise(Uneven(nn.PReLU(8)).eval(), pictures[:1]).eval()
    equalise(q, [pictures])
    a = q.graph.get_submodule("a")
    x = torch.nn.functional.conv2d(pictures, a.weight, a.bias)
    ranges = torch.nn.functional.prelu(x, q.graph.get_submodule("act").weight).abs().amax(dim=(0, 2, 3))
    torch.testing.assert_close(ranges, ranges.max().expand(8), rtol=0.05, atol=0.0)


def test_where_scales_cannot_pass_nothing_is_rescaled(tiny, pictures):
    # conv1 is read twice, the convolution before it is read by a sum.
    q = quantise(tiny, pictures[:1])
    kept = {name: value.clone() for name, value in q.state_dict().items() if "weight" in name}
    found = equalise(q, [pictures])
    pairs = {name for name, value in kept.items() if not torch.equal(value, q.state_dict()[name])}
    assert found == 1
    assert pairs == {"graph.before.weight", "graph.conv2.weight"}
    relu6 = quantise(Uneven(nn.ReLU6()).eval(), pictures[:1])
    assert equalise(relu6, [pictures]) == 1  # b and c only


def test_equalising_needs_pictures_and_a_share(tiny, pictures):
    q = quantise(tiny, pictures[:1])
    with pytest.raises(ConfigError, match="equalise was given no pictures"):
        equalise(q, [])
    with pytest.raises(ConfigError, match="share of the ranges"):
        equalise(q, [pictures], 1.5)
