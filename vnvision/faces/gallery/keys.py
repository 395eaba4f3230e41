"""Gallery keys: from a file, the environment or a passphrase, and the subkeys made of them."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import tempfile
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from vnvision.atomic import sync_folder
from vnvision.errors import ConfigError, DataError

KEY_VARIABLE = "VNVISION_GALLERY_KEY"
KEY_BYTES = 32
_HEX = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class Scrypt:
    """Cost of turning a passphrase into a key (RFC 7914): 128 * n * r bytes of memory, p times."""

    n: int = 2**15
    r: int = 8
    p: int = 3

    def derive(self, passphrase: bytes, salt: bytes) -> bytes:
        """32 bytes.

        Raises:
            DataError: the cost lies outside what a gallery ever writes (a changed file could ask for any
                amount of memory).
        """
        if not (
            2**10 <= self.n <= 2**20 and self.n & (self.n - 1) == 0 and self.r == 8 and 1 <= self.p <= 16
        ):
            raise DataError(
                "the gallery's scrypt cost was changed",
                expected="n a power of two up to 2^20, r 8, p up to 16",
                got=f"n {self.n}, r {self.r}, p {self.p}",
                fix="restore the gallery from a backup",
            )
        memory = 128 * self.r * (self.n + self.p) + 2**20
        return hashlib.scrypt(
            passphrase, salt=salt, n=self.n, r=self.r, p=self.p, maxmem=memory, dklen=KEY_BYTES
        )


@dataclass(frozen=True, slots=True)
class GalleryKey:
    """Key material. Its text form never shows it."""

    material: bytes = field(repr=False)
    kind: Literal["raw", "scrypt"] = "raw"

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Read a key file: 64 hex digits, as ``create_key_file`` writes them.

        Raises:
            ConfigError: the file cannot be read or holds something else.
        """
        try:
            text = Path(path).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else "not text"
            raise ConfigError(
                f"cannot read the gallery key {path}",
                expected="a file of 64 hex digits",
                got=str(reason),
                fix="a gallery cannot be read without its own key: bring back your copy of it",
            ) from exc
        return cls(_from_hex(text, f"the key file {path}"))

    @classmethod
    def from_environment(cls, variable: str = KEY_VARIABLE) -> Self:
        """Read 64 hex digits from an environment variable.

        Raises:
            ConfigError: the variable is unset or holds something else.
        """
        text = os.environ.get(variable, "").strip()
        if not text:
            raise ConfigError(
                "the gallery has no key",
                expected="a key file, a passphrase or an environment variable",
                got=f"{variable} is not set",
                fix=f"pass key=GalleryKey.from_file(...) or set {variable} to 64 hex digits",
            )
        return cls(_from_hex(text, f"the variable {variable}"))

    @classmethod
    def from_passphrase(cls, passphrase: str) -> Self:
        """A key from words a person remembers. NFKC first: keyboards spell Vietnamese in several ways.

        Raises:
            ConfigError: fewer than 8 characters.
        """
        text = unicodedata.normalize("NFKC", passphrase)
        if len(text) < 8:
            raise ConfigError(
                "the passphrase is too short", expected="8 characters or more", got=str(len(text))
            )
        return cls(text.encode("utf-8"), "scrypt")

    def master(self, salt: bytes, scrypt: Scrypt) -> bytes:
        """32 bytes: the raw key itself, or the passphrase through scrypt."""
        return self.material if self.kind == "raw" else scrypt.derive(self.material, salt)


def resolve_key(key: GalleryKey | Path | None) -> GalleryKey:
    """A key as given, from a key file, or (None) from the environment.

    Raises:
        ConfigError: no key, an unreadable one, or a bare string, which could be a path or a passphrase.
    """
    if key is None:
        return GalleryKey.from_environment()
    if isinstance(key, GalleryKey):
        return key
    if isinstance(key, Path):
        return GalleryKey.from_file(key)
    raise ConfigError(
        "the gallery key is of the wrong type",
        expected="a GalleryKey, the Path of a key file, or None",
        got=type(key).__name__,
        fix="use GalleryKey.from_file, from_environment or from_passphrase",
    )


def create_key_file(path: str | Path) -> Path:
    """Write a new random 256-bit key, readable by its owner only. Never overwrites.

    Raises:
        ConfigError: the file exists (a key lost is a gallery lost), or it cannot be written.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
        try:
            with os.fdopen(handle, "w", encoding="ascii") as stream:
                stream.write(secrets.token_hex(KEY_BYTES) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            os.link(name, target)  # unlike a rename, a link fails where a key already lies
        finally:
            Path(name).unlink(missing_ok=True)
        sync_folder(target.parent)
    except OSError as exc:
        raise ConfigError(
            f"cannot create the key file {target}",
            got=exc.strerror or str(exc),
            fix="choose a new name in a folder you may write",
        ) from exc
    return target


def subkey(master: bytes, gallery_id: bytes, use: str) -> bytes:
    """32 bytes for one use of one gallery: HKDF-SHA256 with one block (RFC 5869)."""
    extracted = hmac.digest(gallery_id, master, "sha256")
    return hmac.digest(extracted, b"vnvision gallery " + use.encode("ascii") + b"\x01", "sha256")


def _from_hex(text: str, where: str) -> bytes:
    if not _HEX.fullmatch(text):
        raise ConfigError(
            f"{where} holds no gallery key",
            expected="64 hex digits",
            got=f"{len(text)} characters",
            fix="create one with vnvision.faces.gallery.create_key_file",
        )
    return bytes.fromhex(text)
