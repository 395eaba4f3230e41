from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

import vnvision.report
from vnvision.data.card import describe
from vnvision.data.manifest import Manifest, Row, read_manifest
from vnvision.evaluate import notes as evaluate_notes
from vnvision.evaluate.cautions import about_data
from vnvision.metrics import counting, dense_notes, detection, segmentation, severity
from vnvision.metrics import notes as metric_notes
from vnvision.metrics.classification import HEADLINE, PER_CLASS
from vnvision.report.phrases import Html, Quantity, both, phrase, show, show_note, translated
from vnvision.report.texts import NOTES, TEXTS
from vnvision.spec import Label

FOLDER = Path(vnvision.report.__file__).parent
FAMILIES = {"metric", "about", "kind", "split", "column", "fact"}


def fields(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def constants(module):
    return {name: value for name, value in vars(module).items() if name.isupper() and name != "SEPARATOR"}


def used_keys():
    source = "".join(path.read_text("utf-8") for path in FOLDER.glob("*.py") if path.name != "texts.py")
    source += (FOLDER / "templates/report.html").read_text("utf-8")
    source = re.sub(r"\s+", " ", source)
    found = set(re.findall(r"(?:phrase|say)\( ?\"([a-z_.]+)\"", source))
    found |= set(re.findall(r"_frame\(\"(\w+)\"", source)) | set(re.findall(r"\"(axis_\w+)\"", source))
    found |= set(re.findall(r"phrase\(\"(\w+)\" if", source)) | set(
        re.findall(r" else \"(\w+)\", label=", source)
    )
    return found | {"yes", "no"}


def test_no_text_is_missing_or_unused():
    plain = {key for key in TEXTS if "." not in key}
    assert used_keys() - plain == set()
    assert plain - used_keys() == set()
    assert {key.split(".")[0] for key in TEXTS if "." in key} == FAMILIES


def test_every_metric_has_a_name_and_none_is_left_over():
    dense = {name for module in (counting, detection, segmentation, severity) for name in module.HEADLINE}
    named = {key.split(".", 1)[1] for key in TEXTS if key.startswith("metric.")}
    assert named == {*HEADLINE, *PER_CLASS, *detection.PER_CLASS, *dense, "coverage", "selective_accuracy"}
    about = {key.split(".", 1)[1] for key in TEXTS if key.startswith("about.")}
    assert about == {*HEADLINE, *dense, "coverage", "selective_accuracy"}


@pytest.mark.parametrize("key", sorted(TEXTS))
def test_both_languages_say_the_same_fields(key):
    vi, en = TEXTS[key]
    assert vi.strip()
    assert en.strip()
    assert fields(vi) == fields(en)


def test_every_note_has_a_translation():
    ours = {**constants(metric_notes), **{f"e_{k}": v for k, v in constants(evaluate_notes).items()}}
    ours |= {f"d_{name}": text for name, text in constants(dense_notes).items()}
    assert not [
        text
        for text in ours.values()
        if metric_notes.SEPARATOR in text and text in vars(dense_notes).values()
    ]
    assert [name for name, text in ours.items() if text not in NOTES] == []
    for english, vietnamese in NOTES.items():
        assert fields(english) == fields(vietnamese), english


@pytest.mark.parametrize("english", sorted(NOTES))
def test_notes_are_recognised_with_any_values(english):
    filled = {name: f"x{i}" for i, name in enumerate(sorted(fields(english)))}
    assert translated(english.format(**filled)) == NOTES[english].format(**filled)


def test_joined_notes_are_translated_one_by_one():
    left_out = metric_notes.LEFT_OUT.format(labels="rust, spot")
    text = metric_notes.join(left_out, metric_notes.NO_VARIATION)
    assert show_note(text) == (
        '<span lang="vi">trung bình trên các lớp có mặt, không xác định cho rust, spot; '
        "các lần lấy mẫu lại đều như nhau: không có khoảng tin cậy</span>"
        f'<span lang="en">{text}</span>'
    )


def test_an_unknown_note_stays_as_it_is():
    assert show_note("something <new>") == "something &lt;new&gt;"


def test_decimals_in_notes_become_local():
    text = evaluate_notes.SENSITIVITY_THERE.format(value="0.842", low="0.700", high="0.931", n=40)
    assert translated(text) == "độ nhạy ở ngưỡng này 0,842 (0,700 đến 0,931, n=40)"


def test_what_manifests_really_warn_of_is_translated(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("path,label,licence\na.png,x,MIT\nb.png,y,\n")
    warnings = read_manifest(path).warnings
    assert len(warnings) == 3
    for text in warnings:
        text = evaluate_notes.MANIFEST.format(text=text)
        assert translated(text).startswith("bảng kê dữ liệu: ")
        assert "column" not in translated(text)
        assert "rows have" not in translated(text)


def test_what_descriptions_really_warn_of_is_passed_on_and_translated(tmp_path):
    rows = [
        Row(
            line=i + 2,
            path=f"{i}.png",
            label="a" if i < 44 else "b",
            source="one" if i < 44 else "two",
            split="val",
        )
        for i in range(48)
    ]
    manifest = Manifest(tuple(rows), tmp_path, tmp_path / "m.csv", "0" * 64)
    assert about_data(describe(manifest)) == ("classes are uneven: 44 of a, 4 of b",)
    rows = [Row(line=r.line, path=r.path, label="ab"[i % 2], source="ab"[i % 2]) for i, r in enumerate(rows)]
    (shortcut,) = about_data(describe(Manifest(tuple(rows), tmp_path, tmp_path / "m.csv", "0" * 64)))
    assert shortcut.startswith("the source alone tells the label of")
    assert translated(shortcut).startswith("chỉ riêng source đã đoán được nhãn của")


def test_numbers_are_local():
    cases = [
        (Quantity(0.8812, "percent"), "88,1%", "88.1%"),
        (Quantity(0.8812, "score"), "0,881", "0.881"),
        (Quantity(0.9, "whole"), "90%", "90%"),
        (Quantity(1419, "count"), "1.419", "1,419"),
        (Quantity(1234.5, "plain"), "1.234,5", "1,234.5"),
    ]
    for quantity, vi, en in cases:
        assert (quantity.text("vi"), quantity.text("en")) == (vi, en)


def test_show_escapes_and_says_once_what_agrees():
    assert show("<b>") == "&lt;b&gt;"
    assert (
        show(Label(id="a", vi="<i>", en="&"))
        == '<span lang="vi">&lt;i&gt;</span><span lang="en">&amp;</span>'
    )
    assert show(Html("<b>")) == "<b>"
    assert both(lambda language: "x", "text", 'x="1"') == '<text x="1">x</text>'
    assert show(True) == '<span lang="vi">có</span><span lang="en">yes</span>'


def test_unknown_key_is_an_error_at_once():
    with pytest.raises(KeyError, match="no_such_text"):
        phrase("no_such_text")
