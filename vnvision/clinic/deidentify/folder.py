"""A folder of DICOM files: every one that can be de-identified, and a list of the others."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from vnvision.clinic.deidentify import report
from vnvision.clinic.deidentify.one import check_apart, process
from vnvision.clinic.deidentify.options import Options
from vnvision.clinic.deidentify.report import Failure, Link, Outcome, Summary
from vnvision.errors import ConfigError, DataError


def deidentify_folder(
    source: str | Path,
    out: str | Path,
    options: Options,
    key: bytes,
    progress: Callable[[int, int], None] | None = None,
    *,
    linkage: str | Path | None = None,
) -> Summary:
    """De-identify every DICOM file of a folder and of the folders in it, or one file.

    Files that are no DICOM files, damaged, or refused are listed in the summary and never copied. Links to
    other places are not followed. ``out`` then holds ``<study>/<series>/<instance>.dcm`` and a report without
    names, ``deidentification.json`` and ``.csv``.

    Args:
        source: folder or file.
        out: a new or empty folder, neither inside ``source`` nor around it.
        options: what is retained, cleaned and blanked.
        key: secret of the pseudonyms; the same key gives a patient the same pseudonym in every run.
        progress: called with (done, total) after every file.
        linkage: where to write originals and pseudonyms side by side, outside ``out``; nowhere by default.

    Raises:
        ConfigError: contradicting options, folders inside one another, an output folder that is not empty, a
            key that is too short.
        DataError: nothing to read, or the output cannot be written.
    """
    options.check()
    origin, target = Path(source), Path(out)
    _check_places(origin, target, None if linkage is None else Path(linkage))
    files = _files(origin)
    target.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    links: list[Link] = []
    failures: list[Failure] = []
    repeated = 0
    for done, file in enumerate(files, start=1):
        try:
            outcome, link, again = process(file, target, options, key)
        except DataError as exc:
            failures.append(_failure(file, exc))
        else:
            links.append(link)
            repeated += again
            outcomes += [] if again else [outcome]
        if progress:
            progress(done, len(files))
    summary = Summary(
        out=str(target),
        files=len(files),
        outcomes=tuple(outcomes),
        repeated=repeated,
        failures=tuple(failures),
    )
    if linkage is not None:
        report.write_linkage(Path(linkage), links, failures)
    report.write(summary, options, target)
    return summary


def _failure(file: Path, exc: DataError) -> Failure:
    reason = f"{exc.problem}, {exc.expected} expected" if exc.expected else exc.problem
    return Failure(source=str(file), reason=reason, detail=exc.in_both())


def _files(origin: Path) -> list[Path]:
    if origin.is_file():
        return [origin]
    found = sorted(
        Path(folder) / name for folder, _, names in os.walk(origin, onerror=_unreadable) for name in names
    )
    found = [path for path in found if path.is_file() and not path.is_symlink()]
    if not found:
        raise DataError(
            f"{origin} holds no files",
            expected="DICOM files",
            vietnamese=f"thư mục {origin} không có tệp nào; hãy chọn thư mục chứa tệp DICOM",
        )
    return found


def _unreadable(exc: OSError) -> None:
    raise DataError(f"cannot read the folder {exc.filename}", got=exc.strerror) from exc


def _check_places(origin: Path, out: Path, linkage: Path | None) -> None:
    if not origin.exists():
        raise DataError(
            f"{origin} does not exist",
            fix="check the path",
            vietnamese=f"không có {origin}; hãy kiểm tra đường dẫn",
        )
    check_apart(origin, out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(
            f"the output folder {out} is not empty",
            expected="a new or empty folder",
            fix="choose another one",
            vietnamese=f"thư mục kết quả {out} không rỗng; hãy chọn thư mục mới",
        )
    outside = out.resolve()
    if linkage is not None and (outside == linkage.resolve() or outside in linkage.resolve().parents):
        raise ConfigError(
            "the linkage file would lie in the output folder, and give away who is who",
            expected="a place outside the output folder",
            got=str(linkage),
            vietnamese="tệp đối chiếu phải để ngoài thư mục kết quả, nếu không sẽ lộ danh tính",
        )
