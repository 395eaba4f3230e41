"""One file: read, built anew, looked at, written."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset

from vnvision import atomic
from vnvision.clinic.deidentify import blank, content, leaks, looks, overlays, pixels, writing
from vnvision.clinic.deidentify.faults import reading
from vnvision.clinic.deidentify.identity import Identity
from vnvision.clinic.deidentify.opening import Opened, opened
from vnvision.clinic.deidentify.options import Options
from vnvision.clinic.deidentify.report import Link, Outcome
from vnvision.clinic.deidentify.walk import Walker
from vnvision.errors import ConfigError, DataError
from vnvision.imaging.dicom.quiet import notes


def deidentify_file(source: str | Path, out: str | Path, options: Options, key: bytes) -> Outcome:
    """De-identify one DICOM file.

    It is written as ``out/<study>/<series>/<instance>.dcm``, names made from the key; a file of that name is
    replaced only by the same bytes. The original is opened for reading only.

    Args:
        source: the original.
        out: output folder, made if absent.
        options: what is retained, cleaned and blanked.
        key: secret of the pseudonyms, 32 bytes; see ``vnvision.imaging.dicom.pseudonym``.

    Raises:
        ConfigError: contradicting options, a key that is too short, or ``out`` among the originals.
        DataError: the file is no DICOM file, damaged, of a kind that is refused, an identifier would remain,
            or the output cannot be written.
    """
    options.check()
    check_apart(Path(source), Path(out))
    outcome, _, _ = process(Path(source), Path(out), options, key)
    return outcome


def check_apart(source: Path, out: Path) -> None:
    """Refuse an output folder among the originals: one inside the other, or the same.

    Raises:
        ConfigError: they are not apart.
    """
    inside, outside = source.resolve(), out.resolve()
    if inside.is_dir():
        mixed = outside == inside or inside in outside.parents or outside in inside.parents
    else:
        mixed = outside in (inside, inside.parent)
    if mixed:
        raise ConfigError(
            "the output folder must lie apart from the originals",
            expected="a folder elsewhere",
            got=str(out),
            vietnamese=f"thư mục kết quả {out} phải nằm riêng, không trùng hay lồng với thư mục gốc",
        )


def process(source: Path, out: Path, options: Options, key: bytes) -> tuple[Outcome, Link, bool]:
    """As ``deidentify_file``, with the link to the original, and whether the same file was there before."""
    with notes():
        file = opened(source)
        identity = Identity.of(
            _text(file.dataset, "PatientID"), _text(file.dataset, "StudyInstanceUID"), file.content, key
        )
        made, outcome, written = _built(file, identity, options)
    target = out / outcome.file
    repeated = _write(target, written)
    link = Link(
        source=str(source),
        file=outcome.file,
        patient=identity.patient,
        patient_id=_text(file.dataset, "PatientID"),
        patient_name=_text(file.dataset, "PatientName"),
        study_uid=_text(file.dataset, "StudyInstanceUID"),
        new_study_uid=_text(made, "StudyInstanceUID"),
        sop_uid=_text(file.dataset, "SOPInstanceUID"),
        new_sop_uid=_text(made, "SOPInstanceUID"),
    )
    return outcome, link, repeated


def _built(file: Opened, identity: Identity, options: Options) -> tuple[Dataset, Outcome, bytes]:
    source, syntax = file.dataset, file.syntax
    walker = Walker(identity, options)
    made = walker.walk(source)
    warnings = []
    if overlays.present(source):
        kept = "graphics" in options.clean
        warnings += overlays.cleaned(source, made) if kept else [overlays.REMOVED]
    shown = source
    if options.blank_px and "PixelData" in source:
        shown, syntax = blank.blanked(source, syntax, options.blank_px)
        warnings.append("blanked-not-checked")
        for keyword in ("PhotometricInterpretation", "PlanarConfiguration", "SamplesPerPixel"):
            if keyword in shown:
                made[keyword] = shown[keyword]
    element, cut = pixels.carried(shown, syntax)
    warnings += cut + looks.warnings_of(shown, file.sop_class)
    if element is not None:
        made.add(element)
        writing.set_burned_in(made, warnings, options)
    writing.state(made, source, identity, options, file.sop_class)
    content.title(source, made)
    writing.check_image(made)
    warnings += ["lookup-table-removed"] if walker.counts["lookup tables removed"] else []
    warnings += ["report-content-removed"] if walker.counts["content removed"] else []
    written = writing.encoded(made, syntax)
    leak = leaks.found(source, writing.searchable(made, syntax, written), options)
    if leak:
        raise DataError(
            f"{leak} of the original would still be in the output, so it was not written",
            expected="no identifier",
            fix="retain fewer options, or leave the file out",
            vietnamese=f"{leak} của bản gốc vẫn còn trong kết quả nên không ghi tệp này",
        )
    outcome = Outcome(
        file=_name(source, identity),
        patient=identity.patient,
        modality=_text(made, "Modality"),
        counts={name: count for name, count in sorted(walker.counts.items()) if count},
        warnings=tuple(dict.fromkeys(warnings)),
    )
    return made, outcome, written


def _name(source: Dataset, identity: Identity) -> str:
    levels = (("StudyInstanceUID", "study"), ("SeriesInstanceUID", "series"), ("SOPInstanceUID", "instance"))
    names = [identity.name(_text(source, keyword) or "none", kind) for keyword, kind in levels]
    return f"{names[0]}/{names[1]}/{names[2]}.dcm"


def _write(target: Path, content: bytes) -> bool:
    """Write a file that is whole or absent; whether the same bytes were there already.

    Raises:
        DataError: other bytes are there under this name, or it cannot be written.
    """
    try:
        if target.exists():
            if target.read_bytes() == content:
                return True
            raise DataError(
                "two files with different content have the same SOP Instance UID",
                expected="one file for each instance",
                fix="remove the one that is not wanted, or choose an empty output folder",
                vietnamese="hai tệp khác nội dung mang cùng một mã SOP Instance UID; hãy bỏ bớt một tệp",
            )
        atomic.write_bytes(target, content)
    except OSError as exc:
        raise DataError("the output cannot be written", got=exc.strerror or type(exc).__name__) from exc
    return False


def _text(source: Dataset, keyword: str) -> str:
    with reading(keyword):
        value = source.get(keyword)
        return "" if value is None else str(value).strip(" \0")
