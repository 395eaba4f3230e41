"""Reading a data set as it was published: class folders at any depth, under its authors' names."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import zipfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from vnvision.atomic import sha256_file
from vnvision.data.importers.image_folder import SUFFIXES
from vnvision.data.rows import Row
from vnvision.errors import DataError

_SHOWN = 5
_ORIGIN = ".archive_sha256"  # in an unpacked folder: the hash of its archive


def plain_name(name: str) -> str:
    """A folder's name without case, blanks and signs: ``Leaf Scaled`` and ``leaf-scaled`` are one."""
    return re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")


def labelled_pictures(root: Path, classes: Mapping[str, str], unlabelled: Sequence[str] = ()) -> list[Row]:
    """A row for each picture that lies in a class folder, at any depth: the nearest one counts.

    Args:
        root: of the unpacked download.
        classes: ``plain_name`` of a class folder -> label id; several names may stand for one label.
        unlabelled: ``plain_name`` of folders whose pictures have no label and are left out.

    Returns:
        Rows by path, relative to ``root``.

    Raises:
        DataError: pictures in a folder that is neither, or a label without a picture.
    """
    if not root.is_dir():
        raise DataError(f"{root} is no folder")
    rows, strange = [], Counter[str]()
    for path in _pictures(root):
        names = [plain_name(part) for part in reversed(path.parts[:-1])]
        label = next((classes[name] for name in names if name in classes), None)
        if label is not None:
            rows.append(Row(0, path.as_posix(), label=label))
        elif not any(name in unlabelled for name in names):
            strange[path.parent.as_posix()] += 1
    labels = set(classes.values())
    missing = labels - {row.label for row in rows}
    if strange or missing:
        got = [f"{count} pictures in {name!r}" for name, count in strange.most_common(_SHOWN)]
        got += [f"no picture of {name}" for name in sorted(missing)]
        raise DataError(f"{root} holds other classes", expected=", ".join(sorted(labels)), got=", ".join(got))
    return rows


def _pictures(root: Path) -> list[Path]:
    """Pictures below a folder, relative to it, in an order that does not depend on the disk."""
    found = [
        Path(top, name).relative_to(root)
        for top, folders, names in os.walk(root)
        for name in names
        if name.lower().endswith(SUFFIXES) and not name.startswith(".")
    ]
    return sorted(path for path in found if "__MACOSX" not in path.parts)


def without_contradictions(rows: Sequence[Row], root: Path) -> tuple[list[Row], list[Row]]:
    """Rows to keep, and rows whose very file lies under another label too: nobody can tell which is right.

    Args:
        rows: with paths relative to ``root``.
        root: their folder.

    Raises:
        DataError: a picture is not there.
    """
    labels: dict[str, set[str | None]] = defaultdict(set)
    digests = []
    for row in rows:
        try:
            digest = sha256_file(root / row.path)
        except OSError as exc:
            raise DataError(f"cannot read {row.path}", got=exc.strerror or str(exc)) from exc
        digests.append(digest)
        labels[digest].add(row.label)
    good = [len(labels[digest]) == 1 for digest in digests]
    kept = [row for row, right in zip(rows, good, strict=True) if right]
    return kept, [row for row, right in zip(rows, good, strict=True) if not right]


def check_archive(archive: Path | None, stated: str, where: Path) -> str | None:
    """Compare a download with the hash that ``source.toml`` states.

    Args:
        archive: the file as downloaded; None where only a folder was given.
        stated: SHA-256 in hex; empty where it is not known yet.
        where: the ``source.toml``, for messages.

    Returns:
        None where the hash is right, else why it could not be compared.

    Raises:
        DataError: another hash, or no such file.
    """
    if archive is None:
        return "the download's hash was not compared: a folder was given; add --archive FILE"
    found = _digest(archive)
    if not stated:
        return f"{where} states no archive_sha256 yet; this file's is {found}"
    if found != stated.lower():
        raise DataError(
            f"{archive} is another file than the one described",
            expected=f"sha256 {stated}",
            got=found,
            fix="download it again; a new edition of the set needs a new card",
        )
    return None


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a ``.zip`` into a new folder, whole or not at all; what came from the same archive is kept.

    Raises:
        DataError: no zip archive, damaged, or with names that climb out of the folder; or the folder is there
            already, and came from another archive.
    """
    digest = _digest(archive)
    if folder.is_dir():
        _same_origin(folder, archive, digest)
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        with zipfile.ZipFile(archive) as packed:
            names = packed.namelist()
            if bad := [name for name in names if ".." in Path(name).parts or name[:1] in "/\\"]:
                raise DataError(f"{archive} holds a name that leaves its folder", got=repr(bad[0]))
            packed.extractall(work)
        (work / _ORIGIN).write_text(digest + "\n", encoding="utf-8")
        work.chmod(0o755)
        work.replace(folder)
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as exc:
        fix = "unpack it yourself and give the folder, with --archive FILE"
        raise DataError(f"cannot unpack {archive}", got=str(exc)[:200], fix=fix) from exc
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def _same_origin(folder: Path, archive: Path, digest: str) -> None:
    """What an earlier archive left must not pass for this one's."""
    origin = folder / _ORIGIN
    before = origin.read_text("utf-8", errors="replace").strip() if origin.is_file() else "no hash"
    if before != digest:
        raise DataError(
            f"{folder} was not unpacked from {archive}",
            expected=f"sha256 {digest}",
            got=before,
            fix="give another --out, or remove that folder",
        )


def _digest(archive: Path) -> str:
    try:
        return sha256_file(archive)
    except OSError as exc:
        raise DataError(f"cannot read {archive}", got=exc.strerror or str(exc)) from exc
