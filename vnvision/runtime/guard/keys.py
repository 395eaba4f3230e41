"""Keys of signed bundles as files: which of them are fit to be used."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vnvision.errors import ConfigError, MissingExtraError
from vnvision.runtime.guard import plain
from vnvision.runtime.guard.refusal import UnfitError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

TRUSTED_VARIABLE = "VNVISION_TRUSTED_KEYS"
PASSPHRASE_VARIABLE = "VNVISION_SIGNING_PASSPHRASE"
MOST_BYTES = 16384
_MOST_KEYS = 256


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """Public keys whose signatures count.

    Attributes:
        place: where they came from, for messages.
        keys: by fingerprint.
    """

    place: str
    keys: Mapping[str, Ed25519PublicKey]


def trusted_keys(place: str | Path) -> TrustedKeys:
    """The Ed25519 public keys of a folder (``*.pem``), or of one file.

    All of them must be fit: a file that is skipped in silence would be a key that its owner thinks trusted,
    or a private key that lies where it does not belong.

    Raises:
        ConfigError: there is no key, or one that is unfit, by name.
        MissingExtraError: ``cryptography`` is not installed.
    """
    path = Path(place)
    try:
        files = sorted(path.glob("*.pem")) if path.is_dir() else [path]
    except OSError as exc:
        raise ConfigError(f"cannot list the trusted keys in {path}", got=exc.strerror) from exc
    if not files or len(files) > _MOST_KEYS:
        raise ConfigError(
            f"there are no trusted keys in {path}" if not files else f"too many trusted keys in {path}",
            expected=f"1 to {_MOST_KEYS} public keys (*.pem)",
            got=str(len(files)),
            fix="put the public keys of those you trust there",
            vietnamese=f"thư mục {path} không có khóa công khai (*.pem) nào của người ký đáng tin cậy",
        )
    keys = {}
    for file in files:
        key = public_key(file)
        keys[fingerprint(key)] = key
    return TrustedKeys(str(path), keys)


def demanded(trusted: str | Path | None) -> TrustedKeys | None:
    """Whose signature a bundle needs: of ``trusted``, else of ``VNVISION_TRUSTED_KEYS``; None: nobody's."""
    place = trusted if trusted is not None else os.environ.get(TRUSTED_VARIABLE) or None
    return None if place is None else trusted_keys(place)


def fingerprint(key: Ed25519PublicKey) -> str:
    """Hex SHA-256 of the key as DER (SubjectPublicKeyInfo, RFC 8410).

    The same as ``openssl pkey -pubin -in key.pem -outform DER | sha256sum``.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def public_key(path: Path) -> Ed25519PublicKey:
    """Read a public key (PEM). Raises ConfigError naming the file."""
    serialization, ed25519 = _cryptography()
    data = _bytes(path, "public key")
    if b"PRIVATE KEY" in data:
        raise ConfigError(
            f"{path} is a private key",
            expected="public keys only",
            fix="take it away from there, and treat it as stolen if others could read it",
            vietnamese=f"{path} là khóa riêng; thư mục này chỉ được chứa khóa công khai",
        )
    try:
        key = serialization.load_pem_public_key(data)
    except Exception as exc:  # cryptography has types of its own for bytes of strangers
        raise _no_key(path, "public", exc) from exc
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise _no_key(path, "public", type(key).__name__)
    found: Ed25519PublicKey = key
    return found


def private_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key (PEM, PKCS #8), with ``VNVISION_SIGNING_PASSPHRASE`` where that is set.

    Raises:
        ConfigError: it is unfit, others may read it, or the passphrase does not fit.
    """
    serialization, ed25519 = _cryptography()
    data, secret = _bytes(path, "private key"), passphrase()
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise ConfigError(
            f"others may read the private key {path}",
            got=f"mode {path.stat().st_mode & 0o777:o}",
            fix=f"chmod 600 {path}, or make a new key if somebody else has seen it",
        )
    try:
        key = serialization.load_pem_private_key(data, secret)
    except TypeError as exc:
        has = "is encrypted" if secret is None else "is not encrypted"
        fix = (
            f"set {PASSPHRASE_VARIABLE}" if secret is None else f"unset {PASSPHRASE_VARIABLE}, or encrypt it"
        )
        raise ConfigError(f"the private key {path} {has}", fix=fix) from exc
    except Exception as exc:  # as above; the message holds nothing of the key
        reason = "a wrong passphrase, or no key" if secret is not None else type(exc).__name__
        raise _no_key(path, "private", reason) from exc
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise _no_key(path, "private", type(key).__name__)
    found: Ed25519PrivateKey = key
    return found


def passphrase() -> bytes | None:
    """Of the private key, from the environment; None where it has none."""
    return os.environ.get(PASSPHRASE_VARIABLE, "").encode("utf-8") or None


def _bytes(path: Path, what: str) -> bytes:
    try:
        return plain.read(path, MOST_BYTES)
    except UnfitError as exc:
        raise ConfigError(f"the {what} {path} {exc.problem}", expected=exc.expected, got=exc.got) from exc
    except OSError as exc:
        raise ConfigError(f"cannot read the {what} {path}", got=exc.strerror or str(exc)) from exc


def _no_key(path: Path, kind: str, reason: object) -> ConfigError:
    return ConfigError(
        f"{path} is no Ed25519 {kind} key",
        expected="PEM" + (", PKCS #8" if kind == "private" else ""),
        got=str(reason)[:120],
        fix="make one with: vnvision models key --out DIR",
    )


def _cryptography() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as exc:
        raise MissingExtraError("cryptography", "faces") from exc
    return serialization, ed25519
