"""The page and the sheet about one picture: self-contained, one A4, both languages, nothing leaked."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import sys
import unicodedata
from dataclasses import replace
from datetime import date, datetime
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from vnvision.errors import ConfigError, DataError, MissingExtraError
from vnvision.hub import sources_of
from vnvision.hub.knowledge import library
from vnvision.imaging.exif import Place, PlaceAndTime
from vnvision.report.cases import case_of, write_case
from vnvision.spec import Label

LANGUAGES = ("vi", "en")
VOID = {"meta", "link", "img", "br"}
PLACE = PlaceAndTime(Place(10.37112, -105.43284), datetime(2026, 11, 20, 7, 41))
needs_poppler = pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext is not installed")


class Page(HTMLParser):
    """Elements, visible text, and whether tags balance."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.balanced, self.words = [], [], True, []
        self.feed(text)
        self.balanced &= not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            self.balanced &= bool(self.open) and self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "title"):
            self.words.append(" ".join(data.split()))

    @property
    def text(self):
        return " ".join(word for word in self.words if word)


@pytest.fixture
def cases(make, picture):
    """One case of each kind, by name."""

    def build(language="vi", **options):
        options = {"reference": "Lam 12, ô 3", "language": language} | options
        malaria, bean, leaf, cells = make.malaria(), make.facts(), make.leaf(synthetic=True), make.cells()
        mask = np.zeros((60, 80), np.uint8)
        mask[:30], mask[:6] = 1, 2
        heat = np.linspace(0, 1, 80, dtype=np.float32)[None].repeat(60, 0)
        found = [("RBC", (1, 1, 20, 20)), ("WBC", (40, 2, 70, 30))]
        return {
            "class": case_of(picture, make.classes(malaria, 0.02, 0.98), malaria, heatmap=heat, **options),
            "doubt": case_of(
                picture, make.classes(bean, 0.4, 0.35, 0.25, reasons=("low_confidence",)), bean, **options
            ),
            "scope": case_of(
                picture, make.classes(malaria, 0, 1, reasons=("out_of_scope",)), malaria, **options
            ),
            "mask": case_of(picture, make.areas(leaf, mask, 0.2), leaf, **options),
            "boxes": case_of(picture, make.boxes(cells, found), cells, **options),
        }

    return build


def page(case, folder):
    return write_case(case, folder, formats=("html",))[0].read_text("utf-8")


def pdf_text(path):
    run = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, check=True)
    return run.stdout.decode("utf-8")


def pages_of(path):
    return len(re.findall(rb"/Type /Page\b", path.read_bytes()))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["class", "doubt", "scope", "mask", "boxes"])
def test_the_page_asks_nothing_of_the_network_and_runs_nothing(cases, tmp_path, kind, language):
    text = page(cases(language)[kind], tmp_path)
    found = Page(text)
    assert found.balanced
    assert found.elements[0] == ("html", {"lang": language})
    for tag, attributes in found.elements:
        assert tag not in ("script", "iframe", "object", "embed", "form", "base", "a")
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert attributes.get(name, "data:").startswith("data:")
        assert not any(name.startswith("on") for name in attributes)
        assert tag != "img" or attributes["alt"]
    for word in ("http://", "https://", "url(", "@import"):
        assert word not in text
    policy = next(a["content"] for t, a in found.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy


def test_the_languages_do_not_mix(cases, tmp_path):
    for kind in ("class", "doubt", "scope", "mask", "boxes"):
        english = Page(page(replace(cases("en")[kind], reference="1"), tmp_path)).text
        cited = " ".join(cases("en")[kind].advice.sources)
        own = english.replace(cited, "")
        for source in cases("en")[kind].advice.sources:
            own = own.replace(source, "")
        assert not re.search("[ăđơưạảấầẩẫậắằẳẵặẹẻẽềểễệ]", own.lower())
        vietnamese = Page(page(cases("vi")[kind], tmp_path)).text
        for word in ("probability", "not sure", "threshold", "picture", "model", "licence", "version"):
            assert word not in vietnamese.lower()


@pytest.mark.parametrize(("language", "notice"), [
    ("vi", "Chỉ dùng cho nghiên cứu, không phải thiết bị y tế"), ("en", "Research use, not a medical device"),
])  # fmt: skip
def test_every_clinic_page_says_what_it_is_not(cases, tmp_path, language, notice):
    for kind in ("class", "scope", "boxes"):
        assert notice in Page(page(cases(language)[kind], tmp_path)).text


def test_pictures_carry_no_exif(cases, tmp_path):
    for kind, case in cases(place_and_time=PLACE).items():
        stored = re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", page(case, tmp_path))
        assert len(stored) == (2 if case.drawn else 1), kind
        for one in (*map(base64.b64decode, stored), case.thumbnail):
            assert b"Exif" not in one
            assert not Image.open(BytesIO(one)).getexif()


def test_place_and_time_only_where_asked_for(cases, tmp_path):
    assert "105.4" not in page(cases("en")["class"], tmp_path)
    text = Page(page(cases("en", place_and_time=PLACE)["class"], tmp_path)).text
    assert "10.3711, -105.4328" in text
    assert "2026-11-20 07:41" in text
    assert "because whoever made this page asked for it" in text
    silent = Page(page(cases("vi", place_and_time=PlaceAndTime())["class"], tmp_path)).text
    assert silent.count("Tệp ảnh không ghi") == 2


def test_texts_from_outside_are_escaped_and_in_one_form(cases, tmp_path, make, picture):
    name = unicodedata.normalize("NFD", "Ruộng số 4 <script>alert(1)</script>\n\x07 & bạn")
    text = page(cases(reference=name)["class"], tmp_path)
    assert "<script" not in text
    shown = "Ruộng số 4 &lt;script&gt;alert(1)&lt;/script&gt; &amp; bạn"
    assert unicodedata.normalize("NFC", shown) in text
    labels = (Label(id="a", vi="<b>a</b>"), Label(id="b", vi="&amp;"))
    facts = make.facts(labels=labels, texts=None)
    path = write_case(case_of(picture, make.classes(facts, 1, 0), facts, reference="1"), tmp_path)[0]
    assert "<b>a</b>" not in path.read_text("utf-8")


def test_the_date_is_the_callers(cases, tmp_path):
    assert "Ngày lập: 23/11/2026" in page(cases(made=date(2026, 11, 23))["class"], tmp_path)
    assert "Ngày lập" not in page(cases()["class"], tmp_path)


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_sheet_the_same_every_time(cases, tmp_path, language):
    for kind, case in cases(language, place_and_time=PLACE).items():
        first, again = (write_case(case, tmp_path / d, formats=("pdf",), name=kind)[0] for d in "ab")
        assert first.read_bytes() == again.read_bytes()
        assert pages_of(first) == 1
        assert b"VnvisionRoboto" not in first.read_bytes()  # the fonts are inside, under their own name
        assert first.read_bytes().count(b"/FontFile2") >= 1
        assert f"/Lang ({language})".encode() in first.read_bytes()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_longest_texts_of_the_hub_fit_on_one_sheet(make, picture, tmp_path, language):
    labels = [
        (name, label, other)
        for name, one in library().sets.items()
        for label, other in zip(one.labels, [*list(one.labels)[1:], "other"], strict=True)
    ]
    length = {  # most to say, and most documents to name
        (name, label): sum(len(x.text(language)) for x in text.statements())
        + 120 * len(sources_of(text.statements()))
        for name, one in library().sets.items()
        for label, text in one.labels.items()
    }
    labels = sorted(labels, key=lambda item: -length[item[:2]])[:6]
    tall = np.ascontiguousarray(picture.transpose(1, 0, 2))
    for name, label, other in labels:
        ids = (Label(id=label), Label(id=other))
        facts = make.facts(labels=ids, texts=name, domain=None, synthetic=True, points=(
            make.point(label, 0.1, 0.9), make.point(label, 0.2, 0.95),
        ))  # fmt: skip
        answer = make.classes(facts, 0.6, 0.4)
        heat = np.ones(tall.shape[:2], np.float32)
        case = case_of(
            tall, answer, facts, reference="x" * 120, language=language, heatmap=heat, place_and_time=PLACE
        )
        assert pages_of(write_case(case, tmp_path, formats=("pdf",))[0]) == 1, label


@needs_poppler
@pytest.mark.parametrize("language", LANGUAGES)
def test_text_that_is_far_too_long_is_cut_and_says_so(cases, tmp_path, language):
    case = cases(language)["class"]
    section = case.advice.sections[0]
    long = replace(
        section, said=tuple(replace(section.said[0], text="Lá bị đốm nâu. " * 40) for _ in range(9))
    )
    case = replace(case, advice=replace(case.advice, sections=(long, *case.advice.sections[1:])))
    path = write_case(case, tmp_path, formats=("pdf",))[0]
    assert pages_of(path) == 1
    text = pdf_text(path)
    assert {"vi": "còn nữa trong bản html", "en": "more in the html page"}[language] in text
    assert case.verdict.big in text
    absurd = replace(long, said=(replace(section.said[0], text="Lá bị đốm nâu. " * 500),))
    case = replace(case, advice=replace(case.advice, sections=(absurd,)))
    path = write_case(case, tmp_path, formats=("pdf",))[0]
    assert pages_of(path) == 1
    assert case.verdict.big in pdf_text(path)
    assert case.model.notice in pdf_text(path)


@needs_poppler
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sheet_gives_its_text_back_with_every_mark(cases, tmp_path, language):
    for kind, case in cases(language, place_and_time=PLACE).items():
        path = write_case(case, tmp_path, formats=("pdf",), name=kind)[0]
        text = " ".join(pdf_text(path).split())
        assert text == unicodedata.normalize("NFC", text)
        assert "?" not in text
        for part in (case.reference, case.model.notice, *case.model.warnings, "10.3711, -105.4328"):
            assert part in text, (kind, part)
        plain = re.sub(r"[\d,\s]", "", subprocess.run(
            ["pdftotext", "-raw", path, "-"], capture_output=True, check=True
        ).stdout.decode("utf-8"))  # fmt: skip
        assert re.sub(r"[\d,\s]", "", case.verdict.big) in plain
        for section in case.advice.sections:
            for said in section.said:
                assert re.sub(r"[\d,\s]", "", said.text) in plain
        facts = subprocess.run(["pdfinfo", path], capture_output=True, check=True).stdout.decode("utf-8")
        assert re.search(r"Pages:\s+1\b", facts)
        assert case.reference in facts
        assert "A4" in facts
        fonts = subprocess.run(["pdffonts", path], capture_output=True, check=True).stdout.decode("utf-8")
        used = [line.split() for line in fonts.splitlines()[2:] if not line.startswith("Helvetica")]
        assert [line[-5:-2] for line in used] == [
            ["yes", "yes", "yes"]
        ] * 2  # reportlab always names Helvetica


def test_letters_that_the_font_lacks_do_no_harm(cases, tmp_path):
    path = write_case(cases(reference="ca 7 田 🌱")["class"], tmp_path, formats=("pdf",))[0]
    assert pages_of(path) == 1


def test_what_cannot_be_written_is_one_line(cases, tmp_path):
    case = cases()["class"]
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot write the report to .*file: got") as caught:
        write_case(case, tmp_path / "file")
    assert "không ghi được báo cáo" in caught.value.in_both()
    with pytest.raises(ConfigError, match="unknown report format: expected html, pdf, got docx"):
        write_case(case, tmp_path, formats=("html", "docx"))
    for name in ("../case", "", ".case", "a/b"):
        with pytest.raises(ConfigError, match="cannot have this name"):
            write_case(case, tmp_path, name=name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(("package", "formats"), [("reportlab", ("pdf",)), ("jinja2", ("html",))])
def test_a_missing_package_names_its_extra_and_leaves_nothing(cases, tmp_path, monkeypatch, package, formats):
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"{package} is not installed.*vnvision\[eval\]"):
        write_case(cases()["class"], tmp_path, formats=formats)
    assert not list(tmp_path.iterdir())


def test_missing_fonts_are_one_line(cases, tmp_path, monkeypatch):
    from vnvision.report.cases import pdf_look

    def gone():
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(pdf_look, "register_fonts", gone)
    with pytest.raises(DataError, match=r"font of the PDF pages cannot be read.*install vnvision again"):
        write_case(cases()["class"], tmp_path)
    assert not list(tmp_path.iterdir())
