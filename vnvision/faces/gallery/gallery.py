"""A gallery of enrolled people in one encrypted SQLite file."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from vnvision.errors import ConfigError, DataError
from vnvision.faces.gallery import checks
from vnvision.faces.gallery.answers import build_answers
from vnvision.faces.gallery.audit import AuditEntry, AuditHead
from vnvision.faces.gallery.cache import GENERATION, EmbeddingCache
from vnvision.faces.gallery.enrolling import check_photos, check_terms
from vnvision.faces.gallery.export import write_export
from vnvision.faces.gallery.keys import GalleryKey
from vnvision.faces.gallery.opening import Opened, open_parts
from vnvision.faces.gallery.people import (
    Consent,
    EmbeddingForm,
    Enrolment,
    Identification,
    Person,
)
from vnvision.faces.gallery.reading import group_people, read_records
from vnvision.faces.gallery.search import SearchKind
from vnvision.faces.gallery.vault import RecordId

Clock = Callable[[], datetime]


NOTED = ("verify", "anonymise")
"""What ``Gallery.note`` logs."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Gallery:
    """Enrol, identify and forget people. Made by ``Gallery.open``; a context manager.

    Everything that tells who someone is lies encrypted (AES-256-GCM, NIST SP 800-38D) under keys derived from
    the gallery's own; person ids are looked up by keyed pseudonym. Visible to anyone with the file: the
    number of people and photos, when each expires, when something happened, the model and its embedding size.
    Several processes may use one file, each through its own ``Gallery``; do not carry one across a fork.
    """

    def __init__(self, parts: Opened, *, may_embed: bool, search: SearchKind, clock: Clock) -> None:
        self._store, self._vault, self._audit = parts.store, parts.vault, parts.audit
        self.model, self.dim = parts.settings.model, parts.settings.dim
        self._may_embed, self._clock = may_embed, clock
        self._cache = EmbeddingCache(self._store, self._vault, self.dim, search)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        key: GalleryKey | Path | None = None,
        model: str | None = None,
        dim: int | None = None,
        create: bool = False,
        search: SearchKind = "auto",
        clock: Clock = _utc_now,
        busy_s: float = 60.0,
    ) -> Self:
        """Open a gallery file, or make one.

        Args:
            path: the SQLite file; must lie on a local disk.
            key: a key, the path of a key file, or None for the environment variable VNVISION_GALLERY_KEY.
            model: the embedder's fingerprint. Needed to enrol and to identify; listing, forgetting,
                exporting and auditing do without.
            dim: the embedding size D; needed with ``create``.
            create: make the file where there is none.
            search: ``auto``, ``exact`` or ``faiss``.
            clock: gives the current time, aware.
            busy_s: how long to wait for other processes, in seconds.

        Raises:
            ConfigError: no key or a wrong one.
            DataError: no gallery there, or a changed one.
            MissingExtraError: ``cryptography`` is not installed.
            ModelError: the gallery holds another model's embeddings, which never mix.
        """
        parts = open_parts(Path(path), key, model, dim, create, checks.utc(clock(), "clock"), busy_s)
        return cls(parts, may_embed=model is not None, search=search, clock=clock)

    def enroll(
        self,
        person: str,
        embeddings: np.ndarray,
        *,
        consent: Consent,
        purpose: str,
        expires: datetime,
        name: str | None = None,
        digests: Sequence[str] | None = None,
    ) -> Enrolment:
        """Store photos of one person: all of them and the audit entry, or nothing.

        When this returns, the photos survive a crash; called again with the same photos it adds nothing. A
        stored photo given with another name, purpose, consent or expiry takes the new terms.

        Args:
            person: the person's id.
            embeddings: (K, D) float32, unit-norm, one row a photo.
            consent: who agreed, when, to what.
            purpose: what the face may be used for.
            expires: aware; from this second on the photo matches nobody.
            name: for display; None keeps the name that is stored.
            digests: K hex SHA-256 of the photo files; None takes those of the embeddings.

        Raises:
            ConfigError: no model was given on opening, an empty text, a wrong expiry.
            DataError: wrong embeddings or digests, or a stored record of this person does not open.
        """
        self._need_model("enrol")
        terms = check_terms(person, name, consent, purpose, expires, self._now())
        tag = self._vault.pseudonym(terms.person)
        photos = check_photos(self._vault, tag, self.dim, embeddings, digests)
        done = {"added": 0, "already": len(embeddings) - len(photos), "replaced": 0}
        with self._store.write() as db:
            stored = read_records(self._store, self._vault, tag)
            known = {item.id.photo: item for item in stored}
            text = terms.text(stored)
            for photo, row in photos.items():
                old = known.get(photo)
                if old and old.id.expires_s == terms.expires_s and old.text.same_terms(text):
                    done["already"] += 1
                    continue
                if old:
                    db.execute("DELETE FROM record WHERE id = ?", (old.id.record,))
                record = RecordId(os.urandom(16), tag, photo, terms.expires_s)
                sealed = self._vault.seal_text(text, record), self._vault.seal_embedding(row, record)
                db.execute("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?)", (*record, *sealed))
                done["replaced" if old else "added"] += 1
            if done["added"] or done["replaced"]:
                self._store.bump(GENERATION)
            self._audit.append(terms.now, "enroll", [tag], photos=len(embeddings), **done)
        self._cache.changed_here()
        return Enrolment(person=terms.person, **done)

    def identify(self, embeddings: np.ndarray, threshold: float, k: int = 1) -> tuple[Identification, ...]:
        """Who these faces are, or unknown: exact search over every valid photo.

        A person's score is the highest cosine of their photos. One audit entry covers the call.

        Args:
            embeddings: (Q, D) float32, unit-norm.
            threshold: cosine in [-1, 1]; a person at or above it is a candidate.
            k: how many candidates at most.

        Returns:
            Q answers in order; no candidates means unknown.

        Raises:
            ConfigError: no model was given on opening, a wrong threshold or k.
            DataError: wrong embeddings, or a record that was changed.
        """
        self._need_model("identify")
        queries = checks.unit_embeddings(embeddings, self.dim, "query embeddings")
        threshold, k = checks.cosine_threshold(threshold), checks.positive(k, "k")
        now = self._now()
        with self._store.lock:
            self._cache.refresh()
            index = self._cache.index(int(now.timestamp()))
            people = self._cache.people
            scores, owners = index.top(queries, min(k, max(1, len(people))))
        hits = (owners >= 0) & (scores >= threshold)
        found = [people[owner] for owner in np.unique(owners[hits])]
        with self._store.write():
            texts = {tag: read_records(self._store, self._vault, tag) for tag in found}
            answers = build_answers(scores, owners, hits, people, texts)
            known = sum(1 for answer in answers if answer.candidates)
            self._audit.append(
                now,
                "identify",
                [tag for tag in found if texts[tag]],
                queries=len(queries),
                known=known,
                unknown=len(queries) - known,
                threshold=threshold,
                k=k,
            )
        return answers

    def forget(self, person: str) -> int:
        """Erase a person; returns how many photos went. 0: nobody of that id is enrolled.

        Nothing of the person stays in the database, its write-ahead log or its shared-memory file; the audit
        log keeps a keyed pseudonym. Copies made elsewhere (backups, snapshots, exports, the blocks a file
        system freed) are not reached.

        Raises:
            DataError: other programs kept the file busy; the person is gone from it and matches nobody, and
                the next opening finishes the erasing.
        """
        tag = self._vault.pseudonym(checks.words(person, "person"))
        return self._erase("forget", "person = ?", (tag,), [tag])

    def discard(self, record: str) -> int:
        """Erase one record by its hex id, as errors about damaged records name it; returns 1 or 0.

        Raises:
            ConfigError: no record id.
        """
        try:
            value = bytes.fromhex(record)
        except ValueError as exc:
            raise ConfigError("no record id", expected="32 hex digits", got=repr(record)) from exc
        return self._erase("discard", "id = ?", (value,), [])

    def purge_expired(self) -> int:
        """Erase every expired photo as ``forget`` does; returns how many."""
        now_s = int(self._now().timestamp())
        with self._store.read() as db:
            rows = db.execute("SELECT DISTINCT person FROM record WHERE expires <= ?", (now_s,))
            people = sorted(row[0] for row in rows if isinstance(row[0], bytes))
        return self._erase("purge", "expires <= ?", (now_s,), people)

    def list(self) -> tuple[Person, ...]:
        """Everyone enrolled, in order of their ids, with consent, purpose and expiry of each photo.

        Raises:
            DataError: a record that was changed.
        """
        with self._store.read():
            records = read_records(self._store, self._vault)
        return group_people(records, self._now())

    def export(
        self, path: str | Path, *, person: str | None = None, embeddings: EmbeddingForm = "none"
    ) -> Path:
        """Write people as JSON, logged before the file is written, readable by the owner only.

        Args:
            path: the file.
            person: one person's id, as when they ask what is held about them; None for everyone.
            embeddings: ``none``, ``encrypted`` (useless without this gallery's key), or ``plain``: whoever
                reads the file can recognise these people.

        Raises:
            ConfigError: another word for ``embeddings``.
            DataError: nobody of that id, a record that was changed, or the file cannot be written.
        """
        if embeddings not in ("none", "encrypted", "plain"):
            raise ConfigError("embeddings", expected="none, encrypted or plain", got=repr(embeddings))
        tag = None if person is None else self._vault.pseudonym(checks.words(person, "person"))
        now = self._now()
        with self._store.write():
            records = read_records(self._store, self._vault, tag)
            if tag and not records:
                raise DataError(f"nobody is enrolled as {person!r}", fix="see who is: vnvision face list")
            subjects = [tag] if tag else []
            self._audit.append(now, "export", subjects, photos=len(records), embeddings=embeddings)
        return write_export(
            Path(path), records, self._vault, model=self.model, dim=self.dim, form=embeddings, now=now
        )

    def note(self, action: str, **detail: int | float | str | None) -> None:
        """Log a use of faces that touches no record, such as comparing two photos.

        Args:
            action: ``verify`` or ``anonymise``.
            **detail: counts, a threshold; never who it was.

        Raises:
            ConfigError: another action.
        """
        if action not in NOTED:
            raise ConfigError("action", expected=" or ".join(NOTED), got=repr(action))
        with self._store.write():
            self._audit.append(self._now(), action, (), **detail)

    def audit_entries(self) -> tuple[AuditEntry, ...]:
        """The audit log, oldest first."""
        return self._audit.entries()

    def verify_audit(self, known: AuditHead | None = None) -> AuditHead:
        """Check the audit log from its first entry to its head; returns the head, to note down elsewhere.

        Raises:
            DataError: naming the entry that was edited, removed or moved, a log cut short, or one that does
                not contain ``known``.
        """
        return self._audit.verify(known)

    def pseudonym(self, person: str) -> str:
        """The hex pseudonym under which the audit log names a person."""
        return self._vault.pseudonym(checks.words(person, "person")).hex()

    def close(self) -> None:
        """Close the file and drop the decrypted embeddings."""
        self._cache.clear()
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _erase(self, action: str, where: str, values: tuple[object, ...], people: Sequence[bytes]) -> int:
        with self._store.lock:
            with self._store.write():
                count = self._store.erase(where, values)
                if count:
                    self._store.bump(GENERATION)
                self._audit.append(self._now(), action, people, photos=count)
            self._cache.clear()
            # Also where nothing was deleted: an earlier, killed forget may have left its scrubbing undone.
            self._store.scrub()
        return count

    def _now(self) -> datetime:
        return checks.utc(self._clock(), "clock")

    def _need_model(self, verb: str) -> None:
        if not self._may_embed:
            raise ConfigError(
                f"cannot {verb}: the gallery was opened without a model",
                expected=f"model={self.model!r}",
                got="None",
                fix="open it with the fingerprint of the model that made the embeddings",
            )
