"""What all tabs share on the server: models, the reader of strangers' files, and the browsers' files."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vnvision.errors import ConfigError
from vnvision.hub import shelf
from vnvision.imaging.isolated import IsolatedReader
from vnvision.records import Sample
from vnvision_demo.door.parcels import Parcels
from vnvision_demo.door.sessions import Sessions
from vnvision_demo.door.uploads import Uploads
from vnvision_demo.jobs.windowing import Viewer
from vnvision_demo.lessons import Lessons
from vnvision_demo.scratch import Scratch
from vnvision_demo.settings import Settings
from vnvision_demo.shelf import OpenModels

if TYPE_CHECKING:
    from vnvision_demo.faces import FaceDesk

_SWEEP_S = 20.0
JUST_NOW_S = 10.0
"""For so long a page can fetch the picture it sent after it is answered."""


class Station:
    """One running demo.

    Args:
        settings: how it was started.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._scratch = Scratch()
        self.root = self._scratch.path
        self.sessions = Sessions(secure=settings.secure)
        self.uploads = Uploads(
            self.root / "uploads",
            session_bytes=settings.session_bytes,
            total_bytes=settings.total_bytes,
            keep_s=settings.keep_s,
        )
        self.parcels = Parcels(keep_s=settings.keep_s)
        self.kept = Kept()
        self.recent = Kept(most_bytes=32 << 20)
        self.reader = IsolatedReader(workers=settings.workers)
        self.models = OpenModels(threads=1)
        self.viewer = Viewer(self.reader)
        self.work = self.root / "work"
        self.work.mkdir(mode=0o700)
        self.lessons = Lessons(
            self.root / "lessons", most_bytes=settings.session_bytes, keep_s=4 * settings.keep_s
        )
        self._closed = threading.Event()
        self._warming: threading.Thread | None = None

    @cached_property
    def desk(self) -> FaceDesk:
        """Faces: compare, enrol, find, forget, hide."""
        from vnvision_demo.faces import FaceDesk

        return FaceDesk(self.settings)

    def warm_up(self) -> None:
        """Open what the first visitor would wait for."""
        for name in (*sorted(self.models.router.experts), "leaf_severity"):
            if self._closed.is_set():
                return
            if name in shelf.model_names():
                self.models.model(name)
        leaf = Path(__file__).parent / "static" / "leaf-spots.jpg"
        with contextlib.suppress(ConfigError):  # closed meanwhile
            for read in self.reader.read_many([leaf] * self.settings.workers):
                if isinstance(read, Sample):
                    self.models.router.choose([read.image])

    def read_upload(self, owner: str, path: str) -> bytes:
        """The bytes of a file that a browser sent; the file is deleted.

        Raises:
            Refusal: it is not that browser's, or is gone.
        """
        with self.uploads.taken(owner, [path]) as (file,):
            data = file.read_bytes()
            self.recent.put(owner, path, data, len(data))  # before it is deleted: its page may ask right now
        return data

    def sent_just_now(self, owner: str, path: str) -> bytes | None:
        """What a browser sent some seconds ago, though it is answered: its page may be about to show it."""
        return self.recent.get(owner, path, newer_s=JUST_NOW_S)

    def start(self) -> None:
        """Open models and look after old files, beside the server."""
        self._warming = threading.Thread(target=self.warm_up, daemon=True)
        self._warming.start()
        threading.Thread(target=self.watch, daemon=True).start()

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        """A private folder for one job; no address leads to it, and it is deleted with the job."""
        made = Path(tempfile.mkdtemp(dir=self.work))
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def watch(self) -> None:
        """Delete what was kept too long, until closed."""
        while not self._closed.wait(_SWEEP_S):
            self.uploads.sweep()
            self.parcels.sweep()
            self.lessons.sweep()
            self.kept.sweep(self.settings.keep_s)
            self.recent.sweep(JUST_NOW_S)

    def forget(self, owner: str) -> None:
        """Delete everything of a browser that leaves."""
        self.uploads.forget(owner)
        self.parcels.forget(owner)
        self.kept.forget(owner)
        self.recent.forget(owner)
        self.lessons.end(owner)

    def close(self) -> None:
        """Delete every file and stop the readers."""
        self._closed.set()
        if self._warming is not None:  # a model that is being opened when the process ends would abort it
            self._warming.join(3.0)
        self.reader.close()
        self._scratch.close()


class Kept:
    """The last thing each browser sent to a tab, in memory only, so that it can be asked about again.

    Args:
        most_bytes: of all browsers; the oldest go first.
    """

    def __init__(self, most_bytes: int = 64 << 20) -> None:
        self._most = most_bytes
        self._held: OrderedDict[tuple[str, str], tuple[float, int, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, owner: str, tab: str, value: Any, size: int) -> None:
        """Keep a value in place of the one before."""
        with self._lock:
            self._held.pop((owner, tab), None)
            self._held[owner, tab] = time.monotonic(), size, value
            while sum(one[1] for one in self._held.values()) > self._most:
                self._held.popitem(last=False)

    def get(self, owner: str, tab: str, *, newer_s: float | None = None) -> Any:
        """What was kept; None where it is gone, or older than asked for."""
        found = self._held.get((owner, tab))
        if found is None or (newer_s is not None and time.monotonic() - found[0] > newer_s):
            return None
        return found[2]

    def drop(self, owner: str, tab: str) -> None:
        """Let go of it."""
        with self._lock:
            self._held.pop((owner, tab), None)

    def forget(self, owner: str) -> None:
        """Let go of everything of one browser."""
        with self._lock:
            for key in [key for key in self._held if key[0] == owner]:
                del self._held[key]

    def sweep(self, keep_s: float) -> None:
        """Let go of what is old."""
        now = time.monotonic()
        with self._lock:
            for key in [key for key, one in self._held.items() if now - one[0] > keep_s]:
                del self._held[key]
