"""A base install, without torch, uses what was trained with it."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_predict_in_a_base_install_has_no_torch(bundle, leaves, config_file, tmp_path):
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed")
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["constraint-dependencies"]
    (tmp_path / "pins.txt").write_text("\n".join(pins))
    venv = tmp_path / "venv"
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, venv], check=True)
    python = venv / "bin" / "python"
    words = [uv, "pip", "install", "-q", "--python", python, "-c", tmp_path / "pins.txt", ROOT]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    picture = next((leaves.parent / "images").rglob("*.*"))
    answer = subprocess.run(
        [venv / "bin" / "vnvision", "predict", bundle, picture, "--json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert answer.returncode == 0, answer.stderr
    line = json.loads(answer.stdout)
    from vnvision.runtime import load_bundle

    ours = load_bundle(bundle, engine="onnxruntime").predict(picture)
    assert line["probabilities"] == pytest.approx(ours.probabilities, abs=1e-5)
    names = ("torch", "timm", "sklearn", "albumentations")
    check = f"import importlib.util as u; print(any(u.find_spec(n) for n in {names}))"
    assert (
        subprocess.run([python, "-c", check], capture_output=True, text=True, cwd=tmp_path).stdout.strip()
        == "False"
    )
    doctor = subprocess.run(
        [venv / "bin" / "vnvision", "doctor"], capture_output=True, text=True, cwd=tmp_path
    )
    assert "extra train is not complete" in doctor.stdout
    trained = subprocess.run(
        [venv / "bin" / "vnvision", "train", config_file, f"data={leaves}", "output=run"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert trained.returncode == 2
    assert "vnvision[train]" in trained.stderr
    assert "Traceback" not in trained.stderr
