"""What the wheel carries of the demo, what it says without Gradio; the container and the service."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "demo"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built as a release is."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run([uv, "build", "--wheel", "-q", "-o", folder, ROOT], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no wheel can be built here: {done.stderr[-200:]}")
    (found,) = folder.glob("*.whl")
    return found


@pytest.mark.slow
def test_the_wheel_carries_every_file_of_the_demo_and_nothing_else_of_it(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("vnvision_demo/")}
    there = {
        path.relative_to(DEMO).as_posix()
        for path in (DEMO / "vnvision_demo").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == there
    assert sum(name.startswith("vnvision_demo/static/") for name in names) > 8
    assert sum(name.startswith("vnvision_demo/show/templates/") for name in names) > 10


@pytest.mark.slow
def test_without_gradio_the_demo_has_help_and_one_line(wheel, tmp_path):
    uv = shutil.which("uv")
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["constraint-dependencies"]
    (tmp_path / "pins.txt").write_text("\n".join(pins))
    venv = tmp_path / "venv"
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, venv], check=True)
    words = [
        uv,
        "pip",
        "install",
        "-q",
        "--python",
        venv / "bin" / "python",
        "-c",
        tmp_path / "pins.txt",
        wheel,
    ]
    subprocess.run(words, check=True)
    env = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}

    def run(*words):
        return subprocess.run(
            [venv / "bin" / "vnvision", "demo", *words], capture_output=True, text=True, cwd=tmp_path, env=env
        )

    told = run("--help")
    assert told.returncode == 0
    assert "--https" in told.stdout
    refused = run()
    assert refused.returncode != 0
    assert "pip install 'vnvision[demo]'" in refused.stderr.replace("\n", " ")
    assert "Traceback" not in refused.stderr


def test_the_image_holds_one_opencv_and_no_secret():
    text = (DEMO / "Dockerfile").read_text()
    assert re.search(r"uninstall -y opencv-python opencv-python-headless", text)
    assert re.search(r"--no-deps \"opencv-python-headless==", text)
    assert "\nUSER vnvision\n" in text
    assert '"-m", "vnvision_demo.health"' in text
    assert "--auth-file" in text
    ignored = (DEMO / "Dockerfile.dockerignore").read_text().split()
    assert ignored[0] == "*"
    copied = [word for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.M) for word in line.split()[:-1]]
    assert {f"!{name}" for name in copied} == set(ignored[1:-1])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_the_unit_is_right(tmp_path):
    unit = tmp_path / "vnvision-demo.service"
    there = shutil.which("true") or "/bin/true"
    unit.write_text((DEMO / "vnvision-demo.service").read_text().replace("/opt/vnvision/bin/vnvision", there))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    wrong = [line for line in done.stderr.splitlines() if unit.name in line]
    assert wrong == []


class Answers(BaseHTTPRequestHandler):
    body = b"ok"

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body if self.path == "/health" else b"")

    def log_message(self, *words):
        pass


def test_health_says_whether_the_demo_answers(monkeypatch):
    from vnvision_demo.health import healthy

    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert healthy(server.server_port)
    monkeypatch.setattr(Answers, "body", b"no")
    assert not healthy(server.server_port)
    server.shutdown()
    server.server_close()
    assert not healthy(server.server_port, timeout_s=0.5)
