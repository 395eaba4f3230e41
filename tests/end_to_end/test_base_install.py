"""Small installs without torch: base predicts, base and faces recognise people."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import cv2
import pytest

ROOT = Path(__file__).parents[2]


def install(folder, extras=""):
    """A fresh environment with vnvision in it; its ``bin`` folder."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed")
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["constraint-dependencies"]
    (folder / "pins.txt").write_text("\n".join(pins))
    venv = folder / "venv"
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, venv], check=True)
    words = [uv, "pip", "install", "-q", "--python", venv / "bin" / "python", "-c", folder / "pins.txt"]
    done = subprocess.run([*words, f"{ROOT}{extras}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return venv / "bin"


@pytest.mark.slow
def test_predict_in_a_base_install_has_no_torch(bundle, leaves, config_file, tmp_path):
    venv = install(tmp_path).parent
    python = venv / "bin" / "python"
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


@pytest.mark.slow
def test_faces_in_a_base_and_faces_install(tmp_path):
    """No configuration: verify, enrol, identify, evaluate and forget, as a new user does."""
    sys.path.insert(0, str(ROOT / "tests" / "unit" / "faces"))
    try:
        from drawing import face
    finally:
        sys.path.pop(0)
    for number in range(3):
        folder = tmp_path / "people" / f"p{number}"
        folder.mkdir(parents=True)
        for photo in range(2):
            image = face(256, seed=10 * number + photo)[:, :, ::-1]
            cv2.imwrite(str(folder / f"{photo}.png"), image)
    tool = install(tmp_path, "[faces]") / "vnvision"
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("VNVISION", "XDG"))}
    env = kept | {"HOME": str(tmp_path / "home"), "PYTHONUTF8": "1"}
    one, two = tmp_path / "people" / "p0" / "0.png", tmp_path / "people" / "p0" / "1.png"

    def run(*words):
        command = [tool, "face", *words]
        return subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env=env, encoding="utf-8"
        )

    verified = run("verify", one, two, "--json")
    assert verified.returncode == 0, verified.stderr
    assert json.loads(verified.stdout)["operating_point"]["target"] == "fmr=1e-4"
    enrolled = run("enroll", "p0", one, "--consent", "đồng ý")
    assert enrolled.returncode == 0, enrolled.stderr
    found = run("identify", two, "--threshold", "0.3", "--json")
    assert json.loads(found.stdout)["faces"][0]["candidates"][0]["person"] == "p0", found.stderr
    evaluated = run("eval", "--data", tmp_path / "people", "--out", tmp_path / "report")
    assert evaluated.returncode == 0, evaluated.stderr
    assert (tmp_path / "report" / "report.pdf").read_bytes().startswith(b"%PDF")
    assert run("forget", "p0").returncode == 0
    assert run("list").stdout == "nobody is enrolled\n"
    check = "import importlib.util as u; print(u.find_spec('torch') is None)"
    done = subprocess.run([tool.parent / "python", "-c", check], capture_output=True, text=True)
    assert done.stdout.strip() == "True"
