"""What the faces tab does, without its page: compare, enrol, find, forget, hide; one gallery a machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vnvision.errors import DataError, VnvisionError
from vnvision.faces.engine import Comparison, FaceEngine, Match
from vnvision.faces.enrol import enroll_pictures, open_gallery
from vnvision.faces.gallery import Consent
from vnvision.faces.places import gallery_file
from vnvision.faces.quality import QualityGate
from vnvision.imaging.depth import to_uint8
from vnvision_demo.errors import Refusal
from vnvision_demo.settings import Settings

if TYPE_CHECKING:
    from vnvision.faces.anonymise_hide import Method
    from vnvision.faces.gallery import Enrolment, Gallery
    from vnvision.faces.gallery.audit import AuditEntry
    from vnvision.faces.gallery.people import Person
    from vnvision.faces.protocols import Detector
    from vnvision.records import Face

VERIFY = QualityGate("verify")
CLOSE = 0.04  # of a cosine: nearer to the threshold than two photos of a person differ by chance


class FaceDesk:
    """Faces for all browsers; networks are asked by one thread at a time.

    Args:
        settings: where the gallery lies, and whether people may be kept in it.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()

    @cached_property
    def engine(self) -> FaceEngine:
        """Detector and embedder."""
        return FaceEngine(threads=2)

    @cached_property
    def bulk(self) -> FaceEngine:
        """The same once more, for long jobs, so that visitors need not wait for them."""
        return FaceEngine(threads=1)

    @cached_property
    def _watchful(self) -> tuple[Detector, ...]:
        from vnvision.faces.anonymise import watchful_detectors

        return watchful_detectors(threads=2)

    @property
    def file(self) -> Path:
        """The gallery's."""
        return self._settings.gallery or gallery_file()

    @contextmanager
    def gallery(self, *, create: bool = False) -> Iterator[Gallery]:
        """The machine's gallery.

        Raises:
            Refusal: strangers could reach it.
        """
        if not self._settings.is_private:
            raise Refusal("faces.off", 403)
        with open_gallery(self._settings.gallery, embedder=self.engine.embedder, create=create) as found:
            yield found

    def compare(self, first: np.ndarray, second: np.ndarray, threshold: str) -> tuple[Comparison, list[Face]]:
        """Two pictures, and those of their faces that are too poor to be compared."""
        with self._lock:
            found = self.engine.verify(_rgb(first), _rgb(second), threshold=threshold)
        self._note("verify", same=int(found.same))
        poor = [face for face in found.faces if not VERIFY.check_face(face).accepted]
        return found, poor

    def crops(self, images: tuple[np.ndarray, np.ndarray], faces: tuple[Face, Face]) -> list[np.ndarray]:
        """Both faces as the network saw them, (112, 112, 3) each."""
        with self._lock:
            cut = self.engine.align([_rgb(one) for one in images], [[face] for face in faces])
        return [some[0] for some in cut]

    def enroll(
        self, person: str, image: np.ndarray, *, words: str, purpose: str, days: int
    ) -> tuple[Enrolment, datetime]:
        """Keep a person's template, with the consent that was given, until a day."""
        now = datetime.now(UTC)
        until = now + timedelta(days=days)
        with self._lock, self.gallery(create=True) as gallery:
            done = enroll_pictures(
                self.engine,
                gallery,
                person,
                [_rgb(image)],
                consent=Consent(given_by=person, given_at=now, text=words),
                purpose=purpose,
                expires=until,
            )
        return done, until

    def find(self, image: np.ndarray, threshold: str) -> tuple[Match, ...]:
        """Who the faces of a picture are."""
        if not self.file.is_file():
            self._open_to_all()
            return ()
        with self._lock, self.gallery() as gallery:
            (found,) = self.engine.identify([_rgb(image)], gallery, threshold=threshold)
        return found

    def faces(self, image: np.ndarray) -> tuple[Face, ...]:
        """The faces of a picture."""
        with self._lock:
            (found,) = self.engine.detect([_rgb(image)])
        return found

    def people(self) -> tuple[Person, ...]:
        """Everyone enrolled."""
        if not self._settings.is_private or not self.file.is_file():
            return ()
        with self.gallery() as gallery:
            return gallery.list()

    def forget(self, person: str) -> int:
        """Erase a person; how many photos went."""
        with self.gallery() as gallery:
            return gallery.forget(person)

    def audit(self) -> tuple[AuditEntry, ...]:
        """The log of use, after it was checked.

        Raises:
            DataError: it was changed.
        """
        if not self.file.is_file():
            return ()
        with self.gallery() as gallery:
            gallery.verify_audit()
            return gallery.audit_entries()

    def hide(self, image: np.ndarray, method: Method) -> tuple[np.ndarray, int]:
        """The picture with every face hidden, and how many there were."""
        from vnvision.faces.anonymise import anonymise_picture

        with self._lock:
            hidden, faces = anonymise_picture(to_uint8(image), self._watchful, method)
        self._note("anonymise", faces=len(faces))
        return hidden, len(faces)

    def _open_to_all(self) -> None:
        if not self._settings.is_private:
            raise Refusal("faces.off", 403)

    def _note(self, action: str, **detail: int) -> None:
        """Log a use; where there is no gallery there is no log yet."""
        if self._settings.is_private and self.file.is_file():
            try:
                with self.gallery() as gallery:
                    gallery.note(action, **detail)
            except VnvisionError as exc:
                raise DataError("this use of faces could not be logged", got=str(exc)) from exc


def _rgb(image: np.ndarray) -> np.ndarray:
    """(H, W, 1 or 3) of any depth -> (H, W, 3) uint8."""
    image = to_uint8(image)
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
