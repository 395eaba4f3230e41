"""Small comparisons in float64, and a way to spread one over two ranks."""

import pytest
import torch

from vnvision.losses.margin import Comparison


def compared(cosines: torch.Tensor, column: torch.Tensor, norms: torch.Tensor) -> Comparison:
    return Comparison(cosines, column, cosines.gather(1, column[:, None])[:, 0], norms, cosines.shape[1])


@pytest.fixture
def make():
    """A comparison from cosines (N, C), columns (N,) and lengths (N,)."""
    return compared


@pytest.fixture
def comparison():
    """8 rows, 6 classes; own cosines from near -1 to near 1."""
    generator = torch.Generator().manual_seed(3)
    cosines = torch.rand(8, 6, generator=generator, dtype=torch.float64) * 1.8 - 0.9
    column = torch.tensor([0, 1, 2, 3, 4, 5, 0, 3])
    own = torch.tensor([-0.99, -0.9, -0.5, -0.1, 0.2, 0.6, 0.95, 0.999], dtype=torch.float64)
    cosines.scatter_(1, column[:, None], own[:, None])
    norms = torch.tensor([2.0, 9.0, 14.0, 20.0, 33.0, 60.0, 100.0, 130.0], dtype=torch.float64)
    return compared(cosines, column, norms)


@pytest.fixture
def shards():
    """Splits a comparison's columns over two ranks: the first `at` columns, and the others.

    As over real ranks, the gradient of an own cosine flows only where its class is held.
    """

    def split(whole: Comparison, at: int) -> list[Comparison]:
        parts = []
        for low, high in ((0, at), (at, whole.cosines.shape[1])):
            here = (whole.column >= low) & (whole.column < high)
            column = torch.where(here, whole.column - low, torch.full_like(whole.column, -1))
            own = torch.where(here, whole.own, whole.own.detach())
            parts.append(Comparison(whole.cosines[:, low:high], column, own, whole.norms, whole.n_classes))
        return parts

    return split
