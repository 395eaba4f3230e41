"""Signed bundles: who made this, and that nobody changed it since (Ed25519, RFC 8032).

**What is signed.** The exact bytes of ``manifest.json``. They hold the SHA-256 of every other file (weights,
golden answers, report, card, scope gate) and, in clear, the name, the schema, the task with its
preprocessing, labels, thresholds, calibration of each target and provenance. So none of it can be changed,
exchanged with another bundle's, added or left out. The signature itself lies in ``manifest.sig``, and is
plain Ed25519, so that a computer without vnvision can check it::

    grep -oP '"signature": "\\K[^"]*' manifest.sig | base64 -d > signature
    openssl pkeyutl -verify -pubin -inkey maker.pub.pem -rawin -in manifest.json -sigfile signature

**What is not.** A signature says nothing of how good a model is. An old signed bundle stays signed: who must
have the newest, or one certain model, compares ``Bundle.digest`` or asks ``verify_bundle(..., name=...)``.

**Private key.** ``generate_key`` writes ``signing.key.pem`` (PKCS #8, mode 0600, refused if others may read
it; encrypted with ``VNVISION_SIGNING_PASSPHRASE`` where that is set). It stays on the one machine that
exports, never in a repository, in a bundle, on a device or in a clinic; a copy is kept offline. Use it for
bundles alone.

**Public key.** ``signing.pub.pem`` goes to whoever runs bundles, on another way than the bundles, and its
fingerprint is compared by voice or on paper. It lies in a folder that only an administrator can write to,
and ``VNVISION_TRUSTED_KEYS`` names that folder: from then on unsigned bundles are refused on that machine.

**Rotation.** Make a new key, hand out its public half, let both lie in the trusted folder, sign with the new
one (``sign_bundle(..., overwrite=True)`` signs what is already out), then take the old one away.
**Revocation.** Delete the public key from the trusted folder. There is no list to fetch: devices are offline.
"""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from vnvision import atomic
from vnvision.errors import BundleError, ConfigError, MissingExtraError
from vnvision.runtime.bundle import Bundle, open_bundle, verified
from vnvision.runtime.guard import keys
from vnvision.runtime.guard.names import MANIFEST, SIGNATURE
from vnvision.runtime.guard.refusal import refused, shown
from vnvision.runtime.guard.seal import Signature

PRIVATE_KEY, PUBLIC_KEY = "signing.key.pem", "signing.pub.pem"


class KeyPair(NamedTuple):
    """A new key's files and the fingerprint of its public half."""

    private: Path
    public: Path
    fingerprint: str


def generate_key(folder: str | Path) -> KeyPair:
    """Make a signing key; nothing is ever overwritten.

    Args:
        folder: made where it is not there, for its owner alone.

    Raises:
        ConfigError: a key is there already, or the folder cannot be written.
        MissingExtraError: ``cryptography`` is not installed.
    """
    try:
        from cryptography.hazmat.primitives import serialization as forms
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError as exc:
        raise MissingExtraError("cryptography", "faces") from exc
    place, secret = Path(folder), keys.passphrase()
    private, public = place / PRIVATE_KEY, place / PUBLIC_KEY
    if taken := [path for path in (private, public) if os.path.lexists(path)]:
        raise ConfigError(
            f"there is a key already: {taken[0]}",
            fix="choose another folder; a lost key cannot be made again",
        )
    key = Ed25519PrivateKey.generate()
    locked = forms.BestAvailableEncryption(secret) if secret else forms.NoEncryption()
    secret_pem = key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, locked)
    open_pem = key.public_key().public_bytes(forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo)
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_secret(private, secret_pem)
        atomic.write_bytes(public, open_pem)
    except OSError as exc:
        private.unlink(missing_ok=True)
        raise ConfigError(f"cannot write a key into {place}", got=exc.strerror or str(exc)) from exc
    return KeyPair(private, public, keys.fingerprint(key.public_key()))


def sign_bundle(folder: str | Path, key: str | Path, *, overwrite: bool = False) -> str:
    """Verify a bundle, then sign it.

    Args:
        folder: the bundle.
        key: the private key's file; with a passphrase in ``VNVISION_SIGNING_PASSPHRASE``.
        overwrite: replace a signature that is there.

    Returns:
        The key's fingerprint.

    Raises:
        BundleError: the bundle is damaged, or signed already.
        ConfigError: the key is unfit.
        MissingExtraError: ``cryptography`` is not installed.
    """
    signer = keys.private_key(Path(key))
    root = Path(folder)
    bundle = verified(root, None)  # also where the environment asks for signed ones: this makes one
    if os.path.lexists(root / SIGNATURE) and not overwrite:
        raise BundleError(f"bundle {root} is signed already", fix="overwrite its signature (overwrite=True)")
    data = (root / MANIFEST).read_bytes()
    if hashlib.sha256(data).hexdigest() != bundle.digest:
        raise BundleError(f"bundle {root} was changed while it was signed: {MANIFEST}", fix="sign it again")
    fingerprint = keys.fingerprint(signer.public_key())
    signature = base64.b64encode(signer.sign(data)).decode("ascii")
    Signature(key=fingerprint, signature=signature).save(root / SIGNATURE)
    return fingerprint


def verify_bundle(folder: str | Path, trusted_keys: str | Path, *, name: str | None = None) -> Bundle:
    """The verified bundle, if one of the trusted keys signed it and every file is as it was signed.

    Args:
        folder: the bundle.
        trusted_keys: folder of public keys (``*.pem``), or one such file.
        name: what the model must be called; a signed bundle of another model is refused.

    Raises:
        BundleError: see ``open_bundle``; or a model of another name.
        ConfigError: there are no trusted keys where they should be.
        MissingExtraError: ``cryptography`` is not installed.
    """
    bundle = open_bundle(folder, trusted=trusted_keys)
    if name is not None and bundle.manifest.name != name:
        raise refused(
            Path(folder),
            "is signed, and is another model",
            f"có chữ ký hợp lệ nhưng là mô hình khác ({bundle.manifest.name})",
            expected=shown(name),
            got=bundle.manifest.name,
            fix="get the right bundle",
        )
    return bundle


def _write_secret(path: Path, data: bytes) -> None:
    """A file that nobody else can read at any moment, and that was not there before."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
