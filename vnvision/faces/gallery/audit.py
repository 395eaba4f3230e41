"""An append-only log in which no entry can be changed, removed or moved unseen.

Each entry's HMAC-SHA256 (FIPS 198-1) covers its content and the entry before it; a keyed head in the same
file, written in the same transaction, holds the count and the last entry, so that a log cut short shows too.
A person appears only as a pseudonym, so erasing people leaves the chain whole.

What this cannot show by itself: someone who holds the key, and an old copy of the whole file put back. For
the second, write ``AuditHead`` down elsewhere from time to time and hand it to ``verify``.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from vnvision.errors import DataError
from vnvision.faces.gallery.keys import subkey
from vnvision.faces.gallery.store import TRIGGERS, Store
from vnvision.spec import Record, config_json

_HEAD = "audit_head"
_BROKEN = bytes(32)
_COLUMNS = "seq, at, action, subjects, detail, prev, mac"


class AuditHead(Record):
    """Where the log stood: how many entries, and the last one's HMAC in hex."""

    count: int = Field(ge=0)
    last: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class AuditEntry(Record):
    """One entry. ``subjects`` are pseudonyms in hex; ``detail`` holds counts, threshold and the like."""

    seq: int
    at: str
    action: str
    subjects: tuple[str, ...]
    detail: dict[str, Any]


class _Row(NamedTuple):
    seq: int
    at: str
    action: str
    subjects: str
    detail: str
    prev: bytes
    mac: bytes


class AuditLog:
    """The log of one gallery.

    Args:
        store: the gallery's file.
        master: 32 bytes.
        gallery_id: the gallery's own 16 random bytes.
    """

    def __init__(self, store: Store, master: bytes, gallery_id: bytes) -> None:
        self._store = store
        self._key = subkey(master, gallery_id, "audit")
        self._start = hmac.digest(self._key, b"start", "sha256")

    def append(
        self, at: datetime, action: str, subjects: Sequence[bytes] = (), **detail: int | float | str | None
    ) -> None:
        """Inside ``Store.write``: add one entry and move the head.

        Where the stored head or the last entry is not the key holder's, the new entry starts from a mark of
        breakage instead: a damaged log never stands in the way of erasing someone, and never heals.
        """
        db = self._store.db
        last = db.execute(f"SELECT {_COLUMNS} FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
        head, top = self._head(), _Row(*last) if last else None
        if head is None and self._store.get(_HEAD) is None and top is None and action == "create":
            seq, prev = 1, self._start
        elif head is not None and top is not None and (head.count, head.last) == (top.seq, _hex(top.mac)):
            seq, prev = head.count + 1, bytes.fromhex(head.last)
        else:
            seq, prev = max(head.count if head else 0, top.seq if top else 0) + 1, _BROKEN
        stamp = at.astimezone(UTC).isoformat(timespec="microseconds")
        people = config_json([subject.hex() for subject in subjects])
        body = (seq, stamp, action, people, config_json(detail), prev)
        mac = self._mac(_Row(*body, b""))
        db.execute(f"INSERT INTO audit ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", (*body, mac))
        packed = seq.to_bytes(8, "big") + mac
        self._store.put(_HEAD, packed + self._seal_head(packed))

    def entries(self) -> tuple[AuditEntry, ...]:
        """All entries in order, as they stand; ``verify`` says whether they can be believed.

        Raises:
            DataError: an entry cannot be read.
        """
        with self._store.read() as db:
            rows = [_Row(*row) for row in db.execute(f"SELECT {_COLUMNS} FROM audit ORDER BY seq")]
        try:
            return tuple(
                AuditEntry(
                    seq=row.seq,
                    at=row.at,
                    action=row.action,
                    subjects=json.loads(row.subjects),
                    detail=json.loads(row.detail),
                )
                for row in rows
            )
        except (ValueError, TypeError) as exc:
            raise DataError("the audit log cannot be read", fix="run verify_audit to see where") from exc

    def verify(self, known: AuditHead | None = None) -> AuditHead:
        """Check every entry, their order, the head and the guards; returns the head.

        Args:
            known: a head noted down earlier; the log must still contain it.

        Raises:
            DataError: naming the first entry that was edited, removed or moved, or the missing end.
        """
        with self._store.read() as db:
            head = self._head()
            found = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
            prev, count, held = self._start, 0, None
            for row in map(_Row._make, db.execute(f"SELECT {_COLUMNS} FROM audit ORDER BY seq")):
                count += 1
                if row.seq != count:
                    raise _broken(f"entry {count} is missing")
                if not _same(row.mac, self._mac(row)):
                    raise _broken(f"entry {count} was changed or moved")
                if not _same(row.prev, prev):
                    raise _broken(f"entry {count} does not follow the one before it")
                prev = row.mac
                held = _hex(row.mac) if known and known.count == count else held
        if head is None:
            raise _broken("its head is missing or was changed")
        if (head.count, head.last) != (count, prev.hex()):
            raise _broken(f"it ends at entry {count}, and the head says {head.count}")
        if known is not None and held != known.last:
            raise _broken(f"it does not contain the noted entry {known.count}: an older copy was put back")
        missing = sorted(set(TRIGGERS) - found)
        if missing:
            raise _broken(f"its guards are gone: {', '.join(missing)}")
        return head

    def _head(self) -> AuditHead | None:
        """The stored head, or None where there is none that the key holder wrote."""
        value = self._store.get(_HEAD)
        if value is None or len(value) != 72 or not _same(value[40:], self._seal_head(value[:40])):
            return None
        return AuditHead(count=int.from_bytes(value[:8], "big"), last=value[8:40].hex())

    def _seal_head(self, packed: bytes) -> bytes:
        return hmac.digest(self._key, b"head" + packed, "sha256")

    def _mac(self, row: _Row) -> bytes:
        # config_json of a list keeps the parts apart: no text can pass for the end of one and the start of
        # the next. A changed row may hold any SQLite type, so the bytes go in as their repr.
        body = config_json([row.seq, row.at, row.action, row.subjects, row.detail, _hex(row.prev)])
        return hmac.digest(self._key, b"entry" + body.encode("utf-8", "surrogatepass"), "sha256")


def _hex(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else f"not bytes: {value!r}"


def _same(value: object, wanted: bytes) -> bool:
    return isinstance(value, bytes) and hmac.compare_digest(value, wanted)


def _broken(what: str) -> DataError:
    return DataError(
        f"the audit log was tampered with: {what}", fix="keep the file as evidence and restore a backup"
    )
