"""README's Python runs as it stands; its commands are two lines that anyone can copy."""

import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.S)


def test_two_commands_of_one_line_each():
    commands = blocks("bash")
    assert len(commands) == 2
    assert all(command.strip().startswith("pip install uv && uv run") for command in commands)
    assert all(len(command.strip().splitlines()) == 1 for command in commands)
    assert "RESULTROW" not in README


@pytest.mark.slow
def test_the_python_example_runs(leaves, tmp_path, monkeypatch, capsys):
    shutil.copytree(leaves.parent, tmp_path / "out" / "data")
    shutil.copytree(ROOT / "training" / "configs", tmp_path / "training" / "configs")
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("python")
    picture = re.search(r'"(out/data/images/.*?)"', code).group(1)
    assert (tmp_path / picture).is_file()
    exec(compile(code, "README.md", "exec"), {})
    assert "probabilities" in capsys.readouterr().out


def test_files_named_in_it_exist():
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / link).exists(), link
