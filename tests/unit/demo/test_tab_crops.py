"""The crops tab without a browser."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from vnvision.report.cases.texts import say as report_say
from vnvision_demo.door.preview import preview
from vnvision_demo.errors import Refusal
from vnvision_demo.settings import LANGUAGES
from vnvision_demo.tabs import crops
from vnvision_demo.tabs.shared import STATIC, answering
from vnvision_demo.texts import say

LEAF = STATIC / "leaf-spots.jpg"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_leaf_is_answered_with_heatmap_advice_and_pdf(station, asked, send, language):
    page = crops.Teller(station, language).photo(send(LEAF), "bean", False, asked)
    assert ("Đốm góc lá" if language == "vi" else "Angular leaf spot") in page
    assert page.count("data:image/jpeg") == 2
    assert report_say("section.care", language) in page
    (href,) = re.findall(r'href="(/get/[^"]+)"', page)
    parcel = station.parcels.find(asked.cookies["vnvision_session"], href.split("/")[2])
    assert parcel.bytes().startswith(b"%PDF")


def test_auto_names_the_expert(station, asked, send):
    page = crops.Teller(station, "vi").photo(send(LEAF), "auto", False, asked)
    assert "Chuyên gia: Bệnh lá đậu" in page


def test_the_upload_is_gone_once_it_is_answered(station, asked, send):
    path = send(LEAF)
    crops.Teller(station, "vi").photo(path, "bean", False, asked)
    assert not Path(path).exists()
    assert list(station.uploads.root.iterdir()) == []


def test_a_broken_file_is_one_line_in_the_pages_language_and_is_gone(station, asked, send):
    path = send(b"noise" * 100)
    tell = answering("vi")(crops.Teller(station, "vi").photo)
    page = tell(path, "auto", False, asked)
    assert say("error.picture", "vi") in page
    assert str(station.root) not in page
    assert not Path(path).exists()


def test_anothers_upload_is_refused(station, asked, send):
    path = send(LEAF, session=station.sessions.new())
    with pytest.raises(Refusal, match=r"upload\.gone"):
        crops.Teller(station, "vi").photo(path, "bean", False, asked)
    assert Path(path).exists()


def test_a_stranger_gets_no_guess(station, asked, send):
    page = crops.Teller(station, "en").photo(send(STATIC / "stranger.jpg"), "auto", False, asked)
    assert say("crops.strange", "en") in page
    assert "v-unsure" in page
    assert "v-bars" not in page


def test_the_same_picture_is_asked_about_again_without_its_file(station, asked, send):
    teller = crops.Teller(station, "vi")
    teller.photo(send(LEAF), "auto", False, asked)
    again = teller.again("leaf_severity", False, asked)
    assert "diện tích" in again
    other = type(asked)(cookies={"vnvision_session": station.sessions.new().id})
    assert say("crops.none", "vi") in teller.again("bean", False, other)


def test_severity_says_that_it_is_a_hint(station, asked, send):
    page = crops.Teller(station, "vi").photo(send(LEAF), "bean", True, asked)
    assert say("crops.severity_note", "vi") in page


def test_what_is_shown_carries_no_exif(station, asked, send, with_place):
    data = with_place(LEAF.read_bytes())
    assert b"SECRETCAMERA" in data
    path = send(data)
    assert b"Exif" not in preview(Path(path), station.reader)
    page = crops.Teller(station, "vi").photo(path, "bean", False, asked)
    for picture in re.findall(r"data:image/jpeg;base64,([\w+/=]+)", page):
        found = base64.b64decode(picture)
        assert b"Exif" not in found
        assert b"SECRETCAMERA" not in found


def test_without_a_picture_nothing_is_kept(station, asked, send):
    teller = crops.Teller(station, "vi")
    teller.photo(send(LEAF), "bean", False, asked)
    assert say("crops.none", "vi") in teller.photo(None, "bean", False, asked)
    assert say("crops.none", "vi") in teller.again("bean", False, asked)


def test_an_unforeseen_error_says_so_and_tells_no_secret(station, asked):
    def broken() -> str:
        raise RuntimeError("/root/secret")

    page = answering("en")(broken)()
    assert say("error.unknown", "en") in page
    assert "secret" not in page


def test_every_expert_can_be_opened(station):
    for _, name in crops.experts(station, "vi")[1:]:
        assert station.models.model(name)[0].task.labels
