"""Opening a gallery file: is it ours, is the key right, is it the same model."""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import Field

from vnvision.errors import ConfigError, DataError, ModelError
from vnvision.faces.gallery.audit import AuditLog
from vnvision.faces.gallery.keys import GalleryKey, Scrypt, resolve_key, subkey
from vnvision.faces.gallery.store import Store
from vnvision.faces.gallery.vault import Vault
from vnvision.spec import Record

_SETTINGS, _SETTINGS_MAC, _KEY_CHECK = "settings", "settings_mac", "key_check"


class Settings(Record):
    """What a gallery was made with. Hex for bytes."""

    schema_version: int = Field(default=1, ge=1, le=1)
    gallery_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    model: str = Field(min_length=1)
    dim: int = Field(gt=0)
    kdf: str = Field(pattern=r"^(raw|scrypt)$")
    salt: str = Field(pattern=r"^[0-9a-f]{32}$")
    n: int
    r: int
    p: int


@dataclass(frozen=True, slots=True)
class Opened:
    """The parts of an open gallery."""

    store: Store
    settings: Settings
    vault: Vault
    audit: AuditLog


def open_parts(
    path: Path,
    key: GalleryKey | Path | None,
    model: str | None,
    dim: int | None,
    create: bool,
    now: datetime,
    busy_s: float,
) -> Opened:
    """Open or make a gallery file and check key, model and settings.

    Raises:
        ConfigError: no key, a wrong one, or no model to make a gallery for.
        DataError: no gallery there, or a damaged one.
        MissingExtraError: ``cryptography`` is not installed.
        ModelError: the gallery holds another model's embeddings.
    """
    secret = resolve_key(key)
    if create and (not model or "\x00" in model or dim is None or dim < 1):
        raise ConfigError(
            "a new gallery needs its model",
            expected="model=<fingerprint> and dim=<embedding size>",
            got=f"model={model!r}, dim={dim!r}",
            fix="pass the embedder's fingerprint and size",
        )
    store = Store(path, create=create, busy_s=busy_s)
    try:
        if create and not store.has_schema():
            with store.write():
                if store.initialise():
                    _found(store, secret, model or "", dim or 0, now)
        if not store.has_schema():
            raise DataError(f"{path} is no gallery", fix="check the path")
        opened = _open(store, secret)
        _same_model(opened.settings, model, dim, path)
        store.scrub()  # finishes an erasing that a crash cut short
    except BaseException:
        store.close()
        raise
    return opened


def _found(store: Store, key: GalleryKey, model: str, dim: int, now: datetime) -> None:
    cost, gallery_id, salt = Scrypt(), os.urandom(16), os.urandom(16)
    settings = Settings(
        gallery_id=gallery_id.hex(),
        model=model,
        dim=dim,
        kdf=key.kind,
        salt=salt.hex(),
        n=cost.n,
        r=cost.r,
        p=cost.p,
    )
    master = key.master(salt, cost)
    text = settings.to_json().encode("utf-8")
    store.put(_SETTINGS, text)
    store.put(_KEY_CHECK, _key_check(master, gallery_id))
    store.put(_SETTINGS_MAC, _settings_mac(master, gallery_id, text))
    AuditLog(store, master, gallery_id).append(now, "create")


def _open(store: Store, key: GalleryKey) -> Opened:
    with store.read():
        text, check, mac = store.get(_SETTINGS), store.get(_KEY_CHECK), store.get(_SETTINGS_MAC)
    if text is None or check is None or mac is None:
        raise _changed(store.path)
    settings = Settings.from_json(text, f"the settings of {store.path}", DataError)
    if settings.kdf != key.kind:
        kinds = {"raw": "a key file or environment key", "scrypt": "a passphrase"}
        raise ConfigError(
            f"the key does not fit {store.path}", expected=kinds[settings.kdf], got=kinds[key.kind]
        )
    gallery_id = bytes.fromhex(settings.gallery_id)
    master = key.master(bytes.fromhex(settings.salt), Scrypt(settings.n, settings.r, settings.p))
    if not hmac.compare_digest(check, _key_check(master, gallery_id)):
        raise ConfigError(
            f"the key does not open {store.path}",
            expected="the key it was made with",
            got="another one",
            fix="use the right key: without it the records cannot be read",
        )
    if not hmac.compare_digest(mac, _settings_mac(master, gallery_id, text)):
        raise _changed(store.path)
    vault = Vault(master, gallery_id, settings.model)
    return Opened(store, settings, vault, AuditLog(store, master, gallery_id))


def _same_model(settings: Settings, model: str | None, dim: int | None, path: Path) -> None:
    if model is not None and model != settings.model:
        raise ModelError(
            f"{path} holds another model's embeddings",
            expected=f"model {settings.model}",
            got=f"model {model}",
            fix="use that model, or enrol the photos again into a new gallery",
        )
    if dim is not None and dim != settings.dim:
        raise ModelError(f"{path} holds embeddings of another size", expected=str(settings.dim), got=str(dim))


def _key_check(master: bytes, gallery_id: bytes) -> bytes:
    return hmac.digest(subkey(master, gallery_id, "key check"), b"right key", "sha256")


def _settings_mac(master: bytes, gallery_id: bytes, text: bytes) -> bytes:
    return hmac.digest(subkey(master, gallery_id, "settings"), text, "sha256")


def _changed(path: Path) -> DataError:
    return DataError(f"the settings of {path} were changed", fix="restore the gallery from a backup")
