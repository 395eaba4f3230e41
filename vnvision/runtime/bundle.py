"""Opening a bundle: nothing is used before every byte of it was verified."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vnvision.atomic import sha256_file
from vnvision.errors import BundleError
from vnvision.records import SCHEMA_VERSION, BundleManifest
from vnvision.runtime.scope import ScopeGate

MANIFEST, MANIFEST_HASH = "manifest.json", "manifest.sha256"
_FIX = "copy or export the bundle again"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle folder."""

    root: Path
    manifest: BundleManifest

    def file(self, name: str) -> Path:
        """Where a file of the manifest lies."""
        return self.root / name


def open_bundle(path: str | Path) -> Bundle:
    """Open a bundle folder and verify all of it.

    ``manifest.sha256`` holds the hash of ``manifest.json``, which holds the hash of every other file.

    Raises:
        BundleError: naming the file, where the folder is no bundle, the manifest is malformed or of a newer
            schema, or any file is missing, unlisted, changed, a link out of the folder or not a plain file.
    """
    root = Path(path)
    if not (root / MANIFEST).is_file():
        raise BundleError(f"{path} is not a bundle", expected=f"a folder with {MANIFEST}", fix=_FIX)
    manifest = _read_manifest(root)
    _check_names(root, manifest)
    found = set(_files(root))
    listed = set(manifest.files) | {MANIFEST, MANIFEST_HASH}
    if missing := sorted(listed - found):
        raise BundleError(f"bundle {root} lacks {', '.join(missing)}", fix=_FIX)
    if extra := sorted(found - listed):
        raise BundleError(
            f"bundle {root} holds files its manifest does not list: {', '.join(extra)}", fix="remove them"
        )
    if changed := [name for name, digest in manifest.files.items() if _hash(root, name) != digest]:
        raise BundleError(f"bundle {root} was changed: {', '.join(changed)} has another SHA-256", fix=_FIX)
    return Bundle(root, manifest)


def scope_gate(manifest: BundleManifest, target: str, model_file: Path) -> ScopeGate | None:
    """The scope gate of a target, from the bundle that its model file lies in; None where it has none.

    Raises:
        BundleError: the gate is missing or damaged, or not the one the calibration names.
    """
    record = manifest.targets[target]
    calibration = record.calibration
    if calibration.scope_file is None:
        return None
    path = model_file.parents[len(PurePosixPath(record.file).parts) - 1] / calibration.scope_file
    if not path.is_file() or sha256_file(path) != calibration.scope_sha256:
        raise BundleError(f"bundle {manifest.name}: {path} is missing or was changed", fix=_FIX)
    return ScopeGate.load(path)


def _read_manifest(root: Path) -> BundleManifest:
    data, wanted = _bytes(root, MANIFEST), _bytes(root, MANIFEST_HASH)
    if wanted != hashlib.sha256(data).hexdigest().encode() + b"\n":
        raise BundleError(
            f"bundle {root} was changed: {MANIFEST} does not match {MANIFEST_HASH}",
            expected=f"SHA-256 {wanted[:64].decode('ascii', errors='replace')}",
            got=hashlib.sha256(data).hexdigest(),
            fix=_FIX,
        )
    version = _schema_version(data)
    if version > SCHEMA_VERSION:
        raise BundleError(
            f"bundle {root} was made by a newer vnvision",
            expected=f"schema_version up to {SCHEMA_VERSION}",
            got=str(version),
            fix="update with: pip install --upgrade vnvision",
        )
    return BundleManifest.from_json(data, str(root / MANIFEST), BundleError)


def _schema_version(data: bytes) -> int:
    """The version, looked up before anything else is: a newer schema has keys unknown here."""
    try:
        manifest = json.loads(data)
    except (ValueError, RecursionError):
        return 0  # the strict parser says what is wrong
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    return version if isinstance(version, int) else 0


def _check_names(root: Path, manifest: BundleManifest) -> None:
    """One spelling a file, inside the folder; the scope gate's hash must be the file's."""
    for name in manifest.files:
        plain = PurePosixPath(name)
        if "\\" in name or plain.is_absolute() or ".." in plain.parts or str(plain) != name or name == ".":
            raise BundleError(f"bundle {root} lists a file outside itself", got=repr(name), fix=_FIX)
    for target, record in manifest.targets.items():
        gate = record.calibration
        if gate.scope_file is not None and manifest.files[gate.scope_file] != gate.scope_sha256:
            raise BundleError(f"bundle {root}: target {target} expects another {gate.scope_file}", fix=_FIX)


def _files(root: Path, below: str = "") -> Iterator[str]:
    """Relative names of all files. Links may point to files inside the folder, and nowhere else."""
    try:
        entries = sorted(os.scandir(root / below), key=lambda entry: entry.name)
    except OSError as exc:
        raise BundleError(f"bundle {root}: cannot list {below or 'it'}", got=exc.strerror) from exc
    for entry in entries:
        name = f"{below}{entry.name}"
        if entry.is_symlink():
            goal = Path(entry.path).resolve()
            if not goal.is_relative_to(root.resolve()):
                raise BundleError(
                    f"bundle {root}: {name} is a link out of the bundle", got=str(goal), fix=_FIX
                )
            if not goal.is_file():
                raise BundleError(f"bundle {root}: {name} is a link to no file", got=str(goal), fix=_FIX)
            yield name
        elif entry.is_dir():
            yield from _files(root, f"{name}/")
        elif entry.is_file():
            yield name
        else:
            raise BundleError(f"bundle {root}: {name} is not a plain file", fix=_FIX)


def _hash(root: Path, name: str) -> str:
    try:
        return sha256_file(root / name)
    except OSError as exc:
        raise BundleError(f"bundle {root}: cannot read {name}", got=exc.strerror or str(exc)) from exc


def _bytes(root: Path, name: str) -> bytes:
    try:
        return (root / name).read_bytes()
    except FileNotFoundError as exc:
        raise BundleError(f"bundle {root} lacks {name}", fix=_FIX) from exc
    except OSError as exc:
        raise BundleError(f"bundle {root}: cannot read {name}", got=exc.strerror or str(exc)) from exc
