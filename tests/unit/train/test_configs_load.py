"""Every configuration in the tree loads; the count is asserted, so that none is passed over."""

from pathlib import Path

import pytest

from vnvision.models.weights import OFFLINE
from vnvision.train.config import load_config

CONFIGS = sorted((Path(__file__).parents[3] / "training" / "configs").rglob("*.yaml"))


def test_the_count_is_what_we_think():
    assert len(CONFIGS) == 11


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_it_loads_and_needs_no_network(path, monkeypatch):
    monkeypatch.setenv("VNVISION_DATA", "/images")
    config = load_config(path)
    assert config.name == path.stem
    assert config.weights == "none" or config.backbone in OFFLINE
    assert "${VNVISION_DATA}" in path.read_text() or "synthetic" in path.read_text()
