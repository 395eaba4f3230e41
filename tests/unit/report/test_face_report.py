"""The face report as a page, a PDF and JSON: nothing from outside, both languages, the right numbers."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from vnvision.errors import ConfigError, DataError, MissingExtraError
from vnvision.evaluate.faces import FaceReport, evaluate_faces
from vnvision.evaluate.faces.pair_lists import pairs_in_order
from vnvision.faces.embedded import EmbeddedFaces
from vnvision.metrics.differential import CrossGroupRate, DifferentialReport, GroupRates
from vnvision.records import Metric
from vnvision.report.faces import write_face_report
from vnvision.report.faces.axes import Scale, decades_around
from vnvision.report.faces.drawing import Dot, Line, Rect, Text
from vnvision.report.faces.group_charts import cross_chart, rates_chart, tone
from vnvision.report.faces.headline import headline
from vnvision.report.faces.words import tell
from vnvision.report.phrases import local

VOID = {"meta", "link", "input", "img", "br", "line", "circle", "path", "rect"}


class Page(HTMLParser):
    """Elements, whether tags balance, and visible text by language."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.balanced = [], [], True
        self.texts = {"vi": [], "en": [], None: []}
        self.feed(text)
        self.balanced &= not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, dict(attrs).get("lang")))

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            self.balanced &= bool(self.open) and self.open.pop()[0] == tag

    def handle_data(self, data):
        if self.open and self.open[-1][0] not in ("style", "title"):
            code = next((code for _, code in reversed(self.open[1:]) if code in ("vi", "en")), None)
            self.texts[code].append(" ".join(data.split()))

    def text(self, language):
        return " ".join(text for text in self.texts[language] if text)


def faces_of(people=36, each=3, names=("korean", "chinese"), failed=(0,)):
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(people), each)
    raw = rng.normal(size=(people, 16))[who] + 0.8 * rng.normal(size=(len(who), 16)) + 0.5
    embeddings = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)
    reasons = tuple("no face" if i in failed else "" for i in range(len(who)))
    columns = {
        "identity": tuple(f"p{i}" for i in who),
        "group": tuple(names[i % len(names)] for i in who),
    }
    paths = tuple(f"{i}.jpg" for i in range(len(who)))
    return EmbeddedFaces(embeddings, paths, reasons, columns, "yunet+sface", "ab" * 32)


def pairs_report():
    faces = faces_of(people=40, each=2, failed=())
    return evaluate_faces(faces, "lfw", pairs=pairs_in_order([True, False] * 20), n_boot=20, name="ten folds")


REPORTS = {
    "groups": lambda: evaluate_faces(faces_of(), "all-pairs", group="group", reference="chinese", fmr=0.01),
    "plain": lambda: evaluate_faces(faces_of(), "all-pairs"),
    "one group": lambda: evaluate_faces(faces_of(names=("all",)), "all-pairs", group="group"),
    "no error": lambda: evaluate_faces(faces_of(), "all-pairs", group="group", threshold=1.0),
    "search": lambda: evaluate_faces(faces_of(), "1n"),
    "pairs": pairs_report,
}


@pytest.fixture(scope="module", params=REPORTS)
def report(request):
    return REPORTS[request.param]()


def page_of(report, folder, **options):
    return Page(write_face_report(report, folder, pdf=False, **options).read_text("utf-8"))


def test_writes_three_files_the_same_every_time_and_the_json_is_the_report(tmp_path, report):
    path = write_face_report(report, tmp_path / "a" / "b")
    assert sorted(file.name for file in path.parent.iterdir()) == ["report.html", "report.json", "report.pdf"]
    assert FaceReport.load(path.with_name("report.json")) == report
    again = write_face_report(report, tmp_path / "c")
    assert again.read_bytes() == path.read_bytes()
    assert again.with_name("report.pdf").read_bytes() == path.with_name("report.pdf").read_bytes()


def test_the_page_asks_nothing_of_the_network_and_runs_nothing(tmp_path, report):
    page = page_of(report, tmp_path)
    assert page.balanced
    for tag, attributes in page.elements:
        assert tag not in ("script", "iframe", "object", "embed", "form", "base")
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert attributes.get(name, "data:").startswith("data:")
        assert not any(name.startswith("on") for name in attributes)
    text = (tmp_path / "report.html").read_text("utf-8")
    for word in ("http://", "https://", "url(", "@import"):
        assert word not in text
    policy = next(a["content"] for t, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "nan" not in re.sub(r"<style>.*</style>", "", text, flags=re.S).lower().split()


def test_no_english_is_left_in_the_vietnamese_and_none_the_other_way(tmp_path, report):
    page = page_of(report, tmp_path)
    words = ("comparison", "people", "threshold", "interval", "false match", "recognised", "images")
    assert not [word for word in words if word in page.text("vi").lower()]
    assert not re.search("[ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽềểễệ]", page.text("en").lower())
    assert not re.search(r"\d\.\d(?!\d\d)", page.text("vi")), "a decimal point in Vietnamese"


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_language_is_chosen_and_the_other_is_there(tmp_path, language):
    page = page_of(REPORTS["plain"](), tmp_path, language=language)
    assert page.elements[0] == ("html", {"lang": language})
    assert [a["id"] for t, a in page.elements if t == "input" and "checked" in a] == [f"to-{language}"]
    assert page.text("vi")
    assert page.text("en")


def test_names_from_outside_are_escaped(tmp_path):
    faces = faces_of(names=("<b>x</b>", "&amp"))
    report = evaluate_faces(
        faces, "all-pairs", group="group", threshold=0.7, name="<script>alert(1)</script>"
    )
    path = write_face_report(report, tmp_path)
    text = path.read_text("utf-8")
    assert "<script" not in text
    assert "<b>x</b>" not in text
    assert "&lt;b&gt;x&lt;/b&gt;" in text
    assert Page(text).balanced


def made(rows, reference="ref", cross=()):
    groups = tuple(
        GroupRates(
            group=name,
            n_subjects=100,
            n_images=300,
            fmr=Metric(value=fmr[1], low=fmr[0], high=fmr[2], n=10000),
            fnmr=Metric(value=0.02, low=0.01, high=0.04, n=300),
            fmr_ratio=None if ratio is None else Metric(value=ratio[1], low=ratio[0], high=ratio[2], n=10000),
        )
        for name, fmr, ratio in rows
    )
    return DifferentialReport(threshold=0.4, reference=reference, groups=groups, cross=cross)


WORSE = ("korean", (0.006, 0.009, 0.0127), (6.0, 9.004, 13.1))
REFERENCE = ("ref", (0.0008, 0.001, 0.0012), None)


def with_groups(*rows, cross=()):
    return REPORTS["groups"]().model_copy(
        update={
            "differential": made(rows, cross=cross),
            "operating": REPORTS["groups"]().operating.model_copy(update={"target_fmr": 1e-3}),
        }
    )


def test_the_first_sentence_says_how_many_of_a_thousand_and_how_many_times():
    leads = headline(with_groups(REFERENCE, WORSE)).leads
    assert local(leads[0], "en") == (
        "At this threshold, 9.0 of 1,000 comparisons of different people in the group Korean are called the "
        "same person: 9.0 times the reference group (ref)."
    )
    assert local(leads[0], "vi") == (
        "Ở ngưỡng này, cứ 1.000 lần so sánh hai người khác nhau trong nhóm Hàn Quốc thì 9,0 lần bị coi là "
        "cùng một người: gấp 9,0 lần nhóm tham chiếu (ref)."
    )
    assert "and does not hold 1" in local(leads[1], "en")
    assert "6.0 to 13" in local(leads[1], "en")


def test_a_ratio_whose_interval_holds_1_is_called_uncertain():
    found = headline(with_groups(REFERENCE, ("korean", (0.0004, 0.0013, 0.003), (0.4, 1.3, 3.1))))
    assert "cannot tell" in local(found.leads[1], "en")
    assert found.tone == "like"


def test_no_group_worse_than_the_reference_is_said_so():
    found = headline(with_groups(REFERENCE, ("korean", (0.0002, 0.0005, 0.0007), (0.3, 0.5, 0.8))))
    assert local(found.leads[0], "en").startswith("No group is mistaken for somebody else more often than")
    assert local(found.big, "en") == "×0.50"


def test_without_an_error_in_the_reference_no_ratio_is_made_up():
    undefined = GroupRates(
        group="korean",
        n_subjects=9,
        n_images=18,
        fmr=Metric(value=0.002, low=0.001, high=0.004, n=1000),
        fnmr=Metric(value=0.0, n=9),
        fmr_ratio=Metric(value=None, n=1000, note="no error in the reference group: no ratio"),
    )
    reference = made([("ref", (0.0, 0.0, 0.001), None)]).groups[0]
    groups = DifferentialReport(threshold=0.4, reference="ref", groups=(undefined, reference), cross=())
    found = headline(with_groups(REFERENCE).model_copy(update={"differential": groups}))
    assert "shows no false match, so no ratio" in local(found.leads[0], "en")
    assert "2.0 of 1,000" in local(found.leads[0], "en")


def test_no_false_match_at_all_is_not_told_as_a_rate(tmp_path):
    page = page_of(REPORTS["no error"](), tmp_path)
    n = {row.group: row.fmr.n for row in REPORTS["no error"]().differential.groups}
    assert f"Korean: none of {n['korean']:,} comparisons of different people is called the" in page.text("en")
    plain = evaluate_faces(faces_of(), "all-pairs", threshold=1.0)
    assert local(headline(plain).leads[0], "en").startswith("At this threshold, none of 5,")


def test_dots_and_whiskers_lie_where_the_numbers_are():
    groups = made([REFERENCE, WORSE])
    drawing = rates_chart(groups, tell("on_fmr"), 1000, lambda row: row.fmr, lambda row: row.fmr_ratio)
    ticks = {
        local(shape.say, "en"): shape.x
        for shape in drawing.shapes
        if isinstance(shape, Text) and shape.css == "tick"
    }
    decade = ticks["10"] - ticks["1"]
    dots = {shape.css: shape.x for shape in drawing.shapes if isinstance(shape, Dot)}
    assert dots["rate worse"] == pytest.approx(ticks["1"] + decade * math.log10(9))
    assert dots["rate own"] == pytest.approx(ticks["1"])
    whisker = next(
        s for s in drawing.shapes if isinstance(s, Line) and s.css == "whisker worse" and s.y1 == s.y2
    )
    assert whisker.x1 == pytest.approx(ticks["1"] + decade * math.log10(6))
    assert whisker.x2 == pytest.approx(ticks["1"] + decade * math.log10(12.7))
    (limit,) = [shape for shape in drawing.shapes if isinstance(shape, Line) and shape.css == "limit"]
    assert limit.x1 == limit.x2 == dots["rate own"]
    words = [local(shape.say, "en") for shape in drawing.shapes if isinstance(shape, Text)]
    assert "×9.0" in words
    assert words.index("Korean") < words.index("ref"), "the worst group comes first"


def test_a_group_without_a_false_match_gets_a_hollow_dot_and_its_upper_bound():
    groups = made([REFERENCE, ("none", (0.0, 0.0, 0.002), (0.0, 0.0, 2.0))])
    drawing = rates_chart(groups, tell("on_fmr"), 1000, lambda row: row.fmr, lambda row: row.fmr_ratio)
    assert [shape.css for shape in drawing.shapes if isinstance(shape, Dot)] == ["rate own", "hollow like"]
    assert "none seen" in [local(s.say, "en") for s in drawing.shapes if isinstance(s, Text)]


def test_the_cross_table_is_symmetric_darker_for_more_and_says_what_was_not_compared():
    one = Metric(value=0.0013, low=0.0007, high=0.002, n=9000)
    none = Metric(value=None, n=0)
    cross = (
        CrossGroupRate(first="korean", second="ref", fmr=one, fmr_ratio=Metric(value=1.3, n=9000)),
        CrossGroupRate(first="far", second="ref", fmr=none, fmr_ratio=none),
        CrossGroupRate(first="far", second="korean", fmr=none, fmr_ratio=none),
    )
    rows = [REFERENCE, WORSE, ("far", (0.001, 0.002, 0.003), (1.0, 2.0, 3.0))]
    drawing = cross_chart(made(rows, cross=cross), 1000)
    words = [local(shape.say, "en") for shape in drawing.shapes if isinstance(shape, Text)]
    assert words.count("not compared") == 4
    assert words.count("1.3") == 2
    shades = [shape.shade for shape in drawing.shapes if isinstance(shape, Rect) and shape.css == "cell"]
    values = [1.0, 1.3, 1.3, 9.0, 2.0]
    assert sorted(range(5), key=shades.__getitem__) == sorted(range(5), key=values.__getitem__)


def test_tones_follow_the_interval_of_the_ratio():
    assert tone(None) == "own"
    assert tone(Metric(value=2, low=1.1, high=3, n=1)) == "worse"
    assert tone(Metric(value=0.5, low=0.2, high=0.9, n=1)) == "better"
    assert tone(Metric(value=2, low=0.9, high=3, n=1)) == "like"
    assert tone(Metric(value=None, n=1)) == "like"


def test_scales():
    scale = Scale(0.1, 100, 0, 300, log=True)
    assert [scale(v) for v in (0.1, 1, 10, 100, 0, 1e9)] == pytest.approx([0, 100, 200, 300, 0, 300])
    assert scale.decades() == pytest.approx([0.1, 1, 10, 100])
    assert decades_around([0.3, 25]) == (0.1, 100)
    assert decades_around([1.0]) == (0.1, 1.0)
    assert decades_around([0.0]) == (1, 10)
    assert decades_around([300], most=1000) == (100, 1000)


def test_all_warnings_are_shown_in_both_languages(tmp_path):
    report = REPORTS["groups"]()
    page = page_of(report, tmp_path)
    assert "1 of 108 images gave no template and are in no comparison" in page.text("en")
    assert "1 trên 108 ảnh không lấy được mẫu và không nằm trong phép so sánh nào" in page.text("vi")
    small = [text for row in report.differential.groups for text in row.warnings]
    assert small
    for text in small:
        assert text in page.text("en")
    assert "không thấy khuôn mặt" in page.text("vi")


def test_the_threshold_says_where_it_comes_from(tmp_path):
    assert "FMR 0.01 on the group Chinese" in page_of(REPORTS["groups"](), tmp_path).text("en")
    assert "FMR 0,01 trên nhóm Trung Quốc" in page_of(REPORTS["groups"](), tmp_path).text("vi")
    assert "FMR 0.001 on all comparisons" in page_of(REPORTS["plain"](), tmp_path).text("en")
    assert "given by the user" in page_of(REPORTS["no error"](), tmp_path).text("en")


# --- PDF --------------------------------------------------------------------------------------------


def test_the_pdf_has_its_fonts_inside_and_both_languages(tmp_path, report):
    path = write_face_report(report, tmp_path, language="vi").with_name("report.pdf")
    data = path.read_bytes()
    assert data.startswith(b"%PDF-")
    assert data.count(b"/FontFile2") >= 2
    assert b"/URI" not in data
    if not shutil.which("pdftotext"):
        pytest.skip("pdftotext, which reads the PDF back, is not installed")
    text = subprocess.run(
        ["pdftotext", "-layout", path, "-"], capture_output=True, check=True
    ).stdout.decode()
    vi, en = text.find("Báo cáo nhận diện khuôn mặt"), text.find("Face recognition report")
    assert -1 < vi < en
    flat = " ".join(text.split())
    assert "Đo như thế nào" in flat
    assert "How it was measured" in flat


def test_many_groups_and_many_warnings_go_on_on_the_next_page(tmp_path):
    faces = faces_of(people=120, each=2, names=[f"group {i}" for i in range(60)])
    report = evaluate_faces(faces, "all-pairs", group="group", threshold=0.7)
    assert sum(len(row.warnings) for row in report.differential.groups) > 100
    data = write_face_report(report, tmp_path).with_name("report.pdf").read_bytes()
    assert data.count(b"/Type /Page\n") > 8


def test_the_font_has_every_letter_of_every_text():
    reportlab = pytest.importorskip("reportlab.pdfbase.ttfonts")
    from importlib import resources

    from vnvision.report.faces.texts import NOTES, TEXTS
    from vnvision.report.texts import NOTES as SHARED

    texts = [text for pair in TEXTS.values() for text in pair] + [*NOTES.values(), *SHARED.values(), "×•−–·"]
    wanted = {ord(letter) for text in texts for letter in text if letter != "\n"}
    for name in ("Roboto-Regular.ttf", "Roboto-Bold.ttf"):
        font = resources.files("vnvision.report") / "fonts" / name
        with font.open("rb") as stream:
            glyphs = reportlab.TTFont(name, stream).face.charToGlyph
        assert {chr(code) for code in wanted - set(glyphs)} == set()


def test_the_font_comes_with_its_licence():
    from importlib import resources

    folder = resources.files("vnvision.report") / "fonts"
    assert "Apache License" in (folder / "LICENSE.txt").read_text("utf-8")
    assert all(len((folder / f"Roboto-{cut}.ttf").read_bytes()) < 400_000 for cut in ("Regular", "Bold"))


# --- what can go wrong ------------------------------------------------------------------------------


def test_an_unknown_language_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="language: expected vi or en, got fr"):
        write_face_report(REPORTS["plain"](), tmp_path, language="fr")


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot write the report to .*file"):
        write_face_report(REPORTS["plain"](), tmp_path / "file", pdf=False)


@pytest.mark.parametrize("package", ["jinja2", "reportlab"])
def test_a_missing_package_names_its_extra(tmp_path, monkeypatch, package):
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=f"{package} is not installed; .*vnvision.eval."):
        write_face_report(REPORTS["plain"](), tmp_path)
    assert not list(tmp_path.iterdir())
