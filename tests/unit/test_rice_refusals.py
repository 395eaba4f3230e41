"""What the rice benchmark takes of a picture's name and group, and what it says of another manifest."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from vnvision.data.rows import Row
from vnvision.errors import ConfigError

FILE = Path(__file__).parents[2] / "training" / "benchmarks" / "rice_refusals.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location(FILE.stem, FILE)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_the_shared_copies_state_number_and_half(script):
    row = Row(2, "images/brown_spot/brown_spot_020.jpg", label="brown_spot", group_id="g013")
    assert script.number_and_half(row, Path("m.csv")) == (20, False)
    assert script.loaded(script.ROOT / "datasets/uci_rice/prepare.py").CAPTURE == "white_bg_leaf_3081x897"


@pytest.mark.parametrize(
    ("path", "group"),
    [
        ("download/1/1 (1).JPG", "uci_rice_g00003"),
        ("images/brown_spot_020.jpg", "uci_rice_g00003"),
        ("x.jpg", "g012"),
    ],
)
def test_another_manifest_is_refused_with_the_one_that_is_needed(script, path, group):
    with pytest.raises(ConfigError, match=r"m\.csv is not of the shared copies.*train on: datasets/uci_rice"):
        script.number_and_half(Row(2, path, label="brown_spot", group_id=group), Path("m.csv"))


def test_a_missing_variable_is_one_line(script, tmp_path, monkeypatch):
    monkeypatch.delenv("VNVISION_DATA", raising=False)
    monkeypatch.setattr(sys, "argv", ["rice_refusals.py", str(tmp_path), "--out", str(tmp_path / "o.json")])
    with pytest.raises(SystemExit, match="rice_refusals: VNVISION_DATA is not set; export"):
        script.main()
