"""Sources drawn by code, answers about them, and dciodvfy and dcmtk as judges."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from datetime import datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from vnvision.clinic.results import ModelFacts, write_results
from vnvision.imaging.rle import encode
from vnvision.records import Box, ClassPrediction, DetectionPrediction, MaskPrediction
from vnvision.spec import BoxSpec, Label, PreprocessSpec, TaskSpec

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
CHARSETS = Path(pydicom.__file__).parent / "data" / "charset_files"
LABELS = (
    Label(id="background", vi="nền", en="background"),
    Label(id="malignant", vi="tổn thương ác tính", en="malignant lesion"),
    Label(id="burr_cell", vi="hồng cầu gai", en="burr cell"),
)
IDS = tuple(label.id for label in LABELS)
MODEL = ModelFacts(name="mô hình siêu âm vú", version="1.2", sha256="ab" * 32, trained_on="500 ảnh siêu âm")
WHEN = datetime(2026, 1, 2, 3, 4, 5)
STUDY, FRAME_OF_REFERENCE = "2.25.1001", "2.25.1002"


def task(kind: str = "segmentation") -> TaskSpec:
    score = "sigmoid" if kind in ("multilabel", "detection") else "softmax"
    boxes = BoxSpec() if kind == "detection" else None
    spec = PreprocessSpec(size_px=(64, 64))
    return TaskSpec(kind=kind, labels=LABELS, preprocess=spec, score=score, boxes=boxes)


def source(kind: str = "US", size_px: tuple[int, int] = (60, 80), **attributes) -> Dataset:
    """A whole image of one modality: US, US30 (frames), DX, CR, CT or CTE (enhanced, 3 frames)."""
    classes = {
        "US": uid.UltrasoundImageStorage, "US30": uid.UltrasoundMultiFrameImageStorage,
        "DX": uid.DigitalXRayImageStorageForPresentation, "CR": uid.ComputedRadiographyImageStorage,
        "CT": uid.CTImageStorage, "CTE": uid.EnhancedCTImageStorage,
    }  # fmt: skip
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = classes[kind]
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = f"2.25.{2000 + sorted(classes).index(kind)}"
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName, ds.PatientID = "Nguyễn^Thị Ánh", "BN-0042"
    ds.PatientBirthDate, ds.PatientSex, ds.PatientAge = "19790412", "F", "046Y"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = STUDY, "2.25.1003"
    ds.StudyDate, ds.StudyTime, ds.StudyID = "20251231", "081500", "S7"
    ds.AccessionNumber, ds.ReferringPhysicianName = "A-19", "Trần^Văn Đức"
    ds.StudyDescription = "Siêu âm tuyến vú hai bên"
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = kind[:2], 1, 1
    ds.Manufacturer, ds.Laterality = "Huế Imaging", None
    ds.Rows, ds.Columns = size_px
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    frames = {"US30": 30, "CTE": 3}.get(kind, 1)
    if frames > 1:
        ds.NumberOfFrames = frames
    if kind == "CT":
        ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = FRAME_OF_REFERENCE, None
        ds.ImagePositionPatient, ds.ImageOrientationPatient = [-100, -90, 40], [1, 0, 0, 0, 1, 0]
        ds.PixelSpacing, ds.SliceThickness = [0.5, 0.25], 3
    if kind == "CTE":
        ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = FRAME_OF_REFERENCE, None
        ds.SharedFunctionalGroupsSequence = [_groups(None)]
        ds.PerFrameFunctionalGroupsSequence = [_groups(10.0 * frame) for frame in range(frames)]
    for key, value in attributes.items():
        setattr(ds, key, value) if value is not ... else ds.pop(key, None)
    ds.PixelData = np.tile(pixels(size_px)[None, ..., 0], (frames, 1, 1)).tobytes()
    return ds


def _groups(height_mm: float | None) -> Dataset:
    item, inner = Dataset(), Dataset()
    if height_mm is not None:
        inner.ImagePositionPatient = [-100, -90, height_mm]
        item.PlanePositionSequence = [inner]
        return item
    measures = Dataset()
    measures.PixelSpacing, measures.SliceThickness = [0.5, 0.25], 3
    inner.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    item.PixelMeasuresSequence, item.PlaneOrientationSequence = [measures], [inner]
    return item


def pixels(size_px: tuple[int, int]) -> np.ndarray:
    """A ramp, (H, W, 1) uint8: every pixel tells where it is."""
    rows, columns = np.mgrid[: size_px[0], : size_px[1]]
    return ((rows + columns) % 200).astype(np.uint8)[..., None]


def saved(ds: Dataset, path: Path) -> Path:
    stream = BytesIO()
    pydicom.dcmwrite(stream, ds, enforce_file_format=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(stream.getvalue())
    return path


def mask(size_px: tuple[int, int] = (60, 80)) -> np.ndarray:
    """Label 1 in rows 10-19 and columns 20-59 (400 pixels), label 2 in rows 30-34, columns 5-9 (25)."""
    found = np.zeros(size_px, np.uint8)
    found[10:20, 20:60] = 1
    found[30:35, 5:10] = 2
    return found


def mask_answer(indices: np.ndarray, **keys) -> MaskPrediction:
    return MaskPrediction(size_px=indices.shape, mask_rle=encode(indices), **keys)


def class_answer(*probabilities: float, kind: str = "classification", **keys) -> ClassPrediction:
    return ClassPrediction(kind=kind, labels=IDS, probabilities=probabilities, **keys)


BOXES = DetectionPrediction(
    boxes=(
        Box(box_xyxy_px=(2, 3, 30, 40), label="malignant", score=0.875),
        Box(box_xyxy_px=(-4, 50, 12, 90), label="burr_cell", score=0.5),
    ),
    counts={"background": 0, "malignant": 1, "burr_cell": 1},
)


def answers(size_px: tuple[int, int] = (60, 80)) -> dict:
    """One answer of every kind, and one that is none."""
    return {
        "classification": class_answer(0.1, 0.8, 0.1),
        "multilabel": class_answer(0.1, 0.8, 0.6, kind="multilabel"),
        "segmentation": mask_answer(np.resize(mask(), size_px), severity=0.25),
        "detection": BOXES,
        "abstained": class_answer(0.4, 0.3, 0.3, abstained=True, reasons=("too_dark", "low_confidence")),
    }


def write(ds: Dataset, answer, out: Path, **keys):
    if "task" not in keys:
        keys["task"] = task(answer.kind)
    keys = {
        "model": MODEL, "when": WHEN, "uid_seed": "test",
        "picture": pixels((ds.Rows, ds.Columns)),
    } | keys  # fmt: skip
    return write_results(ds, answer, out=out, **keys)


def paths(files) -> dict[str, Path]:
    return {kind: getattr(files, kind) for kind in ("sr", "sc", "seg") if getattr(files, kind) is not None}


needs_validator = pytest.mark.skipif(
    shutil.which("dciodvfy") is None, reason="dciodvfy is not installed (Debian package dicom3tools)"
)
needs_dcmtk = pytest.mark.skipif(
    shutil.which("dsrdump") is None or shutil.which("dcmdump") is None, reason="dcmtk is not installed"
)


def errors(path: Path) -> Counter:
    """The errors dciodvfy finds in a file."""
    run = subprocess.run(
        ["dciodvfy", str(path)], capture_output=True, text=True, errors="replace", timeout=60
    )
    return Counter(line for line in run.stderr.splitlines() if line.startswith("Error"))


def items(dataset: Dataset):
    """Every content item below a data set, by plain pydicom: no help of the library that wrote it."""
    for item in dataset.get("ContentSequence", []):
        yield item
        yield from items(item)


def code(item: Dataset, sequence: str = "ConceptNameCodeSequence") -> tuple[str, str, str]:
    found = item[sequence].value[0]
    value = found.get("CodeValue") or found.get("LongCodeValue")
    return value, found.CodingSchemeDesignator, found.CodeMeaning


def numbers(dataset: Dataset) -> dict[str, tuple[float, str]]:
    """Code of each NUM item to value and unit."""
    found = {}
    for item in items(dataset):
        if item.ValueType == "NUM":
            value = item.MeasuredValueSequence[0]
            unit = value.MeasurementUnitsCodeSequence[0].CodeValue
            found[code(item)[0]] = (float(value.NumericValue), unit)
    return found


def coded(dataset: Dataset, name: str) -> list[tuple[str, str, str]]:
    """Values of every CODE item of one name."""
    return [
        code(item, "ConceptCodeSequence")
        for item in items(dataset)
        if item.ValueType == "CODE" and code(item)[0] == name
    ]
