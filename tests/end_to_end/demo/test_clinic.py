"""A picture and a scan through the clinic tab: answered, seen under other windows, taken home as DICOM."""

import io
import zipfile

import pytest
from files import SMEAR
from test_crops import words


@pytest.fixture(scope="module")
def scan():
    data = pytest.importorskip("pydicom.data")
    return data.get_testdata_file("J2K_pixelrep_mismatch.dcm", download=False)


def test_a_picture(opened, pdf_text, tmp_path):
    opened.tab("clinic")
    opened.shoot("clinic-before", tmp_path)
    expert = "Đếm tế bào máu" if opened.language == "vi" else "Blood-cell count"
    assert opened.page.get_by_text(opened.say("clinic.banner")).is_visible()
    opened.choose("clinic.expert", expert)
    opened.panel.get_by_label(opened.say("clinic.reference")).fill("CA-0042")
    told = opened.answer(lambda: opened.send(SMEAR))
    opened.shoot("clinic-answer", tmp_path)
    printed = pdf_text(opened.fetch(told.locator("a.v-get").first, tmp_path))
    assert words(told.locator(".v-verdict h2")) in printed
    assert words(told.locator(".v-notice").first) in printed
    assert "CA-0042" in printed
    assert opened.panel.get_by_label(opened.say("clinic.preset")).count() == 0


def test_a_scan_under_other_windows(opened, scan, tmp_path):
    opened.tab("clinic")
    opened.answer(lambda: opened.send(scan))
    opened.shoot("clinic-scan", tmp_path)
    seen = opened.panel.locator(".v-view img")
    pictures = [seen.get_attribute("src")]

    def changed(act):
        act()
        opened.page.wait_for_function(
            "before => document.querySelector('#tab-clinic .v-view img').src !== before", arg=pictures[-1]
        )
        pictures.append(seen.get_attribute("src"))

    now = opened.panel.get_by_label(opened.say("clinic.preset")).input_value()
    other = next(name for name in reversed(opened.options("clinic.preset")) if name != now)
    changed(lambda: opened.page.locator("[role=option]:visible", has_text=other).first.click())
    slider = opened.panel.locator("input[type=range]").nth(1)

    def narrower():
        slider.focus()
        for _ in range(30):
            opened.page.keyboard.press("ArrowLeft")

    changed(narrower)
    assert len(set(pictures)) == 3
    assert all(one.startswith("data:image/jpeg;base64,") for one in pictures)


def test_dicom_results(opened, scan, tmp_path):
    pydicom = pytest.importorskip("pydicom")
    pytest.importorskip("highdicom")
    opened.tab("clinic")
    opened.choose("clinic.expert", "X-quang ngực" if opened.language == "vi" else "hest")
    told = opened.answer(lambda: opened.send(scan))
    link = told.locator("a.v-get.v-second")
    assert words(link) == opened.say("clinic.dicom")
    with zipfile.ZipFile(opened.fetch(link, tmp_path)) as archive:
        read = [pydicom.dcmread(io.BytesIO(archive.read(name))) for name in archive.namelist()]
    assert "SR" in [one.Modality for one in read]
    source = pydicom.dcmread(scan)
    assert {one.StudyInstanceUID for one in read} == {source.StudyInstanceUID}


def test_examples(opened):
    opened.tab("clinic")
    for key in ("smear", "ct", "us"):
        told = opened.answer(lambda key=key: opened.press(f"clinic.example.{key}"))
        assert "v-problem" not in told.get_attribute("class")
        assert opened.panel.locator(".v-view img").count() == 1
