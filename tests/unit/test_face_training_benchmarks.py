"""What the face training benchmarks measure with, against sums written out and scikit-learn."""

import csv
import importlib.util
import math
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from vnvision.data.manifest import read_manifest
from vnvision.losses.margin import ClassCentres, build_head, margin_loss

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "training" / "benchmarks"


def load(path, monkeypatch):
    monkeypatch.syspath_prepend(str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def speed(monkeypatch):
    return load(FOLDER / "face_step_speed.py", monkeypatch)


@pytest.fixture
def plain(monkeypatch):
    return load(FOLDER / "plain_arcface.py", monkeypatch)


@pytest.fixture
def sanity(monkeypatch):
    return load(FOLDER / "face_sanity.py", monkeypatch)


def test_the_plain_margin_is_the_formula(plain):
    cosines = torch.tensor([[0.6, 0.1, -0.2], [0.3, -0.95, 0.2]])
    logits = plain.with_own_margin(cosines, torch.tensor([0, 1]))
    assert logits[0, 0].item() == pytest.approx(64 * math.cos(math.acos(0.6) + 0.5), abs=1e-4)
    assert logits[1, 1].item() == pytest.approx(64 * (-0.95 - 0.5 * math.sin(0.5)), abs=1e-4)
    assert logits[0, 1:].tolist() == pytest.approx([6.4, -12.8])


def test_both_sides_minimise_the_same_loss(plain):
    torch.manual_seed(0)
    centres, target = ClassCentres(7, 5), torch.arange(4)
    embeddings = torch.randn(4, 5)
    cosines = torch.nn.functional.normalize(embeddings) @ torch.nn.functional.normalize(centres.weight).T
    theirs = torch.nn.functional.cross_entropy(plain.with_own_margin(cosines, target), target)
    ours = margin_loss(build_head("arcface", margin_rad=0.5, scale=64), centres(embeddings, target))
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-4)


def test_the_plain_loop_learns_on_the_pictures_of_the_benchmark(speed, plain, tmp_path):
    names = speed.draw_pictures(tmp_path, 4)
    files = [tmp_path / name for name in names] * 2
    job = plain.Job("mobilefacenet", 4, 2, 16, 0.01, 0, torch.get_num_threads(), "cpu")
    loop = plain.build(job, files, [0, 0, 1, 1] * 2, total=100)
    before = loop.centres.detach().clone()
    losses = [loop.step() for _ in range(3)]  # the third begins a second epoch
    assert all(math.isfinite(loss) for loss in losses)
    assert not torch.equal(before, loop.centres)
    assert loop.optimiser.param_groups[0]["lr"] == pytest.approx(0.01 * 0.97**2)
    assert all(
        type(part) is torch.nn.PReLU for part in loop.net.modules() if isinstance(part, torch.nn.PReLU)
    )


def test_every_class_has_a_picture_and_nobody_is_in_two_splits(speed, tmp_path):
    manifest = read_manifest(speed.write_people(tmp_path, ["a.jpg", "b.jpg", "c.jpg", "d.jpg"], 9, rows=5))
    assert len({row.extra["identity"] for row in manifest.split("train").rows}) == 9
    assert len(manifest.split("train")) == 9
    splits = [{row.extra["identity"] for row in manifest.split(name).rows} for name in ("train", "val")]
    assert not splits[0] & splits[1]


def test_the_ratio_is_taken_within_rounds(speed):
    def blocks(*seconds):
        return [{"seconds": s, "cpu_seconds": s / 2, "loader_wait": 0.0} for s in seconds]

    job = speed.Job("mobilefacenet", 8, 10, 16, 0.01, 0, 1, "cpu")
    found = speed.summary({"plain": blocks(2.0, 30.0, 4.0), "ours": blocks(1.0, 10.0, 1.0)}, job)
    assert found["ratio"]["median"] == 3.0
    assert (found["ratio"]["low"], found["ratio"]["high"]) == (2.0, 4.0)
    assert found["ours"]["faces_per_s"]["median"] == 8.0


def test_auroc_counts_people_as_often_as_they_are_drawn(sanity):
    rng = np.random.default_rng(0)
    people = np.repeat(list("abcd"), 4)
    first, second = np.triu_indices(16, 1)
    scores = np.round(rng.normal((people[first] == people[second]) * 0.5, 1.0), 1)  # with ties
    pairs = sanity.Comparisons.from_pairs(scores, people[first], people[second])
    weights = np.array([2.0, 0.0, 1.0, 3.0])
    own = weights[pairs.genuine_subjects]
    others = weights[pairs.impostor_subjects].prod(axis=1)
    truth = [1] * len(own) + [0] * len(others)
    values = np.concatenate([pairs.genuine, pairs.impostor])
    expected = roc_auc_score(truth, values, sample_weight=np.concatenate([own, others]))
    assert sanity.auroc(pairs, weights) == pytest.approx(expected)


def test_pictures_of_two_sets_are_not_compared(sanity, tmp_path):
    path = tmp_path / "manifest.csv"
    with path.open("w", newline="") as stream:
        rows = [
            ("path", "identity", "set"),
            ("1", "a", "x"),
            ("2", "a", "x"),
            ("3", "b", "y"),
            ("4", "c", "x"),
        ]
        csv.writer(stream).writerows(rows)
    units = np.eye(4, dtype=np.float32)
    pairs = sanity.pairs_within(units, read_manifest(path), "identity")
    assert (len(pairs.genuine), len(pairs.impostor)) == (1, 2)


def test_people_who_look_alike_share_a_split(monkeypatch, tmp_path):
    prepare = load(ROOT / "datasets" / "faces_shared" / "prepare.py", monkeypatch)
    rng = np.random.default_rng(0)
    path = tmp_path / "manifest.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("path", "identity", "set", "group"))
        for i, who in enumerate("aabbccdd"):
            picture = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / f"{i}.png"), picture)
            writer.writerow((f"{i}.png", who, "x" if who in "ab" else "y", "g"))
    manifest = read_manifest(path)
    assert prepare.shown_often(manifest.where([0, 1, 2]), 2).tolist() == [True, True, False]
    with pytest.raises(prepare.DataError, match="has enough pictures"):
        prepare.shown_often(manifest, 3)
    once = manifest.where([0, 1, 2, 4, 5, 6, 7])  # b is shown once
    rows = prepare.dealt(once, 2, 0, list(range(len(once))))
    splits = {row.extra["identity"]: row.split for row in rows}
    assert splits.pop("b") == "train"
    assert sorted(splits.values()) == ["test", "train", "val"]
    by_split = {split: who for who, split in splits.items()}
    apart = prepare.apart(rows, [(by_split["test"], "b"), (by_split["train"], "b")])
    assert {row.extra["identity"] for row in apart} == set(splits)  # b looks like one of a later split
    nameless = replace(manifest.rows[0], extra=dict(manifest.rows[0].extra) | {"identity": ""})
    named = prepare.with_names(replace(manifest, rows=(nameless, manifest.rows[1])))
    assert [row.extra["identity"] for row in named.rows] == ["x:0.png", "a"]
    with pytest.raises(prepare.DataError, match="has no such set"):
        prepare.pictures_of(path, ["x", "z"])
    written = read_manifest(prepare.write_rows(manifest.rows, tmp_path / "split.csv"))
    assert [row.extra["group"] for row in written.rows] == ["g"] * 8
    assert written.group_keys() == list("aabbccdd")
