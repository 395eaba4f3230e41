"""Large files: read anywhere from any process, written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from vnvision import atomic
from vnvision.errors import DataError


class RandomFile:
    """A file read at any place. Opened at the first read, and again in each process; it can be pickled.

    Args:
        path: the file.

    Raises:
        DataError: at the first read, where it cannot be opened.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._stream: IO[bytes] | None = None
        self._process = -1
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"])  # type: ignore[misc]

    @property
    def size(self) -> int:
        """Bytes."""
        try:
            return self.path.stat().st_size
        except OSError as exc:
            raise DataError(f"cannot read {self.path}", got=exc.strerror or str(exc)) from exc

    def read(self, offset: int, length: int) -> bytes:
        """Up to ``length`` bytes from ``offset``; fewer at the end of the file.

        Raises:
            DataError: it cannot be opened or read.
        """
        try:
            with self._lock:
                if self._stream is None or self._process != os.getpid():
                    # A forked child shares the parent's place in the file: it opens its own.
                    self._stream = open(self.path, "rb", buffering=0)  # noqa: SIM115 - kept open
                    self._process = os.getpid()
                self._stream.seek(offset)
                data = self._stream.read(length) or b""
                while len(data) < length and (more := self._stream.read(length - len(data))):
                    data += more
                return data
        except (OSError, OverflowError) as exc:
            raise DataError(
                f"cannot read {self.path}", got=getattr(exc, "strerror", None) or str(exc)
            ) from exc

    def close(self) -> None:
        """Close it; a later read opens it again."""
        with self._lock:
            if self._stream is not None and self._process == os.getpid():
                self._stream.close()
            self._stream = None


class StagedFile:
    """A file under a temporary name, with its hash; ``commit`` gives it its own name.

    Args:
        path: where it shall be.

    Raises:
        DataError: it cannot be created.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._hash = hashlib.sha256()
        self.written = 0
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.", suffix=".tmp")
        except OSError as exc:
            raise DataError(f"cannot write {self.path}", got=exc.strerror or str(exc)) from exc
        self._name, self._stream = Path(name), os.fdopen(handle, "wb", buffering=1 << 20)

    def write(self, data: bytes) -> int:
        """Append.

        Raises:
            DataError: the disk is full, or fails.
        """
        try:
            self._stream.write(data)
        except OSError as exc:
            raise DataError(f"cannot write {self.path}", got=exc.strerror or str(exc)) from exc
        self._hash.update(data)
        self.written += len(data)
        return len(data)

    @property
    def sha256(self) -> str:
        """Hex digest of what was written."""
        return self._hash.hexdigest()

    def commit(self) -> Path:
        """Sync it and give it its name.

        Raises:
            DataError: the disk is full, or fails.
        """
        try:
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
            self._name.chmod(0o644)
            self._name.replace(self.path)
            atomic.sync_folder(self.path.parent)
        except OSError as exc:
            raise DataError(f"cannot write {self.path}", got=exc.strerror or str(exc)) from exc
        return self.path

    def discard(self) -> None:
        """Leave nothing behind; nothing happens after ``commit``."""
        self._stream.close()
        self._name.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()
