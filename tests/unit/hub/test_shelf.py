"""Names and folders of models: what ships goes first, and no name leads anywhere else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from hub_standins import stand_in

from vnvision.errors import BundleError, ConfigError
from vnvision.hub import shelf
from vnvision.runtime import load_bundle


@pytest.fixture
def shelves(tmp_path, monkeypatch):
    """Two shelves: mango and bean ship, the user has chilli and a bean of their own."""
    monkeypatch.setattr(shelf, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setenv(shelf.VARIABLE, str(tmp_path / "own"))
    monkeypatch.chdir(tmp_path)
    for place, name in (("shipped", "mango"), ("shipped", "bean"), ("own", "chilli"), ("own", "bean")):
        stand_in(tmp_path / place / name, name, seed=len(place))
    return tmp_path


def test_shipped_names_go_first_and_cannot_be_taken(shelves):
    assert shelf.model_names() == {
        "bean": shelves / "shipped" / "bean",
        "mango": shelves / "shipped" / "mango",
        "chilli": shelves / "own" / "chilli",
    }
    assert shelf.model_folder("chilli") == shelves / "own" / "chilli"
    assert shelf.is_shipped("bean")
    assert not shelf.is_shipped("chilli")


def test_half_copies_and_strangers_on_the_shelf_are_passed_over(shelves):
    own = shelves / "own"
    (own / ".chilli.x1.tmp").mkdir()
    (own / ".chilli.x1.tmp" / "manifest.json").write_text("{}")
    (own / "empty").mkdir()
    (own / "Upper").mkdir()
    (own / "Upper" / "manifest.json").write_text("{}")
    (own / "file").write_text("")
    assert set(shelf.model_names()) == {"bean", "mango", "chilli"}


def test_a_folder_of_that_path_wins(shelves):
    mine = stand_in(shelves / "mango", "mango", seed=9)
    assert shelf.resolve("mango") == Path("mango")
    assert load_bundle("mango").engine.path.resolve().is_relative_to(mine)
    (mine / "manifest.json").unlink()
    assert shelf.resolve("mango") == shelves / "shipped" / "mango"


def test_load_bundle_takes_names(shelves):
    assert load_bundle("chilli").name == "chilli"
    assert load_bundle(Path("mango")).engine.path.is_relative_to(shelves / "shipped")
    assert load_bundle("own/bean").engine.path.parent == Path("own/bean")


def test_an_unknown_name_lists_those_like_it(shelves):
    with pytest.raises(BundleError) as caught:
        load_bundle("mangos")
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(
        "there is no model called mangos, and no folder of that path: expected such as mango"
    )
    assert "vnvision models add BUNDLE --name NAME" in line
    assert "mango; xem" in caught.value.vietnamese
    with pytest.raises(BundleError, match="expected one of bean, mango, chilli"):
        shelf.model_folder("zzz")


def test_without_any_model_the_line_says_how_to_add_one(tmp_path, monkeypatch):
    monkeypatch.setattr(shelf, "SHIPPED", tmp_path / "none")
    monkeypatch.setenv(shelf.VARIABLE, str(tmp_path / "nothing"))
    with pytest.raises(BundleError, match=r"no model called durian.*models add BUNDLE"):
        shelf.resolve("durian")


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "../own/chilli", "own/chilli", "a\\b", "C:", "Mango", "xoài", "1mango", "a" * 42, "a b",
     "mango\n", "mango.", "mango\0", "-mango", "con", "nul", "com1"],
)  # fmt: skip
def test_what_cannot_be_a_name(shelves, text):
    assert not shelf.is_name(text)
    with pytest.raises(ConfigError, match="a model cannot have this name: expected a small letter"):
        shelf.model_folder(text)
    with pytest.raises(ConfigError, match="a model cannot have this name"):
        shelf.checked_name(text)


@pytest.mark.parametrize("text", ["mango", "a", "leaf_severity", "m2-s", "a" * 41])
def test_what_can_be_a_name(text):
    assert shelf.checked_name(text) == text


def test_auto_names_no_model(shelves):
    with pytest.raises(ConfigError, match="other than auto, got 'auto'"):
        shelf.checked_name("auto")
    assert shelf.resolve("auto") == Path("auto")


def test_paths_that_are_no_bundle_say_so(shelves):
    for path in ("own", "own/nothing", "./mangos"):
        with pytest.raises(BundleError, match="is not a bundle"):
            load_bundle(path)


def test_what_is_neither_a_name_nor_a_path(shelves):
    for text in ("x" * 5000, "a\0b"):
        with pytest.raises((BundleError, ConfigError), match=r"cannot have this name|is not a bundle"):
            load_bundle(text)


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({"VNVISION_MODELS": "/a/m"}, "/a/m"),
        ({"VNVISION_MODELS": "/a/m", "VNVISION_HOME": "/h", "XDG_DATA_HOME": "/x"}, "/a/m"),
        ({"VNVISION_HOME": "/h", "XDG_DATA_HOME": "/x"}, "/h/models"),
        ({"VNVISION_HOME": "~/h", "HOME": "/u"}, "/u/h/models"),
        ({"XDG_DATA_HOME": "/x"}, "/x/vnvision/models"),
        ({"XDG_DATA_HOME": "/x", "LOCALAPPDATA": "/l"}, "/x/vnvision/models"),
        ({"HOME": "/u"}, "/u/.local/share/vnvision/models"),
    ],
)
def test_where_the_users_models_lie(monkeypatch, variables, wanted):
    if sys.platform == "win32":
        pytest.skip("other folders there")
    for name in ("VNVISION_MODELS", "VNVISION_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert shelf.user_folder() == Path(wanted)


def test_auto_opens_the_router_or_says_that_there_is_none(shelves):
    with pytest.raises(BundleError, match="no router, so there is no model called auto; name the model"):
        load_bundle("auto")
    stand_in(shelves / "shipped" / "router", "router")
    router = load_bundle("auto", engine="onnxruntime", threads=1)
    assert router.experts == {"mango", "bean"}, "labels of the router that are models"
    assert router.chooser.engine.path.parent == shelves / "shipped" / "router"
    mine = stand_in(shelves / "auto", "auto")
    assert load_bundle("auto").engine.path.resolve().is_relative_to(mine), "a folder of that path wins"
