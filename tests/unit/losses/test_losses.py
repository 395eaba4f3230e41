import pytest
import torch
from torch.nn import functional

from vnvision.losses import masked_binary_cross_entropy, soft_cross_entropy


@pytest.fixture
def logits():
    return torch.randn(6, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_soft_cross_entropy_equals_torch_on_hard_labels(logits, smoothing):
    labels = torch.tensor([0, 1, 2, 3, 0, 1])
    ours = soft_cross_entropy(logits, functional.one_hot(labels, 4).float(), label_smoothing=smoothing)
    torch.testing.assert_close(ours, functional.cross_entropy(logits, labels, label_smoothing=smoothing))


def test_soft_cross_entropy_equals_the_formula_with_weights(logits):
    targets = torch.rand(6, 4).softmax(1)
    weights = torch.tensor([0.5, 1.0, 2.0, 1.0])
    log_p = logits - logits.logsumexp(1, keepdim=True)
    expected = sum(-(weights[c] * targets[i, c] * log_p[i, c]) for i in range(6) for c in range(4)) / 6
    torch.testing.assert_close(soft_cross_entropy(logits, targets, class_weights=weights), expected)


def test_unknown_rows_teach_nothing(logits):
    targets = functional.one_hot(torch.tensor([0, 1, 2, 3, 0, 1]), 4).float()
    targets[2] = 0
    soft_cross_entropy(logits, targets, label_smoothing=0.1).backward()
    assert logits.grad[2].abs().sum() == 0
    assert logits.grad[1].abs().sum() > 0


def test_masked_bce_equals_torch_on_what_is_known(logits):
    targets = (torch.rand(6, 4) > 0.5).float()
    known = torch.ones(6, 4)
    known[0, :] = 0
    known[3, 2] = 0
    mask = known.bool()
    expected = functional.binary_cross_entropy_with_logits(logits[mask], targets[mask])
    torch.testing.assert_close(masked_binary_cross_entropy(logits, targets, known), expected)
    nothing = masked_binary_cross_entropy(logits, targets, torch.zeros(6, 4))
    assert nothing == 0


def test_losses_are_float32_inside_autocast(logits):
    targets = torch.rand(6, 4).softmax(1)
    half = logits.detach().bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        assert soft_cross_entropy(half, targets).dtype == torch.float32
        assert masked_binary_cross_entropy(half, targets, torch.ones(6, 4)).dtype == torch.float32
