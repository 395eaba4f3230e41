"""Batches whose facts the host reads one batch late, as on a GPU; here on a CPU, in one process."""

import pytest
import torch
from torch.testing import assert_close

from vnvision.errors import DataError
from vnvision.losses.margin import build_head
from vnvision.losses.partial_fc import PartialFC

BAD = r"class at step 4 out of range: expected 0 to 19, got 0 to 20"
TARGET = torch.tensor([0, 3, 3, 19])


def rows(n=4):
    return torch.randn(n, 8, generator=torch.Generator().manual_seed(1)).requires_grad_()


@pytest.fixture
def late():
    """A layer that has seen a good batch of four."""
    layer = PartialFC(build_head("cosface"), 20, 8)
    layer.batches.deferred = True
    layer(rows(), TARGET, 3)
    return layer


def spoilt(layer):
    return layer(rows(), torch.tensor([0, 3, 3, 20]), 4)


@pytest.mark.parametrize(
    "then",
    [
        lambda layer, folder: layer(rows(), TARGET, 5),
        lambda layer, folder: layer(rows(2), TARGET[:2], 5),
        lambda layer, folder: layer.settle(),
        lambda layer, folder: layer.save_shard(folder / "centres", step=5),
        lambda layer, folder: layer.add_identities(1),
        lambda layer, folder: layer.remove_identities([1]),
    ],
    ids=["next batch", "another size", "settle", "save", "add", "remove"],
)
def test_a_bad_class_is_said_once_before_anything_is_kept(late, tmp_path, then):
    spoilt(late)
    with pytest.raises(DataError) as caught:
        then(late, tmp_path)
    assert str(caught.value) == BAD
    assert not list(tmp_path.rglob("*.safetensors"))
    assert late.n_classes == 20
    late.settle()
    assert late(rows(), TARGET, 5) > 0


def test_a_row_of_no_class_is_pushed_from_all_centres_meanwhile(late):
    given = rows()
    late(given, torch.tensor([0, 3, 3, 20]), 4).backward()
    alone = rows()
    unit = torch.nn.functional.normalize(alone)
    logits = late.head.scale * unit @ torch.nn.functional.normalize(late.weight).T
    (logits[3].logsumexp(dim=0) / 4).backward()
    assert_close(given.grad[3], alone.grad[3], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("target", [[0, 3, 3, 20], [0, -1, 3, 3]])
def test_the_first_batch_is_checked_at_once(target):
    layer = PartialFC(build_head("cosface"), 20, 8)
    layer.batches.deferred = True
    with pytest.raises(DataError, match=r"^class out of range: expected 0 to 19"):
        layer(rows(), torch.tensor(target), 4)


def test_a_batch_of_another_size_is_checked_at_once(late):
    with pytest.raises(DataError, match=r"^class out of range: expected 0 to 19, got 3 to 20"):
        late(rows(2), torch.tensor([3, 20]), 4)
    with pytest.raises(DataError, match=r"do not fit Partial FC: .* got \(4, 8\) and \(3,\)"):
        late(rows(), TARGET[:3], 4)


def test_on_a_cpu_every_batch_is_checked_at_once():
    layer = PartialFC(build_head("cosface"), 20, 8)
    layer(rows(), TARGET, 3)
    with pytest.raises(DataError, match=r"^class out of range: expected 0 to 19, got 0 to 20"):
        spoilt(layer)


@pytest.mark.parametrize("rate", [1.0, 0.3])
def test_reading_late_changes_no_bit(rate):
    seen = []
    for deferred in (None, True):
        layer = PartialFC(build_head("cosface"), 20, 8, sample_rate=rate, filter_cosine=0.3)
        layer.batches.deferred = deferred
        optimiser = torch.optim.SGD(layer.parameters(), 0.1, momentum=0.9)
        layer.attach(optimiser)
        for step in range(4):
            e = rows()
            loss = layer(e, TARGET, step)
            loss.backward()
            seen.append((deferred, loss.detach(), e.grad))
            optimiser.step()
            optimiser.zero_grad()
        layer.settle()
        seen.append((deferred, layer.weight.clone(), layer.rows.state()["momentum_buffer"]))
    for (_, *at_once), (_, *late) in zip(seen[:5], seen[5:], strict=True):
        assert all(torch.equal(a, b) for a, b in zip(at_once, late, strict=True))
