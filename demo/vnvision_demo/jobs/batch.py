"""Many pictures to answers, a table, and a PDF for each expert that answered."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vnvision import atomic
from vnvision.errors import DataError
from vnvision.imaging.isolated import IsolatedReader
from vnvision.report.cases import Case, write_batch
from vnvision_demo.jobs.batch_job import Job, Language, Models
from vnvision_demo.jobs.batch_rows import STATUSES, BatchRow, table
from vnvision_demo.jobs.progress import Progress, silent

OPEN, PREDICT, WRITE, DONE = "open", "predict", "write", "done"
"""Stage codes, in this order."""
MOST_PICTURES = 500
_PREDICT_FROM, _PREDICT_TO = 0.03, 0.92


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of the pictures.

    Attributes:
        rows: one a picture, in order.
        csv: the table of all.
        pdfs: one an expert, by its name.
        counts: pictures by status.
        experts: pictures by expert.
        unread: names of those that could not be read.
        seconds: taken for all of it.
        images_per_s: of reading and answering.
    """

    rows: tuple[BatchRow, ...]
    csv: Path
    pdfs: dict[str, Path]
    counts: dict[str, int]
    experts: dict[str, int]
    unread: tuple[str, ...]
    seconds: float
    images_per_s: float


def run_batch(
    files: Sequence[tuple[str, Path]],
    model: str,
    *,
    models: Models,
    out: str | Path,
    reader: IsolatedReader,
    language: Language = "vi",
    title: str = "",
    progress: Progress = silent,
) -> BatchResult:
    """Answer for up to 500 pictures. Of each a line and a thumbnail are kept, never the picture.

    Args:
        files: name to show and where the picture lies.
        model: name of an expert, or ``auto``: the router chooses one for each picture.
        models: gives loaded models.
        out: folder for ``batch.csv`` and one ``EXPERT.pdf`` each.
        reader: decodes in processes of its own.
        language: of answers and pages.
        title: what the user calls the batch.
        progress: told the share done and the stage: ``open``, ``predict``, ``write``, ``done``.

    Raises:
        DataError: no picture, too many, or the folder cannot be written.
        BundleError: no such model.
    """
    started = time.perf_counter()
    _check(len(files))
    progress(0.0, OPEN)
    job = Job(files, model, models, language)
    job.open()
    progress(_PREDICT_FROM, PREDICT)
    begun = time.perf_counter()
    for done in job.run(reader):
        progress(_PREDICT_FROM + (_PREDICT_TO - _PREDICT_FROM) * done / len(files), PREDICT)
    spent = time.perf_counter() - begun
    progress(_PREDICT_TO, WRITE)
    rows = job.named()
    pdfs = _pages(job, out, title)
    try:
        path = atomic.write_bytes(Path(out) / "batch.csv", table(rows))
    except OSError as exc:
        raise _not_written(exc) from exc
    progress(1.0, DONE)
    return BatchResult(
        rows=rows,
        csv=path,
        pdfs=pdfs,
        counts={status: sum(row.status == status for row in rows) for status in STATUSES},
        experts=dict(Counter(row.expert for row in rows if row.expert is not None)),
        unread=tuple(row.name for row in rows if row.status == "unread"),
        seconds=time.perf_counter() - started,
        images_per_s=len(files) / max(spent, 1e-9),
    )


def _pages(job: Job, out: str | Path, title: str) -> dict[str, Path]:
    """A PDF an expert that was asked about a picture."""
    found = {}
    for expert, cases in sorted(job.cases.items()):
        if any(isinstance(case, Case) for case in cases):
            (found[expert],) = write_batch(cases, out, formats=["pdf"], title=title, name=expert)
    return found


def _check(count: int) -> None:
    if not count:
        raise DataError(
            "there are no pictures",
            expected=f"1 to {MOST_PICTURES}",
            got="0",
            fix="choose pictures, or a zip of them",
            vietnamese="chưa có ảnh nào; hãy chọn ảnh hoặc tệp zip chứa ảnh",
        )
    if count > MOST_PICTURES:
        raise DataError(
            "there are too many pictures for one batch",
            expected=f"at most {MOST_PICTURES}",
            got=f"{count:,}",
            fix="divide them, or use vnvision predict --report",
            vietnamese=f"quá nhiều ảnh: mỗi lần tối đa {MOST_PICTURES}, ở đây có {count}; hãy chia nhỏ, "
            "hoặc dùng lệnh vnvision predict --report",
        )


def _not_written(exc: OSError) -> DataError:
    return DataError(
        "cannot write the table",
        got=exc.strerror or str(exc),
        fix="make room on the disk",
        vietnamese="không ghi được bảng kết quả; hãy kiểm tra dung lượng đĩa",
    )
