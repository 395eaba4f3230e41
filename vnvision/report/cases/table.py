"""A batch as CSV.

UTF-8 with a byte order mark, without which Excel takes Vietnamese for another code page; commas and decimal
points whatever the language, so that every program reads it alike; line ends as RFC 4180 has them.
"""

from __future__ import annotations

import csv
import io

from vnvision.report.cases.batch import Batch
from vnvision.report.cases.records import Row

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_COLUMNS = (
    "reference", "status", "answer", "answer_text", "probability", "reasons", "severity_percent", "taken",
    "latitude_deg", "longitude_deg", "model", "model_sha256", "notice",
)  # fmt: skip
_AMOUNTS = {"detection": "count", "segmentation": "pixels"}


def table(batch: Batch) -> bytes:
    """The whole file: one line a picture, those without an answer and those not read among them."""
    kind = next(row.kind for _, row in batch.rows if row is not None)
    amounts = [f"{_AMOUNTS.get(kind, 'probability')}:{name}" for name in batch.model.labels]
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow([safe(name) for name in (*_COLUMNS, *amounts)])
    for reference, row in batch.rows:
        writer.writerow(_line(reference, row, batch))
    return b"\xef\xbb\xbf" + stream.getvalue().encode("utf-8")


def safe(text: str) -> str:
    """Text that no spreadsheet takes for a formula: what looks like one gets an apostrophe before it.

    Source: OWASP, CSV Injection.
    """
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def _line(reference: str, row: Row | None, batch: Batch) -> list[str]:
    model = [safe(batch.model.name), batch.model.sha256, safe(batch.model.notice)]
    if row is None:
        return [safe(reference), "unread", *[""] * 8, *model, *[""] * len(batch.model.labels)]
    by_label = dict(row.amounts)
    return [
        safe(reference),
        "abstained" if row.abstained else "answered",
        safe(row.answer),
        safe(row.answer_text),
        _number(row.probability, 4),
        safe("; ".join(row.reasons)),
        _number(None if row.severity is None else 100 * row.severity, 2),
        row.taken.isoformat() if row.taken is not None else "",
        _number(row.place.latitude_deg if row.place is not None else None, 4),
        _number(row.place.longitude_deg if row.place is not None else None, 4),
        *model,
        *(_number(by_label.get(name), 0 if row.kind in _AMOUNTS else 4) for name in batch.model.labels),
    ]


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
