"""A card's numbers loaded back: the shipped bundle, asked for the test rows of the real manifest again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vnvision.data.manifest import read_manifest
from vnvision.evaluate import evaluate
from vnvision.hub.shelf import SHIPPED, is_shipped
from vnvision.records import EvalReport
from vnvision.runtime import load_bundle

DATA = os.environ.get("VNVISION_DATA")
MANIFESTS = {"chilli": "agri/chilli", "bean": "agri/ibean", "mango": "agri/mango_bd"}

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(DATA is None, reason="VNVISION_DATA is not set"),
]


@pytest.mark.parametrize("name", sorted(MANIFESTS))
def test_the_bundle_gives_the_result_its_card_states(name):
    if not is_shipped(name):
        pytest.skip(f"{name} does not ship with this version yet")
    told = EvalReport.load(SHIPPED / name / "report.json")
    manifest = read_manifest(Path(str(DATA)) / MANIFESTS[name] / "manifest.csv")
    assert manifest.sha256 == told.manifest_sha256
    model = load_bundle(name, engine="onnxruntime", threads=1)
    found = evaluate(model, manifest, told.split, n_boot=0)
    assert found.n == told.n
    # Integer kernels differ between processors in the last bit of a sum: one picture may change sides.
    for metric in ("accuracy", "balanced_accuracy", "auroc"):
        assert found.metrics[metric].value == pytest.approx(told.metrics[metric].value, abs=1.01 / told.n * 2)
