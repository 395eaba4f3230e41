"""Keep a student's embeddings where a teacher has them, or as far from each other.

Fine-tuning with the starting network as the teacher keeps what it knew (Li and Hoiem 2016, "Learning without
Forgetting"); a small student learns a large network's embedding the same way. No labels are needed.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from vnvision.errors import DataError


def cosine_distillation_loss(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Mean of 1 - cos(student, teacher) over the rows, in float32; lengths do not count.

    Args:
        student: (N, D).
        teacher: (N, D); no gradient flows to it.

    Returns:
        Scalar, 0 to 2.

    Raises:
        DataError: shapes differ.
    """
    _check(student, teacher, same_size=True)
    with torch.autocast(student.device.type, enabled=False):
        return (1 - (_unit(student) * _unit(teacher.detach())).sum(dim=1)).mean()


def embedding_mse_loss(
    student: torch.Tensor, teacher: torch.Tensor, *, normalise: bool = True
) -> torch.Tensor:
    """Mean squared difference of all N x D numbers, in float32.

    Of unit-norm embeddings it is 2 / D times ``cosine_distillation_loss``; with ``normalise`` off the length
    is kept as well.

    Args:
        student: (N, D).
        teacher: (N, D); no gradient flows to it.
        normalise: compare unit-norm embeddings.

    Returns:
        Scalar.

    Raises:
        DataError: shapes differ.
    """
    _check(student, teacher, same_size=True)
    with torch.autocast(student.device.type, enabled=False):
        if normalise:
            return functional.mse_loss(_unit(student), _unit(teacher.detach()))
        return functional.mse_loss(student.float(), teacher.detach().float())


def relational_distillation_loss(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Mean Huber difference (delta 1) of the cosines of all pairs of rows, in float32.

    Only how alike the faces of a batch are counts, not where they lie: student and teacher may have
    embeddings of different sizes, and a turned embedding costs nothing. Relational distillation as in Park et
    al. 2019, "Relational Knowledge Distillation", section 3, with the cosine as the relation of two rows:
    face scores are cosines, and these need no scaling by their mean as distances do.

    Args:
        student: (N, D).
        teacher: (N, E); no gradient flows to it.

    Returns:
        Scalar.

    Raises:
        DataError: row counts differ, or fewer than two rows.
    """
    _check(student, teacher, same_size=False)
    if len(student) < 2:
        raise DataError("relations of a batch", expected="two rows or more", got=str(len(student)))
    rows, cols = torch.triu_indices(len(student), len(student), 1, device=student.device)
    with torch.autocast(student.device.type, enabled=False):
        ours, theirs = _unit(student), _unit(teacher.detach())
        pairs = (ours @ ours.T)[rows, cols], (theirs @ theirs.T)[rows, cols]
        return functional.huber_loss(*pairs)


def _unit(rows: torch.Tensor) -> torch.Tensor:
    return functional.normalize(rows.float(), dim=1)


def _check(student: torch.Tensor, teacher: torch.Tensor, *, same_size: bool) -> None:
    fits = student.ndim == teacher.ndim == 2 and len(student) == len(teacher)
    if not fits or (same_size and student.shape != teacher.shape):
        raise DataError(
            "the teacher's embeddings do not fit the student's",
            expected=f"{tuple(student.shape)}" if same_size else f"({len(student)}, E)",
            got=str(tuple(teacher.shape)),
        )
