"""Reading records back: opened, checked, and gathered by person."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from vnvision.faces.gallery.cache import record_id
from vnvision.faces.gallery.people import EnrolledPhoto, Person, PrivateText
from vnvision.faces.gallery.store import Store
from vnvision.faces.gallery.vault import RecordId, Vault


class StoredRecord(NamedTuple):
    """One record with its text opened and its embedding still sealed."""

    id: RecordId
    text: PrivateText
    sealed_embedding: bytes


def read_records(store: Store, vault: Vault, person: bytes | None = None) -> list[StoredRecord]:
    """Inside a transaction: all records, or those of one pseudonym, ordered by person and time.

    Raises:
        DataError: naming a record that does not open.
    """
    query = "SELECT id, person, photo, expires, text, embedding FROM record"
    if person is None:
        rows = store.db.execute(query)
    else:
        rows = store.db.execute(query + " WHERE person = ?", (person,))
    found = []
    for *identity, text, embedding in rows:
        record = record_id(*identity)
        found.append(StoredRecord(record, vault.open_text(text, record), embedding))
    return sorted(found, key=lambda item: (item.text.person, item.text.enrolled_at, item.id.record))


def newest_name(records: Iterable[StoredRecord]) -> str | None:
    """The name given last, or None where none was ever given."""
    names = [item.text.name for item in records if item.text.name]
    return names[-1] if names else None


def group_people(records: Iterable[StoredRecord], now: datetime) -> tuple[Person, ...]:
    """People in order of their ids, each with the terms of every photo."""
    by_person: dict[str, list[StoredRecord]] = {}
    for item in records:
        by_person.setdefault(item.text.person, []).append(item)
    return tuple(
        Person(person=person, name=newest_name(items), photos=tuple(_photo(item, now) for item in items))
        for person, items in by_person.items()
    )


def _photo(item: StoredRecord, now: datetime) -> EnrolledPhoto:
    expires = datetime.fromtimestamp(item.id.expires_s, UTC)
    return EnrolledPhoto(
        record=item.id.record.hex(),
        purpose=item.text.purpose,
        consent=item.text.consent,
        enrolled_at=item.text.enrolled_at,
        expires=expires,
        expired=expires <= now,
    )
