"""Answers about drawn DICOM uploads as one download."""

from __future__ import annotations

import sys
import zipfile
from datetime import datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest

from vnvision.errors import ConfigError, DataError
from vnvision.hub import shelf
from vnvision.imaging.dicom import read_dicom
from vnvision.records import EmbeddingPrediction
from vnvision.runtime import load_bundle
from vnvision_demo.jobs.dicom_results import dicom_download

WHEN = datetime(2026, 1, 2, 3, 4, 5)


@pytest.fixture(scope="module")
def scenes():
    """The drawn sources beside the tests of results."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "clinic" / "results"))
    try:
        import result_scenes

        yield result_scenes
    finally:
        sys.path.pop(0)


@pytest.fixture(scope="module", params=["chest_xray", "breast_lesion"])
def model(request):
    found = load_bundle(request.param, threads=1)
    yield found
    found.close()


@pytest.fixture
def upload(scenes, tmp_path):
    return scenes.saved(scenes.source("US"), tmp_path / "upload" / "0001.dcm")


def test_the_same_answer_is_the_same_download(model, upload, tmp_path):
    picture = read_dicom(upload).image
    answer = model.predict(picture)
    made = [
        dicom_download(
            upload, answer, tmp_path / str(n), model=model, picture=picture, uid_seed="s", when=WHEN
        )
        for n in range(2)
    ]
    assert made[0].zip.read_bytes() == made[1].zip.read_bytes()
    assert {"sr", "sc"} <= set(made[0].files)
    with zipfile.ZipFile(made[0].zip) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == len(made[0].files)
        for kind, path in made[0].files.items():
            (name,) = (one for one in archive.namelist() if kind in one)
            assert archive.read(name) == path.read_bytes()
            assert pydicom.dcmread(path).StudyInstanceUID == "2.25.1001"


def test_areas_come_along_where_there_are_some(scenes, upload, tmp_path):
    found = load_bundle("breast_lesion", threads=1)
    mask = np.zeros((60, 80), np.uint8)
    mask[10:30, 20:50] = 1
    answer = found.predict(read_dicom(upload).image)
    whole = scenes.mask_answer(mask, areas_px={label: int((mask == i).sum()) for i, label in
                                               enumerate(found.task.label_ids)})  # fmt: skip
    made = dicom_download(upload, whole.model_copy(update={"source": answer.source}), tmp_path, model=found)
    assert set(made.files) == {"sr", "sc", "seg"}
    found.close()


@pytest.mark.parametrize(
    ("data", "word"), [(b"\x89PNG\r\n\x1a\n" + bytes(60), "PNG"), (b"", "0 bytes"), (b"hello", "text")]
)
def test_what_is_no_dicom_is_one_clear_error(tmp_path, data, word):
    found = load_bundle("chest_xray", threads=1)
    answer = found.predict(np.load(shelf.model_folder("chest_xray") / "golden.npz")["images"][0])
    path = tmp_path / "0001.bin"
    path.write_bytes(data)
    with pytest.raises(DataError, match=word) as caught:
        dicom_download(path, answer, tmp_path / "out", model=found, name="ảnh phổi.png")
    assert "ảnh phổi.png" in caught.value.vietnamese
    assert str(tmp_path) not in caught.value.in_both()
    assert not (tmp_path / "out").exists()
    found.close()


def test_a_source_without_identifiers_is_named_as_the_user_named_it(model, scenes, tmp_path):
    upload = scenes.saved(scenes.source("US", StudyInstanceUID=...), tmp_path / "0001.dcm")
    answer = model.predict(read_dicom(upload).image)
    with pytest.raises(DataError, match=r"a\.dcm has no usable StudyInstanceUID") as caught:
        dicom_download(upload, answer, tmp_path / "out", model=model, name="a.dcm")
    assert caught.value.vietnamese
    assert str(tmp_path) not in caught.value.in_both()


def test_embeddings_are_no_finding(model, upload, tmp_path):
    with pytest.raises(ConfigError):
        dicom_download(upload, EmbeddingPrediction(embedding=[1.0]), tmp_path / "out", model=model)
