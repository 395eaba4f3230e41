"""Every face cut out once, onto the template: a folder of crops with a manifest, which training reads."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from vnvision.data.records.packed_rows import ALIGNED_FROM
from vnvision.data.table import write_table
from vnvision.errors import ConfigError, DataError
from vnvision.faces.aligned_job import AlignedNote, AlignJob, claim, finished, job_of
from vnvision.faces.aligned_parts import ENCODINGS, Encoding, Part, PartMaker, run_part, start_worker
from vnvision.faces.engine import FaceEngine
from vnvision.faces.listing import Pictures

Progress = Callable[[int, int], None]
OWN = (ALIGNED_FROM, "face_score", "n_faces")
"""Columns that the cache adds."""

_DROPPED = ("boxes", "mask")  # in pixels of the whole picture
_ROWS_A_PART = 256


@dataclass(frozen=True, slots=True)
class Aligned:
    """A finished cache.

    Attributes:
        manifest: with the crops' paths and the columns of the pictures' manifest.
        skipped: CSV of the pictures without a crop, and why.
        n: pictures.
        n_aligned: crops.
        n_unreadable: pictures that could not be read.
    """

    manifest: Path
    skipped: Path
    n: int
    n_aligned: int
    n_unreadable: int


def build_aligned(
    open_engine: Callable[[], FaceEngine],
    pictures: Pictures,
    out: str | Path,
    *,
    encoding: Encoding = "png",
    workers: int = 1,
    rows_a_part: int = _ROWS_A_PART,
    progress: Progress | None = None,
) -> Aligned:
    """Cut the largest face of each picture out onto the 112 x 112 template.

    ``OUT/manifest.csv`` has the crops' ``path`` and ``sha256``, every column of the pictures' manifest (boxes
    and masks apart), ``aligned_from`` (the picture), ``face_score`` of the detector and ``n_faces``.
    ``OUT/not_aligned.csv`` lists the others with the reason. Work is kept part by part: a run that was
    stopped or killed goes on, and ends with the same bytes as one left alone.

    Args:
        open_engine: gives detector and embedder; with several workers it must be picklable, as each opens
            its own.
        pictures: which.
        out: folder.
        encoding: ``png``, without loss, or ``jpg`` of quality 95.
        workers: processes; 1 works in this one.
        rows_a_part: pictures a part; at most so many a worker are done again after a stop.
        progress: called with (done, total).

    Raises:
        DataError: no pictures, no face in any, a column with the name of one of ours, another cache lies
            there, or it cannot be written.
        ConfigError: an unknown encoding, or numbers below 1.
    """
    _check(pictures, encoding, workers, rows_a_part)
    folder, parts = Path(out), Path(out) / ".parts"
    maker = PartMaker(open_engine, folder, encoding)
    try:
        job = job_of(maker.engine, pictures, encoding, rows_a_part)
        note = finished(folder, job)
        if note is None:
            claim(parts, job)
            files = _make(maker, pictures, parts, job, workers, progress)
            crops = Part(crops=tuple(c for file in files for c in Part.load(file, DataError).crops))
            note = _finish(folder, pictures, job, crops)
        shutil.rmtree(parts, ignore_errors=True)
    except OSError as exc:
        raise DataError(f"cannot write {folder}", got=exc.strerror or str(exc)) from exc
    finally:
        maker.close()
    manifest, skipped = folder / "manifest.csv", folder / "not_aligned.csv"
    return Aligned(manifest, skipped, job.n, note.n_aligned, note.n_unreadable)


def _check(pictures: Pictures, encoding: str, workers: int, rows_a_part: int) -> None:
    """What was asked for, before any model is opened.

    Raises:
        ConfigError, DataError: as ``build_aligned``.
    """
    if encoding not in ENCODINGS:
        raise ConfigError("encoding of the crops", expected=" or ".join(ENCODINGS), got=str(encoding))
    if min(workers, rows_a_part) < 1:
        raise ConfigError("workers, rows_a_part", expected="1 or more", got=f"{workers}, {rows_a_part}")
    if not pictures.paths:
        raise DataError("no pictures to align", expected="one or more", got="0")
    taken = sorted(set(pictures.columns) & {*OWN, "reason"})
    if taken:
        raise DataError(
            "a column's name is taken",
            expected=f"none of {', '.join((*OWN, 'reason'))}",
            got=", ".join(taken),
            fix="rename it in the manifest",
        )


def _make(
    maker: PartMaker, pictures: Pictures, parts: Path, job: AlignJob, workers: int, progress: Progress | None
) -> list[Path]:
    notes, todo, done = [], [], 0
    for number, at in enumerate(range(0, job.n, job.rows_a_part)):
        some = [pictures.root / path for path in pictures.paths[at : at + job.rows_a_part]]
        notes.append(parts / f"part-{number:06d}.json")
        if notes[-1].is_file():
            done += len(some)
        else:
            todo.append((some, at, notes[-1]))
    if progress and done:
        progress(done, job.n)
    for n in _counts(maker, todo, workers):
        done += n
        if progress:
            progress(done, job.n)
    return notes


def _counts(maker: PartMaker, todo: list[tuple[list[Path], int, Path]], workers: int) -> Iterator[int]:
    """Pictures of each part as it is made."""
    if workers == 1 or len(todo) < 2:
        yield from (maker(*one) for one in todo)
        return
    maker.close()
    # Threads and inference engines do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=start_worker, initargs=(maker,)) as pool:
        try:
            yield from pool.map(run_part, todo)
        except BrokenProcessPool as exc:
            raise DataError(
                "a worker was killed", fix="free memory or take fewer workers, and start again"
            ) from exc
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _finish(folder: Path, pictures: Pictures, job: AlignJob, made: Part) -> AlignedNote:
    """Write the lists; the manifest comes last.

    Raises:
        DataError: no picture has a face.
    """
    names = [name for name in pictures.columns if name not in (*_DROPPED, "sha256")]
    kept, skipped, unreadable = [], [], 0
    for row, (path, crop) in enumerate(zip(pictures.paths, made.crops, strict=True)):
        cells = [pictures.columns[name][row] for name in names]
        if crop.reason:
            unreadable += crop.reason.startswith("unreadable")
            skipped.append([path, crop.reason, *cells])
        else:
            kept.append([crop.path, *cells, path, f"{crop.score:.6g}", str(crop.n_faces), crop.sha256])
    write_table(folder / "not_aligned.csv", ["path", "reason", *names], skipped)
    if not kept:
        raise DataError(f"no face in any of {job.n} pictures", fix=f"see {folder / 'not_aligned.csv'}")
    note = AlignedNote(job=job, n_aligned=len(kept), n_unreadable=unreadable)
    note.save(folder / "aligned.json")
    write_table(folder / "manifest.csv", ["path", *names, *OWN, "sha256"], kept)
    return note
