"""Learn another classifier's answers, not only the labels."""

from __future__ import annotations

import torch
from torch.nn import functional

from vnvision.errors import DataError


def soft_label_loss(
    student: torch.Tensor, teacher: torch.Tensor, *, temperature: float = 1.0
) -> torch.Tensor:
    """T^2 KL(teacher || student) at temperature T, mean over rows, in float32.

    Hinton et al. 2015, "Distilling the Knowledge in a Neural Network", section 2: both are softened by T, and
    T^2 keeps the gradient's size independent of it.

    Args:
        student: (N, C) logits.
        teacher: (N, C) probabilities at the same temperature; no gradient flows to them.
        temperature: above 0.

    Returns:
        Scalar, 0 where the two agree.

    Raises:
        DataError: shapes differ.
    """
    if student.ndim != 2 or student.shape != teacher.shape:
        raise DataError(
            "the teacher's answers do not fit the student's",
            expected=str(tuple(student.shape)),
            got=str(tuple(teacher.shape)),
        )
    with torch.autocast(student.device.type, enabled=False):
        log_student = functional.log_softmax(student.float() / temperature, dim=1)
        return temperature**2 * functional.kl_div(
            log_student, teacher.detach().float(), reduction="batchmean"
        )
