"""Each page speaks one language, to the eye and to a screen reader."""

import re

from files import FACES, LEAF, large
from opened import INNER, TABS
from words_of_gradio import NOTICED, english, seen

VIETNAMESE = re.compile("[âêôăđơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]", re.IGNORECASE)
# Names and terms that are the same in both languages, and the other language's own name in the switch.
SAME = {"English", "vnvision", "PDF", "DICOM", "CSV", "JSON", "zip", "MB", "cosine"}


def everywhere(opened, tmp_path):
    """What is seen on all tabs, before and after sending, with the camera, a list and a toast open."""
    page = opened.page
    found = {}

    def note(where):
        page.wait_for_timeout(200)
        for text in seen(page):
            found.setdefault(text, where)

    for tab in TABS:
        opened.tab(tab)
        note(tab)
    page.set_viewport_size({"width": 360, "height": 800})
    opened.settle()
    note("a phone")
    page.set_viewport_size({"width": 1280, "height": 900})
    opened.settle()
    for inner in INNER:
        opened.tab("faces")
        opened.inner(inner)
        note(f"faces {inner}")
    opened.tab("faces")
    opened.inner("compare")
    opened.send(FACES[0])
    note("faces, a photo sent")

    opened.tab("crops")
    opened.options("crops.expert")
    note("crops, list open")
    page.keyboard.press("Escape")
    opened.send(LEAF)
    note("crops, a photo sent")
    opened.answer(lambda: opened.press("crops.example.stranger"))
    note("crops, answered")
    camera = "Chụp bằng máy ảnh" if opened.language == "vi" else "Capture from camera"
    opened.panel.get_by_role("button", name=camera).click()
    note("crops, camera chosen")
    page.wait_for_timeout(300)
    opened.panel.locator(".v-photo button:visible").first.click()
    page.locator("video:visible").wait_for()
    page.wait_for_timeout(500)
    note("crops, camera open")

    opened.tab("clinic")
    opened.answer(lambda: opened.press("clinic.example.ct"))
    note("clinic, a scan")
    opened.panel.locator("input[type=file]").set_input_files(large(tmp_path / "large.jpg"))
    page.locator("[data-testid=toast-body]").first.wait_for()
    note("clinic, a toast")
    return found


def test_one_language(opened, tmp_path):
    found = everywhere(opened, tmp_path)
    assert opened.page.evaluate("document.documentElement.lang") == opened.language
    assert opened.page.title() == opened.say("app.title")
    if opened.language == "vi":
        foreign = {text: where for text, where in found.items() if _english(text)}
    else:
        foreign = {text: where for text, where in found.items() if VIETNAMESE.search(text)}
        foreign.pop("Tiếng Việt")
    assert foreign == {}


def _english(text):
    """Whether a text holds English of Gradio's, or English words and none of Vietnamese."""
    if text in SAME:
        return False
    if text in english() or any(re.search(rf"(?<!\w){re.escape(one)}(?!\w)", text) for one in NOTICED):
        return True
    told = re.findall("[A-Za-z]{3,}", text)
    return bool(
        set(map(str.lower, told)) & {"the", "file", "image", "for", "with", "click", "button", "open", "your"}
    )


def test_the_servers_own_lines_follow_the_page(opened, server):
    """Of a parcel that is gone, asked for from each page."""
    answer = opened.page.request.get(f"{server.address}/get/none/x.pdf", headers={"referer": opened.page.url})
    assert answer.status == 404
    assert answer.text() == opened.say("parcel.gone")
