"""Sealing records: AES-256-GCM with everything that identifies a record as associated data."""

from __future__ import annotations

import hmac
import os
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from vnvision.errors import DataError, MissingExtraError
from vnvision.faces.gallery.keys import subkey
from vnvision.faces.gallery.people import PrivateText

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES, TAG_BYTES, ID_BYTES = 12, 16, 16
_SCHEME = b"vnvision gallery record 1\x00"


class RecordId(NamedTuple):
    """What a record is bound to: none of it can change without the seal breaking."""

    record: bytes
    person: bytes
    photo: bytes
    expires_s: int


class Vault:
    """Seals and opens the private parts of one gallery's records.

    Nonces are 96 random bits, drawn for every sealing; NIST SP 800-38D, section 8.3, allows 2^32 sealings
    under one key that way. The associated data holds gallery, model, record, person, photo and expiry, so
    that a record moved, mixed with another or given a later expiry no longer opens.

    Args:
        master: 32 bytes.
        gallery_id: the gallery's own 16 random bytes.
        fingerprint: the embedding model's fingerprint.
    """

    def __init__(self, master: bytes, gallery_id: bytes, fingerprint: str) -> None:
        self._cipher = _aes_gcm()(subkey(master, gallery_id, "records"))
        self._names = subkey(master, gallery_id, "pseudonyms")
        self._context = _SCHEME + gallery_id + fingerprint.encode("utf-8") + b"\x00"

    def pseudonym(self, person: str) -> bytes:
        """16 bytes that stand for a person id, and that only the key's holder can compute."""
        return hmac.digest(self._names, b"person\x00" + person.encode("utf-8"), "sha256")[:ID_BYTES]

    def photo_tag(self, person: bytes, digest: str) -> bytes:
        """16 bytes that stand for one photo of one person: a group photo may enrol several people."""
        return hmac.digest(self._names, b"photo\x00" + person + digest.encode("ascii"), "sha256")[:ID_BYTES]

    def seal_embedding(self, embedding: np.ndarray, record: RecordId) -> bytes:
        """Nonce, ciphertext and tag of (D,) float32, stored little-endian."""
        return self._seal(embedding.astype("<f4").tobytes(), record, b"embedding")

    def open_embedding(self, blob: bytes, record: RecordId, dim: int) -> np.ndarray:
        """The (D,) float32 embedding; DataError naming the record where it does not open."""
        plain = self._open(blob, record, b"embedding")
        if len(plain) != 4 * dim:
            raise damaged(record.record, "embedding")
        return np.frombuffer(plain, dtype="<f4")

    def seal_text(self, text: PrivateText, record: RecordId) -> bytes:
        """Nonce, ciphertext and tag of the record's private text."""
        return self._seal(text.model_dump_json().encode("utf-8"), record, b"text")

    def open_text(self, blob: bytes, record: RecordId) -> PrivateText:
        """The record's private text; DataError naming the record where it does not open."""
        where = f"gallery record {record.record.hex()}"
        text = PrivateText.from_json(self._open(blob, record, b"text"), where, DataError)
        if self.pseudonym(text.person) != record.person:
            raise damaged(record.record, "text")
        return text

    def _seal(self, plain: bytes, record: RecordId, part: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, self._bound(record, part))

    def _open(self, blob: bytes, record: RecordId, part: Literal[b"embedding", b"text"]) -> bytes:
        from cryptography.exceptions import InvalidTag

        if not isinstance(blob, bytes) or len(blob) < NONCE_BYTES + TAG_BYTES:
            raise damaged(record.record, part.decode())
        try:
            return self._cipher.decrypt(blob[:NONCE_BYTES], blob[NONCE_BYTES:], self._bound(record, part))
        except InvalidTag as exc:
            raise damaged(record.record, part.decode()) from exc

    def _bound(self, record: RecordId, part: bytes) -> bytes:
        # All but the model's fingerprint (ended by a zero byte) have a fixed length: no two records agree.
        expires = record.expires_s.to_bytes(8, "big", signed=True)
        return b"".join((self._context, record.record, record.person, record.photo, expires, part))


def damaged(record: bytes, part: str) -> DataError:
    """The error for a record whose seal does not hold."""
    return DataError(
        f"gallery record {record.hex()} was changed or damaged",
        expected=f"the {part} that was sealed for it",
        got="one that does not open",
        fix="restore the gallery from a backup, or remove the record with Gallery.discard",
    )


def _aes_gcm() -> type[AESGCM]:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as exc:
        raise MissingExtraError("cryptography", "faces") from exc
    return AESGCM
