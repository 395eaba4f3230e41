"""Keyed pseudonyms: one person gets one code under one key; without the key nobody can tell who it is.

A plain hash of a patient number is no protection: all the numbers of a hospital can be hashed and compared.
HMAC (RFC 2104) with a secret key closes that; whoever holds the key can still recompute a code from a
number, so the key is kept apart from the data.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
import unicodedata
from pathlib import Path

from vnvision.errors import ConfigError, DataError

KEY_VARIABLE = "VNVISION_PSEUDONYM_KEY"
KEY_BYTES = 32
LENGTH = 32
"""Hex digits of a pseudonym: 128 bits, so that two of a thousand million people never share one by chance."""

_HEX = re.compile(r"[0-9a-fA-F]{64}")
_KIND = re.compile(r"[a-z][a-z0-9_-]*")
_FIX = 'create one with vnvision.imaging.dicom.pseudonym.create_key_file("my.key")'


def pseudonym(text: str, key: bytes, kind: str) -> str:
    """The pseudonym of an identifier: 32 hex digits of HMAC-SHA256 under ``key``.

    Padding is no part of an identifier (PS3.5 6.2: trailing spaces and the NUL are not significant, leading
    spaces not in LO and SH), and neither is the way an accent is stored: blanks and NULs at both ends are
    dropped, and the text is put in Unicode NFC, before it is hashed.

    Args:
        text: the identifier, such as a Patient ID or a Study Instance UID.
        key: 16 secret bytes or more; ``read_key`` and ``new_key`` give 32.
        kind: what the identifier is (``patient``, ``study``, ``series``, ``uid``): the same text of two
            kinds gives unrelated pseudonyms. Small letters, digits, ``-`` and ``_``.

    Raises:
        ConfigError: a key that is too short, or a kind that is no plain word.
        DataError: an empty identifier: everyone without a number would become one person.
    """
    if len(key) < 16:
        raise ConfigError(
            "the pseudonym key is too short", expected="16 bytes or more", got=str(len(key)), fix=_FIX
        )
    if not _KIND.fullmatch(kind):
        raise ConfigError("kind of a pseudonym", expected="a plain word such as patient", got=repr(kind)[:40])
    plain = unicodedata.normalize("NFC", text.strip("\0 \t\r\n"))
    if not plain:
        raise DataError(f"cannot make a pseudonym of an empty {kind} identifier")
    message = f"vnvision {kind}\0{plain}".encode("utf-8", "surrogatepass")
    return hmac.digest(key, message, "sha256").hex()[:LENGTH]


def new_key() -> bytes:
    """A new random 256-bit key."""
    return secrets.token_bytes(KEY_BYTES)


def read_key(path: str | Path | None = None, *, variable: str = KEY_VARIABLE) -> bytes | None:
    """The user's key: 64 hex digits in a file, or in the environment; None where neither is given.

    Args:
        path: a key file; it goes before the environment.
        variable: the environment variable.

    Raises:
        ConfigError: the file cannot be read, or one of the two holds something else.
    """
    if path is not None:
        try:
            text = Path(path).read_text(encoding="ascii").strip()
        except (OSError, ValueError) as exc:
            reason = (exc.strerror or str(exc)) if isinstance(exc, OSError) else "not text"
            raise ConfigError(
                f"cannot read the pseudonym key {path}",
                expected="a file of 64 hex digits",
                got=reason,
                fix="other keys give other pseudonyms: bring back your copy of it",
            ) from exc
        return _from_hex(text, f"the key file {path}")
    text = os.environ.get(variable, "").strip()
    return _from_hex(text, f"the variable {variable}") if text else None


def create_key_file(path: str | Path) -> Path:
    """Write a new random key as 64 hex digits, readable by its owner only. Never overwrites.

    Raises:
        ConfigError: the file exists (a lost key cuts a patient's studies apart), or cannot be written.
    """
    target = Path(path)
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(new_key().hex() + "\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as exc:
        raise ConfigError(
            f"cannot create the key file {target}", got=exc.strerror or str(exc), fix="choose a new name"
        ) from exc
    return target


def _from_hex(text: str, where: str) -> bytes:
    if not _HEX.fullmatch(text):
        raise ConfigError(
            f"{where} holds no pseudonym key",
            expected="64 hex digits",
            got=f"{len(text)} characters",
            fix=_FIX,
        )
    return bytes.fromhex(text)
