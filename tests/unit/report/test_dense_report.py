"""The page on masks and boxes: figures, charts, pictures with outlines, in both languages."""

from __future__ import annotations

import base64
import re
from io import BytesIO

import numpy as np
import pytest
from dense_planted import (
    MASK_LABELS,
    Planted,
    box_manifest,
    box_planes,
    box_task,
    mask_manifest,
    mask_task,
    one_hot,
)
from PIL import Image

from vnvision.evaluate import evaluate
from vnvision.records import Metric, Mistake
from vnvision.report import write_report
from vnvision.report.dense_charts import count_chart, nice_ticks, severity_charts
from vnvision.report.figures import figure, interval_text
from vnvision.report.outlined import outlined_picture
from vnvision.report.page import view
from vnvision.report.phrases import Quantity
from vnvision.spec import Label

SIZE = (48, 64)


def mask_report(root, labels=MASK_LABELS, n=6, **options):
    rng = np.random.default_rng(0)
    truth, answers = [], []
    for i in range(n):
        mask = np.zeros(SIZE, np.uint8)
        mask[6:40, 8:56] = 1
        mask[10 : 14 + i, 12:30] = len(labels) - 1
        truth.append(mask)
        answers.append(np.roll(mask, int(rng.integers(0, 4)), axis=1))
    answers[2] = np.where(answers[2] == len(labels) - 1, 0, answers[2])
    task = mask_task(SIZE, severity=len(labels) > 2, labels=labels)
    predictor = Planted(task, [one_hot(answer, len(labels)) for answer in answers])
    return evaluate(predictor, mask_manifest(root, truth, **options), n_boot=40)


def box_report(root, n=6):
    cells, planes = [], []
    for i in range(n):
        boxes = [(8, 8, 36, 36), (50, 10, 70, 30), (90, 50, 112, 74)][: 1 + i % 3]
        labels = ["WBC", "RBC", "RBC"][: 1 + i % 3]
        cells.append((labels, boxes))
        found = boxes if i % 2 else [*boxes, (100, 4, 120, 24)]
        planes.append(box_planes(found, [0, 1, 1, 1][: len(found)], np.linspace(0.95, 0.6, len(found)), 2))
    return evaluate(Planted(box_task(thresholds=(0.5, 0.25)), planes), box_manifest(root, cells), n_boot=40)


def text_of(html, language):
    """Visible words of a page in one language, elements and the other language cut out."""
    other = "en" if language == "vi" else "vi"
    body = re.sub(rf'<(\w+)[^>]*lang="{other}"[^>]*>.*?</\1>', " ", html[html.index("<body") :], flags=re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def written(report, tmp_path, **options):
    return write_report(report, tmp_path / "out", **options).read_text("utf-8")


def test_page_of_masks_says_the_figures_in_both_languages(tmp_path):
    report = mask_report(tmp_path, region=["Huế", "An Giang"] * 3)
    page = written(report, tmp_path, image_root=tmp_path)
    dice, mae = report.metrics["dice"].value, report.metrics["severity_mae"].value
    english, vietnamese = text_of(page, "en"), text_of(page, "vi")
    assert f"Dice of {dice:.2f} (1 is a perfect match" in english
    assert f"Dice {dice:.2f}".replace(".", ",") + " (1 là trùng khít" in vietnamese
    assert f"off by {mae:.1f} percentage points" in english
    assert f"sai trung bình {mae:.1f}".replace(".", ",") + " điểm phần trăm" in vietnamese
    for said in ("Image segmentation", "Diseased share", "HD95 (pixels)", "Where it is furthest off", "Leaf"):
        assert said in english
    for said in ("Khoanh vùng trên ảnh", "Tỉ lệ diện tích bệnh", "Những ảnh lệch nhiều nhất", "Vết bệnh"):
        assert said in vietnamese
    assert page.count('<svg class="chart"') == 4  # severity twice, Dice by size of both labels
    for name in report.metrics:
        assert f"metric.{name}" not in page
    assert "Temperature" not in english


def test_page_of_boxes_says_the_figures_in_both_languages(tmp_path):
    report = box_report(tmp_path)
    page = written(report, tmp_path, image_root=tmp_path, language="vi")
    english, vietnamese = text_of(page, "en"), text_of(page, "vi")
    recall, mae = report.metrics["recall"].value, report.metrics["count_mae"].value
    assert f"reach an mAP of {report.metrics['map50'].value:.2f}" in english
    assert f"it finds {100 * recall:.0f}% of the objects" in english
    assert f"Counts are off by {mae:.2f} objects" in english
    assert f"Số đếm lệch trung bình {mae:.2f}".replace(".", ",") in vietnamese
    assert re.search(r"White cell 0\.50 ?, Red cell 0\.25", english)
    assert re.search(r"Bạch cầu 0,50 ?, Hồng cầu 0,25", vietnamese)
    assert "Counts: Red cell" in english
    assert page.count('<svg class="chart"') == 3  # precision and recall, counts of both labels
    objects = int(report.per_class["RBC"]["n"].value)
    assert re.search(rf"Red cell Objects {objects} ", english)


def test_pictures_carry_both_outlines(tmp_path):
    report = mask_report(tmp_path)
    page = written(report, tmp_path, image_root=tmp_path)
    pictures = re.findall(r'<div class="outlined">(.*?)</div>', page, flags=re.S)
    assert len(pictures) == len(report.mistakes) > 0
    for picture in pictures:
        assert 'viewBox="0 0 64 48"' in picture
        assert picture.count('class="is-truth"') == picture.count('class="is-answer"') == 1
        data = re.search(r'src="data:image/jpeg;base64,([^"]+)"', picture)[1]
        assert Image.open(BytesIO(base64.b64decode(data))).size == (64, 48)
    assert "small copies of pictures" in page


def test_without_a_root_no_picture_is_shown(tmp_path):
    page = written(mask_report(tmp_path), tmp_path)
    assert "<img" not in page
    assert 'class="is-truth"' not in page.replace("key is-truth", "")
    assert "picture not included" in page
    assert "small copies of pictures" not in page


def test_a_picture_outside_the_root_is_never_shown(tmp_path):
    Image.new("RGB", (20, 10)).save(tmp_path / "secret.png")
    (tmp_path / "data").mkdir()
    mistake = Mistake(path="../secret.png", truth="a 1 2 3 4", answer="", probability=0.0)
    shown = outlined_picture(mistake, "detection", tmp_path / "data")
    assert (shown.uri, shown.drawn) == (None, "")
    inside = outlined_picture(mistake.model_copy(update={"path": "secret.png"}), "detection", tmp_path)
    assert inside.uri.startswith("data:image/jpeg;base64,")
    assert 'viewBox="0 0 20 10"' in inside.drawn
    assert "1 true, 0 marked" in inside.confidence


def test_outlines_that_are_none_are_not_drawn_and_text_is_escaped(tmp_path):
    Image.new("RGB", (20, 10)).save(tmp_path / "a.png")
    for text in ("rust", '"><script>alert(1)</script>', "<b> 1 2 3 4"):
        mistake = Mistake(path="a.png", truth=text, answer=text, probability=0.4)
        drawn = outlined_picture(mistake, "segmentation", tmp_path).drawn
        assert "script" not in drawn
        assert "<b>" not in drawn


def test_page_asks_nothing_of_the_network(tmp_path):
    for report in (mask_report(tmp_path / "m"), box_report(tmp_path / "b")):
        page = written(report, tmp_path)
        assert "http://" not in page
        assert "https://" not in page
        assert "<script" not in page
        assert re.findall(r'(?:src|href)="(?!data:)', page) == []


def test_one_label_needs_no_table_of_labels_and_no_fault_no_gallery(tmp_path):
    report = mask_report(tmp_path, labels=MASK_LABELS[:2])
    assert view(report, None, "en")["per_class"] == []
    missed = report.metrics["missed"].value
    assert missed == pytest.approx(1 / 6)
    page = text_of(written(report, tmp_path), "en")
    assert "On 17% of the images with something to mark it marked nothing." in page
    assert "marked nothing." not in text_of(written(mask_report(tmp_path / "two"), tmp_path), "en")
    good = report.model_copy(update={"mistakes": ()})
    assert "There is no picture with a fault." in text_of(written(good, tmp_path), "en")


def test_an_undefined_headline_is_said(tmp_path):
    report = mask_report(tmp_path)
    nothing = Metric(value=None, n=0, note="no image holds this label: not defined")
    bare = report.model_copy(update={"metrics": {"dice": nothing}, "curves": {}, "per_class": {}})
    page = written(bare, tmp_path)
    assert "the main figure is not defined" in text_of(page, "en")
    assert "không ảnh nào có nhãn này" in text_of(page, "vi")
    assert '<svg class="chart"' not in page


def test_a_figure_that_no_table_names_is_not_lost(tmp_path):
    report = box_report(tmp_path)
    more = report.model_copy(update={"metrics": report.metrics | {"new_figure": Metric(value=0.25, n=3)}})
    assert "new figure" in written(more, tmp_path)


def test_signed_and_unbounded_figures():
    bias = Metric(value=-0.376, low=-0.5, high=0.26, n=9)
    assert figure("count_bias", bias).bar == ""
    assert "−0.38" in figure("count_bias", bias).value
    assert interval_text(bias, "signed", "en") == "−0.50 – +0.26"
    assert interval_text(bias, "signed_tenth", "vi") == "−0,5 – +0,3"
    assert "<i" in figure("dice", Metric(value=0.4, n=9)).bar
    assert Quantity(1234.56, "tenth").text("en") == "1,234.6"
    assert Quantity(1234.56, "tenth").text("vi") == "1.234,6"


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (0, 0.03), (-13.2, 7.9), (0, 80), (3, 3), (0, 1e-12), (0, 12345)]
)
def test_ticks_are_few_round_and_reach_around(low, high):
    ticks = nice_ticks(low, high)
    assert ticks[0] <= low + 1e-9
    assert ticks[-1] >= high - 1e-9
    assert 2 <= len(ticks) <= 8
    steps = np.diff(ticks)
    np.testing.assert_allclose(steps, steps[0])
    assert float(f"{steps[0]:.0e}"[0]) in (1, 2, 5)


def test_equal_counts_are_one_larger_dot():
    chart = count_chart(Label(id="RBC"), [(3, 3)] * 9 + [(3, 2)])
    radii = sorted(float(r) for r in re.findall(r'<circle[^>]*r="([\d.]+)"', chart.svg))
    assert len(radii) == 2
    assert radii[1] > 1.5 * radii[0]


def test_bland_altman_lines_lie_where_the_metrics_say():
    metrics = {
        "severity_bias": Metric(value=5.0, n=3),
        "severity_loa_low": Metric(value=-5.0, n=3),
        "severity_loa_high": Metric(value=15.0, n=3),
    }
    svg = severity_charts([(0.1, 0.15), (0.4, 0.45), (0.2, 0.3)], metrics)[1].svg
    level = float(re.search(r'<line class="level"[^>]*y1="([\d.]+)"', svg)[1])
    limits = [float(y) for y in re.findall(r'<line class="limit"[^>]*y1="([\d.]+)"', svg)]
    assert len(limits) == 2
    assert level == pytest.approx(np.mean(limits), abs=0.2)
    assert min(limits) < level < max(limits)
