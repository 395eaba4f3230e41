import copy

import pytest
import torch
from torch.nn import functional

from vnvision.errors import ConfigError, ModelError
from vnvision.models.iresnet import DEPTHS, IResNet

PUBLISHED_M = {50: 43.59, 100: 65.16}
"""Parameters in millions, 512 numbers from 112 px."""


@pytest.fixture
def net():
    torch.manual_seed(0)
    net = IResNet((2, 1, 1, 1), 16, drop_rate=0.3, size_px=32)
    for module in net.modules():  # statistics and scales that would show a forgotten or doubled layer
        for name, tensor in (*module.named_buffers(recurse=False), *module.named_parameters(recurse=False)):
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and tensor.dim() == 1:
                with torch.no_grad():
                    tensor.uniform_(0.5, 1.5) if name != "bias" else tensor.normal_()
    return net


def reference(state, x):
    """The network in evaluation mode, from its key names alone."""

    def norm(x, at, scale=True):
        weight = state[f"{at}.weight"] if scale else torch.ones_like(state[f"{at}.running_mean"])
        shape = (1, -1, 1, 1) if x.ndim == 4 else (1, -1)
        mean, variance = state[f"{at}.running_mean"], state[f"{at}.running_var"]
        factor = weight / (variance + 1e-5).sqrt()
        bias = state[f"{at}.bias"] if scale else torch.zeros_like(mean)
        return (x - mean.view(shape)) * factor.view(shape) + bias.view(shape)

    def prelu(x, at):
        return x.clamp(min=0) + state[f"{at}.weight"].view(1, -1, 1, 1) * x.clamp(max=0)

    x = prelu(norm(functional.conv2d(x, state["conv1.weight"], padding=1), "bn1"), "prelu")
    for layer in (1, 2, 3, 4):
        unit = 0
        while f"layer{layer}.{unit}.conv1.weight" in state:
            at, stride = f"layer{layer}.{unit}", 2 if unit == 0 else 1
            y = functional.conv2d(norm(x, f"{at}.bn1"), state[f"{at}.conv1.weight"], padding=1)
            y = prelu(norm(y, f"{at}.bn2"), f"{at}.prelu")
            y = norm(functional.conv2d(y, state[f"{at}.conv2.weight"], stride=stride, padding=1), f"{at}.bn3")
            if unit == 0:
                x = functional.conv2d(x, state[f"{at}.downsample.0.weight"], stride=2)
                x = norm(x, f"{at}.downsample.1")
            x, unit = x + y, unit + 1
    x = norm(x, "bn2").flatten(1) @ state["fc.weight"].T + state["fc.bias"]
    return norm(x, "features.norm", scale=False) + state["features.bias"]


@pytest.mark.parametrize("layers", DEPTHS)
def test_parameters_follow_from_the_units_and_are_those_published(layers):
    with torch.device("meta"):
        got = sum(p.numel() for p in IResNet(DEPTHS[layers]).parameters())
    expected, n_in = 3 * 64 * 9 + 3 * 64, 64
    for depth, n_out in zip(DEPTHS[layers], (64, 128, 256, 512), strict=True):
        expected += n_in * n_out + 2 * n_out  # the shortcut
        for _ in range(depth):
            expected += 9 * n_in * n_out + 9 * n_out * n_out + 2 * n_in + 5 * n_out
            n_in = n_out
    expected += 2 * 512 + 512 * 49 * 512 + 512 + 512
    assert got == expected
    if layers in PUBLISHED_M:
        assert got / 1e6 == pytest.approx(PUBLISHED_M[layers], abs=0.005)


def test_the_depth_in_the_name_counts_convolutions_and_the_last_layer():
    assert {layers: 2 * sum(depths) + 2 for layers, depths in DEPTHS.items()} == {
        18: 18, 34: 34, 50: 50, 100: 100, 200: 198,
    }  # fmt: skip


def test_the_forward_pass_is_the_published_one(net):
    x = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(net.eval()(x), reference(net.state_dict(), x), rtol=1e-4, atol=1e-4)


def test_the_last_scale_stays_one_when_everything_learns(net):
    net.requires_grad_(True).train()
    for parameter in net.features.parameters():
        torch.nn.init.constant_(parameter, 0.25)
    out = net(torch.randn(16, 3, 32, 32)).detach()
    torch.testing.assert_close(out.mean(0), torch.full((16,), 0.25))
    torch.testing.assert_close(out.var(0, unbiased=False), torch.ones(16), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_end_is_float32_inside_autocast(net, dtype):
    seen = {}
    net.layer1[0].conv1.register_forward_hook(lambda m, x, y: seen.update(conv=y.dtype))
    net.fc.register_forward_hook(lambda m, x, y: seen.update(fc=y.dtype))
    with torch.autocast("cpu", dtype):
        out = net(torch.randn(4, 3, 32, 32))
    out.sum().backward()
    assert (seen["conv"], seen["fc"], out.dtype) == (dtype, torch.float32, torch.float32)
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in net.parameters())


def test_checkpointing_changes_memory_and_nothing_else(net):
    x, kept, results = torch.randn(4, 3, 32, 32), {}, {}
    for on in (False, True):
        one = copy.deepcopy(net).train()
        one.set_grad_checkpointing(on)
        sizes = kept[on] = []
        torch.manual_seed(3)
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t, sizes=sizes: sizes.append(t.numel()) or t, lambda t: t
        ):
            out = one(x)
        kept[on] = sum(sizes)
        out.square().sum().backward()
        gradients = {f"{name}.grad": p.grad for name, p in one.named_parameters()}
        results[on] = gradients | dict(one.named_buffers()) | {"out": out.detach()}
    assert kept[True] < kept[False] / 3
    for name, expected in results[False].items():
        torch.testing.assert_close(results[True][name], expected, rtol=1e-5, atol=1e-5, msg=name)
    assert results[True]["bn1.num_batches_tracked"] == 1, "the second pass must not count"


def test_synchronised_norms_keep_the_network(net):
    converted = torch.nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(net))
    assert isinstance(converted.features.norm, torch.nn.SyncBatchNorm)
    assert converted.state_dict().keys() == net.state_dict().keys()
    for key, value in net.state_dict().items():
        assert torch.equal(converted.state_dict()[key], value), key


def test_names_of_arcface_torch_are_read(net):
    theirs = {key.replace("features.norm.", "features."): value for key, value in net.state_dict().items()}
    theirs["features.weight"] = torch.ones(16)
    assert net.own_names(theirs).keys() == net.state_dict().keys()
    assert net.own_names(net.state_dict()).keys() == net.state_dict().keys()


def test_pictures_of_another_size_are_refused(net):
    with pytest.raises(ModelError, match=r"one size: expected \(N, 3, 32, 32\), got \(2, 3, 48, 48\)"):
        net(torch.zeros(2, 3, 48, 48))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"size_px": 100}, "size_px is wrong: expected a positive multiple of 16, got 100"),
        ({"embedding_size": 0}, "embedding_size is wrong: expected 1 or more, got 0"),
        ({"drop_rate": 1.0}, r"drop_rate is wrong: expected 0 or more, below 1, got 1\.0"),
    ],
)
def test_bad_options_are_one_clear_line(options, text):
    with pytest.raises(ConfigError, match=text):
        IResNet(DEPTHS[18], **options)
