from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from vnvision.errors import ConfigError, DataError
from vnvision.evaluate import field_notes, shortcut_texts
from vnvision.evaluate.field import FieldReport, FieldRow, FieldSide, change
from vnvision.evaluate.shortcuts import ProbeRow, ShortcutReport
from vnvision.records import Metric
from vnvision.report.field_cards import field_section, shortcut_section
from vnvision.report.field_page import write_field_page
from vnvision.report.field_texts import NOTES, TEXTS
from vnvision.spec import Label

SHA = "ab" * 32
VOID = {"meta", "link", "input", "br", "circle", "path"}


def m(value, low=None, high=None, n=100, note=None):
    return Metric(value=value, low=low, high=high, n=n, note=note)


def field_report(**more):
    lab, out = m(0.96, 0.92, 0.99), m(0.61, 0.52, 0.70)
    ece = m(0.04, 0.01, 0.07), m(0.21, 0.15, 0.30)
    lost = m(0.5, 0.3, 0.7), m(None, note="no image of this class: not defined")
    values = {
        "model": "rice <v1>",
        "labels": ("rust", "spot"),
        "lab": FieldSide(
            name="lab.csv", split="val", n=144, n_groups=48, manifest_sha256=SHA, left_out={"smut": 7}
        ),
        "field": FieldSide(
            name="field.csv", split=None, n=240, n_groups=80, manifest_sha256=SHA, unlabelled=3
        ),
        "rows": (
            FieldRow(name="accuracy", lab=lab, field=out, change=change(lab, out)),
            FieldRow(name="ece", lab=ece[0], field=ece[1], change=change(*ece)),
        ),
        "recall": (FieldRow(name="rust", lab=lost[0], field=lost[1], change=change(*lost)),),
        "near_duplicates": 2,
        "warnings": (
            field_notes.COPIES.format(count=2),
            field_notes.FEW_GROUPS.format(name="x.csv", groups=9),
        ),
    }
    return FieldReport(**(values | more))


def probe(view, verdict, cover=None):
    return ProbeRow(
        view=view, cover=cover, n_train=700, n=150, n_groups=101, accuracy=m(0.7, 0.6, 0.8),
        balanced_accuracy=m(0.71, 0.61, 0.81), auroc=m(0.78, 0.67, 0.87), judged_on="balanced_accuracy",
        chance=0.5, shuffled=0.5, shuffled_high=0.6, verdict=verdict,
        says={"vi": f"{view} nói", "en": f"{view} says <b>"},
    )  # fmt: skip


def shortcut_report(*rows, **more):
    return ShortcutReport(
        name="cxr", manifest_sha256=SHA, train="train", test="val", n_train=700, n=150, n_groups=101,
        labels=("a", "b"), rows=rows, **more,
    )  # fmt: skip


class Text(HTMLParser):
    """Visible text by language, and whether the tags balance."""

    def __init__(self, page):
        super().__init__()
        self.open, self.said, self.balanced = [], {"vi": [], "en": [], None: []}, True
        self.feed(page)
        self.balanced &= not self.open

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append((tag, dict(attrs).get("lang")))

    def handle_endtag(self, tag):
        if tag not in VOID:
            self.balanced &= bool(self.open) and self.open.pop()[0] == tag

    def handle_data(self, data):
        if self.open and self.open[-1][0] not in ("style", "title"):
            language = next((code for _, code in reversed(self.open) if code in ("vi", "en")), None)
            self.said[language].append(" ".join(data.split()))

    def text(self, language):
        return " ".join(word for code in (None, language) for word in self.said[code] if word)


def test_both_numbers_stand_side_by_side_in_both_languages():
    page = Text(field_section(field_report(), [Label(id="rust", vi="Gỉ sắt", en="Rust")]))
    assert page.balanced
    en, vi = page.text("en"), page.text("vi")
    assert "In the laboratory the model answers 96.0% correctly; in the field 61.0%." in en
    assert "a change of −35.0 points (95% interval: −44.5 to −25.2)" in en
    assert "Trong phòng thí nghiệm mô hình trả lời đúng 96,0%; ngoài thực tế 61,0%." in vi
    assert "−35,0 điểm" in vi
    assert "144 pictures, 48 groups: lab.csv, validation set" in en
    assert "240 ảnh, 80 nhóm: field.csv, toàn bộ" in vi
    assert "smut: 7 laboratory pictures" in en
    assert "3 ảnh không có nhãn" in vi
    assert "Gỉ sắt" in vi
    assert "2 ảnh thực tế trông như bản sao của ảnh phòng thí nghiệm" in vi
    assert "x.csv: chỉ có 9 nhóm" in vi
    assert "không có ảnh nào của lớp này: không xác định" in vi
    assert "không xác định ở một trong hai bên" in vi


def test_a_loss_is_marked_whichever_way_the_metric_points():
    text = field_section(field_report())
    tones = re.findall(r'<b class="value( answer| truth)?">(?:<span lang="vi">)?[−+]', text)
    assert tones == [" answer", " answer"]  # accuracy fell, ECE rose: both worse


def test_without_accuracy_the_lead_says_so():
    none = m(None)
    row = FieldRow(name="accuracy", lab=none, field=none, change=change(none, none))
    page = Text(field_section(field_report(rows=(row,), near_duplicates=None)))
    assert "Accuracy is not defined on one of the two sides." in page.text("en")
    assert "not looked for" in page.text("en")


def test_the_probe_card_names_strong_shortcuts():
    report = shortcut_report(
        probe("background", "strong", "centre"), probe("metadata", "none"), model=m(0.88, 0.82, 0.93)
    )
    text = shortcut_section(report)
    page = Text(text)
    assert page.balanced
    assert "Strong shortcuts: The background (with the middle covered)." in page.text("en")
    assert "Có lối tắt mạnh: Phần nền (che phần giữa ảnh)." in page.text("vi")
    assert "background says <b>" in page.text("en")  # escaped, so it is text and no tag
    assert "71.0%" in page.text("en")
    assert "61,0–81,0%" in page.text("vi")
    assert "88.0%" in page.text("en")
    assert "50.0%, at most 60.0%" in page.text("en")
    assert "150 ảnh thuộc 101 nhóm, tập thẩm định" in page.text("vi")


def test_without_a_strong_one_it_does_not_promise_that_there_is_none():
    page = Text(shortcut_section(shortcut_report(probe("border", "some"))))
    assert "That does not prove that there is none." in page.text("en")


def test_warnings_of_the_probe_are_translated():
    said = shortcut_texts.say(shortcut_texts.WARNINGS["few"], "en", images="18", groups="14")
    page = Text(shortcut_section(shortcut_report(probe("border", "none"), warnings=(said, "another"))))
    assert "chỉ có 18 ảnh thuộc 14 nhóm để thử" in page.text("vi")
    assert "another" in page.text("vi")


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_page_is_whole_and_asks_nothing_of_the_network(tmp_path, language):
    path = write_field_page(
        tmp_path, field=field_report(), shortcuts=shortcut_report(probe("border", "some")), language=language
    )
    page = path.read_text("utf-8")
    assert path.name == "field.html"
    assert page.startswith("<!doctype html>")
    assert f'<html lang="{language}">' in page
    assert f'id="to-{language}" checked' in page
    assert Text(page).balanced
    assert "rice &lt;v1&gt;" in page
    assert not re.search(r"<script|https?://|src=", page)
    assert FieldReport.load(tmp_path / "field.json") == field_report()
    assert ShortcutReport.load(tmp_path / "shortcuts.json").test == "val"


def test_the_probe_alone_is_a_page_of_its_own(tmp_path):
    path = write_field_page(tmp_path / "new", shortcuts=shortcut_report(probe("border", "some")))
    assert path == tmp_path / "new/shortcuts.html"
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["shortcuts.html", "shortcuts.json"]


def test_wrong_requests_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing to write: expected a field report or a shortcut report"):
        write_field_page(tmp_path)
    with pytest.raises(ConfigError, match=r"language: expected vi or en, got fr"):
        write_field_page(tmp_path, field=field_report(), language="fr")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot write the report to .*file"):
        write_field_page(tmp_path / "file", field=field_report())


def test_every_text_has_two_languages_with_the_same_fields():
    tables = [
        TEXTS,
        *(getattr(shortcut_texts, n) for n in ("VIEWS", "COVERS", "VERDICTS", "WARNINGS", "MEASURES")),
    ]
    for table in tables:
        for key, (vi, en) in table.items():
            assert vi, key
            assert en, key
            assert set(re.findall(r"{(\w+)}", vi)) == set(re.findall(r"{(\w+)}", en)), key
    for en, vi in NOTES.items():
        assert set(re.findall(r"{(\w+)}", vi)) == set(re.findall(r"{(\w+)}", en))
    said = {value for name, value in vars(field_notes).items() if name.isupper()}
    assert said == set(NOTES)
