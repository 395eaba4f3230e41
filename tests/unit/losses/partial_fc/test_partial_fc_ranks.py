"""Two ranks against autograd through the whole softmax, one rank, and runs never interrupted."""

import pytest
import torch
import two_ranks
from full_softmax import autograd
from torch.testing import assert_close

from vnvision.losses.margin import HEADS
from vnvision.losses.partial_fc import split

pytestmark = pytest.mark.slow  # two processes, each loads torch

TIGHT = {"rtol": 1e-9, "atol": 1e-12}
HEAD_OF = {"fused": "arcface", "sampled_adamw": "subcenter_arcface"}
BY_ROW = ("weight", "state.", "centre_grad", "classes")


def joined(ranks, name, part):
    """Rows of both ranks; what is not split over ranks must be equal on both."""
    one, two = ranks[1][name], ranks[2][name]
    if part == "seen":
        return [merged(a, b) for a, b in zip(one[part], two[part], strict=True)]
    return merged(one[part], two[part]) if part else merged(one, two)


def merged(one, two):
    out = {}
    for key in one:
        if key.startswith(BY_ROW):
            out[key] = torch.cat((one[key], two[key]))
        else:
            assert torch.equal(one[key], two[key]), key
            out[key] = one[key]
    return out


@pytest.mark.parametrize("name", ["sgd", "adamw", "fused", "sampled_sgd", "sampled_adamw", "sampled_fused"])
def test_ten_steps_equal_autograd(ranks, name):
    seen, last = joined(ranks, name, "seen"), joined(ranks, name, "last")
    first = joined(ranks, name, "first")
    if name.startswith("sampled"):
        assert all(len(step["classes"]) < 40 for step in seen)
    optimiser = name.removeprefix("sampled_")
    expected, end = autograd(first, [s["classes"] for s in seen], optimiser, HEAD_OF.get(name, "cosface"))
    for got, want in zip(seen, expected, strict=True):
        assert_close(got["loss"], want["loss"], **TIGHT)
        assert_close(got["centre_grad"], want["centre_grad"], **TIGHT)
    for key, value in end.items():
        assert_close(last[key], value, rtol=1e-8, atol=1e-11, msg=lambda text, key=key: f"{key}: {text}")


def test_ten_steps_in_float32(ranks):
    seen, last = joined(ranks, "sgd32", "seen"), joined(ranks, "sgd32", "last")
    every = [torch.arange(13)] * 10
    expected, end = autograd(joined(ranks, "sgd32", "first"), every, "sgd", "cosface", torch.float32)
    for got, want in zip(seen, expected, strict=True):
        assert_close(got["loss"], want["loss"], rtol=2e-6, atol=0.0)
    for key in ("weight", "state.momentum_buffer"):
        scale = float(end[key].abs().max())
        assert_close(last[key], end[key], rtol=0.0, atol=1e-5 * scale)


def test_a_class_not_drawn_rests(ranks):
    first, last = joined(ranks, "sampled_fused", "first"), joined(ranks, "sampled_fused", "last")
    drawn = torch.cat([step["classes"] for step in joined(ranks, "sampled_fused", "seen")]).unique()
    rest = torch.ones(40, dtype=torch.bool)
    rest[drawn] = False
    assert 0 < rest.sum() < 40
    assert torch.equal(first["weight"][rest], last["weight"][rest])
    assert (last["state.exp_avg"][rest] == 0).all()


@pytest.mark.parametrize("head", HEADS)
def test_every_head_is_the_same_on_two_ranks(ranks, head):
    alone, name = two_ranks.one_step(head), f"head_{head}"
    for got, want in zip(joined(ranks, name, "seen"), alone["seen"], strict=True):
        for key, value in want.items():
            assert_close(got[key], value, **TIGHT, msg=lambda text, key=key: f"{key}: {text}")
    for key, value in alone["last"].items():
        assert_close(joined(ranks, name, "last")[key], value, **TIGHT)


@pytest.mark.parametrize(
    "name", ["sampled_sgd", "sampled_adamw", "filtered", "accumulated", "changed_sampled"]
)
def test_the_number_of_ranks_changes_nothing(ranks, name):
    alone = two_ranks.scenarios(ranks[0])[name]()
    got = joined(ranks, name, "last")
    for key, value in alone["last"].items():
        assert_close(got[key], value, rtol=1e-8, atol=1e-11, msg=lambda text, key=key: f"{key}: {text}")


@pytest.mark.parametrize("name", two_ranks.RESUMES)
def test_resume_on_another_number_of_ranks(ranks, name):
    options = two_ranks.RESUMES[name]
    uninterrupted = two_ranks.saved_half_way(ranks[0], f"again_{name}", **options)
    runs = {
        "two ranks": joined(ranks, f"two_{name}", None),
        "two then one": two_ranks.resumed(ranks[0], f"two_{name}", **options),
        "one then two": joined(ranks, f"one_to_two_{name}", None),
    }
    assert any(key.startswith("state.") for key in uninterrupted)
    for run, got in runs.items():
        assert got.keys() == uninterrupted.keys()
        for key, value in uninterrupted.items():
            assert_close(got[key], value, rtol=1e-8, atol=1e-11, msg=lambda t, r=run, k=key: f"{r}, {k}: {t}")


@pytest.mark.parametrize("name", ["changed", "changed_sampled"])
def test_identities_leave_and_join(ranks, name):
    k = 3 if name == "changed_sampled" else 1
    before, removed, added = (joined(ranks, name, part) for part in ("before", "removed", "added"))
    mapping, kept = ranks[1][name]["mapping"], [1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    assert mapping.tolist() == [-1, 0, 1, 2, 3, -1, 4, 5, 6, 7, 8, 9, -1]
    assert ranks[1][name]["new"].tolist() == [10, 11, 12, 13, 14]
    for key in before:
        if key == "weight" or key.startswith("state."):
            old, now, later = (v[key].view(-1, k, two_ranks.DIM) for v in (before, removed, added))
            assert torch.equal(now, old[kept])
            assert torch.equal(later[:10], now)
            assert key == "weight" or not later[10:].any()
    new = added["weight"].view(-1, k, two_ranks.DIM)[10:]
    assert 0.005 < float(new[:3].std()) < 0.02
    directions = torch.arange(2.0 * two_ranks.DIM, dtype=torch.float64).view(2, 1, -1) - 7.0
    assert (torch.cosine_similarity(new[3:], directions, dim=2) > (0.999 if k == 1 else 0.9)).all()
    assert [len(ranks[i][name]["last"]["weight"]) // k for i in (1, 2)] == [len(s) for s in split(15, 2)]


def test_clipping_sees_the_centres_of_all_ranks(ranks):
    alone = two_ranks.clipped()
    got = joined(ranks, "clipped", None)
    assert_close(got["norm"], alone["norm"], **TIGHT)
    assert_close(got["net"], alone["net"], **TIGHT)
    training = two_ranks.Training(13)
    training.backward(0)
    parameters = [*training.net.parameters(), *training.layer.parameters()]
    assert_close(alone["norm"], torch.nn.utils.clip_grad_norm_(parameters, 0.01), **TIGHT)
    assert_close(alone["weight"], training.layer.sampled.grad, **TIGHT)
    assert_close(
        torch.cat((ranks[1]["clipped"]["weight"], ranks[2]["clipped"]["weight"])), alone["weight"], **TIGHT
    )


def test_an_overflow_on_one_rank_reaches_all(ranks):
    for rank in (1, 2):
        assert ranks[rank]["overflowed"] == {"calm": True, "after": False}


def test_bad_input_on_one_rank_is_the_same_error_on_all(ranks):
    said = ranks[1]["errors"]
    assert said == ranks[2]["errors"]
    assert said["high"] == "DataError: class on rank 1 out of range: expected 0 to 12, got 1 to 13"
    assert said["unknown"] == "DataError: class on rank 1 out of range: expected 0 to 12, got -1 to 2"
    start = (
        "DataError: embeddings and classes on rank 1 do not fit Partial FC: expected floating point (n, 16)"
    )
    for name in ("dim", "rows", "empty", "whole", "float"):
        assert said[name].startswith(start), name
    assert said["batch"] == "DataError: batch size of the ranks: expected the same on all, got [3, 2]"
    assert said["step"] == "DataError: step of the ranks: expected the same on all, got [2, 1]"
    for name in ("remove", "add"):
        assert said[name].endswith("expected the same on every rank, got different ones")
    assert said["afterwards"] > 0  # nobody hangs, and the next batch goes through


def test_a_bad_batch_read_late_is_the_same_error_on_all_and_nobody_hangs(ranks):
    one, two = ranks[1]["late_errors"], ranks[2]["late_errors"]
    said = one["said"]
    assert said == two["said"]
    for key, value in one["net"].items():  # the steps in between were taken together
        assert torch.equal(value, two["net"][key]), key
    names = ("high", "unknown", "dim", "rows", "float", "empty", "batch", "step")
    for step, name in enumerate(names, 1):
        taken, text, after = said[name]
        assert taken > 0
        assert after > 0
        if name in ("dim", "rows", "float", "empty"):
            assert text.startswith(
                f"DataError: embeddings and classes on rank 1 at step {step} do not fit Partial FC: expected"
            )
    assert (
        said["high"][1] == "DataError: class on rank 1 at step 1 out of range: expected 0 to 12, got 1 to 13"
    )
    assert said["unknown"][1].endswith("expected 0 to 12, got -1 to 2")
    assert said["batch"][1] == "DataError: batch size of the ranks: expected the same on all, got [3, 2]"
    assert said["step"][1] == "DataError: step of the ranks: expected the same on all, got [20, 21]"
    assert min(said["all smaller"]) > 0
    assert said["all others"][0] == "DataError: batch size of the ranks: expected the same on all, got [4, 1]"
    assert said["all others"][1] > 0
    assert said["save"][0] > 0
    assert "class on rank 1 at step 7 out of range" in said["save"][1]


def test_autocast_multiplies_in_bfloat16_and_sums_in_float32(ranks):
    for rank in (1, 2):
        seen = ranks[rank]["low_precision"]
        assert seen["dtypes"] == ["torch.bfloat16", "torch.float32", "torch.float32"]
        assert_close(seen["rough"], seen["exact"], rtol=0.02, atol=0.0)
        assert seen["grad"].isfinite().all()
    assert torch.equal(ranks[1]["low_precision"]["rough"], ranks[2]["low_precision"]["rough"])
