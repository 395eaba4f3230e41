from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vnvision.report
from vnvision.data.manifest import Manifest, Row
from vnvision.errors import ConfigError, DataError
from vnvision.evaluate import evaluate_logits
from vnvision.records import Calibration, EvalReport, Metric
from vnvision.report import write_report
from vnvision.report.facts import described, facts, mentions_synthetic
from vnvision.report.figures import bar, figure, with_marks
from vnvision.report.pictures import thumbnail
from vnvision.spec import Label, PreprocessSpec, TaskSpec

VOID = {"meta", "link", "input", "img", "br", "line", "circle", "path"}
LABELS = (
    Label(id="healthy", vi="Khoẻ", en="Healthy"),
    Label(id="rust", vi="Gỉ sắt", en="Rust"),
    Label(id="spot"),
)


class Page(HTMLParser):
    """Elements with attributes, visible text by language, and whether tags balance."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.texts = [], [], {"vi": [], "en": [], None: []}
        self.balanced = True
        self.feed(text)
        self.balanced &= not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, dict(attrs).get("lang")))

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        self.balanced &= bool(self.open) and self.open.pop()[0] == tag

    def handle_data(self, data):
        if self.open and self.open[-1][0] not in ("style", "title"):
            language = next((code for _, code in reversed(self.open[1:]) if code in ("vi", "en")), None)
            self.texts[language].append(" ".join(data.split()))

    def text(self, language):
        return " ".join(t for t in self.texts[language] if t)


def task_of(labels=LABELS, kind="classification"):
    score = "sigmoid" if kind == "multilabel" else "softmax"
    return TaskSpec(kind=kind, preprocess=PreprocessSpec(size_px=(64, 64)), labels=tuple(labels), score=score)


def made(root=Path("data"), n=120, labels=LABELS, seed=0, **more):
    rng = np.random.default_rng(seed)
    ids = [label.id for label in labels]
    targets = rng.integers(0, len(ids), n)
    logits = rng.normal(size=(n, len(ids))) + 1.2 * (targets[:, None] == np.arange(len(ids)))
    rows = tuple(
        Row(
            line=i + 2,
            path=f"img/{i}.png",
            label=ids[t],
            group_id=f"g{i // 3}",
            region="Huế" if i % 2 else None,
        )
        for i, t in enumerate(targets)
    )
    manifest = Manifest(rows, root, root / "manifest.csv", "ab" * 32)
    options = {"split": "test", "n_boot": 100, "data": {}, "model": {"name": "leaf"}} | more
    return evaluate_logits(logits, manifest, task_of(labels), **options)


def page_of(report, tmp_path, **options):
    return Page(write_report(report, tmp_path / "out", **options).read_text("utf-8"))


def test_writes_both_files_and_the_json_is_the_report(tmp_path):
    report = made()
    path = write_report(report, tmp_path / "a" / "b")
    assert path == tmp_path / "a" / "b" / "report.html"
    assert EvalReport.load(path.with_name("report.json")) == report
    assert sorted(p.name for p in path.parent.iterdir()) == ["report.html", "report.json"]
    assert write_report(report, tmp_path / "c").read_bytes() == path.read_bytes()


def test_page_asks_nothing_of_the_network_and_runs_nothing(tmp_path):
    report = made(tmp_path, calibration=Calibration(abstain_below=0.5))
    page = page_of(report, tmp_path, image_root=tmp_path)
    assert page.balanced
    for tag, attributes in page.elements:
        assert tag not in ("script", "iframe", "object", "embed", "form", "base")
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert attributes.get(name, "data:").startswith("data:")
        assert not any(name.startswith("on") for name in attributes)
    text = (tmp_path / "out/report.html").read_text("utf-8")
    assert "http://" not in text
    assert "https://" not in text
    assert "url(" not in text
    assert "@import" not in text
    policy = next(a["content"] for t, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


def test_says_the_same_in_both_languages_with_local_numbers(tmp_path):
    report = made()
    page = page_of(report, tmp_path)
    metric = report.metrics["accuracy"]
    value = f"{100 * metric.value:.1f}%"
    assert f"On 120 images in 40 groups of the test set, the model answered {value} correctly." in page.text(
        "en"
    )
    local = value.replace(".", ",")
    assert f"Trên 120 ảnh thuộc 40 nhóm của tập kiểm tra, mô hình trả lời đúng {local}." in page.text("vi")
    low, high = f"{100 * metric.low:.1f}", f"{100 * metric.high:.1f}%"
    assert f"{low}–{high}" in page.text("en")
    assert f"{low}–{high}".replace(".", ",") in page.text("vi")
    assert "Gỉ sắt" in page.text("vi")
    assert "Rust" in page.text("en")
    assert "spot" in page.text(None)


@pytest.mark.parametrize("language", ["vi", "en"])
def test_language_is_chosen_and_the_other_is_there(tmp_path, language):
    page = page_of(made(), tmp_path, language=language)
    assert page.elements[0] == ("html", {"lang": language})
    checked = [a["id"] for t, a in page.elements if t == "input" and "checked" in a]
    assert checked == [f"to-{language}"]
    assert page.text("vi")
    assert page.text("en")


def test_hostile_texts_are_escaped_everywhere(tmp_path):
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    labels = (Label(id=evil, vi=evil, en=evil + "e"), Label(id="ok"), Label(id="{{7*7}}"))
    report = made(
        labels=labels,
        model={"name": evil, evil: {evil: evil}, "list": [evil]},
        data={evil: {evil: 3}, "sources": [evil]},
        calibration=Calibration(fitted_on=evil, n=3),
    )
    mistakes = tuple(m.model_copy(update={"path": evil}) for m in report.mistakes)
    assert mistakes
    group = report.groups[0].model_copy(update={"column": evil, "value": evil})
    metrics = {**report.metrics, evil: Metric(value=0.5, low=0.1, high=0.9, n=3, note=evil)}
    report = report.model_copy(
        update={
            "mistakes": mistakes,
            "groups": (group,),
            "warnings": (evil,),
            "split": evil,
            "metrics": metrics,
        }
    )
    page = page_of(report, tmp_path)
    assert page.balanced
    assert "script" not in {tag for tag, _ in page.elements}
    assert all("onerror" not in attributes for _, attributes in page.elements)
    assert [a for t, a in page.elements if t == "img"] == []
    assert evil in page.text(None)
    assert "{{7*7}}" in page.text(None)
    assert "49" not in (tmp_path / "out/report.html").read_text("utf-8").split("</style>")[1].split("<h1>")[0]


def test_pictures_travel_inside_the_page_small(tmp_path):
    (tmp_path / "img").mkdir()
    report = made(tmp_path)
    first, second, third = (m.path for m in report.mistakes[:3])
    Image.new("RGB", (400, 200), (200, 30, 30)).save(tmp_path / first)
    (tmp_path / second).write_bytes(b"no picture")
    Image.fromarray(np.full((30, 20), 40000, np.uint16)).save(tmp_path / third)
    page = page_of(report, tmp_path, image_root=tmp_path)
    images = [a for t, a in page.elements if t == "img"]
    assert [image["alt"] for image in images] == [first, third]
    pictures = []
    for image in images:
        assert image["src"].startswith("data:image/jpeg;base64,")
        pictures.append(Image.open(BytesIO(base64.b64decode(image["src"].split(",")[1]))))
    assert pictures[0].size == (160, 80)
    assert pictures[1].size == (20, 30)
    assert abs(int(np.asarray(pictures[1]).mean()) - round(40000 * 255 / 65535)) <= 2
    assert "picture not included" in page.text("en")
    assert "think before passing it on" in page.text("en")
    assert "think before passing it on" not in page_of(report, tmp_path / "without").text("en")


def test_pictures_outside_the_root_are_never_read(tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "secret.png")
    root = tmp_path / "root"
    root.mkdir()
    assert thumbnail(tmp_path, "secret.png") is not None
    assert thumbnail(root, "../secret.png") is None
    assert thumbnail(root, str(tmp_path / "secret.png")) is None
    assert thumbnail(root, "absent.png") is None
    assert thumbnail(None, "secret.png") is None


def test_confusion_counts_and_row_percentages(tmp_path):
    report = made().model_copy(update={"confusion": ((30, 10, 0), (0, 0, 0), (1, 1, 78))})
    page = page_of(report, tmp_path)
    shades = [
        float(re.search(r"--shade:([\d.]+)", a["style"])[1])
        for t, a in page.elements
        if "--shade" in a.get("style", "")
    ]
    np.testing.assert_allclose(
        np.array(shades) / 0.62, [0.75, 0.25, 0, 0, 0, 0, 1 / 80, 1 / 80, 78 / 80], atol=0.002
    )
    assert "30 75% 10 25% 0" in page.text(None)


def test_synthetic_data_is_announced_first(tmp_path):
    drawn = made(data={"sources": {"vnvision synthetic leaves": 100, "phone": 20}})
    assert "Some pictures were drawn by a program." in page_of(drawn, tmp_path).text("en")
    assert "drawn by a program" not in page_of(made(data={"sources": {"phone": 1}}), tmp_path).text("en")
    assert mentions_synthetic({}, {"synthetic": True})
    assert not mentions_synthetic({}, {"synthetic": False})


def test_warnings_are_shown_in_both_languages(tmp_path):
    report = made(n=60)
    assert any(text.startswith("small test set") for text in report.warnings)
    page = page_of(report, tmp_path)
    assert "small test set: 60 images in 20 groups" in page.text("en")
    assert "tập kiểm tra nhỏ: 60 ảnh trong 20 nhóm" in page.text("vi")


def test_undefined_metrics_say_so_and_never_zero(tmp_path):
    report = made(n=1)
    page = page_of(report, tmp_path)
    assert page.balanced
    assert report.metrics["auroc"].value is None
    assert "not defined" in page.text("en")
    assert "fewer than two classes present: not defined" in page.text("en")
    assert "có ít hơn hai lớp: không xác định" in page.text("vi")
    assert "nan" not in page.text(None).lower()


def test_two_classes_name_the_question_and_show_thresholds(tmp_path):
    report = made(labels=LABELS[:2], n=200)
    page = page_of(report, tmp_path)
    assert "The yes-or-no question here: Rust." in page.text("en")
    assert "specificity 90%" in page.text("en")
    threshold = f"{report.operating_points[0].threshold:.3f}"
    assert threshold in page.text("en")
    assert "sensitivity at this threshold" in page.text("en")


def test_many_classes(tmp_path):
    labels = [Label(id=f"c{i}") for i in range(14)]
    page = page_of(made(labels=labels, n=400), tmp_path)
    assert page.balanced
    curves = [a["class"] for t, a in page.elements if t == "path" and "line" in a.get("class", "")]
    assert curves.count("line faint") == 9
    assert {"line s0", "line s4"} <= set(curves)
    assert "the other classes" in page.text("en")


def test_multilabel(tmp_path):
    rng = np.random.default_rng(0)
    truth = rng.random((150, 3)) < 0.4
    rows = tuple(
        Row(
            line=i + 2,
            path=f"{i}.png",
            group_id=f"g{i}",
            labels={k.id: int(truth[i, c]) for c, k in enumerate(LABELS)},
        )
        for i in range(150)
    )
    manifest = Manifest(rows, Path("d"), Path("d/m.csv"), "cd" * 32)
    logits = rng.normal(size=(150, 3)) + 2 * (truth - 0.5)
    report = evaluate_logits(
        logits, manifest, task_of(kind="multilabel"), split="val", n_boot=50, data={}, model={}
    )
    page = page_of(report, tmp_path)
    assert page.balanced
    assert "Multi-label classification" in page.text("en")
    assert "the validation set" in page.text("en")
    assert "Unnamed model" in page.text("en")
    assert "Rust present" in page.text("en")
    assert "no Rust" in page.text("en")
    assert "không có Gỉ sắt" in page.text("vi")
    assert "Which classes are mixed up" not in page.text("en")


def test_a_report_with_nothing_in_it(tmp_path):
    report = EvalReport(task=task_of(), split="test", n=0, n_groups=0, manifest_sha256="0" * 64, metrics={})
    page = page_of(report, tmp_path)
    assert page.balanced
    assert "On 0 images in 0 groups of the test set, accuracy is not defined." in page.text("en")
    assert "The report carries no description of the data." in page.text("en")


def test_no_metric_is_lost(tmp_path):
    report = made()
    extra = {**report.metrics, "mean_severity_error": Metric(value=0.123, n=5)}
    page = page_of(report.model_copy(update={"metrics": extra}), tmp_path)
    assert "mean severity error" in page.text(None)


def test_footnotes_say_each_note_once():
    once = Metric(value=1.0, n=5, note="one")
    rows, notes = with_marks(
        [[figure("f1", once), figure("auroc", Metric(value=1, n=5, note="two"))], [figure("f1", once)]]
    )
    assert [[f.mark for f in row] for row in rows] == [["a", "b"], ["a"]]
    assert notes == ["one", "two"]
    assert with_marks([[figure("f1", Metric(value=1, n=5))]]) == ([[figure("f1", Metric(value=1, n=5))]], [])


def test_bars_are_to_scale():
    text = bar(Metric(value=0.5, low=0.25, high=1.5, n=9), scale=2.0, guess=1.0)
    assert '<i class="tick" style="--at:0.5000">' in text
    assert '<i class="band" style="--at:0.1250;--to:0.7500">' in text
    assert '<i class="point" style="--at:0.2500">' in text
    assert bar(Metric(value=None, n=0)) == ""
    assert "band" not in bar(Metric(value=0.5, n=1))


def test_facts_of_any_shape():
    single, blocks = facts({"n": 3, "many": list(range(60)), "deep": {"a": {"x": 1}, "b": 2}, "none": None})
    shown = {fact.name: fact.value for fact in single}
    assert shown["n"] == "3"
    assert shown["many"].endswith("38, 39, +20")
    assert "not stated" in shown["none"]
    assert [(b.title, [(f.name, f.value, f.share) for f in b.facts]) for b in blocks] == [
        ("deep", [("b", "2", 1.0)]),
        ("deep: a", [("x", "1", 1.0)]),
    ]


def test_described_data_keeps_what_a_reader_needs():
    data = {
        "manifest": {"name": "m.csv", "sha256": "0" * 64, "rows": 5, "groups": 4, "rows_without_group": 0},
        "multilabel": False,
        "labels": {"a": 5},
        "splits": {"test": {"images": 5}},
        "missing": {},
        "images": {"unreadable": 0, "formats": {"JPEG": 5}, "width_px": {"min": 3, "median": 4, "max": 9}},
    }
    assert described(data) == {
        "name": "m.csv",
        "rows": 5,
        "groups": 4,
        "width_px": "3–9 px",
        "labels": {"a": 5},
        "formats": {"JPEG": 5},
    }


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def mixed(rgb, share, under):
    over = [int(v) for v in rgb.split()]
    below = [int(under[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(
        f"{round(share * o + (1 - share) * b):02x}" for o, b in zip(over, below, strict=True)
    )


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_colours_reach_aa(theme):
    style = (Path(vnvision.report.__file__).parent / "templates/style.css").read_text("utf-8")
    blocks = [
        dict(re.findall(r"--([\w-]+): ([^;]+);", block))
        for block in re.findall(r":root \{(.*?)\}", style, re.S)
    ]
    light, dark, paper = blocks
    colours = {"light": light, "dark": light | dark, "print": light | paper}[theme]
    pairs = [
        ("ink", "paper"), ("ink", "card"), ("ink", "soft"),
        ("quiet", "card"), ("quiet", "paper"), ("quiet", "soft"),
        ("accent", "card"), ("wrong", "card"), ("caution-ink", "caution-back"), ("note-ink", "note-back"),
        ("hero-ink", "hero"), ("hero-quiet", "hero"), ("hero-mark", "hero"),
    ]  # fmt: skip
    reached = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in pairs}
    assert {pair: ratio for pair, ratio in reached.items() if ratio < 4.5} == {}
    for series in ("s0", "s1", "s2", "s3", "s4"):
        assert contrast(colours[series], colours["card"]) >= 3
    for tint in ("accent-rgb", "wrong-rgb"):
        for share in np.linspace(0, 0.62, 9):
            assert contrast(colours["ink"], mixed(colours[tint], share, colours["soft"])) >= 4.5, (
                tint,
                share,
            )


def test_what_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match=r"cannot write the report to .*file") as caught:
        write_report(made(), tmp_path / "file")
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="language: expected vi or en, got fr"):
        write_report(made(), tmp_path, language="fr")


def test_json_has_no_nan(tmp_path):
    path = write_report(made(n=1), tmp_path)
    json.loads(path.with_name("report.json").read_text("utf-8"), parse_constant=lambda c: pytest.fail(c))
