import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, log_loss

from vnvision.errors import ConfigError
from vnvision.spec import TaskSpec
from vnvision.tasks import Batch, build_task
from vnvision.tasks.mix import mix

LABELS = [{"id": "a"}, {"id": "b"}, {"id": "c"}]


def spec(kind):
    score = "softmax" if kind == "classification" else "sigmoid"
    return TaskSpec(kind=kind, labels=LABELS, score=score, preprocess={"size_px": (8, 8)})


def batch(n=8):
    generator = torch.Generator().manual_seed(0)
    targets = torch.nn.functional.one_hot(torch.arange(n) % 3, 3).float()
    return Batch(torch.rand(n, 3, 16, 16, generator=generator), targets, torch.ones(n, 3))


def test_validation_figures_equal_sklearn():
    rng = np.random.default_rng(0)
    logits, truth = rng.normal(size=(50, 3)), rng.integers(0, 3, 50)
    figures = build_task(spec("classification")).validate(logits, truth)
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert figures["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, logits.argmax(1)))
    assert figures["nll"] == pytest.approx(log_loss(truth, probs))
    assert figures["accuracy"] == pytest.approx((logits.argmax(1) == truth).mean())


def test_unknown_labels_are_left_out_of_validation():
    logits = np.eye(3)
    known = build_task(spec("classification")).validate(logits, np.array([0, -1, 0]))
    assert known["accuracy"] == 0.5
    labels = np.array([[1, -1, -1], [-1, 0, -1], [-1, -1, -1]])
    multi = build_task(spec("multilabel")).validate(np.full((3, 3), 5.0), labels)
    assert multi["accuracy"] == 0.5


def test_multilabel_encoding_marks_what_is_known():
    targets, known = build_task(spec("multilabel")).encode(np.array([[1, 0, -1]], dtype=np.int8))
    assert targets.tolist() == [[1.0, 0.0, 0.0]]
    assert known.tolist() == [[1.0, 1.0, 0.0]]


def test_class_weights_need_exclusive_classes():
    with pytest.raises(ConfigError, match="no class weights"):
        build_task(spec("multilabel"), class_weights=np.ones(3))


def test_mixup_is_the_formula_and_the_same_for_the_same_key():
    one, two = (mix(batch(), mixup_alpha=0.4, cutmix_alpha=0, probability=1, key=(1, 2)) for _ in range(2))
    assert torch.equal(one.inputs, two.inputs)
    rng = np.random.default_rng((1, 2))
    rng.random()
    share = rng.beta(0.4, 0.4)
    plain = batch()
    torch.testing.assert_close(one.inputs, plain.inputs * share + plain.inputs.flip(0) * (1 - share))
    torch.testing.assert_close(one.targets, plain.targets * share + plain.targets.flip(0) * (1 - share))
    other = mix(batch(), mixup_alpha=0.4, cutmix_alpha=0, probability=1, key=(1, 3))
    assert not torch.equal(one.inputs, other.inputs)


def test_cutmix_shares_labels_by_the_area_pasted():
    plain = batch()
    plain.inputs = torch.arange(8.0)[:, None, None, None].expand(8, 3, 16, 16).clone()
    mixed = mix(plain, mixup_alpha=0, cutmix_alpha=1.0, probability=1, key=(5,))
    own = (mixed.inputs[0, 0] == 0).float().mean()
    torch.testing.assert_close(mixed.targets[0], plain.targets[0] * own + plain.targets[7] * (1 - own))
    assert mixed.targets.sum(1).allclose(torch.ones(8))


def test_probability_zero_leaves_the_batch_alone():
    plain = batch()
    assert mix(plain, mixup_alpha=1, cutmix_alpha=1, probability=0, key=(1,)) is plain


def test_an_unknown_label_stays_unknown_in_its_share():
    plain = batch(2)
    plain.known[1] = 0
    task = build_task(spec("multilabel"))
    mixed = mix(plain, mixup_alpha=0.4, cutmix_alpha=0, probability=1, key=(1,))
    assert torch.allclose(mixed.known.sum(0), torch.ones(3))
    logits = torch.zeros(2, 3)
    loss = task.step(lambda x: logits, mixed)["loss"]
    torch.testing.assert_close(loss, torch.tensor(np.log(2.0), dtype=torch.float32))
