"""A leaf through the page: sent, photographed, asked about again, printed."""

import re
import unicodedata

from files import LEAF, STRANGER


def words(locator):
    return " ".join(unicodedata.normalize("NFC", locator.inner_text()).split())


def test_a_photo_is_answered_again_and_printed(opened, pdf_text, tmp_path):
    opened.tab("crops")
    opened.shoot("crops-before", tmp_path)
    first = opened.answer(lambda: opened.send(LEAF))
    assert first.locator(".v-verdict h2").inner_text()
    assert first.locator("img").first.get_attribute("src").startswith("data:image/jpeg;base64,")

    bean = opened.answer(lambda: opened.choose("crops.expert", "Đậu" if opened.language == "vi" else "Bean"))
    opened.shoot("crops-answer", tmp_path)
    verdict = words(bean.locator(".v-verdict h2"))
    file = opened.fetch(bean.locator("a.v-get").first, tmp_path)
    assert file.name == ("phieu-ket-qua.pdf" if opened.language == "vi" else "result.pdf")
    printed = pdf_text(file)
    assert verdict in printed
    for bar in bean.locator(".v-bars li span").all():
        assert words(bar) in printed


def test_severity_is_added_on_wish(opened, tmp_path):
    opened.tab("crops")
    opened.answer(lambda: opened.press("crops.example.spots"))
    told = opened.answer(lambda: opened.panel.get_by_label(opened.say("crops.severity")).check())
    both = words(told)
    if "v-unsure" not in told.get_attribute("class"):
        assert opened.say("crops.severity_note") in both
    alone = opened.answer(lambda: opened.press("crops.example.blight"))
    assert re.search(r"\d+\s?%", words(alone.locator(".v-verdict")))


def test_a_stranger_gets_no_answer(opened):
    opened.tab("crops")
    told = opened.answer(lambda: opened.send(STRANGER))
    assert words(told.locator("h2")) == opened.say("crops.strange")
    assert told.locator("a.v-get").count() == 0


def test_the_camera(opened, tmp_path):
    opened.tab("crops")
    camera = "Chụp bằng máy ảnh" if opened.language == "vi" else "Capture from camera"
    opened.panel.get_by_role("button", name=camera).click()
    opened.page.wait_for_timeout(500)
    opened.shoot("crops-camera", tmp_path)
    opened.panel.locator(".v-photo button:visible").first.click()
    opened.page.locator("video:visible").wait_for()
    opened.page.wait_for_timeout(500)
    opened.shoot("crops-camera-open", tmp_path)
    take = opened.panel.locator(".v-photo button:visible").first
    told = opened.answer(take.click)
    assert told.locator("h2").first.inner_text()
    assert "v-problem" not in told.get_attribute("class")
