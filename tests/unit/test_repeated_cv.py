"""Repeated cross-validation: its figures against formulas written out, and the script on drawn blades."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from vnvision.errors import ConfigError
from vnvision.evaluate.repeated import paired_change, repeated_figures
from vnvision.train.config import load_config

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
    ],
)
def test_what_features_cannot_stand_for_is_refused(script, values):
    with pytest.raises(
        ConfigError, match=r"features mode needs one phase with cache_views.*add --mode train"
    ):
        script.frozen_features(load_config({"data": "m.csv", **values}), None)


def test_the_script_judges_two_recipes_on_the_same_folds(script, tmp_path, capsys, monkeypatch):
    drawing = module(ROOT / "tests" / "unit" / "data" / "rice_drawing.py")
    lines = ["path,label,split,group_id"]
    for label in ("brown_spot", "tungro"):
        for number in range(8):
            drawing.save(tmp_path / f"{label}{number}.png", drawing.blade(label, number, (40, 130)))
            lines.append(f"{label}{number}.png,{label},test,{label}{number // 2}")
    (tmp_path / "m.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "c.yaml").write_text(
        "name: c\nbackbone: test_efficientnet\nweights: none\nsize_px: 64\ngeometry: strips\nbatch_size: 4\n"
        f"data: {tmp_path / 'm.csv'}\n"
        "phases: [{train: head, cache_views: 2, epochs: 4, lr: 5.0e-3}]\n"
    )
    words = [str(tmp_path / "c.yaml"), "--repeats", "2", "--folds", "2", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["repeated_cv.py", *words, "--compare", "geometry=squash"])
    script.main()
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "out" / "figures.json").read_text())
    assert printed["recipe"]["n"] == 16  # every row, whatever its split
    assert printed["compared"]["changes"] == ["geometry=squash"]
    gap = printed["compared"]["accuracy"][0] - printed["recipe"]["accuracy"][0]
    assert printed["change"][0] == pytest.approx(gap)
    one, other = (np.load(tmp_path / "out" / f"{name}.npz") for name in ("recipe", "compared"))
    np.testing.assert_array_equal(one["folds"], other["folds"])
    for fold in one["folds"]:
        pairs = zip(one["paths"], fold, strict=True)
        assert len({(path[:-5], int(path[-5]) // 2, part) for path, part in pairs}) == 8
    assert not np.array_equal(one["logits"], other["logits"])
    script.main()
    again = np.load(tmp_path / "out" / "recipe.npz")
    np.testing.assert_array_equal(one["logits"], again["logits"])
