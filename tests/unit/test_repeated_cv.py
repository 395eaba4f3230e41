"""Repeated cross-validation: its figures against formulas written out, and the script on drawn blades."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from vnvision import api, atomic
from vnvision.data.manifest import read_manifest
from vnvision.data.splits import group_folds
from vnvision.errors import ConfigError, ModelError
from vnvision.evaluate.repeated import paired_change, repeated_figures
from vnvision.train.config import load_config, parse_overrides
from vnvision.train.folds import fold_state, train_apart
from vnvision.train.predictor import load_run

ROOT = Path(__file__).parents[2]


def module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    found = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = found
    spec.loader.exec_module(found)
    return found


@pytest.fixture(scope="module")
def script():
    return module(ROOT / "training" / "repeated_cv.py")


def one_hot(answers, classes=3):
    return np.eye(classes, dtype=np.float32)[np.array(answers)]


def test_figures_are_means_over_repeats_of_single_models():
    targets = np.array([0, 0, 0, 1, 1, 2])
    answers = one_hot([[0, 0, 1, 1, 1, 2], [0, 1, 1, 1, 0, 2]])
    found = repeated_figures(answers, targets, list("aabbcd"))
    assert found["accuracy"][0] == pytest.approx((5 / 6 + 3 / 6) / 2)
    assert [one[0] for one in found["recall"]] == pytest.approx([3 / 6, 3 / 4, 1])
    assert found["balanced_accuracy"][0] == pytest.approx(np.mean([3 / 6, 3 / 4, 1]))
    assert found["confusion"] == [[1.5, 1.5, 0], [0.5, 1.5, 0], [0, 0, 1]]
    assert (found["n"], found["groups"], found["repeats"]) == (6, 4, 2)
    assert found["over_repeats"]["least"] == 0.5
    assert found["over_repeats"]["sd"] == pytest.approx(np.std([5 / 6, 3 / 6], ddof=1))
    assert found["accuracy"][1] <= found["accuracy"][0] <= found["accuracy"][2]
    assert found["recall"][2] == [1.0, None, None]  # one group alone has no interval


def test_intervals_are_over_groups_not_pictures():
    rng = np.random.default_rng(0)
    group_right = rng.random(40) < 0.7
    targets = np.zeros(400, int)
    answers = np.where(np.repeat(group_right, 10), 0, 1)
    groups = [str(i) for i in np.repeat(np.arange(40), 10)]
    value, low, high = repeated_figures(one_hot([answers], 2), targets, groups)["accuracy"]
    spread = 1.96 * np.sqrt(value * (1 - value) / 40)
    assert (value - low, high - value) == pytest.approx((spread, spread), rel=0.2)


def test_the_difference_is_paired():
    targets = np.zeros(60, int)
    first = one_hot([[0] * 40 + [1] * 20], 2)
    same = paired_change(first, first, targets, [str(i) for i in range(60)])
    assert same == [0, None, None]  # nothing varies: no interval
    better = one_hot([[0] * 46 + [1] * 14], 2)
    value, low, high = paired_change(first, better, targets, [str(i) for i in range(60)])
    assert value == pytest.approx(0.1)
    assert 0 < low < value < high < 0.2


@pytest.mark.parametrize(
    "values",
    [
        {"phases": [{"train": "all", "epochs": 1}]},
        {"phases": [{"train": "head", "cache_views": 2}, {"train": "all"}]},
        {"phases": [{"train": "head", "cache_views": 2}], "ema": 0.9},
        {"phases": [{"train": "head", "cache_views": 2}], "balance": "loss"},
        {"phases": [{"train": "head", "cache_views": 2}], "logit_adjust": 0.5},
        {"phases": [{"train": "head", "cache_views": 2}], "optimiser": "sgd"},
        {"phases": [{"train": "head", "cache_views": 2}], "layer_decay": 0.7},
        {"phases": [{"train": "head", "cache_views": 2}], "flip_average": True},
        {"phases": [{"train": "head", "cache_views": 2}], "task": "multilabel"},
        {"phases": [{"train": "head", "cache_views": 2, "layer_decay": 0.7}]},
        {"phases": [{"train": "head", "cache_views": 2, "adapt_norm": 3}]},
    ],
)
def test_what_features_cannot_stand_for_is_refused(script, values):
    with pytest.raises(
        ConfigError, match=r"features mode needs one phase with cache_views.*add --mode train"
    ):
        script.frozen_features(load_config({"data": "m.csv", **values}), None)


@pytest.fixture
def drawn(tmp_path):
    """Sixteen drawn blades in eight groups, their manifest and a configuration for both modes."""
    drawing = module(ROOT / "tests" / "unit" / "data" / "rice_drawing.py")
    lines = ["path,label,split,group_id"]
    for label in ("brown_spot", "tungro"):
        for number in range(8):
            drawing.save(tmp_path / f"d/{label}{number}.png", drawing.blade(label, number, (40, 130)))
            lines.append(
                f"{label}{number}.png,{label},{'train' if number < 4 else 'val'},{label}{number // 2}"
            )
    (tmp_path / "d/m.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "c.yaml").write_text(
        "name: c\nbackbone: test_efficientnet\nweights: none\nsize_px: 64\ngeometry: strips\nbatch_size: 4\n"
        f"data: {tmp_path / 'd/m.csv'}\n"
        "phases: [{train: head, cache_views: 2, epochs: 4, lr: 5.0e-3}]\n"
    )
    return tmp_path


def test_the_script_judges_two_recipes_on_the_same_folds(script, drawn, capsys, monkeypatch):
    words = [str(drawn / "c.yaml"), "--repeats", "2", "--folds", "2", "--out", str(drawn / "out")]
    monkeypatch.setattr(sys, "argv", ["repeated_cv.py", *words, "--compare", "geometry=squash"])
    script.main()
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((drawn / "out" / "figures.json").read_text())
    assert printed["recipe"]["n"] == 16  # every row, whatever its split
    assert printed["compared"]["changes"] == ["geometry=squash"]
    gap = printed["compared"]["accuracy"][0] - printed["recipe"]["accuracy"][0]
    assert printed["change"][0] == pytest.approx(gap)
    one, other = (np.load(drawn / "out" / f"{name}.npz") for name in ("recipe", "compared"))
    np.testing.assert_array_equal(one["folds"], other["folds"])
    for fold in one["folds"]:
        pairs = zip(one["paths"], fold, strict=True)
        assert len({(path[:-5], int(path[-5]) // 2, part) for path, part in pairs}) == 8
    assert not np.array_equal(one["logits"], other["logits"])
    script.main()
    again = np.load(drawn / "out" / "recipe.npz")
    np.testing.assert_array_equal(one["logits"], again["logits"])


def test_the_head_learns_in_features_mode_as_in_training(script, drawn):
    """Strong decay, which training keeps from biases, and no randomness: then both end at the same head."""
    config = load_config(
        drawn / "c.yaml",
        {
            "augment": {}, "drop_rate": 0, "weight_decay": 4.0, "phases.0.lr": 0.05, "balance": "sampler",
            "phases.0.validate_every": 0, "threads": 1, "workers": 0, "output": str(drawn / "run"),
        },
    )  # fmt: skip
    manifest = read_manifest(config.data)
    targets = manifest.targets(manifest.label_ids())
    held = np.array([row.split == "val" for row in manifest.rows])
    net, found = script.frozen_features(config, manifest)
    mine = script.fit_fold(config, net, found, targets, held, config.seed)
    run = api.train_resolved(config, quiet=True)
    pictures = [script.read(manifest.file(row)).image for row in manifest.split("val").rows]
    np.testing.assert_allclose(mine, load_run(run).logits(pictures), atol=1e-4)


def as_trained(folder, config, sha256, done=True):
    """What a training leaves, as far as it is asked about."""
    told = {"config": config.model_dump(mode="json"), "manifest": {"sha256": sha256}}
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write_json(folder / "run.json", told)
    if done:
        (folder / "report.json").write_text("{}")


def test_a_fold_counts_as_done_only_if_it_was_trained_so(tmp_path):
    config, run = load_config({"data": "m.csv", "folds": 3, "lr": 0.1}), tmp_path / "run"
    assert fold_state(run, config, "a" * 64) == "new"
    as_trained(run, config, "a" * 64, done=False)
    assert fold_state(run, config.model_copy(update={"resume": True, "output": "x"}), "a" * 64) == "begun"
    (run / "report.json").write_text("{}")
    assert fold_state(run, config, "a" * 64) == "done"
    with pytest.raises(ConfigError, match=r"got manifest sha256 bbbbbbbbbbbb \(was a+\); give another --out"):
        fold_state(run, config, "b" * 64)
    for key, value, said in (("folds", 5, r"folds=5 \(was 3\)"), ("lr", 0.2, r"lr=0\.2 \(was 0\.1\)")):
        with pytest.raises(ConfigError, match=rf"run was trained otherwise: got {said}; give another --out"):
            fold_state(run, config.model_copy(update={key: value}), "a" * 64)
    atomic.write_json(run / "run.json", {"config": config.model_dump(mode="json")})
    with pytest.raises(ConfigError, match="it names none"):
        fold_state(run, config, "a" * 64)
    (run / "run.json").unlink()
    with pytest.raises(ConfigError, match="is no run folder"):
        fold_state(run, config, "a" * 64)


def test_a_training_that_fails_says_why_in_one_line(tmp_path):
    (tmp_path / "c.yaml").write_text("data: m.csv\nlearning_rate: 1\n")
    with pytest.raises(
        ModelError, match=r"training failed: got exit code 2 after: .*learning_rate"
    ) as caught:
        train_apart(tmp_path / "c.yaml", [f"output={tmp_path / 'run'}"])
    assert "\n" not in str(caught.value)


class Trainings:
    """Stands in for ``train_apart``: leaves what a training would, and keeps what was asked."""

    def __init__(self):
        self.words, self.done = [], True

    def __call__(self, config, words, threads=None):
        self.words.append(list(words))
        if not self.done:
            raise ModelError("training failed", got="exit code 2 after: no memory")
        made = load_config(config, parse_overrides(words))
        as_trained(Path(made.output), made, read_manifest(made.data).sha256)


@pytest.fixture
def trainings(script, monkeypatch):
    stand_in = Trainings()
    monkeypatch.setattr(script, "train_apart", stand_in)

    class Model:
        def logits(self, pictures):
            return np.zeros((len(pictures), 2), np.float32)

    monkeypatch.setattr(script, "load_run", lambda folder: Model())
    return stand_in


def test_repeated_training_keeps_only_what_was_trained_on_the_same_folds(script, trainings, drawn):
    config, out = load_config(drawn / "c.yaml", {"folds": 4}), drawn / "out"
    manifest = read_manifest(config.data)
    targets, groups = manifest.targets(manifest.label_ids()), manifest.group_keys()
    two, four = (np.stack([group_folds(targets, groups, n, 0)]) for n in (2, 4))
    script.by_training(config, manifest, two, out)
    assert trainings.words == [[], []]
    trained = read_manifest(out / "0_0/manifest.csv")
    assert [row.split == "val" for row in trained.rows] == (two[0] == 0).tolist()
    assert load_config(out / "0_0/config.yaml").folds is None  # else it would deal the held-out rows again
    script.by_training(config, manifest, two, out)
    assert len(trainings.words) == 2
    with pytest.raises(
        ConfigError, match=r"0_0/run was trained otherwise: got manifest sha256 .*another --out"
    ):
        script.by_training(config, manifest, four, out)
    assert read_manifest(out / "0_0/manifest.csv").sha256 == trained.sha256
    with pytest.raises(ConfigError, match=r"got batch_size=8 \(was 4\); give another --out"):
        script.by_training(config.model_copy(update={"batch_size": 8}), manifest, two, out)
    (out / "0_1/run/report.json").unlink()
    script.by_training(config, manifest, two, out)
    assert trainings.words[2:] == [["resume=true"]]


def test_a_failed_training_ends_repeated_cv_in_one_line(script, trainings, drawn, monkeypatch):
    trainings.done = False
    words = [str(drawn / "c.yaml"), "--repeats", "1", "--folds", "2", "--out", str(drawn / "out")]
    monkeypatch.setattr(sys, "argv", ["repeated_cv.py", *words, "--mode", "train"])
    with pytest.raises(SystemExit) as caught:
        script.main()
    assert caught.value.code == "repeated_cv: training failed: got exit code 2 after: no memory"


def test_cross_validate_trains_what_is_new_and_refuses_what_is_another_s(drawn, monkeypatch):
    script, trainings = module(ROOT / "training" / "cross_validate.py"), Trainings()
    monkeypatch.setattr(script, "train_apart", trainings)
    monkeypatch.setattr(script, "held_out", lambda folders: None)
    monkeypatch.setattr(script, "row", lambda *_: {})
    (drawn / "two.yaml").write_text(
        f"config: {drawn / 'c.yaml'}\ncandidates: {{base: {{}}, fast: {{lr: 0.1}}}}\n"
    )

    def judge(*words):
        asked = [str(drawn / "two.yaml"), "--out", str(drawn / "out"), "--jobs", "1", *words]
        monkeypatch.setattr(sys, "argv", ["cross_validate.py", *asked])
        script.main()

    judge("--folds", "2")
    assert len(trainings.words) == 4
    (drawn / "out/two/fast/1/report.json").unlink()
    judge("--folds", "2")
    assert [words[-1] for words in trainings.words[4:]] == ["resume=true"]
    with pytest.raises(SystemExit, match=r"cross_validate: .*/base/0 was trained otherwise: got folds=3"):
        judge("--folds", "3")
    manifest = drawn / "d/m.csv"
    manifest.write_text(manifest.read_text().replace("train,brown_spot0", "val,brown_spot0"))
    with pytest.raises(SystemExit, match=r"got manifest sha256 \w+ \(was \w+\); give another --out"):
        judge("--folds", "2")
    assert len(trainings.words) == 5
    trainings.done = False
    with pytest.raises(SystemExit, match="cross_validate: training failed: got exit code 2") as caught:
        judge("--folds", "2", "--out", str(drawn / "new"))
    assert "\n" not in str(caught.value)
    assert len(trainings.words) < 9  # after a failure no further training begins
