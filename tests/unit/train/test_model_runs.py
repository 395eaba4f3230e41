"""The scripts that rebuild the models that ship: what they ask vnvision for can be run as it stands."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from vnvision.hub.cards import card_names
from vnvision.train.config import load_config, parse_overrides

ROOT = Path(__file__).parents[3]
RUNS = ROOT / "training" / "runs"
SCRIPTS = sorted(
    path for path in RUNS.glob("*.sh") if not path.stem.startswith("face_") and path.stem != "common"
)

STUB = """#!/usr/bin/env bash
echo "== $*" >> "$ASKED"
for word in "$@"; do
  case $word in output=*) mkdir -p "${word#output=}" && echo {} > "${word#output=}/report.json" ;; esac
done
"""


def asked(path: Path, folder: Path, *words: str) -> list[list[str]]:
    """The command lines that a script gives to vnvision and to Python, in order."""
    for name in ("vnvision", "python"):
        stub = folder / name
        stub.write_text(STUB)
        stub.chmod(0o755)
    asked_file = folder / "asked"
    env = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "ASKED": str(asked_file),
        "VNVISION_DATA": "/pictures",
        "OUT": str(folder / "out"),
        "SHIP": str(folder / "ship"),
    }
    subprocess.run(["bash", str(path), *words], env=env, check=True, capture_output=True)
    return [line.removeprefix("== ").split(" ") for line in asked_file.read_text().splitlines()]


def test_there_is_a_script_a_card():
    assert {path.stem for path in SCRIPTS} == set(card_names())
    readme = (RUNS / "README.md").read_text()
    assert all(f"`{path.name}`" in readme for path in SCRIPTS)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_it_is_bash_and_may_be_run(path):
    subprocess.run(["bash", "-n", str(path)], check=True)
    assert os.access(path, os.X_OK)


@pytest.mark.parametrize(
    "path", [path for path in SCRIPTS if path.stem != "leaf_severity"], ids=lambda path: path.stem
)
def test_it_names_the_data_it_misses(path):
    done = subprocess.run(
        ["bash", str(path)], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "VNVISION_DATA: the folder with agri/ and med/" in done.stderr


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_it_trains_a_configuration_with_the_card_and_ships_it(path, tmp_path, monkeypatch):
    monkeypatch.setenv("VNVISION_DATA", "/pictures")
    lines = asked(path, tmp_path, "batch_size=8")
    trains = [line[1:] for line in lines if line[0] == "train"]
    export = next(line[1:] for line in lines if line[0] == "export")
    config, *words = trains[-1]
    text = " ".join(words)
    if "distill=" in text:  # one word to bash, several to the stub
        start, end = text.index("distill="), text.index("}") + 1
        taught = text[start:end]
        words = [*text[:start].split(), *text[end:].split(), taught]
    found = load_config(ROOT / config, parse_overrides(words))
    assert (found.card, found.batch_size) == (path.stem, 8)
    assert found.output == str(tmp_path / "out" / path.stem / "run")
    teachers = [load_config(ROOT / one[0], parse_overrides(one[1:])) for one in trains[:-1]]
    assert [one.fold for one in teachers] == list(range(len(teachers)))
    if found.distill is not None:
        assert found.distill.runs == tuple(one.output for one in teachers)
    assert {"--lean", "onnx-int8", found.output, str(tmp_path / "ship" / path.stem)} <= set(export)


def test_what_is_finished_is_not_trained_again(tmp_path):
    first = asked(RUNS / "bean.sh", tmp_path)
    (tmp_path / "asked").unlink()
    assert [line[0] for line in asked(RUNS / "bean.sh", tmp_path)] == ["export"]
    assert len(first) == 5
