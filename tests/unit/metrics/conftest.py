from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def unit():
    """Random unit-norm embeddings (n, d) float32."""

    def make(rng: np.random.Generator, n: int, d: int = 8) -> np.ndarray:
        x = rng.normal(size=(n, d)).astype(np.float32)
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    return make
