"""A typo in the texts is an error that names its place, and all of them come together."""

from __future__ import annotations

from pathlib import Path

import pytest

from vnvision.errors import ConfigError
from vnvision.hub import domain_notice, label_text, review_notice
from vnvision.hub import knowledge as module
from vnvision.hub.library import load_library

SOURCES = 'sources:\n  book: {institution: FAO, title: "A book", year: 2010}\n'
LEAF = """set: agri/durian
domain: crop
reviewed_by: none
labels:
  spot:
    names: {vi: đốm lá, en: leaf spot, scientific: Fungus fungi}
    what: &one
      - {vi: Một câu., en: A sentence., sources: [book]}
    look_for: *one
    call_for_help: *one
    care: []
"""


def folder(tmp_path: Path, leaf: str = LEAF, sources: str = SOURCES, **more: str) -> Path:
    for name, text in {"sources": sources, "durian": leaf, **more}.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def problem(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_library(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_right_folder_reads(tmp_path: Path) -> None:
    library = load_library(folder(tmp_path))
    label = library.sets["agri/durian"].labels["spot"]
    assert (label.name("vi"), label.name("en"), label.scientific_name) == (
        "đốm lá",
        "leaf spot",
        "Fungus fungi",
    )
    assert label.what[0].text("vi") == "Một câu."
    assert library.sources["book"].text == "FAO, A book, 2010"
    assert type(library).from_json(library.to_json()) == library


def test_every_typo_is_listed(tmp_path: Path) -> None:
    leaf = (
        LEAF.replace("care:", "cares:")
        .replace("vi: đốm lá", "vn: đốm lá")
        .replace("domain: crop", "domain: farm")
    )
    text = problem(folder(tmp_path, leaf, SOURCES.replace("year: 2010", "yaer: 2010")))
    assert "durian.yaml: " in text
    assert "labels.spot.cares: unknown key" in text
    assert "labels.spot.name_vn: unknown key" in text
    assert "labels.spot.name_vi: Field required" in text
    assert "Input should be 'crop' or 'clinic'" in text
    assert "sources.yaml: book: year: Field required; yaer: unknown key" in text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("sources: [book]", "sources: [bok]", "durian.yaml: labels.spot.what: unknown source bok"),
        ("sources: [book]", "sources: []", "labels.spot.what.0.sources: Tuple should have at least 1 item"),
        ("vi: Một câu., ", "", "labels.spot.what.0.vi: Field required"),
        ("en: A sentence.", "en: ''", "labels.spot.what.0.en: String should have at least 1 character"),
        ("look_for: *one", "look_for: []", "labels.spot.look_for: Tuple should have at least 1 item"),
        ("reviewed_by: none\n", "", "durian.yaml: reviewed_by: Field required"),
        ("set: agri/durian\n", "", "durian.yaml: name: Input should be a valid string"),
        (
            "    care: []",
            "    care: []\n    care: []",
            "durian.yaml: cannot be read (line 6: given twice: care)",
        ),
        ("names: {", "names: [", "durian.yaml: cannot be read ("),
    ],
)
def test_one_fault(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in LEAF
    assert said in problem(folder(tmp_path, LEAF.replace(old, new)))


def test_a_set_given_twice(tmp_path: Path) -> None:
    assert "set agri/durian was read before" in problem(folder(tmp_path, zzz=LEAF))


def test_a_file_that_holds_no_labels(tmp_path: Path) -> None:
    assert "durian.yaml: labels: Dictionary should have at least 1 item" in problem(
        folder(tmp_path, LEAF.split("labels:")[0])
    )
    assert "durian.yaml: name: " in problem(folder(tmp_path, "- a list\n"))


def test_a_folder_without_sources(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "sources.yaml").unlink()
    assert "sources.yaml: cannot be read (" in problem(tmp_path)


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "durian.yaml").write_bytes(LEAF.encode("utf-16"))
    assert "durian.yaml: cannot be read (" in problem(tmp_path)


def test_who_reviewed_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = load_library(
        folder(tmp_path, LEAF.replace("reviewed_by: none", "reviewed_by: Trần Thị B, agronomist"))
    )
    monkeypatch.setattr(module, "library", lambda: library)
    assert review_notice("en", "durian") == "Texts reviewed by Trần Thị B, agronomist"
    assert review_notice("vi", "agri/durian") == "Người duyệt nội dung: Trần Thị B, agronomist"
    assert review_notice("en", "another").startswith("No physician")


def test_a_last_part_shared_by_two_sets_is_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = load_library(folder(tmp_path, other=LEAF.replace("agri/durian", "user/durian")))
    monkeypatch.setattr(module, "library", lambda: library)
    assert label_text("durian", "spot") is None
    assert label_text("user/durian", "spot") is not None


def test_languages_and_domains_are_checked() -> None:
    text = label_text("agri/ibean", "healthy")
    with pytest.raises(ConfigError, match="unknown language: expected vi or en, got 'fr'"):
        text.name("fr")
    with pytest.raises(ConfigError, match="unknown language"):
        text.what[0].text("VI")
    with pytest.raises(ConfigError, match="unknown domain: expected clinic or crop, got 'face'"):
        domain_notice("face", "vi")
    with pytest.raises(ConfigError, match="unknown language"):
        review_notice("de")
