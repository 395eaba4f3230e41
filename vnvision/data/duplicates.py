"""Near-duplicate pictures of a folder or a manifest: what to look at before a set is split or shared."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vnvision import atomic
from vnvision.data.fingerprint import Fingerprint, fingerprint
from vnvision.data.importers.image_folder import SUFFIXES as PICTURES
from vnvision.data.manifest import read_manifest
from vnvision.data.neardup import Progress, cluster, default_threads
from vnvision.errors import ConfigError, DataError
from vnvision.imaging.read import read

SUFFIXES = frozenset({*PICTURES, ".dcm"})
TABLES = (".csv", ".parquet")
COLUMNS = ("cluster", "path", "identical", "sha256")


@dataclass(frozen=True, slots=True)
class Copy:
    """One picture of a group of near-duplicates.

    Attributes:
        path: as the manifest has it, or relative to the folder, with ``/``.
        sha256: of its bytes.
        identical: whether another of the group has the very same bytes.
    """

    path: str
    sha256: str
    identical: bool


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Groups of near-duplicates, in the order of their first picture, and what could not be read.

    Attributes:
        groups: two pictures or more each.
        n: how many pictures were looked at.
        unreadable: (path, why) of those that are none.
    """

    groups: tuple[tuple[Copy, ...], ...]
    n: int
    unreadable: tuple[tuple[str, str], ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data, JSON-ready."""
        return {"n": self.n, "groups": [[asdict(copy) for copy in group] for group in self.groups]} | {
            "unreadable": [{"path": path, "error": error} for path, error in self.unreadable]
        }


def find_duplicates(
    source: str | Path,
    *,
    mirrored: bool = True,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Duplicates:
    """Near-duplicates of a folder of pictures (all below it, linked folders too), or of a manifest's rows.

    See ``vnvision.data.neardup`` for what counts as one. A picture that cannot be read is reported, and the
    search goes on without it.

    Args:
        source: a folder, or a CSV or Parquet manifest.
        mirrored: whether turned and mirrored copies count.
        threads: how many files to read at once; one for each CPU, at most 8, unless given.
        progress: called with (files done, files in all).

    Raises:
        DataError: nothing there, no pictures in the folder, a manifest that is wrong, or none of its pictures
            can be read.
        ConfigError: fewer than one thread.
    """
    if threads is not None and threads < 1:
        raise ConfigError("threads", expected="1 or more", got=str(threads))
    names, files = _listed(Path(source))
    looks: list[tuple[str | None, Fingerprint | None, str]] = []
    with ThreadPoolExecutor(threads or default_threads()) as pool:
        for look in pool.map(_look, files):
            looks.append(look)
            if progress is not None:
                progress(len(looks), len(files))
    bad = tuple((name, why) for name, (_, _, why) in zip(names, looks, strict=True) if why)
    if len(bad) == len(names):
        raise DataError(f"no picture of {source} can be read", got=bad[0][1])
    digests = [digest for digest, _, _ in looks]
    numbers = cluster([one for _, one, _ in looks], digests, mirrored=mirrored)
    return Duplicates(_groups(names, digests, numbers), len(names) - len(bad), bad)


def write_duplicates(found: Duplicates, out: str | Path) -> Path:
    """Write ``cluster, path, identical, sha256`` as CSV, a row a picture; whole or absent."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for number, group in enumerate(found.groups, 1):
        writer.writerows((number, one.path, int(one.identical), one.sha256) for one in group)
    try:
        return atomic.write_text(out, text.getvalue())
    except OSError as exc:
        raise DataError(f"cannot write {out}", got=exc.strerror or str(exc)) from exc


def _listed(source: Path) -> tuple[list[str], list[Path]]:
    """What pictures are called, and where they lie."""
    if source.is_dir():
        files = sorted(_below(source))
        if not files:
            raise DataError(f"no pictures in {source}", expected=f"files ending in {_some(SUFFIXES)}")
        return [path.relative_to(source).as_posix() for path in files], files
    if not source.exists():
        raise DataError(f"{source} is not there", expected="a folder of pictures or a manifest")
    if source.suffix.lower() not in TABLES:
        raise DataError(
            f"{source} is neither a folder nor a manifest", expected=f"a folder, or a file in {_some(TABLES)}"
        )
    table = read_manifest(source)
    rows = {row.path: table.file(row) for row in table.rows}
    return list(rows), list(rows.values())


def _below(source: Path) -> Iterator[Path]:
    """Pictures of a folder and of folders linked into it; each folder once, under its own name first."""
    starts, visited = [source], set[Path]()
    for start in starts:  # grows by the links that are met
        for place, folders, names in os.walk(start):
            here, real = Path(place), Path(place).resolve()
            if real in visited:
                folders.clear()
                continue
            visited.add(real)
            folders.sort()
            starts += [here / name for name in folders if (here / name).is_symlink()]
            files = (here / name for name in names)
            yield from (file for file in files if file.suffix.lower() in SUFFIXES and file.is_file())


def _some(endings: Sequence[str] | frozenset[str]) -> str:
    return ", ".join(sorted(endings))


def _look(file: Path) -> tuple[str | None, Fingerprint | None, str]:
    """A file's digest and fingerprint, or why there are none."""
    try:
        data = file.read_bytes()
        return hashlib.sha256(data).hexdigest(), fingerprint(read(file).image), ""
    except OSError as exc:
        return None, None, f"cannot be read: {exc.strerror or exc}"
    except DataError as exc:
        return None, None, str(exc)


def _groups(
    names: Sequence[str], digests: Sequence[str | None], numbers: Sequence[int]
) -> tuple[tuple[Copy, ...], ...]:
    members: dict[int, list[int]] = {}
    for i, number in enumerate(numbers):
        members.setdefault(number, []).append(i)

    def group(rows: list[int]) -> tuple[Copy, ...]:
        bytes_of = [digests[i] or "" for i in rows]
        return tuple(
            Copy(names[i], digest, bytes_of.count(digest) > 1)
            for i, digest in zip(rows, bytes_of, strict=True)
        )

    return tuple(group(rows) for rows in members.values() if len(rows) > 1)
