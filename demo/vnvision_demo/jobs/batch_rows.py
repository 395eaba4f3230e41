"""One line a picture, and all lines as a table that every spreadsheet opens."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from vnvision.report.cases.records import Case, Row
from vnvision.report.cases.table import safe

Status = Literal["answered", "abstained", "no_expert", "unread"]
STATUSES: tuple[Status, ...] = ("answered", "abstained", "no_expert", "unread")
COLUMNS = (
    "number", "file", "expert", "status", "answer", "answer_text", "probability", "abstained", "reason",
    "reason_text", "severity_percent", "counts", "model_sha256", "notice",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One picture.

    Attributes:
        number: from 1, in the order of the upload.
        name: the file's for crops, the number for a clinic, where a file's name may be a patient's.
        expert: name of the model that answered or withheld its answer; None where none was asked.
        status: ``answered``, ``abstained``, ``no_expert`` or ``unread``.
        answer: ids of labels with ``; `` between; empty where there is none.
        answer_text: the same in words.
        probability: calibrated, of a single label.
        reasons: codes of ``vnvision.hub.reason``, or ``unreadable``.
        reason_text: why there is no answer, in words.
        severity: diseased share, 0 to 1.
        counts: objects by label of a detector.
        thumbnail: JPEG, at most 160 px; None where the picture could not be read.
        model_sha256: tells the expert from every other.
        notice: of the expert: research use, or guidance only.
    """

    number: int
    name: str
    expert: str | None
    status: Status
    answer: str = ""
    answer_text: str = ""
    probability: float | None = None
    reasons: tuple[str, ...] = ()
    reason_text: str = ""
    severity: float | None = None
    counts: tuple[tuple[str, int], ...] = ()
    thumbnail: bytes | None = None
    model_sha256: str = ""
    notice: str = ""


def row_of(case: Case, number: int, expert: str) -> BatchRow:
    """The line of a picture that an expert was asked about."""
    row: Row = case.row
    counts = row.amounts if row.kind == "detection" else ()
    answer_text = row.answer_text
    if not row.abstained and row.kind != "classification":
        answer_text = case.verdict.big
    return BatchRow(
        number=number,
        name=case.reference,
        expert=expert,
        status="abstained" if row.abstained else "answered",
        answer=row.answer,
        answer_text="" if row.abstained else answer_text,
        probability=row.probability,
        reasons=row.reasons,
        reason_text=" ".join(row.reason_texts),
        severity=row.severity,
        counts=tuple((label, int(n)) for label, n in counts),
        thumbnail=case.thumbnail,
        model_sha256=case.model.sha256,
        notice=case.model.notice,
    )


def table(rows: Iterable[BatchRow]) -> bytes:
    """All lines as CSV: UTF-8 with a byte order mark, and nothing that a spreadsheet takes for a formula."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        severity = None if row.severity is None else 100 * row.severity
        writer.writerow(
            [
                row.number,
                safe(row.name),
                safe(row.expert or ""),
                row.status,
                safe(row.answer),
                safe(row.answer_text),
                _number(row.probability, 4),
                "no" if row.status == "answered" else "yes",
                safe("; ".join(row.reasons)),
                safe(row.reason_text),
                _number(severity, 2),
                safe("; ".join(f"{label}={n}" for label, n in row.counts)),
                row.model_sha256,
                safe(row.notice),
            ]
        )
    return b"\xef\xbb\xbf" + stream.getvalue().encode("utf-8")


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
