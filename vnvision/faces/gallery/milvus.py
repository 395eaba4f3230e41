"""The same gallery over Milvus: a Milvus Lite file on this machine, or a cluster by its URI.

Milvus must see the embeddings to search them, so here they are NOT encrypted by this library: use a disk,
a network and a server that you trust. Names, person ids and consents go in sealed, as in ``Gallery``; the
key check, the model's fingerprint and the audit log lie in a small SQLite file of our own, the ledger.
"""

from __future__ import annotations

import base64
import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import numpy as np

from vnvision.errors import DataError, MissingExtraError
from vnvision.faces.gallery import checks
from vnvision.faces.gallery.answers import build_answers
from vnvision.faces.gallery.audit import AuditEntry, AuditHead
from vnvision.faces.gallery.enrolling import check_photos, check_terms
from vnvision.faces.gallery.keys import GalleryKey
from vnvision.faces.gallery.opening import Opened, open_parts
from vnvision.faces.gallery.people import Consent, Enrolment, Identification, Person
from vnvision.faces.gallery.reading import StoredRecord, group_people
from vnvision.faces.gallery.vault import RecordId, damaged

_FIELDS = ["id", "person", "expires", "text"]
_MOST_TEXT, _MOST_HITS, _PAGE = 65_535, 16_384, 1000


class MilvusGallery:
    """``enroll``, ``identify``, ``forget`` and ``list`` as in ``Gallery``; made by ``MilvusGallery.open``.

    What differs: Milvus has no transactions, so the audit entry is written first and a crash after it can
    leave some of the photos out (enrolling again completes them, without duplicates). ``identify`` is exact
    for k = 1 with a FLAT index; a larger k reads ``64 * k`` photos, which may belong to fewer people.
    ``forget`` deletes and asks for a compaction, and the server clears its storage when it sees fit.
    """

    def __init__(
        self, client: Any, collection: str, parts: Opened, clock: Callable[[], datetime], where: str
    ) -> None:
        self._client, self._collection, self._clock, self._where = client, collection, clock, where
        self._store, self._vault, self._audit = parts.store, parts.vault, parts.audit
        self.model, self.dim = parts.settings.model, parts.settings.dim

    @classmethod
    def open(
        cls,
        uri: str,
        *,
        ledger: str | Path,
        model: str,
        dim: int,
        key: GalleryKey | Path | None = None,
        collection: str = "vnvision_faces",
        token: str = "",
        index: str = "FLAT",
        create: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        client: Any = None,
    ) -> Self:
        """Connect, and open or make the ledger and the collection.

        Args:
            uri: a file name ending in ``.db`` for Milvus Lite, or a server's address.
            ledger: the SQLite file with key check and audit log.
            model: the embedder's fingerprint.
            dim: the embedding size D.
            key: as in ``Gallery.open``.
            collection: its name on the server.
            token: the server's token or ``user:password``.
            index: Milvus index type; ``FLAT`` is exact.
            create: make ledger and collection where there are none.
            clock: gives the current time, aware.
            client: an open ``MilvusClient`` instead of ``uri`` and ``token``.

        Raises:
            ConfigError, ModelError: as in ``Gallery.open``.
            DataError: no ledger, no collection, or the server refused.
            MissingExtraError: ``pymilvus`` is not installed.
        """
        client = client or _connect(uri, token)
        parts = open_parts(Path(ledger), key, model, dim, create, checks.utc(clock(), "clock"), 60.0)
        gallery = cls(client, collection, parts, clock, f"the Milvus collection {collection} at {uri}")
        try:
            with gallery._talking():
                if not client.has_collection(collection):
                    if not create:
                        raise DataError(f"{gallery._where} does not exist", fix="open it with create=True")
                    _make_collection(client, collection, dim, index)
                client.load_collection(collection)
        except BaseException:
            gallery.close()
            raise
        return gallery

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
        """Store photos of one person; arguments and errors as in ``Gallery.enroll``."""
        terms = check_terms(person, name, consent, purpose, expires, checks.utc(self._clock(), "clock"))
        tag = self._vault.pseudonym(terms.person)
        photos = check_photos(self._vault, tag, self.dim, embeddings, digests)
        stored = self._records(f'person == "{tag.hex()}"')
        known = {item.id.photo: item for item in stored}
        text, expires_s = terms.text(stored), terms.expires_s
        done = {"added": 0, "already": len(embeddings) - len(photos), "replaced": 0}
        entries = []
        for photo, row in photos.items():
            old = known.get(photo)
            if old and old.id.expires_s == expires_s and old.text.same_terms(text):
                done["already"] += 1
                continue
            # The photo's tag is the primary key: an upsert repeated after a crash stores nothing twice.
            record = RecordId(photo, tag, photo, expires_s)
            sealed = base64.b64encode(self._vault.seal_text(text, record)).decode("ascii")
            if len(sealed) > _MOST_TEXT:
                raise DataError(
                    "the consent is too long for Milvus",
                    expected=f"{_MOST_TEXT} sealed characters",
                    got=str(len(sealed)),
                    fix="store a reference to the form instead of its text",
                )
            entry = {"id": photo.hex(), "person": tag.hex(), "expires": expires_s, "text": sealed}
            entries.append(entry | {"vector": row.tolist()})
            done["replaced" if old else "added"] += 1
        self._log(terms.now, "enroll", [tag], photos=len(embeddings), **done)
        if entries:
            with self._talking():
                self._client.upsert(self._collection, data=entries)
                self._client.flush(self._collection)
        return Enrolment(person=terms.person, **done)

    def identify(self, embeddings: np.ndarray, threshold: float, k: int = 1) -> tuple[Identification, ...]:
        """Who these faces are, or unknown; arguments and errors as in ``Gallery.identify``."""
        queries = checks.unit_embeddings(embeddings, self.dim, "query embeddings")
        threshold, k = checks.cosine_threshold(threshold), checks.positive(k, "k")
        now = checks.utc(self._clock(), "clock")
        valid = f"expires > {int(now.timestamp())}"
        hits: list[Any] = []
        if len(queries):
            with self._talking():
                hits = self._client.search(
                    self._collection,
                    data=[query.tolist() for query in queries],
                    anns_field="vector",
                    filter=valid,
                    limit=1 if k == 1 else min(_MOST_HITS, 64 * k),
                    output_fields=["person"],
                    search_params={"metric_type": "IP"},
                    consistency_level="Strong",
                )
        people: list[bytes] = []
        scores = np.full((len(queries), k), -np.inf, np.float32)
        owners = np.full((len(queries), k), -1, np.int64)
        for row, line in enumerate(hits):
            best: dict[str, float] = {}
            for hit in line:
                best.setdefault(hit["entity"]["person"], float(hit["distance"]))
            for place, (tag, score) in enumerate(list(best.items())[:k]):
                scores[row, place], owners[row, place] = score, len(people)
                people.append(bytes.fromhex(tag))
        matched = (owners >= 0) & (scores >= threshold)
        found = sorted({people[owner] for owner in owners[matched]})
        records = {tag: self._records(f'person == "{tag.hex()}"') for tag in found}
        answers = build_answers(scores, owners, matched, people, records)
        known = sum(1 for answer in answers if answer.candidates)
        counts = {"queries": len(queries), "known": known, "unknown": len(queries) - known}
        self._log(now, "identify", found, **counts, threshold=threshold, k=k)
        return answers

    def forget(self, person: str) -> int:
        """Delete a person; returns how many photos went. See the class for what the server may still hold."""
        tag = self._vault.pseudonym(checks.words(person, "person"))
        wanted = f'person == "{tag.hex()}"'
        with self._talking():
            count = sum(1 for _ in self._pages(wanted, ["id"]))
            self._client.delete(self._collection, filter=wanted)
            self._client.flush(self._collection)
            compact = getattr(self._client, "compact", None)
            if compact is not None and not self._where.endswith(".db"):  # Milvus Lite has no compaction
                compact(self._collection)
        self._log(checks.utc(self._clock(), "clock"), "forget", [tag], photos=count)
        return count

    def list(self) -> tuple[Person, ...]:
        """Everyone enrolled, in order of their ids."""
        return group_people(self._records('id != ""'), checks.utc(self._clock(), "clock"))

    def audit_entries(self) -> tuple[AuditEntry, ...]:
        """The audit log, oldest first."""
        return self._audit.entries()

    def verify_audit(self, known: AuditHead | None = None) -> AuditHead:
        """Check the audit log, as ``Gallery.verify_audit`` does."""
        return self._audit.verify(known)

    def close(self) -> None:
        """Close the ledger and the connection."""
        self._store.close()
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _log(self, now: datetime, action: str, people: Sequence[bytes], **detail: int | float) -> None:
        with self._store.write():
            self._audit.append(now, action, people, **detail)

    def _records(self, wanted: str) -> Sequence[StoredRecord]:
        found = []
        with self._talking():
            rows = [*self._pages(wanted, _FIELDS)]
        for row in rows:
            try:
                photo, tag = bytes.fromhex(row["id"]), bytes.fromhex(row["person"])
                record = RecordId(photo, tag, photo, int(row["expires"]))
                sealed = base64.b64decode(row["text"], validate=True)
            except ValueError as exc:
                raise damaged(str(row["id"]).encode(), "identity") from exc
            found.append(StoredRecord(record, self._vault.open_text(sealed, record), b""))
        return sorted(found, key=lambda item: (item.text.person, item.text.enrolled_at, item.id.record))

    def _pages(self, wanted: str, fields: Sequence[str]) -> Iterator[dict[str, Any]]:
        pages = self._client.query_iterator(
            self._collection,
            batch_size=_PAGE,
            filter=wanted,
            output_fields=[*fields],
            consistency_level="Strong",
        )
        try:
            while page := pages.next():
                yield from page
        finally:
            pages.close()

    @contextmanager
    def _talking(self) -> Iterator[None]:
        try:
            failure: type[Exception] = importlib.import_module("pymilvus").MilvusException
        except ImportError:  # a client of the caller's own
            failure = ConnectionError
        try:
            yield
        except failure as exc:
            raise DataError(
                f"{self._where} refused", got=str(exc), fix="check that Milvus runs and the token is right"
            ) from exc


def _connect(uri: str, token: str) -> Any:
    try:
        pymilvus = importlib.import_module("pymilvus")
    except ImportError as exc:
        raise MissingExtraError("pymilvus", "gallery") from exc
    try:
        return pymilvus.MilvusClient(uri=uri, token=token)
    except pymilvus.MilvusException as exc:
        raise DataError(
            f"cannot reach Milvus at {uri}", got=str(exc), fix="check the address and the token"
        ) from exc


def _make_collection(client: Any, collection: str, dim: int, index: str) -> None:
    pymilvus = importlib.import_module("pymilvus")
    kind = pymilvus.DataType
    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", kind.VARCHAR, is_primary=True, max_length=32)
    schema.add_field("person", kind.VARCHAR, max_length=32)
    schema.add_field("expires", kind.INT64)
    schema.add_field("text", kind.VARCHAR, max_length=_MOST_TEXT)
    schema.add_field("vector", kind.FLOAT_VECTOR, dim=dim)
    wanted = client.prepare_index_params()
    wanted.add_index("vector", index_type=index, metric_type="IP")
    client.create_collection(collection, schema=schema, index_params=wanted)
