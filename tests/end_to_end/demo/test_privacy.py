"""A picture is its sender's alone, and gone with the answer."""

import base64

import pytest
from files import FACES, LEAF, leaf_with_place, noise

from vnvision_demo.station import JUST_NOW_S


@pytest.fixture
def stranger(new_context, server, opened):
    """Another browser at the same machine."""
    context = new_context()
    context.new_page().goto(server.address)
    return context


def gone(opened, url):
    """For some seconds the sender's page can still show what it sent, from memory."""
    opened.page.wait_for_timeout(1000 * (JUST_NOW_S + 1))
    return opened.page.request.get(url).status == 404


def test_an_upload_is_its_senders(opened, server, stranger):
    """Before the answer: the faces tab keeps a photo until its button is pressed."""
    before = server.files()
    opened.tab("faces")
    path = opened.send(FACES[0])
    url = f"{server.address}/gradio_api/file={path}"
    mine = opened.page.request.get(url)
    assert mine.status == 200
    assert stranger.request.get(url).status == 404
    assert stranger.request.get(f"{server.address}/file={path}").status == 404
    assert [one.name for one in server.files() if one not in before] == [FACES[0].name]

    opened.send(FACES[1], at=1)
    opened.answer(lambda: opened.press("faces.go"))
    assert server.files() == before
    assert stranger.request.get(url).status == 404
    assert gone(opened, url)


def test_an_answered_picture_is_gone(opened, server, stranger):
    before = server.files()
    opened.tab("crops")
    paths = []
    told = opened.answer(lambda: paths.append(opened.send(LEAF)))
    url = f"{server.address}/gradio_api/file={paths[0]}"
    assert server.files() == before
    assert stranger.request.get(url).status == 404
    assert gone(opened, url)
    pdf = server.address + told.locator("a.v-get").first.get_attribute("href")
    assert stranger.request.get(pdf).status == 404
    assert opened.page.request.get(pdf).body().startswith(b"%PDF")
    assert stranger.request.get(pdf).status == 404


def test_a_refused_picture_is_gone(opened, server, tmp_path):
    before = server.files()
    opened.tab("crops")
    opened.answer(lambda: opened.send(noise(tmp_path / "photo.jpg")))
    assert server.files() == before


def test_the_servers_own_files_are_nobodys(opened, server):
    for path in ("/etc/passwd", str(server.home), f"{server.temporary}/../server.log"):
        for form in ("/gradio_api/file=", "/file=", "/gradio_api/file/", "/gradio_api/stream/"):
            assert opened.page.request.get(server.address + form + path).status == 404


def test_the_place_is_not_shown(opened, server, tmp_path):
    opened.tab("faces")
    path = opened.send(leaf_with_place(tmp_path / "leaf.jpg"))
    preview = opened.page.request.get(f"{server.address}/gradio_api/file={path}").body()
    opened.load()
    opened.tab("crops")
    opened.choose("crops.expert", "đậu" if opened.language == "vi" else "Bean")
    told = opened.answer(lambda: opened.send(tmp_path / "leaf.jpg"))
    shown = [preview]
    for image in told.locator("img").all():
        shown.append(base64.b64decode(image.get_attribute("src").partition("base64,")[2]))
    shown.append(
        opened.page.request.get(server.address + told.locator("a.v-get").first.get_attribute("href")).body()
    )
    assert len(shown) > 2
    for data in shown:
        assert b"Exif" not in data
        assert b"TheCamera" not in data
