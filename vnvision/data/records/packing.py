"""Tar shards as WebDataset reads them: the same input gives the same bytes, and a stopped run goes on."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

from vnvision.data.manifest import leaves_root
from vnvision.data.records.files import StagedFile
from vnvision.data.records.packed_rows import Packed, rows_of
from vnvision.data.records.shard_index import EXTENSIONS, SUFFIX, PackJob, Shard, ShardIndex
from vnvision.data.records.shard_rows import read_rows
from vnvision.errors import ConfigError, DataError
from vnvision.imaging.sniff import HEAD_BYTES, image_format

Progress = Callable[[int, int], None]
_BLOCK, _TAR_RECORD = 512, 10_240
_MIB = 2**20


def pack_shards(
    manifest: str | Path,
    out: str | Path,
    *,
    name: str | None = None,
    shard_mb: float = 256,
    aligned: str | Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Pack a manifest's pictures, their bytes unchanged, into ``NAME-000000.tar`` and so on.

    A sample is ``KEY.jpg`` (or the picture's own kind) and ``KEY.json``, which has every column of the
    manifest; the key is the row's number. Whole shards stay where the run is stopped, and the next run goes
    on behind them. Then come the index, and ``NAME.rows.npz``, which says where every sample lies.

    Args:
        manifest: ``.csv`` or ``.parquet`` with a column ``path``.
        out: folder.
        name: what the shards' names start with; the manifest's name unless given.
        shard_mb: largest size of a shard in MiB.
        aligned: folder of ``face align``: its crops are packed instead of the pictures; rows without one are
            left out and counted.
        progress: called with (samples done, samples in all).

    Returns:
        The index, ``NAME.index.json``.

    Raises:
        DataError: a picture is missing, of another kind, or not what its ``sha256`` says; another set lies
            there; or it cannot be written.
        ConfigError: a size that is not above 0, or a name that cannot be one.
    """
    out, name = Path(out), name or Path(manifest).stem
    if shard_mb <= 0:
        raise ConfigError("shard_mb", expected="above 0", got=f"{shard_mb:g}")
    if not name.isprintable() or any(sign in name for sign in '/\\:*?"<>|.{} ') or not name:
        raise ConfigError("name of the shards", expected="letters, numbers, - and _", got=repr(name))
    packed = rows_of(Path(manifest), Path(aligned) if aligned is not None else None)
    job = PackJob(name=name, shard_bytes=int(shard_mb * _MIB), **packed.facts())
    index = out / f"{name}{SUFFIX}"
    if index.exists():
        return _finished(index, job)
    notes = out / f".{name}.pack"
    try:
        _claim(notes, job)
        shards = _shards(packed, job, out, notes, progress)
        ShardIndex(job=job, shards=tuple(shards)).save(index)
        read_rows(index)  # training then opens the set at once
    except OSError as exc:
        raise DataError(f"cannot write {out}", got=exc.strerror or str(exc)) from exc
    shutil.rmtree(notes, ignore_errors=True)
    return index


def _finished(index: Path, job: PackJob) -> Path:
    there = ShardIndex.load(index, DataError)
    if there.job != job:
        raise _other(index, there.job, job)
    missing = [s.file for s in there.shards if not (index.parent / s.file).is_file()]
    if missing:
        fix = f"delete {index} and pack again"
        raise DataError(f"{index} names shards that are gone", got=missing[0], fix=fix)
    return index


def _claim(notes: Path, job: PackJob) -> None:
    note = notes / "job.json"
    if note.is_file():
        there = PackJob.load(note, DataError)
        if there != job:
            raise _other(notes, there, job)
        return
    notes.mkdir(parents=True, exist_ok=True)
    job.save(note)


def _other(place: Path, there: PackJob, job: PackJob) -> DataError:
    mine, other = job.model_dump(), there.model_dump()
    differing = ", ".join(key for key in mine if mine[key] != other[key])
    return DataError(
        f"{place} is of another set",
        expected="the same manifest and options",
        got=f"another {differing}",
        fix="choose another name or folder, or delete it",
    )


def _shards(packed: Packed, job: PackJob, out: Path, notes: Path, progress: Progress | None) -> list[Shard]:
    shards: list[Shard] = []
    row = 0
    while row < job.n:
        number = len(shards)
        note = notes / f"{number:06d}.json"
        file = out / f"{job.name}-{number:06d}.tar"
        if note.is_file() and file.is_file():
            shard = Shard.load(note, DataError)
            if shard.first_row != row or file.stat().st_size != shard.bytes:
                fix = f"delete {notes} and start again"
                raise DataError(f"{file} is not the shard that was written", fix=fix)
        else:
            shard = _write(packed, job, file, row, progress)
            shard.save(note)
        shards.append(shard)
        row += shard.n
        if progress:
            progress(row, job.n)
    return shards


def _write(packed: Packed, job: PackJob, file: Path, first: int, progress: Progress | None) -> Shard:
    with StagedFile(file) as staged:
        row = first
        while row < job.n:
            sample = _sample(packed, row)
            if row > first and _padded(staged.written + len(sample)) > job.shard_bytes:
                break
            staged.write(sample)
            row += 1
            if progress and row % 256 == 0:
                progress(row, job.n)
        staged.write(bytes(_padded(staged.written) - staged.written))
        staged.commit()
        return Shard(
            file=file.name, n=row - first, bytes=staged.written, sha256=staged.sha256, first_row=first
        )


def _padded(size: int) -> int:
    """With the two empty blocks that end an archive, up to a whole tar record."""
    return -(-(size + 2 * _BLOCK) // _TAR_RECORD) * _TAR_RECORD


def _sample(packed: Packed, row: int) -> bytes:
    """The bytes of one sample in a tar file."""
    columns, line = packed.columns(row), packed.line(row)
    where = f"{packed.manifest}: row {line}"
    if leaves_root(columns["path"]) or not columns["path"].strip():
        raise DataError(f"{where} leaves the root", expected="a relative path", got=columns["path"])
    file = packed.root / columns["path"]
    try:
        data = file.read_bytes()
    except OSError as exc:
        raise DataError(f"{where}: cannot read {file}", got=exc.strerror or str(exc)) from exc
    kind = EXTENSIONS.get(image_format(data[:HEAD_BYTES]) or "")
    if kind is None:
        raise DataError(f"{where}: {file} is no picture", expected=", ".join(EXTENSIONS))
    wanted = columns.get("sha256", "").lower()
    if wanted and wanted != (digest := hashlib.sha256(data).hexdigest()):
        raise DataError(f"{where}: {file} has changed", expected=f"sha256 {wanted}", got=digest)
    text = json.dumps(columns, ensure_ascii=False, separators=(",", ":")).encode()
    key = f"{row:09d}"
    return _member(f"{key}.{kind}", data) + _member(f"{key}.json", text)


def _member(name: str, data: bytes) -> bytes:
    info = tarfile.TarInfo(name)  # owner 0, time 0
    info.size, info.mode = len(data), 0o644
    return info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % _BLOCK)
