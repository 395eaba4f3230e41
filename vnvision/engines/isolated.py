"""Programs of another Python environment: where it lies, and talking to it.

Some converters and simulators need other versions of packages than we do. Each has an environment of its own
under the cache folder, made by ``export.environments``, and a small program in ``export/workers`` that runs
there and imports nothing of ours.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vnvision.engines.published import cache_folder
from vnvision.errors import ModelError

WORKERS = Path(__file__).parents[1] / "export" / "workers"  # files, never imported here
MARKER = "whole.json"
_OWN_SETTINGS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONSTARTUP")


@dataclass(frozen=True, slots=True)
class Environment:
    """A pinned environment.

    Attributes:
        name: names the list of requirements and the worker in ``export/workers``.
        python: the version of Python its packages are built for.
        needs_gb: disk it takes at most, on Linux with the builds of the public registry.
    """

    name: str
    python: str
    needs_gb: float

    @property
    def requirements(self) -> Path:
        """The list of packages, each with its version."""
        return WORKERS / f"{self.name}.txt"

    @property
    def worker(self) -> Path:
        """The program that runs in it."""
        return WORKERS / f"{self.name}_worker.py"

    @property
    def folder(self) -> Path:
        """Where it lies or would lie; another list or another Python is another folder."""
        wanted = f"{self.python}\n{self.requirements.read_text('utf-8')}"
        key = hashlib.sha256(wanted.encode()).hexdigest()[:12]
        return cache_folder() / "environments" / f"{self.name}-{key}"

    @property
    def interpreter(self) -> Path:
        """Its Python."""
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def is_whole(self) -> bool:
        """Built to the end: the marker is written last."""
        return (self.folder / MARKER).is_file() and self.interpreter.exists()


RKNN = Environment("rknn", "3.11", 6.0)
LITERT = Environment("litert", "3.11", 6.0)
ENVIRONMENTS = {item.name: item for item in (RKNN, LITERT)}


class WorkerError(Exception):
    """What a worker could not do, in one line; its caller says it in the words of the task."""


class Worker:
    """A running worker: one question at a time, JSON on its standard input and output.

    Arrays travel as ``.npy`` files in a temporary folder, which is also its working folder. What the tools in
    it print goes to a file; its last line is told where the process dies.

    Args:
        environment: which.
        threads: for the libraries that read ``OMP_NUM_THREADS``.

    Raises:
        ModelError: the environment was not built.
    """

    def __init__(self, environment: Environment, *, threads: int | None = None) -> None:
        if not environment.is_whole:
            raise ModelError(
                f"the environment for {environment.name} is not built",
                expected=str(environment.folder),
                fix=f"make it once: python -m vnvision.export.environments {environment.name}",
            )
        self.name = environment.name
        self._scratch = tempfile.TemporaryDirectory(prefix=f"vnvision-{self.name}-")
        self.folder = Path(self._scratch.name)
        self._noise = self.folder / "noise.txt"
        settings = {key: value for key, value in os.environ.items() if key not in _OWN_SETTINGS}
        if threads is not None:
            settings |= {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
        with self._noise.open("wb") as noise:
            self._process = subprocess.Popen(
                [
                    str(environment.interpreter), "-E", "-s",
                    "-X", f"pycache_prefix={environment.folder / 'pycache'}", str(environment.worker),
                ],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=noise, cwd=self.folder,
                env=settings, start_new_session=True,
            )  # fmt: skip
        self._left = b""
        self._asked = 0
        self._one_at_a_time = threading.Lock()

    def ask(
        self,
        command: str,
        arrays: Mapping[str, np.ndarray] | None = None,
        *,
        limit_s: float,
        **arguments: Any,
    ) -> tuple[dict[str, Any], list[np.ndarray]]:
        """Let the worker do something.

        Args:
            command: one of the worker's functions.
            arrays: given to it by name.
            limit_s: seconds; the process is ended after them.
            arguments: further arguments, as JSON can hold them.

        Returns:
            Its answer and the arrays it made, in order.

        Raises:
            WorkerError: it failed, died or took too long.
        """
        with self._one_at_a_time:
            self._asked += 1
            question = {"command": command, "arguments": arguments, "number": self._asked, "arrays": {}}
            for key, value in (arrays or {}).items():
                file = self.folder / f"in{self._asked}-{key}.npy"
                np.save(file, value, allow_pickle=False)
                question["arrays"][key] = file.name  # type: ignore[index]
            answer = self._exchanged(json.dumps(question), limit_s)
            for file in self.folder.glob(f"in{self._asked}-*.npy"):
                file.unlink()
            if "error" in answer:
                raise WorkerError(str(answer["error"]))
            made = [self.folder / name for name in answer.pop("arrays", [])]
            found = [np.load(file, allow_pickle=False) for file in made]
            for file in made:
                file.unlink()
            return answer, found

    def close(self) -> None:
        """End the process and remove its folder. Closing twice is fine."""
        if self._process.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                if os.name == "posix":
                    os.killpg(self._process.pid, signal.SIGKILL)
                else:
                    self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self._scratch.cleanup()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _exchanged(self, question: str, limit_s: float) -> dict[str, Any]:
        if self._process.stdin is None or self._process.poll() is not None:
            raise WorkerError(self._last_words())
        try:
            self._process.stdin.write(question.encode() + b"\n")
            self._process.stdin.flush()
        except (OSError, ValueError) as exc:
            raise WorkerError(self._last_words()) from exc
        line = self._line(time.monotonic() + limit_s)
        if line is None:
            self._process.kill()
            raise WorkerError(f"no answer within {limit_s:g} s; {self._last_words()}")
        if not line:
            raise WorkerError(self._last_words())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _line(self, deadline: float) -> bytes | None:
        """The next line, nothing at its end, None where it takes too long."""
        pipe = self._process.stdout
        assert pipe is not None
        while b"\n" not in self._left:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([pipe], [], [], left)[0]:
                return None
            part = os.read(pipe.fileno(), 1 << 16)
            if not part:
                self._process.wait()
                return b""
            self._left += part
        line, self._left = self._left.split(b"\n", 1)
        return line

    def _last_words(self) -> str:
        """The last line of what the tools printed, or how the process ended."""
        status = self._process.poll()
        ended = f"exit status {status}" if status is not None else "still running"
        try:
            lines = self._noise.read_text("utf-8", "replace").strip().splitlines()
        except OSError:
            lines = []
        return f"{lines[-1].strip()[:300]} ({ended})" if lines else ended
