"""The other tabs without a browser."""

from __future__ import annotations

import csv
import io
import re
import zipfile

import gradio as gr
import pytest

from vnvision.hub import shelf
from vnvision_demo.errors import Refusal
from vnvision_demo.settings import Settings
from vnvision_demo.station import Station
from vnvision_demo.tabs import batch, clinic, faces_compare, faces_enrol, faces_hide, fairness, models, teach
from vnvision_demo.tabs.drawn import leaves, people
from vnvision_demo.tabs.shared import STATIC, answering
from vnvision_demo.texts import say


def fetched(station, asked, page: str, suffix: str) -> bytes:
    """The file of a link in an answer, as its own browser gets it."""
    (href,) = [one for one in re.findall(r'href="(/get/[^"]+)"', page) if one.endswith(suffix)]
    return station.parcels.find(asked.cookies["vnvision_session"], href.split("/")[2]).bytes()


class Quiet(gr.Progress):
    """Progress that nobody watches, in the order it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[float, str]] = []

    def __call__(self, progress, desc=None, **options):
        self.told.append((progress, desc))


class TestClinic:
    def test_a_smear_is_counted(self, station, asked, send):
        page, seen, *controls = clinic.Clinic(station, "vi").sent(
            send(STATIC / "smear.jpg"), "blood_count", "Ca 7", asked
        )
        assert "17 hồng cầu" in page
        assert "Chỉ dùng cho nghiên cứu" in page
        assert "data:image/jpeg" in seen
        assert all(control["visible"] is False for control in controls)

    def test_a_window_changes_what_is_seen(self, station, asked, send):
        pytest.importorskip("pydicom")
        desk = clinic.Clinic(station, "en")
        data = clinic.sample_bytes("CT_small.dcm")
        page, seen, preset, center, _ = desk.sent(send(data, "scan.dcm"), "auto", "", asked)
        assert "CT" in seen
        assert preset["visible"]
        assert desk.window(center["value"], 50.0, asked) != desk.window(center["value"], 4000.0, asked)
        narrow, _, _ = desk.preset(preset["choices"][-1][1], asked)
        assert "data:image/jpeg" in narrow
        assert "CompressedSamples" not in page + seen  # the patient's name in this file

    def test_dicom_results_join_the_study(self, station, asked, send):
        pydicom = pytest.importorskip("pydicom")
        pytest.importorskip("highdicom")
        data = clinic.sample_bytes("examples_palette.dcm")
        page, *_ = clinic.Clinic(station, "vi").sent(send(data, "scan.dcm"), "breast", "", asked)
        with zipfile.ZipFile(io.BytesIO(fetched(station, asked, page, ".zip"))) as archive:
            found = pydicom.dcmread(io.BytesIO(archive.read("report_sr.dcm")))
        source = pydicom.dcmread(io.BytesIO(data))
        assert found.StudyInstanceUID == source.StudyInstanceUID
        assert found.Modality == "SR"

    def test_a_leaf_is_sent_to_its_own_tab(self, station, asked, send):
        tell = answering("vi", outputs=5)(clinic.Clinic(station, "vi").sent)
        page, *_ = tell(send(STATIC / "leaf-spots.jpg"), "auto", "", asked)
        assert say("clinic.crop", "vi") in page


class TestFaces:
    def test_one_person_and_two(self, station, asked, send):
        desk = faces_compare.Comparing(station, "vi")
        same = desk.photos(send(STATIC / "face-a.jpg"), send(STATIC / "face-b.jpg"), "fmr=1e-4", asked)
        assert say("faces.same", "vi") in same or say("faces.unsure", "vi") in same
        assert list(station.uploads.root.iterdir()) == []
        with pytest.raises(Refusal, match="two_needed"):
            desk.photos(send(STATIC / "face-a.jpg"), None, "fmr=1e-4", asked)

    def test_enrol_find_forget(self, station, asked, send):
        desk, face = faces_enrol.Enrolling(station, "vi"), STATIC / "face-a.jpg"
        with pytest.raises(Refusal, match="need_consent"):
            desk.enroll(send(face), "NV-1", "mở cửa", 30, False, asked)
        told, listed, _ = desk.enroll(send(face), "NV-1 <b>", "mở cửa", 30, True, asked)
        assert "NV-1 &lt;b&gt;" in told
        assert "NV-1 &lt;b&gt;" in listed
        assert "NV-1" in desk.find(send(face), asked)
        told, listed, _ = desk.forget("NV-1 <b>")
        assert say("faces.nobody", "vi") in listed
        assert say("faces.unknown", "vi") in desk.find(send(face), asked)
        log = desk.audit()
        assert say("faces.audit.forget", "vi") in log
        assert "NV-1" not in log  # forgotten there too

    def test_hidden_faces_to_fetch(self, station, asked, send):
        page = faces_hide.Hiding(station, "en").photo(send(STATIC / "face-a.jpg"), "blur", asked)
        assert "Faces hidden: 1" in page
        assert fetched(station, asked, page, ".jpg").startswith(b"\xff\xd8")

    def test_where_strangers_come_in_nobody_is_enrolled(self, send, asked):
        public = Station(Settings(host="0.0.0.0"))
        try:
            with pytest.raises(Refusal, match=r"faces\.off"), public.desk.gallery(create=True):
                pass
            assert public.desk.people() == ()
        finally:
            public.close()


def test_fairness_of_a_zip(station, asked, send, tmp_path):
    file = people(tmp_path / "people.zip")
    page = fairness.Differences(station, "vi").sent(send(file, "nguoi.zip"), asked, Quiet())
    assert "12 người, 36 ảnh" in page
    assert fetched(station, asked, page, ".pdf").startswith(b"%PDF")
    assert b"Vi" in fetched(station, asked, page, ".html")


def test_a_batch_of_files_and_of_a_zip(station, asked, send, tmp_path):
    made, progress = leaves(tmp_path, 6), Quiet()
    paths = [send(path, name) for name, path in made]
    page = batch.Batches(station, "vi").sent(paths, "leaf_severity", "Ruộng 3", asked, progress)
    table = fetched(station, asked, page, ".csv")
    assert table.startswith(b"\xef\xbb\xbf")
    assert len(list(csv.reader(io.StringIO(table.decode("utf-8-sig"))))) == 7
    assert progress.told[-1] == (1.0, say("batch.stage.done", "vi"))
    zipped = tmp_path / "leaves.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        for name, path in made:
            archive.write(path, name)
    page = batch.Batches(station, "en").sent(
        [send(zipped, "leaves.zip")], "leaf_severity", "", asked, Quiet()
    )
    assert "6 pictures" in page


def test_teach_try_and_keep(station, asked, send):
    desk = teach.Teaching(station, "vi")
    assert "24 · đủ ảnh" in desk.example(asked)
    page = desk.teach("Lá của tôi", "crop", asked, Quiet())
    assert "Đúng" in page
    bundle = fetched(station, asked, page, ".zip")
    assert "manifest.json" in " ".join(zipfile.ZipFile(io.BytesIO(bundle)).namelist())
    assert "Cháy lá" in desk.tried(send(STATIC / "leaf-blight.jpg"), asked)
    assert "la_cua_toi" in desk.keep(asked)
    assert "la_cua_toi" in shelf.model_names()
    listed = models.Shelf(station, "vi")
    assert "Lá của tôi" in listed.facts("la_cua_toi")
    told, _ = listed.add(send(bundle, "goi.zip"), "ban-hai", asked)
    assert "ban-hai" in told
    listed.remove("ban-hai")
    listed.remove("la_cua_toi")
    assert "la_cua_toi" not in shelf.model_names()


def test_teaching_says_what_is_missing(station, asked, send):
    desk = teach.Teaching(station, "en")
    desk.clear(asked)
    with pytest.raises(Refusal, match="need_class"):
        desk.add(" ", [send(STATIC / "leaf-spots.jpg")], asked)
    listed, _, _ = desk.add("spots", [send(STATIC / "leaf-spots.jpg")], asked)
    assert "19 more needed" in listed
    with pytest.raises(Refusal, match="need_two"):
        desk.teach("x", "crop", asked, Quiet())


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a\\b", "C:x"])
def test_a_bundle_with_names_that_lead_out_is_refused(station, asked, send, tmp_path, name):
    file = tmp_path / "evil.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("manifest.json", "{}")
        archive.writestr(name, "x")
    tell = answering("vi", outputs=2)(models.Shelf(station, "vi").add)
    page, _ = tell(send(file, "evil.zip"), "evil", asked)
    assert "không phải gói mô hình" in page


def test_cards_are_shown(station):
    for language in ("vi", "en"):
        desk = models.Shelf(station, language)
        for _, name in desk.names():
            assert desk.facts(name)
            assert desk.card(name)
