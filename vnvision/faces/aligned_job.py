"""Which aligned cache a folder belongs to, so that another run's crops are never taken over."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import Field

from vnvision.errors import DataError
from vnvision.faces.aligned_parts import Encoding
from vnvision.faces.engine import FaceEngine
from vnvision.faces.listing import Pictures
from vnvision.spec import Record


class AlignJob(Record):
    """What decides every byte of a cache."""

    schema_version: int = Field(default=1, ge=1, le=1)
    detector: str
    model: str
    encoding: Encoding
    manifest_sha256: str
    paths_sha256: str
    n: int
    columns: tuple[str, ...]
    rows_a_part: int


class AlignedNote(Record):
    """What lies beside the manifest of a finished cache, as ``aligned.json``."""

    job: AlignJob
    n_aligned: int = Field(ge=1)
    n_unreadable: int = Field(ge=0)


def job_of(engine: FaceEngine, pictures: Pictures, encoding: Encoding, rows_a_part: int) -> AlignJob:
    """The job of some pictures.

    Raises:
        DataError: a path that is not valid Unicode.
    """
    try:
        paths = "\0".join(pictures.paths).encode()
    except UnicodeEncodeError as exc:
        name = next(path for path in pictures.paths if not path.isprintable())
        raise DataError("a picture's name is not valid Unicode", got=repr(name), fix="rename it") from exc
    return AlignJob(
        detector=type(engine.detector).__name__,
        model=engine.embedder.fingerprint,
        encoding=encoding,
        manifest_sha256=pictures.sha256,
        paths_sha256=hashlib.sha256(paths).hexdigest(),
        n=len(pictures.paths),
        columns=tuple(pictures.columns),
        rows_a_part=rows_a_part,
    )


def finished(folder: Path, job: AlignJob) -> AlignedNote | None:
    """The note of a cache that is whole; None where there is none yet.

    Raises:
        DataError: another cache, or another data set, lies there.
    """
    if not (folder / "manifest.csv").exists():
        return None
    if not (folder / "aligned.json").is_file():
        raise DataError(f"{folder} holds another data set", expected="a folder of its own", fix="use another")
    note = AlignedNote.load(folder / "aligned.json", DataError)
    _same(folder, note.job, job)
    return note


def _same(place: Path, there: AlignJob, job: AlignJob) -> None:
    if there != job:
        mine, other = job.model_dump(), there.model_dump()
        raise DataError(
            f"{place} belongs to another cache",
            expected="the same model, pictures and options",
            got=f"another {', '.join(name for name in mine if mine[name] != other[name])}",
            fix=f"delete {place}, or write to another folder",
        )


def claim(parts: Path, job: AlignJob) -> None:
    """Take the folder of parts for this job, or go on with it.

    Raises:
        DataError: it belongs to another job.
    """
    note = parts / "job.json"
    if note.is_file():
        _same(parts, AlignJob.load(note, DataError), job)
        return
    parts.mkdir(parents=True, exist_ok=True)
    job.save(note)
