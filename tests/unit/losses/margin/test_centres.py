"""Class centres: cosines against numpy, sub-centres, autocast and bad input."""

import numpy as np
import pytest
import torch

from vnvision.errors import ConfigError, DataError
from vnvision.losses.margin import ClassCentres, compare, with_own


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(7, 8, generator=generator) * 5, torch.tensor([0, 1, 2, 3, 4, 4, 0])


@pytest.mark.parametrize("k", [1, 3])
def test_cosines_are_those_of_numpy_and_the_nearest_centre_counts(batch, k):
    embeddings, target = batch
    centres = ClassCentres(5, 8, sub_centres=k)
    got = centres(embeddings, target)
    x, w = embeddings.numpy().astype(float), centres.weight.detach().numpy().astype(float).reshape(5, k, 8)
    for row in range(7):
        for label in range(5):
            cosines = [x[row] @ v / np.linalg.norm(x[row]) / np.linalg.norm(v) for v in w[label]]
            assert got.cosines[row, label].item() == pytest.approx(max(cosines), abs=1e-6)
        assert got.own[row] == got.cosines[row, target[row]]
    np.testing.assert_allclose(got.norms.detach(), np.linalg.norm(x, axis=1), rtol=1e-6)
    assert got.n_classes == 5
    assert torch.equal(got.column, target)


def test_float32_inside_autocast(batch):
    embeddings, target = batch
    centres = ClassCentres(5, 8, sub_centres=2)
    plain = centres(embeddings.bfloat16(), target)
    with torch.autocast("cpu", torch.bfloat16):
        inside = centres(embeddings.bfloat16(), target)
    for name in ("cosines", "own", "norms"):
        assert getattr(inside, name).dtype == torch.float32
        assert torch.equal(getattr(inside, name), getattr(plain, name))


def test_gradients_are_true_and_finite_for_a_zero_embedding(batch):
    embeddings, target = batch
    wide = embeddings.double().requires_grad_()
    weight = torch.randn(5, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, w: compare(x, w, target).cosines, (wide, weight))
    empty = torch.zeros(1, 8, requires_grad=True)
    got = ClassCentres(5, 8)(empty, target[:1])
    (got.cosines.sum() + got.norms.sum()).backward()
    assert got.cosines.abs().max() == 0
    assert torch.isfinite(empty.grad).all()


def test_own_column_is_replaced_only_where_held(make):
    values = torch.arange(6.0).reshape(2, 3)
    comparison = make(values, torch.tensor([2, 0]), torch.ones(2))
    elsewhere = type(comparison)(values, torch.tensor([2, -1]), comparison.own, comparison.norms, 9)
    got = with_own(values, elsewhere, torch.tensor([10.0, 20.0]), scale=2.0)
    assert got.tolist() == [[0.0, 2.0, 20.0], [6.0, 8.0, 10.0]]
    assert values[0].tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("sizes", [(0, 8), (5, 0), (5, 2.5), (True, 8)])
def test_sizes_are_checked(sizes):
    with pytest.raises(ConfigError, match="of the class centres: expected a whole number of 1 or more"):
        ClassCentres(*sizes)


def test_bad_batches_say_what_is_wrong(batch):
    embeddings, target = batch
    centres = ClassCentres(5, 8)
    with pytest.raises(DataError, match=r"expected \(N, 8\) and \(N,\), got \(7, 7\) and \(7,\)"):
        centres(embeddings[:, :7], target)
    with pytest.raises(DataError, match="class out of range: expected 0 to 4, got 0 to 5"):
        centres(embeddings, target.clamp(max=3) + (target == 4) * 2)
