"""What was done, without a word that could name anyone."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from vnvision import __version__, atomic
from vnvision.clinic.deidentify import facts
from vnvision.clinic.deidentify.options import Options
from vnvision.errors import DataError
from vnvision.spec import Record

SCHEMA_VERSION = 1
_COUNTED: tuple[str, ...] = (
    *("kept", "removed", "emptied", "replaced", "cleaned", "uids"),
    *("codes removed", "private kept", "content removed", "lookup tables removed"),
)


class Outcome(Record):
    """One de-identified file.

    Attributes:
        file: path relative to the output folder.
        patient: pseudonym.
        modality: as written.
        counts: elements kept, removed, emptied, replaced, cleaned, and UIDs remapped.
        warnings: codes of ``WARNINGS``: what a person should look at.
    """

    file: str
    patient: str
    modality: str = ""
    counts: dict[str, int] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class Failure(Record):
    """A file that was not de-identified.

    Attributes:
        source: path of the original. It stays on the screen and in the linkage file, out of the report.
        reason: in one line, without names.
        detail: the whole line, English and Vietnamese.
    """

    source: str
    reason: str
    detail: str


class Summary(Record):
    """What became of a folder."""

    out: str
    files: int = Field(ge=0)
    outcomes: tuple[Outcome, ...] = ()
    repeated: int = Field(default=0, ge=0, description="exact copies of a file already written")
    failures: tuple[Failure, ...] = ()

    @property
    def patients(self) -> int:
        """How many different patients there are."""
        return len({outcome.patient for outcome in self.outcomes})

    @property
    def warnings(self) -> dict[str, int]:
        """How many files each warning concerns."""
        return dict(sorted(Counter(code for outcome in self.outcomes for code in outcome.warnings).items()))


@dataclass(frozen=True, slots=True)
class Link:
    """What ties an output to its original. Whoever holds it can undo the de-identification."""

    source: str
    file: str
    patient: str
    patient_id: str
    patient_name: str
    study_uid: str
    new_study_uid: str
    sop_uid: str
    new_sop_uid: str


def public(summary: Summary, options: Options) -> dict[str, Any]:
    """The report as JSON: no input name, no path, no original value."""
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": f"vnvision {__version__}",
        "profile": f"DICOM PS3.15 Annex E, Basic Profile, Table E.1-1 of {facts.EDITION}, allow-list on top",
        "retain": sorted(options.retain),
        "clean": sorted(options.clean),
        "blank_px": [list(box) for box in options.blank_px],
        "files": summary.files,
        "written": len(summary.outcomes),
        "repeated": summary.repeated,
        "patients": summary.patients,
        "not_processed": dict(sorted(Counter(failure.reason for failure in summary.failures).items())),
        "warnings": summary.warnings,
        "outcomes": [outcome.model_dump(mode="json") for outcome in summary.outcomes],
    }


def write(summary: Summary, options: Options, out: Path) -> None:
    """``deidentification.csv``, one line a file, and ``deidentification.json``, written last."""
    rows = [
        [o.file, o.patient, o.modality, *(o.counts.get(name, 0) for name in _COUNTED), ";".join(o.warnings)]
        for o in summary.outcomes
    ]
    header = ["file", "patient", "modality", *(name.replace(" ", "_") for name in _COUNTED), "warnings"]
    atomic.write_text(out / "deidentification.csv", _csv(header, rows))
    atomic.write_json(out / "deidentification.json", public(summary, options))


def write_linkage(path: Path, links: Sequence[Link], failures: Sequence[Failure]) -> Path:
    """Originals and pseudonyms side by side, readable by the owner only, from the first byte on.

    Raises:
        DataError: it cannot be written.
    """
    header = [*Link.__slots__, "error"]
    rows = [[getattr(link, name) for name in Link.__slots__] + [""] for link in links]
    rows += [[f.source, *[""] * (len(header) - 2), f.detail] for f in failures]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")  # 0600
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(b"\xef\xbb\xbf" + _csv(header, rows).encode())  # the mark lets Excel read UTF-8
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as exc:
        raise DataError(f"cannot write the linkage file {path}", got=exc.strerror or str(exc)) from exc
    return path


def _csv(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([[_safe(cell) for cell in row] for row in rows])
    return text.getvalue()


def _safe(cell: Any) -> Any:
    """A cell that a spreadsheet does not take for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
