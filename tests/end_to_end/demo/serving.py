"""A running ``vnvision demo``, in a process of its own with folders of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
_START_S = 180

ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


class Server:
    """``python -m vnvision demo --port 0``, ended by its process id.

    Args:
        folder: its data (``VNVISION_HOME``), its gallery and its temporary files lie in here.
    """

    def __init__(self, folder: Path) -> None:
        self.home, self.temporary = folder / "home", folder / "tmp"
        self.home.mkdir()
        self.temporary.mkdir()
        self._log = (folder / "server.log").open("w+")
        paths = [str(REPOSITORY), str(REPOSITORY / "demo"), os.environ.get("PYTHONPATH", "")]
        own = {
            "VNVISION_HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "PYTHONUNBUFFERED": "1",
        }
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("VNVISION_")}
        command = [sys.executable, "-m", "vnvision", "demo", "--port", "0"]
        gallery = ["--gallery", str(folder / "gallery" / "people.vnv")]
        self._process = subprocess.Popen(
            [*command, *gallery], env=inherited | own, stdout=self._log, stderr=self._log, cwd=folder
        )
        self.address = self._told()

    def _told(self) -> str:
        """Its address, once it says so."""
        end = time.monotonic() + _START_S
        while time.monotonic() < end:
            found = re.search(r"vnvision demo: (http://127\.0\.0\.1:\d+)", self.log())
            if found:
                return found[1]
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"the demo did not start:\n{self.log()}")

    def log(self) -> str:
        """What it printed."""
        return Path(self._log.name).read_text("utf-8")

    def files(self, pattern: str = "*") -> list[Path]:
        """What lies in its temporary folder now; Gradio leaves empty files, which are swept later."""
        found = [path for path in self.temporary.rglob(pattern) if path.is_file()]
        return sorted(path for path in found if path.stat().st_size)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(20)
