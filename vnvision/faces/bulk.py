"""Templates of a whole folder or manifest: batched, resumable, written as Parquet."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from vnvision import atomic
from vnvision.errors import ConfigError, DataError
from vnvision.faces import parquet
from vnvision.faces.embedded import EmbeddedFaces
from vnvision.faces.engine import FaceEngine, largest
from vnvision.faces.listing import Pictures
from vnvision.faces.parquet import EmbeddedRow
from vnvision.records import Face
from vnvision.spec import Record

Progress = Callable[[int, int], None]
_ROWS_A_PART = 256


class Job(Record):
    """What a set of parts belongs to; parts of another job are not taken over."""

    schema_version: int = Field(default=1, ge=1, le=1)
    detector: str
    model: str
    size: int
    manifest_sha256: str
    paths_sha256: str
    n: int
    columns: tuple[str, ...]
    rows_a_part: int


def embed_pictures(
    engine: FaceEngine,
    pictures: Pictures,
    out: str | Path,
    *,
    progress: Progress | None = None,
    rows_a_part: int = _ROWS_A_PART,
) -> Path:
    """Write the template of each picture's largest face to ``out``; a picture without one gets its reason.

    Box, landmarks, the detector's score and the quality score go along.

    Work is kept in ``OUT.parts`` every 256 pictures. A run that was stopped goes on where it was; at the end
    the parts become one file, written whole, and go.

    Args:
        engine: finds and embeds faces.
        pictures: which.
        out: the Parquet file.
        progress: called with (done, total).
        rows_a_part: pictures a part; at most so many are done again after a stop.

    Raises:
        DataError: nothing to embed, a column with the name of one of ours, a path that is not valid Unicode,
            parts of another job lie there, or the file cannot be written.
        MissingExtraError: pyarrow is not installed.
    """
    if not pictures.paths:
        raise DataError("no pictures to embed", expected="one or more", got="0")
    if rows_a_part < 1:
        raise ConfigError("rows_a_part is too small", expected="1 or more", got=str(rows_a_part))
    parquet.check_columns(tuple(pictures.columns))
    target = Path(out)
    parts = target.with_name(f"{target.name}.parts")
    job = Job(
        detector=type(engine.detector).__name__,
        model=engine.embedder.fingerprint,
        size=engine.embedder.size,
        manifest_sha256=pictures.sha256,
        paths_sha256=_digest(pictures.paths),
        n=len(pictures.paths),
        columns=tuple(pictures.columns),
        rows_a_part=rows_a_part,
    )
    try:
        _claim(parts, job)
        files = _make_parts(engine, pictures, parts, job, progress)
        parquet.join_parts(files, target)
        # Renamed first: a stop while they are deleted leaves nothing that a later run would stumble over.
        shutil.rmtree(parts.rename(parts.with_name(f".{parts.name}.done")), ignore_errors=True)
    except OSError as exc:
        raise DataError(f"cannot write {target}", got=exc.strerror or str(exc)) from exc
    return target


def _claim(parts: Path, job: Job) -> None:
    """Take the folder of parts for this job, or go on with it.

    Raises:
        DataError: it belongs to another job, or holds something else.
    """
    note = parts / "job.json"
    if note.is_file():
        there = Job.load(note, DataError)
        if there != job:
            mine, other = job.model_dump(), there.model_dump()
            differing = ", ".join(name for name in mine if mine[name] != other[name])
            raise DataError(
                f"{parts} holds parts of another job",
                expected="the same model and pictures",
                got=f"another {differing}",
                fix=f"delete {parts}, or write to another file",
            )
        return
    if parts.exists() and any(parts.iterdir()):
        raise DataError(
            f"{parts} is in the way", expected="parts of this job, or nothing", fix="move it away"
        )
    parquet.need_pyarrow()
    parts.mkdir(parents=True, exist_ok=True)
    parts.chmod(0o700)  # also where an empty folder was there before: templates are biometric data
    job.save(note)


def _digest(paths: Sequence[str]) -> str:
    """Of the rows chosen: one manifest with two conditions is two jobs.

    Raises:
        DataError: a path that no Parquet file can hold.
    """
    try:
        return hashlib.sha256("\0".join(paths).encode("utf-8")).hexdigest()
    except UnicodeEncodeError as exc:
        name = next(path for path in paths if _is_broken(path))
        raise DataError("a picture's name is not valid Unicode", got=repr(name), fix="rename it") from exc


def _is_broken(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def _make_parts(
    engine: FaceEngine, pictures: Pictures, parts: Path, job: Job, progress: Progress | None
) -> list[Path]:
    files = []
    for number, at in enumerate(range(0, job.n, job.rows_a_part)):
        end = min(at + job.rows_a_part, job.n)
        file = parts / f"part-{number:06d}.parquet"
        if not file.is_file():
            rows = list(_rows(engine, pictures, at, end, quality=True))
            atomic.write_bytes(
                file, parquet.to_bytes(rows, job.columns, job.model, job.size, job.manifest_sha256)
            )
        files.append(file)
        if progress:
            progress(end, job.n)
    return files


def embed_in_memory(
    engine: FaceEngine, pictures: Pictures, *, progress: Progress | None = None
) -> EmbeddedFaces:
    """The template of each picture's largest face, not written anywhere.

    Args:
        engine: finds and embeds faces.
        pictures: which.
        progress: called with (done, total).

    Raises:
        DataError: nothing to embed.
    """
    if not pictures.paths:
        raise DataError("no pictures to embed", expected="one or more", got="0")
    embeddings = np.zeros((len(pictures.paths), engine.embedder.size), np.float32)
    reasons = []
    for index, row in enumerate(_rows(engine, pictures, 0, len(pictures.paths))):
        if row.face is not None:
            embeddings[index] = row.face.embedding
        reasons.append(row.reason)
        if progress:
            progress(index + 1, len(pictures.paths))
    return EmbeddedFaces(
        embeddings,
        pictures.paths,
        tuple(reasons),
        pictures.columns,
        engine.embedder.fingerprint,
        pictures.sha256,
    )


def _rows(
    engine: FaceEngine, pictures: Pictures, at: int, end: int, quality: bool = False
) -> Iterator[EmbeddedRow]:
    files = [pictures.root / path for path in pictures.paths[at:end]]
    for index, found in enumerate(engine.found(files, quality=quality), at):
        face: Face | None = None
        if isinstance(found, DataError):
            reason = f"unreadable: {found}"
        else:
            reason = "" if found else "no face"
            face = largest(found, "") if found else None
        columns = tuple(str(values[index]) for values in pictures.columns.values())
        n_faces = 0 if isinstance(found, DataError) else len(found)
        yield EmbeddedRow(pictures.paths[index], columns, n_faces, face, reason)
