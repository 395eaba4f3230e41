"""The models that come with the package: small, licensed, told honestly, answering as when proven."""

from __future__ import annotations

import json

import numpy as np
import pytest

from vnvision.export.card_file import card_of
from vnvision.export.result import TOLERANCES
from vnvision.hub.cards import card
from vnvision.hub.catalogue import functions
from vnvision.hub.provenance import check_bundle
from vnvision.hub.shelf import SHIPPED
from vnvision.records import BundleManifest, EvalReport
from vnvision.runtime import load_bundle

NAMES = sorted(folder.name for folder in SHIPPED.glob("*") if folder.is_dir())
MOST_MB, MOST_MB_EACH = 45, 5


@pytest.fixture(params=NAMES)
def shipped(request):
    return SHIPPED / request.param


@pytest.mark.skipif(not NAMES, reason="no model ships with this version yet")
def test_together_they_are_small():
    sizes = [file.stat().st_size for file in SHIPPED.rglob("*") if file.is_file()]
    assert sum(sizes) / 1e6 <= MOST_MB


def test_each_may_ship(shipped):
    assert check_bundle(shipped) == []
    manifest = BundleManifest.load(shipped / "manifest.json")
    assert manifest.name == shipped.name
    assert list(manifest.targets) == ["onnx-int8"]
    weights = sum(file.stat().st_size for file in (shipped / "onnx-int8").iterdir())
    assert weights / 1e6 <= MOST_MB_EACH
    assert manifest.targets["onnx-int8"].judged is not None


def test_its_card_is_rendered_from_it_in_both_languages(shipped):
    text = (shipped / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card_of(shipped) == text
    assert text.index("## Tiếng Việt") < text.index("## English")
    if card(shipped.name).status == "experimental":
        first = text.index("## Tiếng Việt")
        assert "thử nghiệm" in text[first : first + 400].lower()


def test_it_answers_as_when_it_was_proven(shipped):
    model = load_bundle(shipped, engine="onnxruntime", threads=1)
    with np.load(shipped / model.manifest.golden) as golden:
        images, wanted = golden["images"], golden["outputs"]
    found = model.logits_of_crops(list(images))
    spread = np.abs(wanted - wanted.mean()).max()
    assert np.abs(found - wanted).max() <= 2 * TOLERANCES["int8"].relative * spread
    model.close()


def test_the_catalogue_prints_what_its_report_says(shipped):
    rows = [one for one in functions() if one.id == shipped.name and one.figure is not None]
    if shipped.name in ("router", "rice") or not rows:
        pytest.skip("its figure is of a benchmark of its own")
    report = EvalReport.load(shipped / "report.json")
    found = (card(shipped.name).headline, "accuracy", "dice", "map50")
    metric = next(report.metrics[name] for name in found if name in report.metrics)
    figure = rows[0].figure
    assert float(figure.value) == pytest.approx(metric.value, abs=6e-4)
    assert float(figure.low) == pytest.approx(metric.low, abs=6e-4)
    assert float(figure.high) == pytest.approx(metric.high, abs=6e-4)


def test_looks_at_the_test_split_are_told(shipped):
    told = json.loads((shipped / "manifest.json").read_text())["provenance"]
    if not card(shipped.name).looks:
        pytest.skip("no public test split")
    assert set(told["test_looks"]["sets"]) == set(card(shipped.name).looks)
