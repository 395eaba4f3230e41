"""One decoder process, seen from the reader's side."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import RawIOBase
from pathlib import Path
from typing import Any, cast

import vnvision
from vnvision import errors
from vnvision.imaging.isolated import wire
from vnvision.imaging.isolated.answers import failure
from vnvision.imaging.isolated.errors import DecoderError
from vnvision.records import Sample

_MODULE = "vnvision.imaging.isolated.worker"
_START_SECONDS = 120.0  # a slow disk reads the libraries for the first time
_PIPE_BYTES = 2**20
# The process gets no other variable: keys and passwords in the environment stay out of its reach.
_KEPT = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "LANG", "LC_", "LD_", "DYLD_", "PYTHON", "OPENCV_", "MALLOC_")


class Process:
    """A decoder process and the pipes to it, for one caller at a time.

    Args:
        memory_bytes: address space the process may take beyond its start.
        seconds: by the clock, for one file.
    """

    def __init__(self, memory_bytes: int, seconds: float) -> None:
        self._memory_bytes = memory_bytes
        self._seconds = seconds
        self._lock = threading.Lock()
        self._deadline: object | None = None
        self._expired = False
        self._ready = False
        self.limits: tuple[str, ...] = ()
        self._child = _spawn(memory_bytes)
        self._end = weakref.finalize(self, _end, self._child, os.getpid())  # also where nobody closes it
        self._requests = cast(RawIOBase, self._child.stdin)
        self._answers = cast(RawIOBase, self._child.stdout)
        if sys.platform == "linux":
            import fcntl

            with suppress(OSError):  # a user's pipes may be at their limit; the default is only slower
                fcntl.fcntl(self._answers, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    @property
    def alive(self) -> bool:
        """Whether it takes another request."""
        return not self._expired and self._child.poll() is None

    def start(self) -> None:
        """Wait until the process has loaded its libraries and limited itself.

        Raises:
            ConfigError: it did not come that far.
        """
        if self._ready:
            return
        try:
            with self._within(_START_SECONDS):
                head, _ = wire.receive(self._answers, 0)
            self.limits = tuple(str(item) for item in head["limits"])
        except (EOFError, OSError, wire.WireError, KeyError) as exc:
            self.close()
            raise errors.ConfigError(
                "the decoder process does not start",
                got=f"exit code {self._child.returncode}",
                fix=f"run `python -m {_MODULE} 1000000000` to see why",
            ) from exc
        self._ready = True

    def read(self, name: str, request: dict[str, Any], buffers: Sequence[memoryview]) -> Sample:
        """Have one file decoded.

        Raises:
            DecoderError: the process died, ran over its limits, failed or sent nonsense. It is closed then.
            VnvisionError: what ``vnvision.imaging.read`` raised there.
        """
        self.start()
        head: dict[str, Any] = {}
        try:
            with self._within(self._seconds):
                with suppress(BrokenPipeError):  # it may have answered before it had read everything
                    wire.send(self._requests, request | {"seconds": self._seconds}, buffers)
                head, data = wire.receive(self._answers, self._memory_bytes)
            if "sample" in head:
                return wire.unpack_sample(head["sample"], data)
        except (EOFError, OSError) as exc:
            raise self._death(name) from exc
        except wire.WireError as exc:
            self.close()
            raise DecoderError(name, "protocol", str(exc)) from exc
        finally:
            if head.get("last") is not False:
                self.close()
        raise failure(name, head, self._memory_bytes)

    def kill(self) -> None:
        """End the process; for any thread. A ``read`` under way sees it as a crash."""
        self._child.kill()

    def close(self) -> None:
        """End the process and close the pipes; for the thread that reads. Harmless a second time."""
        self._end()

    @contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        """Kill the process after ``seconds``, which ends any wait for its pipes."""
        token = self._deadline = object()
        timer = threading.Timer(seconds, self._expire, (token,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            with self._lock:
                self._deadline = None

    def _expire(self, token: object) -> None:
        with self._lock:
            if self._deadline is token:  # else the answer came while the timer woke
                self._expired = True
                self._child.kill()

    def _death(self, name: str) -> DecoderError:
        """Why the process is gone."""
        if self._expired:
            self.close()
            return DecoderError.time(name, self._seconds)
        with suppress(subprocess.TimeoutExpired):  # a pipe that closes a moment before the process ends
            self._child.wait(timeout=5)
        code = self._child.poll()
        self.close()
        if _ending(code) == "signal SIGXCPU":
            return DecoderError.time(name, self._seconds)
        return DecoderError(name, "crash", _ending(code))


def _spawn(memory_bytes: int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", _MODULE, str(memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=_environment(),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as exc:  # out of processes, files or memory
        raise errors.ConfigError("the decoder process does not start", got=str(exc)) from exc


def _end(child: subprocess.Popen[bytes], owner: int) -> None:
    if os.getpid() == owner:  # not in a fork
        child.kill()
        child.wait()
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            stream.close()


def _ending(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal has no name
        return f"signal {-code}"


def _environment() -> dict[str, str]:
    """The few variables the process needs, and this process's own import path: the same libraries there."""
    kept = {name: value for name, value in os.environ.items() if name.upper().startswith(_KEPT)}
    root = str(Path(vnvision.__file__).resolve().parents[1])
    path = dict.fromkeys([*(str(Path(entry).absolute()) for entry in sys.path if entry), root])
    return kept | {
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
