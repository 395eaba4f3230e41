"""Writing a gallery out as JSON: for a person who asks what is held, or to move house."""

from __future__ import annotations

import base64
from datetime import datetime
from pathlib import Path
from typing import Any

from vnvision import atomic
from vnvision.errors import DataError
from vnvision.faces.gallery.people import EmbeddingForm
from vnvision.faces.gallery.reading import StoredRecord, group_people
from vnvision.faces.gallery.vault import Vault

_SAYS = {
    "none": "left out",
    "encrypted": "base64 of nonce (12 bytes), AES-256-GCM ciphertext, tag (16), under the gallery's key",
    "plain": "float32 numbers, NOT encrypted: this file recognises these people",
}


def write_export(
    path: Path,
    records: list[StoredRecord],
    vault: Vault,
    *,
    model: str,
    dim: int,
    form: EmbeddingForm,
    now: datetime,
) -> Path:
    """Write names, consents and terms, with embeddings as ``form`` says; readable by the owner only.

    Raises:
        DataError: the file cannot be written, or an embedding does not open.
    """
    by_record = {item.id.record.hex(): item for item in records}
    people = []
    for person in group_people(records, now):
        entry: dict[str, Any] = person.model_dump(mode="json")
        for photo in entry["photos"]:
            item = by_record[photo["record"]]
            if form == "encrypted":
                photo["photo_tag"] = item.id.photo.hex()  # part of what the seal is bound to
                photo["embedding"] = base64.b64encode(item.sealed_embedding).decode("ascii")
            elif form == "plain":
                values = vault.open_embedding(item.sealed_embedding, item.id, dim)
                photo["embedding"] = [float(value) for value in values]
        people.append(entry)
    content = {
        "schema_version": 1,
        "exported_at": now.isoformat(),
        "model": model,
        "dim": dim,
        "embeddings": form,
        "embeddings_are": _SAYS[form],
        "people": people,
    }
    try:
        written = atomic.write_json(path, content)
        written.chmod(0o600)
    except OSError as exc:
        raise DataError(
            f"cannot write {path}", got=exc.strerror or str(exc), fix="choose a folder you may write"
        ) from exc
    return written
