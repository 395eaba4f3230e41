"""PReLU: torch's own numbers, forward and backward, from operations that are faster on a CPU."""

import copy

import pytest
import torch
from torch import nn

from vnvision.models.prelu import PReLU

SHAPES = [(4, 6, 5, 3), (1, 6, 7, 7), (8, 6)]


def both(shape, slopes, *, layout=torch.contiguous_format, start=0.25):
    torch.manual_seed(0)
    mine, torchs = PReLU(slopes, start), nn.PReLU(slopes, start)
    with torch.no_grad():
        mine.weight.copy_(torch.linspace(-0.5, 1.5, slopes))
        torchs.weight.copy_(mine.weight)
    x = torch.randn(shape)
    x.view(-1)[::3] = 0.0  # the corner
    grad = torch.randn(shape)
    if len(shape) == 4:
        x, grad = x.contiguous(memory_format=layout), grad.contiguous(memory_format=layout)
    found = []
    for module in (mine, torchs):
        leaf = x.clone().requires_grad_()
        out = module(leaf)
        out.backward(grad)
        found.append((out.detach(), leaf.grad, module.weight.grad))
    return found


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("slopes", [1, 6])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_those_of_torch(shape, slopes, layout):
    mine, torchs = both(shape, slopes, layout=layout)
    assert torch.equal(mine[0], torchs[0])
    assert torch.equal(mine[1], torchs[1])
    torch.testing.assert_close(mine[2], torchs[2], rtol=1e-5, atol=1e-6)


def test_the_formula_written_out():
    module = PReLU(2, 0.25)
    x = torch.tensor([[2.0, -4.0], [-1.0, 3.0]], requires_grad=True)
    module(x).backward(torch.tensor([[1.0, 10.0], [100.0, 1000.0]]))
    assert x.grad.tolist() == [[1.0, 2.5], [25.0, 1000.0]]
    assert module.weight.grad.tolist() == [-100.0, -40.0]


def test_channels_last_stays():
    x = torch.randn(2, 6, 4, 4).contiguous(memory_format=torch.channels_last).requires_grad_()
    out = PReLU(6)(x)
    out.square().sum().backward()
    assert out.is_contiguous(memory_format=torch.channels_last)
    assert x.grad.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("frozen", ["weight", "input"])
def test_what_does_not_learn_gets_no_gradient(frozen):
    module, x = PReLU(6), torch.randn(2, 6, 4, 4, requires_grad=frozen != "input")
    module.weight.requires_grad_(frozen != "weight")
    module(x).sum().backward()
    assert (x.grad is None) == (frozen == "input")
    assert (module.weight.grad is None) == (frozen == "weight")


def test_without_gradients_and_in_other_types_it_is_torchs_function():
    module, x = PReLU(6), torch.randn(2, 6, 4, 4)
    with torch.no_grad():
        assert module(x).grad_fn is None
    wide = copy.deepcopy(module).double()
    leaf = x.double().requires_grad_()
    assert torch.autograd.gradgradcheck(wide, (leaf,))


def test_weights_are_those_of_torchs_module():
    mine, torchs = PReLU(6), nn.PReLU(6)
    mine.load_state_dict(torchs.state_dict())
    assert mine.state_dict().keys() == torchs.state_dict().keys()
    assert isinstance(mine, nn.PReLU)


def test_a_traced_graph_has_torchs_operation():
    traced = torch.jit.trace(PReLU(6).train(), torch.randn(2, 6, 4, 4))
    assert "aten::prelu" in str(traced.inlined_graph)
