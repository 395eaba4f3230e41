"""A model's answer about one DICOM upload as DICOM files, in one download."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np

from vnvision import atomic
from vnvision.clinic.results import ModelFacts, ResultFiles, write_results
from vnvision.errors import ConfigError, DataError
from vnvision.imaging import sniff
from vnvision.records import ClassPrediction, DetectionPrediction, MaskPrediction, Prediction
from vnvision.runtime import Predictor

Kind = Literal["sr", "sc", "seg"]
ZIP_NAME = "dicom_results.zip"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_NAMED = {"sr": "report_sr.dcm", "sc": "picture_sc.dcm", "seg": "areas_seg.dcm"}


@dataclass(frozen=True, slots=True)
class DicomDownload:
    """What there is to download.

    Attributes:
        zip: all files in one.
        files: each by its kind: ``sr`` the report, ``sc`` the picture, ``seg`` the areas.
        notes: what a reader of the files should know.
    """

    zip: Path
    files: dict[str, Path]
    notes: tuple[str, ...]


def dicom_download(
    source: str | Path,
    answer: Prediction,
    out: str | Path,
    *,
    model: Predictor,
    language: Literal["vi", "en"] = "vi",
    kinds: tuple[Kind, ...] = ("sr", "sc", "seg"),
    name: str | None = None,
    picture: np.ndarray | None = None,
    heatmap: np.ndarray | None = None,
    frame: int = 1,
    uid_seed: str | None = None,
    when: datetime | None = None,
) -> DicomDownload:
    """Write report, picture and, of a mask, areas into a folder, and all of them into one zip.

    The files join the upload's study. The same answer, ``uid_seed`` and ``when`` give the same zip, byte for
    byte.

    Args:
        source: the upload.
        answer: of this picture, by ``model``; withheld answers are written as withheld.
        out: an empty folder, made if absent.
        model: who answered.
        language: of texts.
        kinds: which files; ``seg`` is left out where the answer has no areas.
        name: of the upload, for errors; its file name unless given.
        picture: as it was shown to the model; read from the upload unless given.
        heatmap: (H, W) 0 to 1 of a class, drawn in the picture.
        frame: from 1.
        uid_seed: as for ``write_results``.
        when: as for ``write_results``; now unless given.

    Raises:
        DataError: the upload is no DICOM file, no usable one, or not what the answer is about.
        ConfigError: the answer is an embedding.
        MissingExtraError: pydicom or highdicom is not installed.
    """
    called = name or Path(source).name
    _check_dicom(Path(source), called)
    if not isinstance(answer, ClassPrediction | MaskPrediction | DetectionPrediction):
        raise _no_findings(answer.kind)
    wanted = [kind for kind in kinds if kind != "seg" or isinstance(answer, MaskPrediction)]
    try:
        written = write_results(
            source, answer, out=out, task=model.task, model=ModelFacts.of(model.manifest), language=language,
            kinds=wanted, picture=picture, heatmap=heatmap, frame=frame, uid_seed=uid_seed, when=when,
        )  # fmt: skip
    except DataError as exc:
        raise _unusable(exc, str(source), called) from exc
    files = _files(written)
    return DicomDownload(_zipped(files, Path(out)), files, written.notes)


def _files(written: ResultFiles) -> dict[str, Path]:
    found = {"sr": written.sr, "sc": written.sc, "seg": written.seg}
    return {kind: path for kind, path in found.items() if path is not None}


def _zipped(files: dict[str, Path], out: Path) -> Path:
    """Stored in a fixed order with fixed dates and rights: the same files make the same zip."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for kind, path in sorted(files.items()):
            entry = zipfile.ZipInfo(_NAMED[kind], _LONG_AGO)
            entry.create_system, entry.external_attr = 3, 0o600 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes(), compresslevel=6)
    try:
        return atomic.write_bytes(out / ZIP_NAME, stream.getvalue())
    except OSError as exc:
        raise DataError(
            "cannot write the download",
            got=exc.strerror or str(exc),
            fix="make room on the disk",
            vietnamese="không ghi được tệp tải xuống; hãy kiểm tra dung lượng đĩa",
        ) from exc


def _check_dicom(path: Path, name: str) -> None:
    try:
        with path.open("rb") as stream:
            head = stream.read(sniff.HEAD_BYTES)
    except OSError as exc:
        raise DataError(
            f"{name} cannot be opened",
            got=exc.strerror or str(exc),
            fix="upload it again",
            vietnamese=f"không mở được {name}; hãy tải lên lại",
        ) from exc
    if sniff.is_dicom(head):
        return
    kind = sniff.image_format(head)
    raise DataError(
        f"{name} is no DICOM file, so there is no study that DICOM results could join",
        expected="a DICOM file",
        got=f"a {kind} picture" if kind else sniff.describe(head) if head else "0 bytes",
        fix="upload the DICOM file itself, or print the report as a PDF",
        vietnamese=f"{name} không phải tệp DICOM nên không thể tạo kết quả DICOM; hãy tải lên chính tệp "
        "DICOM, hoặc in báo cáo PDF",
    )


def _no_findings(kind: str) -> ConfigError:
    return ConfigError(
        "this answer cannot be written as DICOM",
        expected="classes, areas or counts",
        got=kind,
        vietnamese="không thể ghi câu trả lời này thành tệp DICOM",
    )


def _unusable(exc: DataError, path: str, name: str) -> DataError:
    """The same error about the upload's own name, with a Vietnamese line in any case."""
    vietnamese = exc.vietnamese or f"không thể tạo kết quả DICOM cho {name}: tệp thiếu thông tin hoặc bị hỏng"
    return DataError(
        exc.problem.replace(path, name),
        expected=exc.expected,
        got=exc.got,
        fix=exc.fix,
        vietnamese=vietnamese.replace(path, name),
    )
