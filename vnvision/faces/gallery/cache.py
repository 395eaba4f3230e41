"""The gallery in memory: decrypted once, and brought up to date when any process changes the file."""

from __future__ import annotations

import sqlite3
from typing import Any

import numpy as np

from vnvision.faces.gallery.search import Index, SearchKind, open_index
from vnvision.faces.gallery.store import Store
from vnvision.faces.gallery.vault import ID_BYTES, RecordId, Vault, damaged

GENERATION = "generation"
_FETCH = 500  # bound parameters of one query


def record_id(record: Any, person: Any, photo: Any, expires_s: Any) -> RecordId:
    """The identity of a stored row; DataError where a column is not of the kind it was written as."""
    for part in (record, person, photo):
        if not isinstance(part, bytes) or len(part) != ID_BYTES:
            raise damaged(record if isinstance(record, bytes) else repr(record).encode(), "identity")
    if not isinstance(expires_s, int):
        raise damaged(record, "expiry")
    return RecordId(record, person, photo, expires_s)


class EmbeddingCache:
    """All embeddings of a store, ready for searching.

    Args:
        store: the gallery's file.
        vault: opens its records.
        dim: D.
        search: which index to build.
    """

    def __init__(self, store: Store, vault: Vault, dim: int, search: SearchKind) -> None:
        self._store, self._vault, self._dim, self._kind = store, vault, dim, search
        self._seen: tuple[int, int] | None = None
        self.clear()

    def clear(self) -> None:
        """Forget everything held in memory."""
        self._ids: list[RecordId] = []
        self._matrix = np.empty((0, self._dim), np.float32)
        self._seen = None
        self._index: Index | None = None
        self._valid = (0, 0)
        self.people: list[bytes] = []

    def refresh(self) -> None:
        """Take in what changed since the last call; cheap where nothing did.

        ``PRAGMA data_version`` moves when another connection commits, audit entries included; the
        generation in the meta table moves only when records change.

        Raises:
            DataError: a record does not open.
        """
        with self._store.read() as db:
            version = int(db.execute("PRAGMA data_version").fetchone()[0])
            if self._seen and self._seen[0] == version:
                return
            generation = self._store.counter(GENERATION)
            if not self._seen or self._seen[1] != generation:
                self._reload(db)
            self._seen = (version, generation)

    def changed_here(self) -> None:
        """This connection changed records: ``data_version`` does not tell it so."""
        self._seen = None

    def _reload(self, db: sqlite3.Connection) -> None:
        # The index covers these columns: the pages with the sealed blobs are not touched.
        rows = db.execute("SELECT id, person, photo, expires FROM record ORDER BY person, id")
        now = [record_id(*row) for row in rows]
        old = {known: row for row, known in enumerate(self._ids)}
        matrix = np.empty((len(now), self._dim), np.float32)
        kept = [(row, old[known]) for row, known in enumerate(now) if known in old]
        if kept:
            target, origin = np.array(kept).T
            matrix[target] = self._matrix[origin]
        fresh = [row for row, known in enumerate(now) if known not in old]
        for start in range(0, len(fresh), _FETCH):
            part = fresh[start : start + _FETCH]
            marks = ",".join("?" * len(part))
            query = f"SELECT id, embedding FROM record WHERE id IN ({marks})"
            blobs = dict(db.execute(query, [now[row].record for row in part]))
            for row in part:
                matrix[row] = self._vault.open_embedding(blobs[now[row].record], now[row], self._dim)
        self._ids, self._matrix, self._index = now, matrix, None

    def index(self, now_s: int) -> Index:
        """The index over the records that are valid at ``now_s`` (seconds since 1970 UTC).

        Owners are positions in ``people``, which holds pseudonyms. Kept until a record comes, goes or
        expires.
        """
        since, until = self._valid
        if self._index is not None and since <= now_s < until:
            return self._index
        expires = np.array([known.expires_s for known in self._ids], dtype=np.int64)
        valid = expires > now_s
        rows = np.flatnonzero(valid)
        names, owners = np.unique([self._ids[row].person.hex() for row in rows], return_inverse=True)
        self.people = [bytes.fromhex(str(name)) for name in names]
        matrix = self._matrix if valid.all() else self._matrix[rows]
        self._index = open_index(matrix, owners.astype(np.int64), self._kind)
        until = int(expires[rows].min()) if rows.size else np.iinfo(np.int64).max
        self._valid = (now_s, until)
        return self._index
