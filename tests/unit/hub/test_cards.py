"""The cards of the models that ship: whole, in both languages, sourced, true to the figures that are kept."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from vnvision.errors import BundleError, ConfigError
from vnvision.hub.card_records import STATEMENTS, Card, CardStatement, DataSource, Measured
from vnvision.hub.cards import card, card_names, card_text, cards, load_cards
from vnvision.hub.library import Source
from vnvision.hub.provenance import FORBIDDEN

ROOT = Path(__file__).parents[3]
# Written down here, not read from the cards: what ships, and what each model has learned from.
DATA = {
    "mango": ["agri/mango_bd"],
    "coffee": ["agri/coffee_bracol"],
    "bean": ["agri/ibean"],
    "chilli": ["agri/chilli"],
    "rice": ["agri/uci_rice"],
    "leaf_severity": ["synthetic_leaf"],
    "malaria": ["med/malaria"],
    "red_cell": ["med/chula_rbc12"],
    "chest_xray": ["med/cxr_nih"],
    "breast": ["med/busi"],
    "breast_lesion": ["med/busi"],
    "blood_count": ["med/bccd"],
}
CLINIC = {"malaria", "red_cell", "chest_xray", "breast", "breast_lesion", "blood_count"}
EXPERIMENTAL = {"rice", "leaf_severity"}
VIETNAMESE_LETTER = re.compile(r"[ăâđêôơưàảãáạằẳẵắặầẩẫấậèẻẽéẹềểễếệìỉĩíịòỏõóọồổỗốộờởỡớợùủũúụừửữứựỳỷỹýỵ]")
# English words that a Vietnamese reader would stumble over, as whole words.
ENGLISH = re.compile(
    r"\b(?:the|and|of|with|not|picture|pictures|model|leaf|leaves|set|disease|test|train|split|measured|"
    r"licence|changes|country|label|value|interval)\b"
)


def statements():
    for name, one in cards().items():
        for part, statement in one.statements():
            yield f"{name} {part}", statement


def lines():
    """Every text of every card with its language: statements, titles, credits."""
    for where, one in statements():
        for language in ("vi", "en"):
            yield where, language, one.text(language)
    for name, one in cards().items():
        for source in one.data:
            for part in (source.basis, source.question, source.holder, source.changes, source.consent):
                for language in ("vi", "en"):
                    if part is not None:
                        yield f"{name} data", language, part.text(language)


def test_these_models_have_cards() -> None:
    assert set(card_names()) == set(cards()) == {*DATA, "router"}
    for name, sets in DATA.items():
        assert [one.id for one in card(name).data] == sets
        assert card(name).domain == ("clinic" if name in CLINIC else "crop")
    router = [one.id for one in card("router").data]
    assert set(router) == {"med/hip_us"} | {key for sets in DATA.values() for key in sets} - {
        "synthetic_leaf"
    }
    assert len(set(router)) == len(router)
    assert card("router").call == "auto"


def test_experimental_models_say_so() -> None:
    assert {name for name, one in cards().items() if one.status == "experimental"} == EXPERIMENTAL
    for name in EXPERIMENTAL:
        assert card(name).experimental


def test_every_card_is_told_whole() -> None:
    for name, one in cards().items():
        for part in STATEMENTS:
            assert getattr(one, part) or part == "experimental", f"{name} {part}"
        assert one.title.vi != one.title.en
        if name != "router":
            assert one.looks


def test_vietnamese_is_vietnamese_composed_and_whole() -> None:
    for where, language, line in lines():
        assert line == unicodedata.normalize("NFC", line), where
        assert line == " ".join(line.split()), where
        assert line.endswith("."), f"{where}: {line}"
        assert line[0].isupper() or line[0].isdigit(), f"{where}: {line}"
        letters = len(VIETNAMESE_LETTER.findall(line.lower()))
        if language == "vi":
            assert letters > len(line) / (40 if "data" in where else 25), f"{where}: {line}"
            assert "tỷ" not in line, where  # reports write tỉ lệ
            named = re.sub(r"\S+/\S+", "", line)  # repositories and files
            titled = line.startswith("Bài báo kèm theo")
            assert titled or not ENGLISH.search(named), f"{where}: {line}"
            decimals = re.search(r"\d\.\d(?!\d\d)", re.sub(r"BY(?:-NC)? \d\.0", "", named))
            assert not decimals, f"{where}: a decimal point: {line}"
        else:
            names = re.sub(r"Paw[^ ,;.]*|[A-Z]\w*[^\x00-\x7f]\w*", "", line)
            assert not VIETNAMESE_LETTER.search(names.lower()), f"{where}: {line}"


def test_both_languages_say_as_much() -> None:
    for where, one in statements():
        assert 0.5 < len(one.vi) / len(one.en) < 1.7, f"{where}: {one.vi} | {one.en}"


def test_no_card_names_a_dose_or_a_drug() -> None:
    for where, _, line in lines():
        assert not re.search(r"\d\s*(?:mg|ml|kg/ha|ppm|g/l)\b", line), where


def test_nobody_has_reviewed_them_yet() -> None:
    assert {one.reviewed_by for one in cards().values()} == {"none"}


def test_clinic_cards_send_to_a_doctor_and_no_answer_is_not_normal() -> None:
    for name in CLINIC:
        said = " ".join(one.en for one in card(name).not_sure + card(name).not_for)
        assert "doctor" in said.lower() or "microscop" in said.lower(), name
        assert "patients and relatives" in said.lower(), name


def test_the_shortcuts_that_are_known_are_said() -> None:
    shortcuts = {name: " ".join(s.text("en") for s in one.shortcuts) for name, one in cards().items()}
    assert "Backgrounds differ" in shortcuts["mango"]
    assert "exposure of the film alone" in shortcuts["chest_xray"]
    assert "callipers" in shortcuts["breast"]
    assert "callipers" in shortcuts["breast_lesion"]
    assert "batch" in shortcuts["red_cell"]
    assert "white" in shortcuts["rice"]
    assert "drawn" in " ".join(
        s.en for s in card("leaf_severity").never_seen + card("leaf_severity").experimental
    )
    assert "falciparum" in " ".join(s.en for s in card("malaria").never_seen)


def test_every_measured_figure_stands_where_the_card_says() -> None:
    found = 0
    for where, statement in statements():
        for figure in statement.measured.values():
            if figure.section is None:
                assert figure.command, where
                continue
            text = (ROOT / figure.file).read_text(encoding="utf-8")
            assert figure.section in text, f"{where}: no section {figure.section} in {figure.file}"
            part = text[text.index(figure.section) :]
            part = part[: part.index("\n## ")] if "\n## " in part else part
            printed = f"{figure.value:.{figure.digits}f}"
            if figure.low is not None:
                printed += rf"\**\s+\[{figure.low:.{figure.digits}f}, {figure.high:.{figure.digits}f}\]"
            assert re.search(printed, part), f"{where}: {printed} is not in {figure.file}, {figure.section}"
            found += 1
    assert found >= 15


def test_data_is_credited_as_its_licence_asks() -> None:
    for name, one in cards().items():
        for source in one.data:
            where = f"{name} {source.id}"
            assert not FORBIDDEN.search(source.licence), where
            assert source.authors, where
            assert source.country.vi, where
            assert source.changes.en, where
            if source.licence.startswith("CC BY"):
                assert source.licence_url == "https://creativecommons.org/licenses/by/4.0/", where
                assert source.link, where
            if not source.synthetic:
                assert source.link.startswith("https://"), where


def test_what_is_open_about_a_licence_is_said() -> None:
    """Public catalogues contradict each other on these; the card must not hide it."""
    for name in ("mango", "chilli"):
        question = card(name).data[0].question
        assert question is not None
        assert "commercial" in question.en
        assert "buôn bán" in question.vi


def test_a_card_travels_as_json() -> None:
    for one in cards().values():
        assert Card.from_json(one.to_json()) == one
        assert {source.id for source in one.documents} == one.cited()


MEASURED = {"value": 0.714, "low": 0.6, "high": 0.8, "section": "Shortcuts"}


def test_figures_are_filled_in_each_language() -> None:
    one = CardStatement(vi="Đúng {a}, {b}.", en="Right in {a}, {b}.", measured={
        "a": Measured(**MEASURED), "b": Measured(**MEASURED, percent=False, digits=3),
    })  # fmt: skip
    assert one.text("vi") == "Đúng 71 % [60; 80], 0,714 [0,600; 0,800]."
    assert one.text("en") == "Right in 71 % [60, 80], 0.714 [0.600, 0.800]."
    assert Measured(value=0.5, command="x").text("vi") == "50 %"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"section": None}, "names its section, or the command"),
        ({"command": "x"}, "names its section, or the command"),
        ({"low": None}, "low and high go together"),
        ({"value": 0.9}, "outside its interval"),
        ({"where": "x"}, "Extra inputs"),
    ],
)
def test_a_figure_that_cannot_be_looked_up_is_refused(change, text) -> None:
    with pytest.raises(ValidationError, match=text):
        Measured.model_validate(MEASURED | change)


def test_a_figure_must_be_named_in_both_languages() -> None:
    with pytest.raises(ValidationError, match=r"figures named: \[\], figures given: \['a'\]"):
        CardStatement(vi="Đúng.", en="Right in {a}.", measured={"a": Measured(**MEASURED)})


def test_data_without_a_link_is_refused() -> None:
    fields = yaml.safe_load((ROOT / "vnvision/hub/cards/bean.yaml").read_text(encoding="utf-8"))["data"][0]
    with pytest.raises(ValidationError, match="agri/ibean has neither doi nor url"):
        DataSource.model_validate({key: value for key, value in fields.items() if key != "url"})


@pytest.fixture
def folder(tmp_path):
    """Two good cards, to be spoiled."""
    for name in ("bean", "rice", "breast", "breast_lesion"):
        text = (ROOT / f"vnvision/hub/cards/{name}.yaml").read_text(encoding="utf-8")
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def documents() -> dict[str, Source]:
    return {source.id: source for one in cards().values() for source in one.documents}


@pytest.mark.parametrize(
    ("name", "old", "new", "text"),
    [
        (
            "bean",
            "status: ready",
            "status: good",
            "bean.yaml: status: Input should be 'ready' or 'experimental'",
        ),
        ("bean", "status: ready", "status: experimental", "an experimental model says why"),
        ("rice", "status: experimental", "status: ready", "an experimental model says why"),
        ("bean", "purpose:", "purpos:", "bean.yaml: purpose: Field required; purpos: unknown key"),
        ("bean", "[ibean2020]", "[ibean2021]", "unknown sources"),
        ("bean", "domain: crop", "domain: crop\nname: beans", "name: is 'beans', the file's is 'bean'"),
        ("bean", "domain: crop", "domain: crop\ndomain: crop", "given twice: domain"),
        ("bean", "title: {", "title: [", "bean.yaml: cannot be read"),
        ("breast_lesion", "data_of: [breast]", "data_of: [brest]", "data_of: no card brest"),
    ],
)
def test_a_wrong_card_is_refused_in_one_line(folder, name, old, new, text) -> None:
    path = folder / f"{name}.yaml"
    whole = path.read_text(encoding="utf-8")
    assert old in whole
    path.write_text(whole.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"the cards in .* are wrong") as caught:
        load_cards(folder, documents())
    if "unknown sources" not in text:
        assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_document_is_named(folder) -> None:
    path = folder / "bean.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("[ibean2020]", "[ibean2021]"), encoding="utf-8")
    with pytest.raises(ConfigError, match="unknown sources: ibean2021"):
        load_cards(folder, documents())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"data": 5}, "bean.yaml: data: expected a list, got int"),
        ({"data_of": 5}, "bean.yaml: data_of: expected a list, got int"),
        ({"data_of": "mango"}, "bean.yaml: data_of: expected a list, got str"),
        ({"data_of": [["mango"], {"a": 1}]}, "bean.yaml: data_of: no card ['mango'], {'a': 1}"),
        ({"data": [{"id": ["a"]}]}, "bean.yaml: data"),
    ],
)
def test_data_of_another_form_is_one_line(folder, fields, said) -> None:
    path = folder / "bean.yaml"
    whole = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(whole | fields, allow_unicode=True), encoding="utf-8")
    with pytest.raises(ConfigError, match=re.escape(said)) as caught:
        load_cards(folder, documents())
    assert "\n" not in str(caught.value)


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"there is no card 'tea': expected bean or .*mango"):
        card("tea")


CARD_FILE = (
    "# bean\n\n## Tiếng Việt\n\n> **Chú ý**\n\n| angular\\_leaf\\_spot | &lt;b&gt; |\n\x1b[31m\u202eđỏ\n\n"
    "## English\n\nNothing\n"
)


def test_one_half_is_made_for_a_terminal(tmp_path) -> None:
    (tmp_path / "MODEL_CARD.md").write_text(CARD_FILE, encoding="utf-8")
    vi, en = card_text(tmp_path, "vi"), card_text(tmp_path, "en")
    assert vi.startswith("# bean\n\n> **Chú ý**\n")
    assert "| angular_leaf_spot | <b> |" in vi
    assert "Nothing" not in vi
    assert "\x1b" not in vi
    assert "\u202e" not in vi
    assert en == "# bean\n\nNothing\n"


def test_a_bundle_without_a_card_is_said(tmp_path) -> None:
    with pytest.raises(BundleError, match="cannot read the model card") as caught:
        card_text(tmp_path, "vi")
    assert "không đọc được thẻ mô hình" in str(caught.value.vietnamese)
    (tmp_path / "MODEL_CARD.md").write_text("# bean\n\n## English\n", encoding="utf-8")
    with pytest.raises(BundleError, match=r"has no part headed '## Tiếng Việt'; export the model again"):
        card_text(tmp_path, "vi")
    with pytest.raises(ConfigError, match="unknown language"):
        card_text(tmp_path, "fr")
    (tmp_path / "MODEL_CARD.md").write_bytes(b"#" * (2 << 20))
    with pytest.raises(BundleError, match="too long for a card"):
        card_text(tmp_path, "en")
