import math

import numpy as np
import pytest
import torch

from vnvision.errors import DataError
from vnvision.losses.distillation import (
    cosine_distillation_loss,
    embedding_mse_loss,
    relational_distillation_loss,
)

LOSSES = [cosine_distillation_loss, embedding_mse_loss, relational_distillation_loss]


@pytest.fixture
def pair():
    random = torch.Generator().manual_seed(8)
    return torch.randn(6, 5, generator=random, requires_grad=True), torch.randn(6, 5, generator=random)


def units(rows):
    array = rows.detach().numpy().astype(np.float64)
    return array / np.linalg.norm(array, axis=1, keepdims=True)


def test_cosine_equals_the_formula(pair):
    expected = np.mean([1 - s @ t for s, t in zip(units(pair[0]), units(pair[1]), strict=True)])
    assert cosine_distillation_loss(*pair).item() == pytest.approx(expected, abs=1e-6)


def test_mse_equals_the_formula(pair):
    expected = np.mean((units(pair[0]) - units(pair[1])) ** 2)
    assert embedding_mse_loss(*pair).item() == pytest.approx(expected, abs=1e-6)
    raw = np.mean((pair[0].detach().numpy() - pair[1].numpy()) ** 2)
    assert embedding_mse_loss(*pair, normalise=False).item() == pytest.approx(raw, abs=1e-6)


def test_mse_of_units_is_the_cosine_loss_times_two_over_d(pair):
    torch.testing.assert_close(embedding_mse_loss(*pair), cosine_distillation_loss(*pair) * 2 / 5)


def test_relations_equal_the_formula(pair):
    student, teacher = units(pair[0]), units(pair[1])
    terms = []
    for i in range(6):
        for j in range(i):
            gap = abs(student[i] @ student[j] - teacher[i] @ teacher[j])
            terms.append(gap**2 / 2 if gap <= 1 else gap - 0.5)
    assert max(terms) > 0.5  # both branches of Huber's function
    assert relational_distillation_loss(*pair).item() == pytest.approx(np.mean(terms), abs=1e-6)


def test_relations_allow_a_turned_or_longer_embedding(pair):
    turn, _ = torch.linalg.qr(torch.randn(9, 5, generator=torch.Generator().manual_seed(1)))
    assert relational_distillation_loss(pair[0], pair[0] @ turn.T).item() == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_teacher_itself_costs_nothing_at_any_length(loss, pair):
    assert loss(pair[0] * 4, pair[0]).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_only_the_student_learns(loss, pair):
    student, teacher = pair[0], pair[1].requires_grad_()
    loss(student, teacher).backward()
    assert student.grad.abs().sum() > 0
    assert teacher.grad is None


@pytest.mark.parametrize("loss", LOSSES)
def test_float32_inside_autocast(loss, pair):
    expected = loss(pair[0].bfloat16().float(), pair[1].bfloat16().float())
    with torch.autocast("cpu", torch.bfloat16):
        got = loss(pair[0].bfloat16(), pair[1].bfloat16())
    assert got.dtype == torch.float32
    assert math.isclose(got.item(), expected.item(), rel_tol=1e-6)


@pytest.mark.parametrize("loss", [cosine_distillation_loss, embedding_mse_loss])
def test_other_shapes_are_refused(loss, pair):
    with pytest.raises(DataError, match=r"do not fit the student's: expected \(6, 5\), got \(6, 4\)"):
        loss(pair[0], pair[1][:, :4])


def test_other_row_counts_and_single_rows_are_refused(pair):
    with pytest.raises(DataError, match=r"expected \(6, E\), got \(5, 5\)"):
        relational_distillation_loss(pair[0], pair[1][:5])
    with pytest.raises(DataError, match="relations of a batch: expected two rows or more, got 1"):
        relational_distillation_loss(pair[0][:1], pair[1][:1])
