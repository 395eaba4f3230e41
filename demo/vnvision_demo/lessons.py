"""What browsers are about to teach: photographs by class, then the model that came of them."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from vnvision_demo.errors import Refusal


@dataclass(slots=True)
class Lesson:
    """One browser's.

    Attributes:
        folder: private; everything of the lesson lies in it.
        classes: photographs by the name of their class.
        bundle: what was taught; None before.
        at: clock of the last change.
    """

    folder: Path
    classes: dict[str, list[Path]] = field(default_factory=dict)
    bundle: Path | None = None
    at: float = field(default_factory=time.monotonic)

    @property
    def bytes(self) -> int:
        """Of all photographs."""
        return sum(path.stat().st_size for paths in self.classes.values() for path in paths if path.exists())


class Lessons:
    """All of them, in a folder of the server's own.

    Args:
        root: where; no address leads to it.
        most_bytes: photographs of one lesson.
        total_bytes: photographs of all.
        keep_s: a lesson untouched for so long is deleted.
    """

    def __init__(self, root: Path, *, most_bytes: int, keep_s: float, total_bytes: int = 2 << 30) -> None:
        self._root, self._most, self._keep_s, self._total = root, most_bytes, keep_s, total_bytes
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._held: dict[str, Lesson] = {}
        self._lock = threading.Lock()

    def of(self, owner: str) -> Lesson:
        """A browser's lesson; an empty one at first."""
        with self._lock:
            if owner not in self._held:
                folder = self._root / uuid4().hex
                folder.mkdir(mode=0o700)
                self._held[owner] = Lesson(folder)
            found = self._held[owner]
            found.at = time.monotonic()
            return found

    def add(self, owner: str, name: str, files: Sequence[Path]) -> Lesson:
        """Copy photographs into a class of a lesson.

        Raises:
            Refusal: the lesson would hold too much.
        """
        lesson = self.of(owner)
        size = sum(file.stat().st_size for file in files)
        if lesson.bytes + size > self._most:
            raise Refusal("upload.session_full", limit_mb=self._most >> 20)
        if sum(one.bytes for one in list(self._held.values())) + size > self._total:
            raise Refusal("upload.server_full")
        kept = lesson.classes.setdefault(name, [])
        for file in files:
            target = lesson.folder / f"{uuid4().hex}{file.suffix.lower()[:6]}"
            shutil.copyfile(file, target)
            kept.append(target)
        return lesson

    def drop(self, owner: str, name: str) -> Lesson:
        """Delete a class of a lesson with its photographs."""
        lesson = self.of(owner)
        for path in lesson.classes.pop(name, []):
            path.unlink(missing_ok=True)
        return lesson

    def end(self, owner: str) -> None:
        """Delete a lesson."""
        with self._lock:
            lesson = self._held.pop(owner, None)
        if lesson is not None:
            shutil.rmtree(lesson.folder, ignore_errors=True)

    def sweep(self) -> None:
        """Delete those that nobody came back to."""
        now = time.monotonic()
        for owner in [key for key, one in list(self._held.items()) if now - one.at > self._keep_s]:
            self.end(owner)
