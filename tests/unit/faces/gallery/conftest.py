"""A gallery whose clock is set by hand, and unit vectors to fill it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cryptography")

from vnvision.faces.gallery import Consent, Gallery, GalleryKey

DIM = 16
START = datetime(2026, 1, 1, tzinfo=UTC)
KEY = GalleryKey(bytes(range(32)))


@dataclass
class Bench:
    """Opens galleries in one folder and enrols with sensible terms."""

    path: Path
    now: datetime = START
    opened: list = field(default_factory=list)
    key: GalleryKey = KEY
    model: str = "model-a"

    def open(self, **options):
        wanted = {"key": self.key, "model": self.model, "dim": DIM, "create": True, "clock": lambda: self.now}
        gallery = Gallery.open(self.path, **(wanted | options))
        self.opened.append(gallery)
        return gallery

    def enroll(self, gallery, person, embeddings, **options):
        terms = {"consent": self.consent(), "purpose": "door", "expires": START + timedelta(days=30)}
        return gallery.enroll(person, embeddings, **(terms | options))

    @staticmethod
    def consent(text="I agree"):
        return Consent(given_by="Nguyễn Văn An", given_at=START, text=text)

    @staticmethod
    def units(count, seed=0, dim=DIM):
        values = np.random.default_rng(seed).normal(size=(count, dim))
        return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)

    def bytes_on_disk(self):
        """Everything in the gallery's folder: database, write-ahead log, shared memory."""
        return b"".join(part.read_bytes() for part in sorted(self.path.parent.iterdir()) if part.is_file())

    def close(self):
        for gallery in self.opened:
            gallery.close()


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path / "store" / "faces.db")
    yield made
    made.close()
