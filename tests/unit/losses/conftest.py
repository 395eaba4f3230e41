"""What tests of several losses share."""

import pytest
import torch


@pytest.fixture
def stepped():
    """Values of a loss of embeddings (N, 6) before the first, second and third step of a small layer."""

    def run(loss, embeddings):
        torch.manual_seed(0)
        net = torch.nn.Linear(6, 8)
        optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3)
        values = []
        for _ in range(3):
            value = loss(net(embeddings))
            values.append(value.item())
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
        return values

    return run
