"""Zips through the page: many pictures to a table and PDFs, people to a report, hostile ones to a line."""

import csv
import io
import json

import pytest
from files import LEAF, bomb, empty, leaves_zip, nested, overlapping
from test_crops import words

from vnvision_demo.tabs.drawn import leaves, people

_RECORD = """
() => {
  window.stages = new Set();
  const note = () => document.querySelectorAll(".progress-level-inner, .progress-text").forEach((one) =>
    window.stages.add(one.textContent.trim()));
  new MutationObserver(note).observe(document.body, { subtree: true, childList: true, characterData: true });
}
"""


def stages(opened):
    return " ".join(opened.page.evaluate("() => [...window.stages]"))


def test_fifty_pictures(opened, pdf_text, tmp_path):
    opened.tab("batch")
    opened.shoot("batch-before", tmp_path)
    opened.page.evaluate(_RECORD)
    opened.send([path for _, path in leaves(tmp_path, 50, 160)])
    opened.choose("crops.expert", "đậu" if opened.language == "vi" else "Bean")
    opened.panel.get_by_label(opened.say("batch.title")).fill("Lô 7")
    told = opened.answer(lambda: opened.press("batch.go"), 120)
    opened.shoot("batch-answer", tmp_path)
    assert opened.say("batch.stage.predict") in stages(opened)
    data = opened.fetch(told.locator("a.v-get").first, tmp_path).read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    assert len({len(row) for row in rows}) == 1
    assert len(rows) == 1 + 50
    second = told.locator("a.v-get.v-second")
    if second.count():
        printed = pdf_text(opened.fetch(second.first, tmp_path))
        assert "Lô 7" in printed


def test_a_zip_and_the_example(opened, tmp_path):
    opened.tab("batch")
    opened.send(leaves_zip(tmp_path / "leaves.zip", 5))
    told = opened.answer(lambda: opened.press("batch.go"))
    assert told.locator("tbody tr").count() == 5
    told = opened.answer(lambda: opened.press("batch.example.leaves"))
    assert told.locator("tbody tr").count() == 12


def test_fairness(opened, pdf_text, tmp_path):
    opened.tab("fairness")
    opened.shoot("fairness-before", tmp_path)
    opened.page.evaluate(_RECORD)
    opened.send(people(tmp_path / "people.zip", count=10, photos=2))
    told = opened.answer(lambda: opened.press("fairness.go"), 120)
    opened.shoot("fairness-answer", tmp_path)
    assert any(opened.say(f"fairness.stage.{one}") in stages(opened) for one in ("list", "faces", "compare"))
    assert words(told.locator("h2")) == opened.say("fairness.done", people=10, photos=20)
    pdf, html, figures = (opened.fetch(link, tmp_path) for link in told.locator("a.v-get").all())
    assert pdf_text(pdf)
    assert f'lang="{opened.language}"' in html.read_text("utf-8")
    assert json.loads(figures.read_text("utf-8"))


@pytest.mark.parametrize("make", [bomb, nested, overlapping, empty])
def test_hostile_zips(opened, server, make, tmp_path):
    before = server.files()
    file = make(tmp_path / "sent.zip")
    assert file.stat().st_size < 8 << 20
    for tab in ("fairness", "batch"):
        opened.tab(tab)
        opened.send(file)
        told = opened.answer(lambda tab=tab: opened.press(f"{tab}.go"))
        assert "v-problem" in told.get_attribute("class")
        line = words(told.locator("p").first)
        assert line != opened.say("error.unknown")
        assert (set(line.lower()) & set("ạảấầậẩộờợệểọđưăâôơê") != set()) == (opened.language == "vi")
    assert [path for path in server.files() if path not in before] == []


def test_nothing_sent(opened):
    for tab in ("batch", "fairness"):
        opened.tab(tab)
        told = opened.answer(lambda tab=tab: opened.press(f"{tab}.go"))
        assert words(told.locator("p")) == opened.say(f"{tab}.need")


def test_a_picture_where_a_zip_belongs(opened):
    opened.tab("fairness")
    opened.panel.locator("input[type=file]").set_input_files(LEAF)
    toast = opened.page.locator("[data-testid=toast-body], .toast-body").first
    toast.wait_for()
    assert ("Không nhận loại tệp này" in words(toast)) == (opened.language == "vi")
