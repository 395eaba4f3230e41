"""``vnvision.imaging.read`` in decoder processes, for files nobody vouches for."""

from __future__ import annotations

import inspect
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from vnvision.errors import ConfigError, DataError, VnvisionError
from vnvision.imaging.isolated import wire
from vnvision.imaging.isolated.process import Process
from vnvision.imaging.read import read
from vnvision.records import Sample

_SIGNATURE = inspect.signature(read)


class IsolatedReader:
    """Read image files in processes that may crash, hang or swell without harm to this one.

        with IsolatedReader() as reader:
            sample = reader.read("from_a_stranger.jpg")

    A file that crashes its decoder, or takes more memory or time than allowed, is a ``DecoderError`` (a
    ``DataError``) naming the file; the process is replaced, and the next file is read as if nothing had
    happened. Any number of threads may share one reader. Forked children each need their own.

    Linux enforces all limits: memory, computing time, no file written, no core dump. macOS does not limit
    memory, Windows none of these; there, too, a process that crashes or outstays its time costs only the
    one file. The processes get neither the network nor secrets from the environment, but they run as the
    same user: this contains accidents and bombs, and is not a sandbox against code that has taken over
    the decoder.

    Args:
        memory_mb: address space one process may take beyond what its libraries hold, in MiB. A JPEG takes
            about 6 bytes a pixel, an 8-bit PNG 8, with alpha 21, a 16-bit one with alpha 33.
        seconds: by the clock, for one file.
        workers: processes, and so files decoded at a time. They start on first use.
    """

    def __init__(self, *, memory_mb: int = 1024, seconds: float = 20, workers: int = 1) -> None:
        for name, value in (("memory_mb", memory_mb), ("seconds", seconds), ("workers", workers)):
            if not value > 0:
                raise ConfigError(f"{name} of the isolated reader", expected="more than 0", got=str(value))
        self._memory_bytes = int(memory_mb) * 2**20
        self._seconds = float(seconds)
        self._workers = int(workers)
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._idle: list[Process] = []
        self._busy: set[Process] = set()
        self._taken = 0
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def limits(self) -> tuple[str, ...]:
        """What the system enforces here: of ``core``, ``cpu``, ``file_size``, ``memory``."""
        process = self._take()
        try:
            process.start()
            return process.limits
        finally:
            self._give(process)

    def read(self, source: str | Path | bytes, **options: Any) -> Sample:
        """``vnvision.imaging.read``: the same sample bit for bit, the same errors, the same options.

        Warnings of the decoders stay in their process.

        Raises:
            DecoderError: the file crashed its decoder, or needs more memory or time than it may take.
            VnvisionError: as ``vnvision.imaging.read`` raises.
            ConfigError: the reader is closed, or its process does not start.
        """
        _SIGNATURE.bind(source, **options)
        sent: str | memoryview
        folder: str | None
        if isinstance(source, bytes | bytearray | memoryview):
            name, sent, folder = "image bytes", memoryview(source), None
        elif isinstance(source, str | Path):
            name = sent = str(source)
            folder = None if Path(name).is_absolute() else _here(name)
        else:
            raise DataError("cannot read an image", expected="a path or bytes", got=type(source).__name__)
        buffers: list[memoryview] = []
        request = {"source": wire.pack(sent, buffers), "options": wire.pack(options, buffers)}
        request["folder"] = folder
        process = self._take()
        try:
            return process.read(name, request, buffers)
        except VnvisionError as exc:
            if self._closed:
                raise _closed() from exc
            raise
        finally:
            self._give(process)

    def read_many(
        self, sources: Iterable[str | Path | bytes], **options: Any
    ) -> Iterator[Sample | VnvisionError]:
        """Read many files, ``workers`` at a time, in order; a file that cannot be read gives its error.

        Args:
            sources: taken as they are needed, a few ahead.
            options: as for ``read``.

        Yields:
            What ``read`` returns or, not raised, the error it raises. A closed reader is raised.
        """
        waiting: deque[Future[Sample | VnvisionError]] = deque()
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="isolated-reader")
        try:
            for source in sources:
                waiting.append(pool.submit(self._outcome, source, options))
                if len(waiting) > 2 * self._workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def close(self) -> None:
        """End the processes. A ``read`` under way in another thread raises ConfigError."""
        with self._changed:
            self._closed = True
            if self._pid != os.getpid():  # a fork's copy: the processes belong to its parent
                return
            for process in self._busy:
                process.kill()
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._taken)
            while self._idle:
                self._idle.pop().close()

    def _outcome(self, source: str | Path | bytes, options: dict[str, Any]) -> Sample | VnvisionError:
        try:
            return self.read(source, **options)
        except VnvisionError as exc:
            if self._closed:
                raise
            return exc

    def _take(self) -> Process:
        """A process for this thread alone; a new one where none idles and there may be more."""
        if self._pid != os.getpid():
            raise ConfigError(
                "the isolated reader belongs to another process",
                fix="open one in each process, after the fork",
            )
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._taken < self._workers)
            if self._closed:
                raise _closed()
            process = self._idle.pop() if self._idle else None
            if process is None or not process.alive:
                if process is not None:
                    process.close()
                process = Process(self._memory_bytes, self._seconds)
            self._taken += 1
            self._busy.add(process)
            return process

    def _give(self, process: Process) -> None:
        with self._changed:
            self._busy.discard(process)
            self._taken -= 1
            if process.alive and not self._closed:
                self._idle.append(process)
            else:
                process.close()
            self._changed.notify_all()


def _here(name: str) -> str:
    """The folder that a relative path starts from."""
    try:
        return str(Path.cwd())
    except FileNotFoundError as exc:  # it was deleted
        raise DataError(f"{name} does not exist", fix="check the path") from exc


def _closed() -> ConfigError:
    return ConfigError("the isolated reader is closed", fix="read inside `with IsolatedReader() as reader:`")
