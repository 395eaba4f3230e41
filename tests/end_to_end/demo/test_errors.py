"""What is broken or too large gets a line that says what to do, in the page's language."""

import re

import pytest
from files import cut, large, noise, text
from test_crops import words

VIETNAMESE = re.compile("[àáâãèéêìíòóôõùúýăđĩũơưạ-ỹ]", re.IGNORECASE)
TOAST = "[data-testid=toast-body]"


@pytest.mark.parametrize("make", [noise, text, cut])
@pytest.mark.parametrize("tab", ["crops", "clinic"])
def test_a_broken_picture(opened, make, tab, tmp_path):
    opened.tab(tab)
    told = opened.answer(lambda: opened.send(make(tmp_path / "photo.jpg")))
    assert "v-problem" in told.get_attribute("class")
    line = words(told.locator("p").first)
    assert bool(VIETNAMESE.search(line)) == (opened.language == "vi")
    assert line != opened.say("error.unknown")
    assert "/tmp" not in words(told)
    assert str(tmp_path) not in words(told)


@pytest.mark.parametrize("tab", ["crops", "clinic", "batch"])
def test_a_file_over_the_limit_is_not_even_sent(opened, tab, tmp_path):
    opened.tab(tab)
    sent = []
    opened.page.on("request", lambda one: sent.append(one.url) if "/upload?" in one.url else None)
    opened.panel.locator("input[type=file]").first.set_input_files(large(tmp_path / "photo.jpg"))
    toast = opened.page.locator(TOAST).first
    toast.wait_for()
    opened.shoot(f"too-large-{tab}", tmp_path)
    said = words(toast)
    assert "50 MB" in said
    assert ("Tệp quá lớn" if opened.language == "vi" else "too large") in said
    assert ("Hãy" if opened.language == "vi" else "Take a smaller") in said
    assert sent == []


def test_the_door_refuses_it_too(opened, server, tmp_path):
    """As when a script of the visitor's sends it past the page."""
    before = server.files("*.jpg")
    answer = opened.page.request.post(
        f"{server.address}/gradio_api/upload",
        multipart={"files": {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": bytes(51 << 20)}},
        headers={"referer": opened.page.url},
    )
    assert answer.status == 413
    assert answer.text() == opened.say("upload.too_large", limit_mb=50)
    assert server.files("*.jpg") == before


def test_what_the_door_says_is_shown(opened, tmp_path):
    line = opened.say("upload.session_full", limit_mb=400)
    opened.page.route("**/gradio_api/upload?*", lambda route: route.fulfill(status=429, body=line))
    opened.tab("crops")
    opened.panel.locator("input[type=file]").first.set_input_files(noise(tmp_path / "photo.jpg"))
    toast = opened.page.locator(TOAST).first
    toast.wait_for()
    said = words(toast)
    assert line in said
    assert "HTTP" not in said


def test_too_many_questions(opened):
    """The hundred and some that a minute allows are asked past the page; then the page is told why."""
    ask = """async () => {
      const body = JSON.stringify({ data: [], fn_index: 0, session_hash: "x" });
      const headers = { "content-type": "application/json" };
      const asked = { method: "POST", body, headers };
      const once = async () => (await fetch("/gradio_api/queue/join?", asked)).text();
      for (let one = 0; one < 240; one++) await once();
      setInterval(once, 100); // takes most of what is allowed again meanwhile
    }"""
    opened.tab("crops")
    opened.page.evaluate(ask)
    toast = opened.page.locator(TOAST).first
    for _ in range(8):  # two a second are allowed again: now and then the page's question is one of these
        opened.press("crops.example.spots")
        opened.page.wait_for_timeout(1000)
        if toast.is_visible():
            break
    assert opened.say("rate.session") in words(toast)


def test_the_server_is_gone(opened):
    opened.tab("crops")
    opened.page.route("**/gradio_api/queue/join*", lambda route: route.abort())
    opened.press("crops.example.spots")
    toast = opened.page.locator(TOAST).first
    toast.wait_for()
    assert bool(VIETNAMESE.search(words(toast))) == (opened.language == "vi")
