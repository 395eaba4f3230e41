"""Every configuration in the tree loads; the count is asserted, so that none is passed over."""

import os
import re
from pathlib import Path

import pytest
import torch

from vnvision.errors import ConfigError
from vnvision.losses.margin import build_head
from vnvision.models import build_embedder
from vnvision.models.weights import OFFLINE
from vnvision.train.config import load_config

VARIABLES = ("VNVISION_DATA", "VNVISION_FACES", "VNVISION_WEBFACE")
ROOT = Path(__file__).parents[3]
CONFIGS = sorted((ROOT / "training" / "configs").rglob("*.yaml"))


def test_the_count_is_what_we_think():
    found = [name for _, _, names in os.walk(ROOT / "training" / "configs") for name in names]
    assert len(CONFIGS) == len(found) >= 24


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_it_loads_and_needs_no_network(path, monkeypatch):
    for name in VARIABLES:
        monkeypatch.setenv(name, "/images")
    config = load_config(path)
    assert config.name == path.stem
    carried = config.backbone in OFFLINE or config.backbone == "sface"  # weights that come with a package
    assert config.weights == "none" or carried
    text = path.read_text()
    script = re.search(r"python (datasets/\w+/prepare\.py) .*?--out (\S+?)\.?\s", text)
    if (
        script and "${" not in config.data and not config.data.startswith("/images")
    ):  # the data are made by the script that the first lines name
        assert (ROOT / script[1]).is_file()
        assert config.data == f"{script[2]}/manifest.csv"
    else:
        assert any(f"${{{name}}}" in text for name in VARIABLES) or "synthetic" in text


@pytest.mark.parametrize("path", [p for p in CONFIGS if p.parent.name == "embed"], ids=lambda path: path.stem)
def test_an_embedding_config_names_a_network_and_a_head_that_can_be_built(path, monkeypatch):
    for name in VARIABLES:
        monkeypatch.setenv(name, "/images")
    config = load_config(path)
    head = build_head(config.embedding.head, **config.embedding.head_options)
    with torch.device("meta"):
        build_embedder(config.backbone, config.embedding.size, checkpointing=config.checkpointing)
    assert head.scale > 1


@pytest.mark.parametrize("path", [p for p in CONFIGS if p.parent.name == "embed"], ids=lambda path: path.stem)
def test_its_variable_is_asked_for_where_it_is_unset(path, monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="names a variable that is not set"):
        load_config(path)
