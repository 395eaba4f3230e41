import pytest
import yaml

from vnvision.errors import ConfigError
from vnvision.train.config import load_config, parse_overrides, to_yaml


def test_every_wrong_and_unknown_key_is_listed_together():
    with pytest.raises(ConfigError) as caught:
        load_config({"data": "m.csv", "epoch": 3, "batchsize": 8, "lr": -1, "phases": [{"trian": "head"}]})
    text = str(caught.value)
    for part in (
        "epoch: unknown key",
        "batchsize: unknown key",
        "lr: Input should be greater than 0",
        "phases.0.trian",
    ):
        assert part in text
    assert "\n" not in text


def test_overrides_reach_inside_and_read_numbers_as_yaml_does_not():
    words = [
        "data=x.csv",
        "lr=3e-4",
        "ema=null",
        "augment.hflip=0.25",
        "labels=[{id: a}, {id: b}]",
        "resume=true",
    ]
    config = load_config({"augment": "crops"}, parse_overrides(words))
    assert config.lr == pytest.approx(3e-4)
    assert config.ema is None
    assert config.resume is True
    assert config.phase_augment(0).hflip == 0.25
    assert [label.id for label in config.labels] == ["a", "b"]


def test_overrides_reach_a_phase_by_number():
    config = load_config(
        {"data": "x", "phases": [{"train": "head"}, {}]}, parse_overrides(["phases.1.epochs=7"])
    )
    assert config.phase_epochs(1) == 7
    assert config.phase_epochs(0) == config.epochs


def test_words_without_equals_are_refused_together():
    with pytest.raises(ConfigError, match=r"cannot read fast slow: expected key=value"):
        parse_overrides(["fast", "lr=1", "slow"])


def test_variables_are_expanded_and_an_unset_one_is_named(monkeypatch):
    monkeypatch.setenv("VNVISION_DATA", "/images")
    assert load_config({"data": "${VNVISION_DATA}/m.csv"}).data == "/images/m.csv"
    monkeypatch.delenv("VNVISION_DATA")
    with pytest.raises(ConfigError, match=r"variable that is not set; export VNVISION_DATA=FOLDER"):
        load_config({"data": "${VNVISION_DATA}/m.csv"})


def test_the_resolved_config_trains_the_same_again():
    config = load_config(
        {"data": "x", "augment": "crops", "phases": [{"train": "head", "cache_views": 2}, {}]}
    )
    assert load_config(yaml.safe_load(to_yaml(config))) == config


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"augment": "wild"}, "unknown preset 'wild', expected one of"),
        ({"folds": 3, "fold": 3}, "fold must be below folds=3"),
        ({"phases": [{"cache_views": 2}]}, "cache_views needs a frozen part"),
        ({"phases": []}, "phases must not be empty"),
    ],
)
def test_what_does_not_go_together_is_said(values, text):
    with pytest.raises(ConfigError, match=text):
        load_config({"data": "x", **values})


def test_unreadable_files_are_one_line(tmp_path):
    with pytest.raises(ConfigError, match="cannot read config"):
        load_config(tmp_path / "none.yaml")
    bad = tmp_path / "bad.yaml"
    bad.write_text("a: [1")
    with pytest.raises(ConfigError, match="not valid YAML"):
        load_config(bad)
    bad.write_text("just words")
    with pytest.raises(ConfigError, match="not a configuration"):
        load_config(bad)


def test_adapting_norms_needs_a_frozen_part():
    with pytest.raises(ConfigError, match="adapt_norm needs a frozen part"):
        load_config({"data": "m.csv", "phases": [{"train": "all", "adapt_norm": 4}]})
