"""What one ``enroll`` is asked to store, checked and ready to seal."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from vnvision.errors import DataError
from vnvision.faces.gallery import checks
from vnvision.faces.gallery.people import Consent, PrivateText
from vnvision.faces.gallery.reading import StoredRecord, newest_name
from vnvision.faces.gallery.vault import Vault


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for every photo of one ``enroll``."""

    person: str
    name: str | None
    consent: Consent
    purpose: str
    expires_s: int
    now: datetime

    def text(self, stored: Sequence[StoredRecord]) -> PrivateText:
        """The text to seal; without a name of its own it keeps the one already stored."""
        return PrivateText(
            person=self.person,
            name=self.name or newest_name(stored),
            purpose=self.purpose,
            consent=self.consent,
            enrolled_at=self.now,
        )


def check_terms(
    person: str, name: str | None, consent: Consent, purpose: str, expires: datetime, now: datetime
) -> Terms:
    """Terms in their stored form.

    Raises:
        ConfigError: an empty text, no consent record, or an expiry that is past or has no time zone.
    """
    return Terms(
        person=checks.words(person, "person"),
        name=None if name is None else checks.words(name, "name"),
        consent=checks.consent_record(consent),
        purpose=checks.words(purpose, "purpose"),
        expires_s=checks.future_second(expires, now),
        now=now,
    )


def check_photos(
    vault: Vault, person: bytes, dim: int, embeddings: np.ndarray, digests: Sequence[str] | None
) -> dict[bytes, np.ndarray]:
    """Each photo's tag and its embedding (D,) float32; a photo given twice counts once.

    Args:
        vault: makes the tags.
        person: the person's pseudonym.
        dim: D.
        embeddings: (K, D) float32, unit-norm.
        digests: K hex SHA-256 of the photos; None takes those of the embeddings.

    Raises:
        DataError: wrong embeddings or digests, or none.
    """
    rows = checks.unit_embeddings(embeddings, dim)
    if not len(rows):
        raise DataError("there is nothing to enrol", expected="1 photo or more", got="0 embeddings")
    if digests is None:
        digests = [hashlib.sha256(row.tobytes()).hexdigest() for row in rows]
    found: dict[bytes, np.ndarray] = {}
    for digest, row in zip(checks.photo_digests(digests, len(rows)), rows, strict=True):
        found.setdefault(vault.photo_tag(person, digest), row)
    return found
