"""Partial FC in one process: formulas, sampling, options, the optimiser's share."""

import math

import pytest
import torch
import two_ranks
from full_softmax import autograd
from torch.testing import assert_close

from vnvision.errors import ConfigError, DataError, ModelError
from vnvision.losses.margin import Comparison, build_head, class_cosines, unit_rows
from vnvision.losses.partial_fc import PartialFC, predicted_bytes, split
from vnvision.losses.partial_fc.collectives import Ranks
from vnvision.losses.partial_fc.cosines import CentreCosines
from vnvision.losses.partial_fc.loss import sharded_loss
from vnvision.losses.partial_fc.sampling import drawn, first_rows, sample
from vnvision.losses.partial_fc.sharding import Shard

E = torch.randn(4, 8, generator=torch.Generator().manual_seed(1))
TARGET = torch.tensor([0, 3, 3, 19])


def layer(n_classes=20, head="cosface", optimiser="sgd", **options):
    made = PartialFC(build_head(head), n_classes, 8, **options)
    kinds = {"sgd": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9), "adamw": torch.optim.AdamW}
    if optimiser:
        opt = kinds[optimiser](made.parameters())
        made.attach(opt)
        return made, opt
    return made


@pytest.mark.parametrize("rate", [1.0, 0.2])
@pytest.mark.parametrize("optimiser", ["sgd", "adamw", "fused"])
def test_ten_steps_equal_autograd(optimiser, rate):
    ran = two_ranks.trained(n_classes=30, optimiser=optimiser, sample_rate=rate)
    expected, end = autograd(ran["first"], [seen["classes"] for seen in ran["seen"]], optimiser, "cosface")
    for got, want in zip(ran["seen"], expected, strict=True):
        assert_close(got["loss"], want["loss"], rtol=1e-9, atol=0.0)
        assert_close(got["centre_grad"], want["centre_grad"], rtol=1e-8, atol=1e-11)
    for key, value in end.items():
        assert_close(
            ran["last"][key], value, rtol=1e-8, atol=1e-11, msg=lambda text, key=key: f"{key}: {text}"
        )


def test_memory_by_hand():
    # 1 M x 512 x 4 bytes on two ranks: 1,024,000,000 a copy, as much momentum; the rows lent, their gradient
    # and their momentum; three tensors of (batch, classes compared)
    compared = int(0.1 * (500_000 - 128)) + 128
    lent = compared * 512 * 4
    assert (
        predicted_bytes(1_000_000, 512, 2, 0.1, 128, "sgd")
        == 2 * 1_024_000_000 + 3 * lent + 3 * 128 * compared * 4
    )
    assert predicted_bytes(1_000, 4, 1, 1.0, 1000, "adamw") == 4 * 16_000 + 3 * 1000 * 1000 * 4
    with pytest.raises(ConfigError, match="optimiser: expected sgd or adamw, got 'lamb'"):
        predicted_bytes(10, 4, 1, 1.0, 8, "lamb")


def test_split_is_even_and_whole():
    assert split(10, 3) == [Shard(0, 4), Shard(4, 7), Shard(7, 10)]
    assert [len(shard) for shard in split(8, 8)] == [1] * 8
    with pytest.raises(
        ConfigError, match="expected at least 3 classes for 3 ranks, got 2; use fewer processes"
    ):
        split(2, 3)


def test_draws_are_splitmix64_whoever_holds_the_class():
    def number(state):
        state &= 2**64 - 1
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & (2**64 - 1)
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB & (2**64 - 1)
        return state ^ (state >> 31)

    key = 2**63 - 12345
    want = [number(key + (c + 1) * 0x9E3779B97F4A7C15) / 2**64 < 0.3 for c in range(500)]
    assert drawn(Shard(0, 500), 0.3, key).tolist() == want
    assert drawn(Shard(123, 200), 0.3, key).tolist() == want[123:200]


def test_sample_holds_the_batch_and_its_share_of_the_others():
    targets = torch.tensor([5, 99_999, 100_001])
    index = sample(Shard(0, 100_000), targets, 0.1, 7)
    assert {5, 99_999} <= set(index.tolist())
    assert torch.equal(index, index.unique())
    assert abs(len(index) - 10_000) < 5 * math.sqrt(100_000 * 0.1 * 0.9)
    assert not torch.equal(index[:1000], sample(Shard(0, 100_000), targets, 0.1, 8)[:1000])
    assert sample(Shard(0, 3), torch.tensor([7]), 1e-9, 7).tolist() == [0]  # a rank always compares something


def test_first_centres_do_not_depend_on_the_shard():
    whole = first_rows(Shard(0, 3000), 4, 5)
    assert torch.equal(torch.cat([first_rows(shard, 4, 5) for shard in split(3000, 7)]), whole)
    assert whole.std().item() == pytest.approx(0.01, rel=0.05)
    assert not torch.equal(whole, first_rows(Shard(0, 3000), 4, 6))


def test_cosines_and_their_gradients_are_those_of_torch():
    unit, _ = unit_rows(E.double())
    unit.requires_grad_()
    weight = torch.randn(5, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    weight[1], weight[2] = 0.0, 1e-9
    weight.requires_grad_()
    seed = torch.randn(4, 5, dtype=torch.float64)
    got = torch.autograd.grad((CentreCosines.apply(unit, weight) * seed).sum(), (unit, weight))
    want = torch.autograd.grad((class_cosines(unit, weight) * seed).sum(), (unit, weight))
    assert_close(got, want)


@pytest.mark.parametrize("head", ["cosface", "sphereface2"])
def test_filtered_negatives_are_left_out_of_the_sum(head):
    cosines = torch.tensor([[0.9, 0.8, 0.1], [0.2, 0.5, 0.45]], dtype=torch.float64)
    column = torch.tensor([0, 1])
    made = build_head(head)
    comparison = Comparison(cosines, column, cosines[[0, 1], column], torch.ones(2, dtype=torch.float64), 3)
    kept = [[0, 2], [1, 0]]  # 0.8 and 0.45 are above 0.4 and dropped; the own 0.9 and 0.5 never
    if head == "cosface":
        z = made.logits(comparison)
        rows = [math.log(sum(math.exp(z[i, j]) for j in kept[i])) - float(z[i, column[i]]) for i in (0, 1)]
    else:
        terms = made.terms(comparison)
        rows = [float(terms[i, kept[i]].sum().detach()) for i in (0, 1)]
    got = sharded_loss(made, comparison, Ranks(0, 1), 0.4)
    assert float(got.detach()) == pytest.approx(sum(rows) / 2, rel=1e-12)


def test_a_second_draw_of_a_step_is_the_first():
    made, _ = layer(400, sample_rate=0.2, seed=3)
    drawn_at = []
    for step in (0, 1, 0):
        made(E, TARGET, step)
        drawn_at.append(made.sampled_classes)
    assert torch.equal(drawn_at[0], drawn_at[2])
    assert not torch.equal(drawn_at[0], drawn_at[1])


def test_evaluation_compares_all_classes_and_lends_nothing():
    made, _ = layer(sample_rate=0.2)
    whole = layer(optimiser=None).eval()
    made.eval()
    with torch.no_grad():
        assert_close(made(E, TARGET), whole(E, TARGET))
    assert made.sampled_classes is None
    assert made.sampled.shape == (0, 8)


def test_between_steps_the_optimiser_holds_nothing_of_the_centres():
    made, optimiser = layer(sample_rate=0.2, optimiser="adamw")
    made(E, TARGET, 0).backward()
    assert made.sampled.grad.shape == (len(made.sampled_classes), 8)
    optimiser.step()
    assert made.sampled not in optimiser.state
    assert made.sampled.grad is None
    assert made.rows.scalars["step"] == 1
    assert {name: tuple(rows.shape) for name, rows in made.rows.state().items()} == {
        "exp_avg": (20, 8),
        "exp_avg_sq": (20, 8),
    }


def test_a_skipped_step_changes_nothing():
    made, _ = layer(sample_rate=0.2)
    before = made.weight.clone()
    made(E, TARGET, 0).backward()  # a loss scaler that saw an overflow does not call step
    made(E, TARGET, 1).backward()
    assert torch.equal(before, made.weight)


def test_a_backward_pass_that_comes_too_late_is_refused():
    made, _ = layer(sample_rate=0.2)
    late = made(E.clone().requires_grad_(), TARGET, 0)
    made(E, TARGET, 1)
    with pytest.raises(
        ConfigError, match=r"backward pass of Partial FC: expected before .*got that of step 0 too late"
    ):
        late.backward()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"n_classes": 0}, "n_classes of Partial FC: expected a whole number of 1 or more, got 0"),
        ({"sub_centres": 1.5}, "sub_centres of Partial FC: expected a whole number of 1 or more, got 1.5"),
        ({"sample_rate": 0.0}, "sample_rate of Partial FC: expected more than 0, at most 1, got 0.0"),
        ({"filter_cosine": 1.0}, "filter_cosine of Partial FC: expected None, or between 0 and 1, got 1.0"),
    ],
)
def test_options_out_of_range(options, line):
    with pytest.raises(ConfigError) as caught:
        layer(**options)
    assert str(caught.value) == line


def test_sampling_needs_a_step_and_an_optimiser():
    made, _ = layer(sample_rate=0.5)
    with pytest.raises(ConfigError, match=r"sample_rate below 1: expected .* got no step"):
        made(E, TARGET)
    with pytest.raises(ConfigError, match="got no optimiser attached"):
        layer(sample_rate=0.5, optimiser=None)(E, TARGET, 0)


def test_what_cannot_be_attached():
    made, optimiser = layer()
    with pytest.raises(
        ConfigError, match=r"does not hold Partial FC's parameter; build it with layer.parameters"
    ):
        made.attach(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.1))
    made(E, TARGET).backward()
    with pytest.raises(ConfigError, match="expected a step without a closure, got a closure"):
        optimiser.step(lambda: 0.0)
    optimiser.step()
    other = torch.optim.AdamW(made.parameters())
    with pytest.raises(ModelError, match=r"expected that of AdamW, got SGD; call layer.reset_state"):
        made.attach(other)
    made.reset_state()
    made.attach(other)
    made(E, TARGET).backward()
    other.step()
    assert sorted(made.rows.state()) == ["exp_avg", "exp_avg_sq"]


def test_an_optimiser_whose_state_has_no_rows_is_refused():
    made = layer(optimiser=None)
    optimiser = torch.optim.Adafactor(made.parameters())
    made.attach(optimiser)
    made(E, TARGET).backward()
    with pytest.raises(ConfigError, match="Adafactor keeps row_var, which is not row by row"):
        optimiser.step()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda m: m.remove_identities([3, 20]), "identities to remove: expected 0 to 19, got 20"),
        (
            lambda m: m.remove_identities(range(20)),
            "identities left after removal: expected at least 1, got 0",
        ),
        (lambda m: m.add_identities(0), "identities to add: expected 1 or more, got 0"),
        (
            lambda m: m.add_identities(2, torch.zeros(2, 3)),
            "centres of the identities to add: expected (2, 8), got (2, 3)",
        ),
    ],
)
def test_identities_that_cannot_be_changed(change, line):
    with pytest.raises(DataError) as caught:
        change(layer(optimiser=None))
    assert str(caught.value) == line
