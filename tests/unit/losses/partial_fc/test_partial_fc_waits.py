"""What a step on a GPU makes the host wait for, told without one.

Fake tensors carry a device and no numbers: an operation whose result the host must know (``item``,
``nonzero``, indexing by a mask) raises there, and a copy between host and device is seen as it is asked for.
"""

import pytest
import torch
from torch._subclasses.fake_tensor import DynamicOutputShapeException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from vnvision.losses.margin import HEADS, build_head
from vnvision.losses.partial_fc import PartialFC, batches, clip_grad_norm_, share_overflow

CLASSES, DIM, BATCH = 50, 16, 12


class Transfers(TorchDispatchMode):
    """Operations with tensors on both sides; a number (no dimension) goes with a kernel's call."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        given = [a for a in (*args, *(kwargs or {}).values()) if isinstance(a, torch.Tensor)]
        sides = {tensor.device.type for tensor in given if tensor.ndim}
        if given and isinstance(out, torch.Tensor):
            sides.add(out.device.type)
        if len(sides) > 1:
            self.seen.append(str(func))
        return out


class Kept:
    """Stands for the copy to pinned memory."""

    def __init__(self, table):
        assert table.shape == (1, 6)

    def read(self):
        return [[BATCH, DIM, BATCH, -1, 0, CLASSES - 1]]


def on(device, module):
    """Fake parameters and buffers in the place of a module's own."""
    for part in module.modules():
        for name, held in [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]:
            fake = torch.empty(held.shape, dtype=held.dtype, device=device)
            setattr(part, name, torch.nn.Parameter(fake) if held.requires_grad else fake)
    return module


def built(head, device, **options):
    """A layer that has seen its first batch, which is checked at once."""
    made = build_head(head)
    layer = on(device, PartialFC(made, CLASSES, DIM, sub_centres=made.sub_centres, **options))
    layer.batches.deferred, layer.batches._rows = True, BATCH
    return layer, torch.zeros(BATCH, dtype=torch.int64, device=device)


@pytest.mark.parametrize("head", HEADS)
def test_a_forward_pass_on_a_gpu_moves_nothing(head, monkeypatch):
    monkeypatch.setattr(batches, "Fetched", Kept)
    with FakeTensorMode(), Transfers() as transfers:
        layer, target = built(head, "cuda", filter_cosine=0.4)
        embeddings = torch.randn(BATCH, DIM, device="cuda", requires_grad=True)
        transfers.seen.clear()
        for step in range(2):
            loss = layer(embeddings, target, step)
    assert loss.device.type == "cuda"
    assert transfers.seen == []


@pytest.mark.parametrize("head", HEADS)
def test_a_step_over_all_classes_waits_for_nothing(head, monkeypatch):
    monkeypatch.setattr(batches, "Fetched", Kept)
    with FakeTensorMode():  # of a CPU: without a GPU, torch has no backward pass there
        layer, target = built(head, "cpu", filter_cosine=0.4)
        net = torch.nn.Linear(8, DIM)
        optimiser = torch.optim.SGD([*net.parameters(), *layer.parameters()], 0.1, momentum=0.9)
        layer.attach(optimiser)
        for step in range(2):
            with torch.autocast("cpu", torch.bfloat16):
                loss = layer(net(torch.randn(BATCH, 8)), target, step)
            optimiser.zero_grad()
            loss.backward()
            share_overflow(layer)
            clip_grad_norm_(net.parameters(), layer, 5.0)
            optimiser.step()
        layer.settle()


def test_the_test_sees_waits():
    """Each of the ways in which a host waits is found, so that their absence means something."""
    with FakeTensorMode(), Transfers() as transfers:
        x = torch.zeros(3, device="cuda")
        for waits in (lambda: x.sum().item(), lambda: x.nonzero(), lambda: x[x > 0], lambda: bool(x.any())):
            with pytest.raises(Exception, match=r"aten\.|data-dependent|Dynamic"):
                waits()
        assert transfers.seen == []
        x.cpu()
        torch.tensor([1.0, 2.0]).to("cuda")
    assert len(transfers.seen) == 2


def test_sampling_waits_for_the_number_of_classes_drawn(monkeypatch):
    monkeypatch.setattr(batches, "Fetched", Kept)
    with FakeTensorMode():
        layer, target = built("cosface", "cuda", sample_rate=0.5)
        layer.attach(torch.optim.SGD(layer.parameters(), 0.1))
        with pytest.raises(DynamicOutputShapeException, match=r"aten\.nonzero"):
            layer(torch.randn(BATCH, DIM, device="cuda"), target, 1)


class Waits(TorchDispatchMode):
    """Operations whose result's size or number the host would have to know."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        masked = name in ("index", "index_put", "index_put_") and any(
            at is not None and at.dtype in (torch.bool, torch.uint8) for at in args[1]
        )
        if masked or "unique" in name or name in ("nonzero", "_local_scalar_dense", "masked_select"):
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


def test_sampling_waits_for_nothing_else():
    layer = PartialFC(build_head("cosface"), CLASSES, DIM, sample_rate=0.5, filter_cosine=0.4)
    layer.batches.deferred = True
    optimiser = torch.optim.SGD(layer.parameters(), 0.1, momentum=0.9)
    layer.attach(optimiser)
    e, target = torch.randn(BATCH, DIM, requires_grad=True), torch.arange(BATCH)
    layer(e, target, 0)
    with Waits() as waits:
        layer(e, target, 1).backward()
        share_overflow(layer)
        clip_grad_norm_([], layer, 5.0)
        optimiser.step()
    assert waits.seen == ["nonzero"]
