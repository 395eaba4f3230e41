"""The files of a bundle's folder: exactly those that are listed, with the hashes that are listed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from vnvision.errors import BundleError
from vnvision.records import BundleManifest
from vnvision.runtime.guard import names, plain
from vnvision.runtime.guard.names import MANIFEST, MANIFEST_HASH, SIGNATURE
from vnvision.runtime.guard.refusal import FIX, UnfitError, refused, shown, unfit

_MOST_ENTRIES = 4 * names.MOST_FILES


def check_names(root: Path, manifest: BundleManifest) -> None:
    """One spelling a file, inside the folder; the scope gate's hash must be the file's."""
    if len(manifest.files) > names.MOST_FILES:
        raise BundleError(f"bundle {root} lists too many files", got=str(len(manifest.files)), fix=FIX)
    for name in manifest.files:
        if names.outside(name) or name in names.OWN:
            raise BundleError(f"bundle {root} lists a file outside itself", got=shown(repr(name)), fix=FIX)
        if trouble := names.trouble(name):
            raise unfit(root, name, UnfitError(trouble))
    if twins := names.same(manifest.files):
        raise unfit(root, twins, UnfitError("differ in case only, and are one file on Windows and macOS"))
    for text in (manifest.name, *manifest.targets):
        if not text.isprintable():
            raise unfit(root, MANIFEST, UnfitError("holds a name that cannot be shown", got=repr(text)))
    for target, record in manifest.targets.items():
        gate = record.calibration
        if gate.scope_file is not None and manifest.files[gate.scope_file] != gate.scope_sha256:
            raise BundleError(f"bundle {root}: target {target} expects another {gate.scope_file}", fix=FIX)


def check_files(root: Path, manifest: BundleManifest) -> dict[str, plain.Stamp]:
    """What each file and folder was when it was hashed, for ``Bundle.confirm``.

    Raises:
        BundleError: a file is missing, unlisted, changed, a link out of the folder or not a plain file.
    """
    stamps: dict[str, plain.Stamp] = {}
    found = set(islice(_files(root, stamps), _MOST_ENTRIES + 1))
    listed = set(manifest.files) | {MANIFEST, MANIFEST_HASH}
    if missing := sorted(listed - found):
        raise refused(root, f"lacks {_some(missing)}", f"thiếu tệp {_some(missing)}")
    if extra := sorted(found - listed - {SIGNATURE}):
        raise refused(
            root,
            f"holds files its manifest does not list: {_some(extra)}",
            f"chứa tệp không có trong {MANIFEST}: {_some(extra)}; hãy xóa chúng",
            fix="remove them",
        )
    _check_total(root, manifest)
    changed = []
    for name, digest in manifest.files.items():
        got, stamps[name] = _digest(root, name)
        changed += [name] if got != digest else []
    if changed:
        raise refused(
            root, f"was changed: {_some(changed)} has another SHA-256", f"đã bị thay đổi: {_some(changed)}"
        )
    return stamps


def _check_total(root: Path, manifest: BundleManifest) -> None:
    """Refuse what cannot be hashed in reasonable time; a file with holes is as long as it likes."""
    total = 0
    for name in manifest.files:
        try:
            total += plain.stamp(root / name).size
        except OSError as exc:
            raise BundleError(f"bundle {root}: cannot read {name}", got=exc.strerror or str(exc)) from exc
        if total > plain.MOST_BYTES:
            most = f"at most {plain.MOST_BYTES} bytes in all"
            raise refused(root, f"is too large: {shown(name)}", f"quá lớn: {name}", expected=most)


def _files(root: Path, stamps: dict[str, plain.Stamp], below: str = "") -> Iterator[str]:
    """Relative names of all files. Links may point to files inside the folder, and nowhere else."""
    if len(stamps) > names.MOST_FILES:
        raise unfit(root, below, UnfitError("is one folder too many", expected=f"{names.MOST_FILES} at most"))
    try:
        stamps[below or "."] = plain.stamp(root / below)
        entries = sorted(islice(os.scandir(root / below), _MOST_ENTRIES), key=lambda entry: entry.name)
    except OSError as exc:
        raise BundleError(f"bundle {root}: cannot list {below or 'it'}", got=exc.strerror) from exc
    for entry in entries:
        name = f"{below}{entry.name}"
        if entry.is_symlink():
            _check_link(root, name, Path(entry.path))
            yield name
        elif entry.is_dir():
            if below.count("/") >= names.DEEPEST:
                raise unfit(
                    root, name, UnfitError("is too deep a folder", expected=f"{names.DEEPEST} at most")
                )
            yield from _files(root, stamps, f"{name}/")
        elif entry.is_file():
            yield name
        else:
            raise unfit(root, name, UnfitError("is not a plain file"))


def _check_link(root: Path, name: str, path: Path) -> None:
    try:
        goal = path.resolve()
        inside, is_file = goal.is_relative_to(root.resolve()), goal.is_file()
    except (OSError, RuntimeError) as exc:  # RuntimeError: a loop of links, up to Python 3.12
        raise unfit(root, name, UnfitError("is a link to no file", got=str(exc))) from exc
    if not inside:
        raise unfit(root, name, UnfitError("is a link out of the bundle", got=str(goal)))
    if not is_file:
        raise unfit(root, name, UnfitError("is a link to no file", got=str(goal)))


def _digest(root: Path, name: str) -> tuple[str, plain.Stamp]:
    try:
        return plain.digest(root / name)
    except UnfitError as exc:
        raise unfit(root, name, exc) from exc
    except OSError as exc:
        raise BundleError(f"bundle {root}: cannot read {name}", got=exc.strerror or str(exc)) from exc


def _some(names_: list[str], most: int = 10) -> str:
    more = f" and {len(names_) - most} more" if len(names_) > most else ""
    return ", ".join(shown(name) for name in names_[:most]) + more
