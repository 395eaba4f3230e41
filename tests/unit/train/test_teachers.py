"""Other runs that teach a classifier: their answers, their sizes, and what cannot teach."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from vnvision.errors import ConfigError, DataError, ModelError
from vnvision.losses import soft_cross_entropy, soft_label_loss
from vnvision.spec import Label, PreprocessSpec, TaskSpec
from vnvision.tasks import build_task
from vnvision.tasks.base import Batch
from vnvision.tasks.classification import Teaching
from vnvision.train import teachers
from vnvision.train.config import load_config
from vnvision.train.predictor import RunPredictor
from vnvision.train.teachers import TeachersConfig, build_teaching

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


def spec(size_px: int = 8, mean=MEAN, std=STD, labels=("a", "b", "c"), **more) -> TaskSpec:
    preprocess = PreprocessSpec(size_px=(size_px, size_px), mean=mean, std=std, **more)
    return TaskSpec(kind="classification", labels=tuple(Label(id=x) for x in labels), preprocess=preprocess)


class Colours(torch.nn.Module):
    """Answers with the mean of each colour, so that what it was shown can be read off."""

    def forward(self, x):
        self.seen = tuple(x.shape)
        return x.mean(dim=(2, 3))


@pytest.fixture
def runs(monkeypatch):
    known = {}

    def load(folder):
        if folder.name not in known:
            raise ModelError(f"{folder} holds no trained model")
        return known[folder.name]

    monkeypatch.setattr(teachers, "load_run", load)
    return known


def test_the_loss_is_the_formula_written_out():
    student, teacher = torch.randn(5, 3), torch.softmax(torch.randn(5, 3), dim=1)
    q = np.exp(student.numpy() / 2) / np.exp(student.numpy() / 2).sum(1, keepdims=True)
    p = teacher.numpy()
    expected = 4 * np.mean((p * (np.log(p) - np.log(q))).sum(1))
    assert soft_label_loss(student, teacher, temperature=2.0).item() == pytest.approx(expected, rel=1e-5)


def test_agreement_costs_nothing_and_the_teacher_learns_nothing():
    logits = torch.randn(4, 3, requires_grad=True)
    teacher = torch.softmax(logits.detach() / 3, dim=1).requires_grad_(True)
    loss = soft_label_loss(logits, teacher, temperature=3.0)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert teacher.grad is None


def test_answers_of_another_shape_are_refused():
    with pytest.raises(DataError, match=r"expected \(4, 3\), got \(4, 2\)"):
        soft_label_loss(torch.zeros(4, 3), torch.zeros(4, 2))


def test_labels_and_teacher_share_the_weight():
    task = build_task(
        spec(), label_smoothing=0.1, teaching=Teaching(lambda x: torch.full((2, 3), 1 / 3), 0.25, 2.0)
    )
    output = torch.randn(2, 3)
    targets = torch.eye(3)[:2]
    batch = Batch(torch.zeros(2, 3, 8, 8), targets, torch.ones(2, 3))
    labels = soft_cross_entropy(output, targets, label_smoothing=0.1)
    taught = soft_label_loss(output, torch.full((2, 3), 1 / 3), temperature=2.0)
    loss = task.step(lambda x: output, batch)["loss"]
    assert loss.item() == pytest.approx(0.75 * labels.item() + 0.25 * taught.item(), rel=1e-6)


def test_logit_adjustment_leaves_what_balanced_classes_would_give():
    """No picture tells anything, nine of ten are of the first class: adjusted, neither class is preferred."""
    targets = torch.eye(2)[[0] * 9 + [1]]
    batch = Batch(torch.zeros(10, 3, 8, 8), targets, torch.ones(10, 2))
    prior = np.log([0.9, 0.1])
    teaching = Teaching(lambda x: torch.tensor([[0.9, 0.1]]).expand(10, 2), 0.5, 1.0)
    for tau, share in ((0.0, 0.9), (1.0, 0.5)):
        task = build_task(spec(labels=("a", "b")), log_prior=tau * prior, teaching=teaching)
        logits = torch.zeros(2, requires_grad=True)
        optimiser = torch.optim.LBFGS([logits], max_iter=50)

        def loss(task=task, logits=logits, optimiser=optimiser):
            optimiser.zero_grad()
            found = task.step(lambda x: logits.expand(10, 2), batch)
            found["loss"].backward()
            assert found["output"].detach().allclose(logits.detach().expand(10, 2))
            return found["loss"]

        optimiser.step(loss)
        assert torch.softmax(logits.detach(), 0)[0].item() == pytest.approx(share, abs=1e-3)


def test_the_mean_answer_of_all_teachers_each_at_its_size_and_with_its_own_normalisation(runs):
    small, large = Colours(), Colours()
    runs["one"] = RunPredictor("one", spec(8), small, None)
    runs["two"] = RunPredictor("two", spec(16, mean=(0.0,) * 3, std=(1.0,) * 3), large, None)
    teaching = build_teaching(TeachersConfig(runs=("x/one", "x/two"), temperature=2.0), spec(12))
    levels = torch.tensor([0.9, 0.5, 0.1]).view(1, 3, 1, 1).expand(2, 3, 12, 12)
    inputs = (levels - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    found = teaching.answers(inputs)
    assert small.seen == (2, 3, 8, 8)
    assert large.seen == (2, 3, 16, 16)
    ours, theirs = inputs.mean(dim=(2, 3)), levels.mean(dim=(2, 3))
    expected = (functional.softmax(ours / 2, dim=1) + functional.softmax(theirs / 2, dim=1)) / 2
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_one_a_batch_is_the_mean_on_average_and_the_same_after_a_resume(runs):
    for number, name in enumerate(("one", "two")):
        runs[name] = RunPredictor(name, spec(8, mean=(number,) * 3), Colours(), None)
    found = {}
    for one in (False, True):
        config = TeachersConfig(runs=("x/one", "x/two"), one_a_batch=one)
        teaching = build_teaching(config, spec(8))
        inputs = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
        answers = []
        for step in range(400):
            torch.manual_seed(step % 200)
            answers.append(teaching.answers(inputs))
        found[one] = torch.stack(answers)
    torch.testing.assert_close(found[True][:200], found[True][200:], atol=0, rtol=0)
    assert len(found[True].unique(dim=0)) == 2
    torch.testing.assert_close(found[True].mean(dim=0), found[False][0], atol=0.02, rtol=0)


@pytest.mark.parametrize("other", [spec(labels=("a", "c", "b")), spec(colour="bgr")])
def test_what_answers_something_else_cannot_teach(runs, other):
    runs["one"] = RunPredictor("one", other, Colours(), None)
    with pytest.raises(ModelError, match=r"x/one cannot teach here: .*rgb pictures: a, b, c"):
        build_teaching(TeachersConfig(runs=("x/one",)), spec())


def test_a_folder_without_a_model_says_so(runs):
    with pytest.raises(ModelError, match="holds no trained model"):
        build_teaching(TeachersConfig(runs=("x/none",)), spec())


def test_only_classifiers_take_teachers():
    boxes = TaskSpec(
        kind="multilabel", score="sigmoid", labels=(Label(id="a"),), preprocess=spec().preprocess
    )
    with pytest.raises(ConfigError, match="takes no teachers"):
        build_task(boxes, teaching=Teaching(lambda x: x, 0.5, 1.0))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"task": "multilabel"}, "distill belongs to task: classification"),
        ({"phases": [{"train": "head"}]}, "distill needs the whole picture"),
        ({"distill": {"runs": []}}, "distill.runs"),
        ({"distill": {"runs": ["a"], "weight": 0}}, "distill.weight"),
    ],
)
def test_wrong_configurations(changes, words):
    with pytest.raises(ConfigError, match=words):
        load_config({"data": "m.csv", "distill": {"runs": ["a"]}} | changes)


def test_logit_adjustment_is_for_exclusive_classes():
    with pytest.raises(ConfigError, match="logit_adjust belongs to task: classification"):
        load_config({"data": "m.csv", "task": "multilabel", "logit_adjust": 0.5})


@pytest.mark.parametrize("balance", ["sampler", "loss"])
def test_logit_adjustment_is_not_added_to_another_balance(balance):
    with pytest.raises(ConfigError, match=f"logit_adjust and balance: {balance} both balance"):
        load_config({"data": "m.csv", "logit_adjust": 0.5, "balance": balance})


def test_a_gate_a_label_is_for_exclusive_classes():
    with pytest.raises(ConfigError, match="scope: labels belongs to task: classification"):
        load_config({"data": "m.csv", "task": "multilabel", "scope": "labels"})


def test_flips_are_averaged_as_deployed():
    class Left(torch.nn.Module):
        def forward(self, x):
            return x[:, :, :, :4].mean(dim=(2, 3))

    image = np.zeros((8, 8, 3), np.uint8)
    image[:, :4] = 200
    plain = RunPredictor("one", spec(mean=(0.0,) * 3, std=(1.0,) * 3), Left(), None)
    both = RunPredictor("two", spec(mean=(0.0,) * 3, std=(1.0,) * 3, flip_average=True), Left(), None)
    np.testing.assert_allclose(plain.logits([image]), [[200 / 255] * 3], rtol=1e-6)
    np.testing.assert_allclose(both.logits([image]), [[100 / 255] * 3], rtol=1e-6)


def test_flip_average_is_for_classifiers():
    with pytest.raises(ConfigError, match="flip_average belongs to classifiers"):
        load_config({"data": "m.csv", "task": "detection", "flip_average": True})
