"""A folder of DICOM studies becomes a manifest in which nobody's number stands."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import MPEG4HP41, ExplicitVRLittleEndian

from vnvision.data import read_manifest
from vnvision.data.importers import import_data
from vnvision.data.importers.dispatch import detect_kind
from vnvision.errors import ConfigError, DataError
from vnvision.imaging import read
from vnvision.imaging.dicom.pseudonym import create_key_file, pseudonym, read_key

SC, SR, SEG = (f"1.2.840.10008.5.1.4.1.1.{tail}" for tail in ("7", "88.11", "66.4"))


def image(path: Path, patient: str | None, study: str | None, *, frames: int = 1, **elements) -> Path:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = elements.pop("SOPClassUID", SC), f"1.2.{abs(hash(path.name))}"
    if patient is not None:
        ds.PatientID = patient
    if study is not None:
        ds.StudyInstanceUID, ds.SeriesInstanceUID = study, f"{study}.1"
    ds.Modality, ds.Manufacturer, ds.PatientName = "DX", "ACME Röntgen", "Nguyễn^Văn An"
    if elements.pop("pixels", True):
        ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = 4, 6, 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
        if frames > 1:
            ds.NumberOfFrames = frames
        ds.PixelData = np.arange(24 * frames, dtype=np.uint8).tobytes()
        ds["PixelData"].VR = "OB"
    ds.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, ds, enforce_file_format=True)
    return path


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    root = tmp_path / "pacs"
    image(root / "a/IM1", "BN-0001", "1.2.10", ViewPosition="PA", PixelSpacing=[0.5, 0.25])
    image(root / "a/IM2.dcm", "BN-0001 ", "1.2.10", ImageLaterality="L", BodyPartExamined="CHEST")
    image(root / "b/IM1", "BN-0001", "1.2.11", frames=5, Modality="US")
    image(root / "c/IM1", "BN-0002", "1.2.12")
    image(root / "c/report", "BN-0002", "1.2.12", pixels=False, SOPClassUID=SR, Modality="SR")
    image(root / "c/seg", "BN-0002", "1.2.12", SOPClassUID=SEG, Modality="SEG")
    (root / "c/notes.txt").write_text("hello")
    (root / "c/cut.dcm").write_bytes((root / "c/IM1").read_bytes()[:-10])
    (root / ".hidden").write_bytes(b"x")
    return root


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return create_key_file(tmp_path / "hospital.key")


def test_a_folder_of_studies(studies, key_file):
    calls: list[tuple[int, int]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = import_data(
            studies, studies, kind="dicom", key_file=key_file, progress=lambda *call: calls.append(call)
        )
    rows = {row.path: row for row in read_manifest(path).rows}
    assert sorted(rows) == ["a/IM1", "a/IM2.dcm", "b/IM1", "c/IM1"]
    key = read_key(key_file)
    assert key is not None
    one, two = (pseudonym(patient, key, "patient") for patient in ("BN-0001", "BN-0002"))
    assert [rows[name].group_id for name in sorted(rows)] == [one, one, one, two]
    first, second, third = (rows[name].extra for name in ("a/IM1", "a/IM2.dcm", "b/IM1"))
    assert first["study"] == second["study"] == pseudonym("1.2.10", key, "study") != third["study"]
    assert first["series"] == pseudonym("1.2.10.1", key, "series")
    assert first["spacing_mm"] == "0.5 0.25"
    assert (first["view"], second["laterality"], second["body_part"]) == ("PA", "L", "CHEST")
    assert (first["modality"], third["modality"]) == ("DX", "US")
    assert [extra["frames"] for extra in (first, third)] == ["1", "5"]
    assert (first["rows"], first["columns"], first["manufacturer"]) == ("4", "6", "ACME Röntgen")
    assert len({row.extra["pseudonym_key"] for row in rows.values()}) == 1
    assert all(row.label is None and row.sha256 for row in rows.values())
    assert calls[-1] == (4, 4)
    assert (8, 8) in calls
    skipped = (studies / "skipped.csv").read_text("utf-8")
    assert 'c/report,"holds no image: expected DICOM pixel data, got Basic Text SR Storage"' in skipped
    assert 'c/seg,"holds a segmentation, no picture"' in skipped
    assert 'c/notes.txt,"is not a DICOM file' in skipped
    assert 'c/cut.dcm,"is damaged or cut short: expected a complete image, got the end of the file' in skipped
    text = path.read_text("utf-8") + skipped
    for secret in ("BN-000", "1.2.10", "1.2.11", "Nguy", key.hex()):
        assert secret not in text
    assert read(studies / "a/IM1").image.shape == (4, 6, 1)


def test_one_key_gives_the_same_groups_and_another_key_others(studies, key_file, tmp_path, monkeypatch):
    def groups(**options) -> list[str | None]:
        path = import_data(studies, studies, kind="dicom", hash_files=False, **options)
        return [row.group_id for row in read_manifest(path).rows]

    by_file = groups(key_file=key_file)
    assert groups(key_file=key_file) == by_file
    monkeypatch.setenv("VNVISION_PSEUDONYM_KEY", key_file.read_text())
    assert groups() == by_file
    assert groups(key_file=create_key_file(tmp_path / "other.key")) != by_file
    monkeypatch.delenv("VNVISION_PSEUDONYM_KEY")
    with pytest.warns(UserWarning, match="a random key that is not kept"):
        random = groups()
    assert random != by_file
    assert len(set(random)) == len(set(by_file)) == 2
    rows = read_manifest(studies / "manifest.csv").rows
    assert all(row.extra["pseudonym_key"].startswith("random-") for row in rows)


def test_images_without_a_patient(tmp_path, key_file):
    root = tmp_path / "pacs"
    image(root / "1", None, "1.2.1")
    image(root / "2", "", "1.2.1")
    image(root / "3", None, None)
    image(root / "4", None, None)
    image(root / "5", "X1", "1.2.9")
    image(root / "6", None, "1.2.9")  # of the same study as 5
    with pytest.warns(UserWarning, match=r"4 of 6 images have no Patient ID \(1\): each study, or file"):
        path = import_data(root, root, kind="dicom", key_file=key_file)
    groups = [row.group_id for row in read_manifest(path).rows]
    assert groups[0] == groups[1]
    assert groups[4] == groups[5]
    assert len(set(groups)) == 4
    assert None not in groups


def test_groups_that_look_wrong_are_told(tmp_path, key_file):
    same, mixed = tmp_path / "same", tmp_path / "mixed"
    image(same / "1", "ANON", "1.2.1")
    image(same / "2", "ANON", "1.2.2")
    with pytest.warns(UserWarning, match="all 2 studies carry one Patient ID: check that"):
        import_data(same, same, kind="dicom", key_file=key_file)
    image(mixed / "1", "A", "1.2.1")
    image(mixed / "2", "B", "1.2.1")
    with pytest.warns(UserWarning, match="1 studies hold images of more than one Patient ID"):
        import_data(mixed, mixed, kind="dicom", key_file=key_file)


@pytest.mark.parametrize("by", ["path", "study", "pseudonym"])
def test_labels(studies, key_file, by):
    key = read_key(key_file)
    assert key is not None
    names = {
        "path": ("a/IM1", "c/IM1"),
        "study": ("1.2.10", "1.2.12"),
        "pseudonym": (pseudonym("1.2.10", key, "study"), pseudonym("1.2.12", key, "study")),
    }[by]
    header = "path" if by == "path" else "study"
    (studies / "labels.csv").write_text(f"{header},label\n{names[0]},lao\n{names[1]},\n")
    path = import_data(studies, studies, kind="dicom", key_file=key_file, hash_files=False)
    labels = {row.path: row.label for row in read_manifest(path).rows}
    assert labels["a/IM1"] == "lao"
    assert labels["a/IM2.dcm"] == (None if by == "path" else "lao")
    assert labels["b/IM1"] is None
    assert labels["c/IM1"] is None


def test_wrong_labels(studies, key_file):
    def run(text: str) -> None:
        (studies / "labels.csv").write_text(text)
        import_data(studies, studies, kind="dicom", key_file=key_file, hash_files=False)

    with pytest.raises(
        DataError, match="1 rows name no image here: expected a path of this folder, got row 3"
    ):
        run("path,label\na/IM1,x\nz/IM9,y\n")
    with pytest.raises(DataError, match="row 3 gives a second label to one path"):
        run("path,label\na/IM1,x\na/IM1,y\n")
    with pytest.raises(DataError, match="expected columns path or study, and label, got file, label"):
        run("file,label\na/IM1,x\n")


def test_what_cannot_be_imported(tmp_path, studies, key_file):
    with pytest.raises(DataError, match="is no folder: expected a folder of DICOM studies"):
        import_data(tmp_path / "hospital.key", tmp_path, kind="dicom")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="holds no DICOM images: expected one or more, got no files"):
        import_data(empty, empty, kind="dicom", key_file=key_file)
    (empty / "a.txt").write_text("x")
    with pytest.raises(DataError, match="got 1 files, most often one that is not a DICOM file"):
        import_data(empty, empty, kind="dicom", key_file=key_file)
    (empty / "bad.key").write_text("secret")
    with pytest.raises(ConfigError, match="holds no pseudonym key: expected 64 hex digits, got 6 characters"):
        import_data(studies, studies, kind="dicom", key_file=empty / "bad.key")
    with pytest.raises(ConfigError, match="key_file does not apply to csv: expected kind dicom"):
        import_data(studies, studies, kind="csv", key_file=key_file)
    assert not (studies / "manifest.csv").exists()


def test_a_dicomdir_tells_the_kind_and_is_itself_passed_over(key_file, tmp_path):
    source = Path(pydicom.__file__).parent / "data" / "test_files" / "dicomdirtests"
    root = tmp_path / "cd"
    for name in ("DICOMDIR", "77654033/CR1/6154", "98892003/MR1/4919"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes((source / name).read_bytes())
    assert detect_kind(root) == "dicom"
    path = import_data(root, root, key_file=key_file)
    rows = read_manifest(path).rows
    assert [row.path for row in rows] == ["77654033/CR1/6154", "98892003/MR1/4919"]
    assert rows[0].group_id != rows[1].group_id
    assert (
        'DICOMDIR,"holds no image: expected DICOM pixel data, got a DICOMDIR'
        in (root / "skipped.csv").read_text()
    )


def test_what_no_codec_here_decodes_is_skipped(tmp_path, key_file):
    root = tmp_path / "pacs"
    image(root / "good", "A", "1.2.1", frames=3)
    film = pydicom.dcmread(root / "good")
    film.file_meta.TransferSyntaxUID = MPEG4HP41
    film.PixelData = encapsulate([b"no film"])
    film["PixelData"].is_undefined_length = True
    pydicom.dcmwrite(root / "film", film, enforce_file_format=True)
    path = import_data(root, root, kind="dicom", key_file=key_file)
    assert [row.path for row in read_manifest(path).rows] == ["good"]
    assert (
        "expected one of DICOM's codecs for images, got a video MPEG-4" in (root / "skipped.csv").read_text()
    )
