"""Files that browsers sent: each belongs to one browser, and is deleted once it is answered."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vnvision_demo.errors import Refusal

_SPARE_BYTES = 64 << 20  # of the disk, for everybody else


@dataclass(frozen=True, slots=True)
class _Upload:
    owner: str
    path: Path
    size: int
    at: float


class Uploads:
    """A private folder of what was sent, and whose it is.

    Args:
        root: folder, made with no access for other users of the machine.
        session_bytes: what one browser may have here.
        total_bytes: what all may.
        keep_s: after this, what nobody asked about is deleted.
        session_files, total_files: how many.
    """

    def __init__(
        self,
        root: Path,
        *,
        session_bytes: int,
        total_bytes: int,
        keep_s: float,
        session_files: int = 1000,
        total_files: int = 20_000,
    ) -> None:
        self.root = root
        self._session_files, self._total_files = session_files, total_files
        self._coming: list[tuple[str, int]] = []
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._session_bytes, self._total_bytes, self._keep_s = session_bytes, total_bytes, keep_s
        self._held: dict[Path, _Upload] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def room(self, owner: str, size: int) -> Iterator[None]:
        """Keep room for so many bytes while they come.

        Raises:
            Refusal: there is none.
        """
        with self._lock:
            there = [(one.owner, one.size) for one in self._held.values()] + self._coming
            mine = [held for whose, held in there if whose == owner]
            if sum(mine) + size > self._session_bytes or len(mine) >= self._session_files:
                raise Refusal("upload.session_full", 429, limit_mb=self._session_bytes >> 20)
            full = sum(held for _, held in there) + size > self._total_bytes
            coming = sum(held for _, held in self._coming) + size
            full = full or coming > shutil.disk_usage(self.root).free - _SPARE_BYTES
            if full or len(there) >= self._total_files:
                raise Refusal("upload.server_full", 507)
            self._coming.append((owner, size))
        try:
            yield
        finally:
            with self._lock:
                self._coming.remove((owner, size))

    def folder(self) -> Path:
        """A fresh folder for one request's files; its name cannot be guessed."""
        return self.root / secrets.token_hex(16)

    def add(self, owner: str, paths: Sequence[str | Path]) -> None:
        """Note whose files these are.

        Raises:
            Refusal: there are too many.
        """
        found = {path: path.stat().st_size for path in map(Path, paths)}
        with self._lock:
            mine = sum(one.owner == owner for one in self._held.values())
            if mine + len(found) > self._session_files:
                raise Refusal("upload.session_full", 429, limit_mb=self._session_bytes >> 20)
            for path, size in found.items():
                self._held[path] = _Upload(owner, path, size, time.monotonic())

    def owned(self, owner: str, path: str | Path) -> Path | None:
        """The path, if that browser sent it and it is still here."""
        found = self._held.get(Path(path))
        if found is None or found.owner != owner or found.path.is_symlink() or not found.path.is_file():
            return None
        return found.path

    @contextlib.contextmanager
    def taken(self, owner: str, paths: Sequence[str | Path]) -> Iterator[list[Path]]:
        """A browser's files for the length of one answer; then they are deleted, whatever happened.

        Raises:
            Refusal: one is not that browser's, or is gone.
        """
        mine = [self.owned(owner, path) for path in paths]
        try:
            if any(path is None for path in mine):
                raise Refusal("upload.gone")
            yield [path for path in mine if path is not None]
        finally:
            self.delete([path for path in mine if path is not None])

    def delete(self, paths: Sequence[Path]) -> None:
        """Delete files and what lies around them."""
        for path in paths:
            with self._lock:
                self._held.pop(path, None)
            top = self.root / path.relative_to(self.root).parts[0]
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            if not any(other.is_relative_to(top) for other in list(self._held)):
                shutil.rmtree(top, ignore_errors=True)

    def forget(self, owner: str) -> None:
        """Delete everything of one browser."""
        self.delete([one.path for one in list(self._held.values()) if one.owner == owner])

    def sweep(self) -> None:
        """Delete what was kept too long, and folders that belong to nothing."""
        now = time.monotonic()
        self.delete([one.path for one in list(self._held.values()) if now - one.at > self._keep_s])
        known = {self.root / path.relative_to(self.root).parts[0] for path in list(self._held)}
        with contextlib.suppress(OSError):
            for entry in os.scandir(self.root):
                old = time.time() - entry.stat(follow_symlinks=False).st_mtime > self._keep_s
                if not old or Path(entry.path) in known:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:  # Gradio leaves an empty file for each that it hands over
                    Path(entry.path).unlink(missing_ok=True)

    def close(self) -> None:
        """Delete everything."""
        shutil.rmtree(self.root, ignore_errors=True)
