"""Folders of DICOM studies, with the patient as the group and nobody's number in the manifest."""

from __future__ import annotations

import os
import warnings
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

from vnvision.data.importers.found import Found
from vnvision.data.neardup import Progress
from vnvision.data.rows import Row
from vnvision.data.table import read_table
from vnvision.errors import DataError
from vnvision.imaging.dicom.instance import Instance, instance
from vnvision.imaging.dicom.pseudonym import KEY_VARIABLE, new_key, pseudonym, read_key

LABELS = "labels.csv"
WRITTEN = ("manifest.csv", "manifest.parquet", "skipped.csv", LABELS)


def scan(source: Path, key_file: str | Path | None, progress: Progress | None) -> Found:
    """Find the images of a folder of studies, however deep and whatever their names.

    One row a file, also for one of several frames (column ``frames``). ``group_id`` is the pseudonym of the
    Patient ID (of another image of the study where it lacks); without one, of the study, and without that,
    of the file. ``study`` and ``series`` are
    pseudonyms too. Further columns: modality, body_part, view, laterality, manufacturer, rows, columns,
    spacing_mm (between rows, between columns) and ``pseudonym_key``, which tells manifests made with one key
    from others: only within one key do equal groups mean equal patients. File names stay as they are.

    Files that are no images (DICOMDIR, reports, presentation states, documents, segmentations, dose maps),
    that are damaged, or that no codec here decodes, are skipped with the reason. Hidden files are passed
    over, and links to folders not followed.

    Args:
        source: the folder. ``labels.csv`` in it (columns path or study, and label) gives labels; a study is
            named by its Study Instance UID or its pseudonym.
        key_file: 64 hex digits; otherwise the environment's key, otherwise a random one.
        progress: called with (files done, files in all).

    Raises:
        ConfigError: the key is wrong.
        DataError: no folder, no image in it, or labels for what is not there.
        MissingExtraError: pydicom or the codec for a file is not installed.
    """
    if not source.is_dir():
        raise DataError(f"{source} is no folder", expected="a folder of DICOM studies")
    given = read_key(key_file)
    key = given or new_key()
    found: dict[str, Instance] = {}
    skipped = []
    files = _files(source)
    for count, path in enumerate(files, 1):
        name = path.relative_to(source).as_posix()
        try:
            one = instance(path)
        except DataError as exc:
            skipped.append((name, str(exc).removeprefix(str(path)).lstrip(": ")))
        else:
            if one.not_a_picture is None:
                found[name] = one
            else:
                skipped.append((name, f"holds {one.not_a_picture}, no picture"))
        if progress is not None:
            progress(count, len(files))
    if not found:
        why = Counter(reason for _, reason in skipped).most_common(1)
        got = f"{len(files)} files, most often one that {why[0][0]}" if why else "no files"
        raise DataError(f"{source} holds no DICOM images", expected="one or more", got=got)
    _warn(source, found, given is not None)
    of_study = {one.study_uid: one.patient_id for one in found.values() if one.study_uid and one.patient_id}
    rows = [
        _row(name, one, one.patient_id or of_study.get(one.study_uid or ""), key, given is not None)
        for name, one in found.items()
    ]
    return Found(tuple(_labelled(rows, found, source)), source, skipped=tuple(skipped))


def _files(source: Path) -> list[Path]:
    found = []
    for top, folders, files in os.walk(source):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(top, name) for name in files if name[0] != "."]
    return sorted(path for path in found if path.parent != source or path.name not in WRITTEN)


def _row(name: str, one: Instance, patient: str | None, key: bytes, given: bool) -> Row:
    known = (("patient", patient), ("study", one.study_uid), ("file", name))
    kind, text = next((kind, text) for kind, text in known if text)
    mark = pseudonym("key", key, "fingerprint")[:8]
    extra = {
        "study": pseudonym(one.study_uid, key, "study") if one.study_uid else "",
        "series": pseudonym(one.series_uid, key, "series") if one.series_uid else "",
        "modality": one.modality,
        "body_part": one.body_part,
        "view": one.view,
        "laterality": one.laterality,
        "manufacturer": one.manufacturer,
        "rows": str(one.rows),
        "columns": str(one.columns),
        "frames": str(one.frames),
        "spacing_mm": " ".join(format(part, ".6g") for part in one.spacing_mm or ()),
        "pseudonym_key": mark if given else f"random-{mark}",
    }
    cells = {column: text or "" for column, text in extra.items()}
    return Row(0, name, group_id=pseudonym(text, key, kind), extra=cells)


def _warn(source: Path, found: dict[str, Instance], given: bool) -> None:
    """Say what weakens the groups."""
    words = []
    if not given:
        words.append(
            "pseudonyms are made with a random key that is not kept, so another import gives others; for "
            f"stable ones give a key file or set {KEY_VARIABLE}"
        )
    of_study = {one.study_uid for one in found.values() if one.patient_id}
    nameless = [name for name, one in found.items() if not one.patient_id and one.study_uid not in of_study]
    if nameless:
        words.append(
            f"{len(nameless)} of {len(found)} images have no Patient ID ({nameless[0]}): each study, or file "
            "without a study, is its own group, so one patient may be in two splits"
        )
    patients = defaultdict(set)
    for one in found.values():
        patients[one.study_uid].add(one.patient_id or "")
    mixed = sum(len(known - {""}) > 1 for study, known in patients.items() if study)
    if mixed:
        words.append(f"{mixed} studies hold images of more than one Patient ID")
    if len(patients) > 1 and len(set().union(*patients.values())) == 1 and not nameless:
        words.append(f"all {len(patients)} studies carry one Patient ID: check that it is really one patient")
    for text in words:
        warnings.warn(f"{source}: {text}", stacklevel=4)


def _labelled(rows: list[Row], found: dict[str, Instance], source: Path) -> list[Row]:
    """Rows with the labels of ``labels.csv``, where there is one."""
    file = source / LABELS
    if not file.is_file():
        return rows
    table = read_table(file)
    by = next((name for name in ("path", "study") if name in table.header), None)
    if by is None or "label" not in table.header:
        raise DataError(str(file), expected="columns path or study, and label", got=", ".join(table.header))
    keys, values = (table.header.index(name) for name in (by, "label"))
    labels: dict[str, str] = {}
    for cells, line in zip(table.cells, table.lines, strict=True):
        name, label = cells[keys].strip(), cells[values].strip()
        if labels.setdefault(name, label) != label:
            raise DataError(f"{file}: row {line} gives a second label to one {by}", got=f"{label!r:.40}")
    used: set[str] = set()
    out = []
    for row in rows:
        names = (row.path,) if by == "path" else (found[row.path].study_uid or "", row.extra["study"])
        mine = [known for known in names if known and known in labels]
        used.update(mine)
        out.append(replace(row, label=(labels[mine[0]] if mine else "") or None))
    unknown = [
        line for cells, line in zip(table.cells, table.lines, strict=True) if cells[keys].strip() not in used
    ]
    if unknown:
        raise DataError(
            f"{file}: {len(unknown)} rows name no image here",
            expected=f"a {by} of this folder",
            got=f"row {unknown[0]}",
        )
    return out
