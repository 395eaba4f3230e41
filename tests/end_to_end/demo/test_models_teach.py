"""Models: their cards, one's own added, used and removed; and one taught from drawn leaves."""

import zipfile

import pytest
from files import LEAF
from test_crops import words

from vnvision.hub.shelf import model_folder


@pytest.fixture
def bundle(tmp_path):
    """The zip of a bundle that ships."""
    folder = model_folder("bean")
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, f"mine/{path.relative_to(folder).as_posix()}")
    return tmp_path / "mine.zip"


def test_a_model_of_ones_own(opened, server, bundle, tmp_path):
    name = f"dau-{opened.language}"
    opened.tab("models")
    opened.shoot("models-before", tmp_path)
    card = opened.panel.locator(".prose.v-card-text")
    before = words(card)
    opened.choose("models.which", "malaria")
    opened.page.wait_for_function(
        "before => document.querySelector('.prose.v-card-text').innerText.split(/\\s+/).join(' ') !== before",
        arg=before,
    )
    opened.panel.get_by_role("button", name=opened.say("models.add")).click()
    told = opened.answer(lambda: opened.press("models.add_go"))
    assert words(told.locator("p")) == opened.say("models.need")
    opened.send(bundle)
    opened.panel.get_by_label(opened.say("models.name"), exact=True).fill(name)
    told = opened.answer(lambda: opened.press("models.add_go"))
    assert words(told) == opened.say("models.added", name=name)
    opened.shoot("models-added", tmp_path)
    assert (server.home / "models" / name).is_dir()

    opened.load()
    opened.tab("crops")
    shown = [one for one in opened.options("crops.expert") if name in one]
    assert shown, "the model added is not offered"
    told = opened.answer(
        lambda: (
            opened.page.locator("[role=option]:visible", has_text=shown[0]).first.click() or opened.send(LEAF)
        )
    )
    assert told.locator(".v-verdict h2").count() == 1

    opened.tab("models")
    opened.choose("models.which", name)
    opened.panel.get_by_role("button", name=opened.say("models.remove")).wait_for()
    told = opened.answer(lambda: opened.press("models.remove"))
    assert words(told) == opened.say("models.removed", name=name)
    assert not (server.home / "models" / name).exists()


def test_a_broken_bundle_is_refused(opened, tmp_path):
    with zipfile.ZipFile(tmp_path / "no.zip", "w") as archive:
        archive.writestr("manifest.json", "{}")
    opened.tab("models")
    opened.panel.get_by_role("button", name=opened.say("models.add")).click()
    opened.send(tmp_path / "no.zip")
    opened.panel.get_by_label(opened.say("models.name"), exact=True).fill("no")
    told = opened.answer(lambda: opened.press("models.add_go"))
    assert "v-problem" in told.get_attribute("class")
    assert words(told.locator("p").first) != opened.say("error.unknown")


def test_teach(opened, tmp_path):
    opened.tab("teach")
    opened.shoot("teach-before", tmp_path)
    told = opened.answer(lambda: opened.press("teach.go"))
    assert words(told.locator("p").first) == opened.say("teach.need_two")
    opened.press("teach.example.leaves")
    opened.panel.locator(".v-lesson li").nth(2).wait_for()
    told = opened.answer(lambda: opened.press("teach.go"), 180)
    opened.shoot("teach-answer", tmp_path)
    assert told.locator("tbody tr").count() == 3
    file = opened.fetch(told.locator("a.v-get"), tmp_path)
    with zipfile.ZipFile(file) as archive:
        assert any(name.endswith("manifest.json") for name in archive.namelist())
    tried = opened.answer(lambda: opened.send(LEAF, at=-1))
    assert "v-problem" not in tried.get_attribute("class")
