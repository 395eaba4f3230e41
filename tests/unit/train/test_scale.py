"""The calculator against torch's own counts, formulas written out, and a measured run."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from vnvision.cli import main as cli
from vnvision.errors import ConfigError
from vnvision.losses.partial_fc import predicted_bytes
from vnvision.models import StagedNet, build_embedder, describe_embedder
from vnvision.train.config import load_config
from vnvision.train.embedding_config import LoraConfig
from vnvision.train.scale import FITS, Machine, Work, activation_bytes, fits, memory
from vnvision.train.scale_net import StageCost, network_cost
from vnvision.train.scale_plan import MACHINES, plan
from vnvision.train.scale_remedies import remedies
from vnvision.train.scale_time import seconds, step_flops, steps_per_epoch

TINY, GIB = "timm:test_efficientnet", 1 << 30
SCRIPT = Path(__file__).parents[3] / "training" / "benchmarks" / "scale_check.py"
CARD = Machine("card", 1, 24 * GIB, 80e12, 160e12, 1e12)


def work(backbone=TINY, mixed=False, **more):
    values = {"embedding_size": 64, "n_classes": 1000, "n_pictures": 50_000, "batch_size": 64} | more
    return Work(stages=network_cost(backbone, values["embedding_size"], mixed=mixed), mixed=mixed, **values)


@pytest.mark.parametrize("backbone", [TINY, "mobilefacenet", "iresnet18"])
def test_sizes_are_those_of_the_network(backbone):
    stages, whole = network_cost(backbone, 64), describe_embedder(backbone, 64)
    assert sum(stage.learning for stage in stages) == whole.parameters
    assert sum(stage.macs for stage in stages) == whole.macs


@pytest.mark.parametrize("mixed", [False, True])
def test_kept_bytes_are_what_autograd_keeps(mixed):
    """Counted on real tensors of a real pass with another batch."""
    count, net, kept = 6, StagedNet(build_embedder(TINY, 64)).train(), {}
    own = {part.untyped_storage().data_ptr() for part in (*net.parameters(), *net.buffers())}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = (storage.nbytes(), storage)
        return tensor

    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=mixed),
    ):
        net(torch.zeros(count, 3, 112, 112))
    stages = network_cost(TINY, 64, mixed=mixed)
    said = sum(stage.kept * count + stage.kept_once for stage in stages)
    assert said == pytest.approx(sum(size for size, _ in kept.values()), rel=0.01)


def test_frozen_stages_keep_and_learn_nothing():
    stages = network_cost("iresnet18", 64, train="layer4")
    assert [stage.frozen for stage in stages] == [True] * 4 + [False] * 2
    assert all(stage.kept == stage.learning == 0 for stage in stages[:4])
    assert all(stage.kept > 0 < stage.learning for stage in stages[4:])


def test_lora_learns_rank_times_both_sides():
    net = build_embedder("iresnet18", 64)
    stages = network_cost("iresnet18", 64, lora=LoraConfig(rank=3, targets=("fc",)))
    assert sum(stage.learning for stage in stages) == 3 * (net.fc.in_features + net.fc.out_features)


def test_memory_by_part():
    one = work(ema=True, resident=True, teacher=7)
    weights = 4 * sum(stage.parameters for stage in one.stages)
    learning = 4 * describe_embedder(TINY, 64).parameters
    taken = memory(one, runtime=5)
    assert (taken.parameters, taken.average, taken.gradients) == (weights, weights, learning)
    assert (taken.optimiser, taken.teacher, taken.runtime) == (2 * learning, 28, 5)
    assert taken.centres == predicted_bytes(1000, 64, 1, 1.0, 64, "adamw")
    assert taken.resident == 50_000 * 112 * 112 * 3
    assert taken.batch == 64 * 112 * 112 * 3 * (4 + 1)
    assert taken.total == sum(dataclasses.astuple(taken))
    assert memory(work(optimiser="sgd")).optimiser == learning
    spread = memory(one, 4)
    assert spread.gradients == 2 * learning
    assert spread.activations < 0.3 * taken.activations


def stage(kept, once=0.0, learning=0, largest=0.0, entering=0.0, frozen=False):
    return StageCost("s", learning, learning, kept, once, entering, largest, 1.0, frozen)


def test_height_of_the_backward_pass_by_hand():
    first = stage(100, once=8, learning=5, largest=10, entering=1)
    last = stage(30, learning=50, largest=2, entering=20)
    # At the last stage: all kept, its weights' gradients. At the first: its own, everybody's gradients.
    at_last = (100 + 30) * 4 + 8 + 50 * 4 + 4 * 2 * 4
    at_first = 100 * 4 + 8 + (50 + 5) * 4 + 4 * 10 * 4
    assert activation_bytes([first, last], 4, checkpointing=False) == max(at_last, at_first)
    # Checkpointed: what enters, and one stage at a time.
    at_last = (1 + 20 + 30) * 4 + 50 * 4 + 4 * 2 * 4
    at_first = (1 + 100) * 4 + 8 + 55 * 4 + 4 * 10 * 4
    assert activation_bytes([first, last], 4, checkpointing=True) == max(at_last, at_first)
    frozen = stage(0, largest=1000, frozen=True)
    assert activation_bytes([frozen, last], 4, checkpointing=False) == 5 * 1000 * 4 + 50 * 4


def test_class_centres_shrink_with_devices_and_sampling():
    full = work(n_classes=1_000_000, embedding_size=512, optimiser="sgd")
    weights = 1_000_000 * 512 * 4
    assert memory(full).centres > 3 * weights  # centres, momentum, gradient
    assert memory(full, 8).centres < memory(full).centres / 7
    assert memory(dataclasses.replace(full, sample_rate=0.1)).centres < 2.6 * weights
    assert memory(dataclasses.replace(full, n_classes=0)).centres == 0


def test_seconds_by_part():
    here = Machine("here", 4, GIB, 1e12, 2e12, 1e11, link=1e9, reached=0.5)
    one = work(batch_size=32, accumulate=2)
    took = seconds(one, here, faces_per_s=100)
    assert took.network == pytest.approx(2 * 8 / 100)
    learning = describe_embedder(TINY, 64).parameters
    assert took.communication == pytest.approx(2 * 3 / 4 * 4 * (learning + 2 * 32 * 64) / 1e9)
    assert seconds(one, dataclasses.replace(here, devices=1)).communication == 0
    flops = 2 * 3 * describe_embedder(TINY, 64).macs
    assert step_flops(one) == flops
    assert step_flops(dataclasses.replace(one, checkpointing=True)) == flops * 4 / 3
    assert seconds(one, here).network == pytest.approx(2 * 8 * flops / 0.5e12)
    assert took.total == pytest.approx(sum(dataclasses.astuple(took)))
    many = dataclasses.replace(one, n_classes=1_000_000)
    assert seconds(many, here).centres > 100 * took.centres


def test_steps_of_an_epoch():
    assert steps_per_epoch(work(n_pictures=1000, batch_size=64, accumulate=2)) == 7
    assert steps_per_epoch(work(n_pictures=10, batch_size=64)) == 1


def changed(one, words):
    """What a remedy says, done."""
    for word in words:
        for pair in word.split():
            key, _, value = pair.rpartition("=")
            read = value if value == "sgd" else json.loads(value)
            one = dataclasses.replace(one, **{key.removeprefix("embedding."): read})
    return one


@pytest.mark.parametrize(
    "more",
    [
        {"batch_size": 2048},
        {"batch_size": 512, "n_classes": 2_000_000},
        {"batch_size": 256, "n_pictures": 600_000, "resident": True},
    ],
    ids=["batch", "people", "pictures"],
)
def test_what_is_said_to_help_helps(more):
    one = work("iresnet18", mixed=True, embedding_size=512, **more)
    assert not fits(one, CARD)
    words = remedies(one, CARD)
    assert words
    assert fits(changed(one, words), CARD)
    assert remedies(changed(one, words), CARD) == []


def test_more_devices_are_the_last_word():
    one = work("iresnet18", mixed=True, embedding_size=512, n_classes=20_000_000, batch_size=256)
    *words, last = remedies(one, CARD)
    count = int(last.split()[0])
    assert last == f"{count} such devices"
    assert fits(changed(one, words), dataclasses.replace(CARD, devices=count))
    assert not fits(changed(one, words), dataclasses.replace(CARD, devices=count // 2))
    small = dataclasses.replace(CARD, memory=GIB // 100)
    assert remedies(work(), small)[-1] == "a device with more memory"


@pytest.fixture
def config():
    return {
        "task": "embedding", "data": "missing.csv", "backbone": TINY, "weights": "none", "size_px": 112,
        "batch_size": 256, "optimiser": "sgd", "embedding": {"head": "subcenter_arcface", "size": 512},
    }  # fmt: skip


def test_a_plan_has_a_line_a_machine(config):
    text = plan(load_config(config), [10_000, 10_000_000])
    lines = text.splitlines()
    assert sum(line.startswith(machine.name) for machine in MACHINES for line in lines) == 2 * len(MACHINES)
    assert any("10,000,000 people" in line for line in lines)
    laptop = [line for line in lines if line.startswith("laptop")]
    assert laptop[0].endswith("fits")
    assert "does not fit; embedding.sample_rate=0.1" in laptop[1]
    assert f"up to {100 * FITS:.0f} %" in text


def test_a_plan_counts_the_manifest(config, tmp_path):
    rows = [f"p{i}_{k}.png,p{i},{'train' if i < 7 else 'val'}" for i in range(9) for k in range(3)]
    (tmp_path / "m.csv").write_text("\n".join(["path,identity,split", *rows]) + "\n")
    text = plan(load_config(config | {"data": str(tmp_path / "m.csv")}))
    assert "7 people, 21 pictures" in text


def test_the_command_prints_the_plan(config, tmp_path, monkeypatch, capsys):
    (tmp_path / "face.yaml").write_text(yaml.safe_dump(config))
    words = ["vnvision", "train", str(tmp_path / "face.yaml"), "batch_size=64", "--plan", "--people", "5000"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out = capsys.readouterr().out
    assert not ended.value.code
    assert "batch 64 x 1" in out
    assert "5,000 people, 100,000 pictures" in out


def test_what_has_no_plan_is_said():
    with pytest.raises(ConfigError, match="no plan for this task: expected task: embedding"):
        plan(load_config({"data": "m.csv"}), [100])
    with pytest.raises(ConfigError, match="batch_size does not divide over the devices"):
        memory(work(batch_size=10), 4)
    with pytest.raises(ConfigError, match="optimiser: expected sgd or adamw, got 'lamb'"):
        memory(work(optimiser="lamb"))


@pytest.mark.slow
def test_a_measured_run_takes_what_was_said():
    words = [sys.executable, str(SCRIPT), "--case", "average"]
    out = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout
    ratio = json.loads(out)["cases"]["average"]["measured_over_predicted"]
    assert 0.75 <= ratio <= 1.25
