"""Every label of every known set has texts in both languages, with sources and without doses."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
import yaml

from vnvision.data.leaf_draw import KINDS
from vnvision.hub import (
    domain_notice,
    label_text,
    review_notice,
    set_names,
    sources_of,
)
from vnvision.hub.cards import cards
from vnvision.hub.knowledge import library

# Written down here, not read from the texts: what must be covered.
LABELS = {
    "agri/mango_bd": "anthracnose bacterial_canker cutting_weevil die_back gall_midge healthy powdery_mildew "
    "sooty_mould",
    "agri/coffee_bracol": "healthy leaf_miner rust phoma cercospora",
    "agri/ibean": "angular_leaf_spot bean_rust healthy",
    "agri/chilli": "cercospora healthy murda_complex_mites_trips nutritional powdery_mildew",
    "agri/uci_rice": "bacterial_leaf_blight brown_spot leaf_smut",
    "agri/rice": "bacterial_leaf_blight bacterial_leaf_streak bacterial_panicle_blight blast brown_spot "
    "dead_heart downy_mildew hispa leaf_scald leaf_smut normal sheath_blight tungro",
    "synthetic_leaf": " ".join(KINDS) + " leaf lesion",
    "med/malaria": "parasitized uninfected",
    "med/chula_rbc12": "normal macrocyte microcyte spherocyte target_cell stomatocyte ovalocyte teardrop "
    "burr_cell schistocyte hypochromia elliptocyte",
    "med/cxr_nih": "no_findings pneumonia",
    "med/busi": "benign malignant normal lesion",
    "med/bccd": "WBC RBC Platelets",
}
ENDS = {name.rsplit("/", 1)[-1] for name in LABELS}
PAIRS = [(name, label) for name, labels in LABELS.items() for label in labels.split()]
VIETNAMESE_LETTER = re.compile(r"[ăâđêôơưàảãáạằẳẵắặầẩẫấậèẻẽéẹềểễếệìỉĩíịòỏõóọồổỗốộờởỡớợùủũúụừửữứựỳỷỹýỵ]")
DOSE = re.compile(
    r"\d\s*(?:[-–x]\s*\d+\s*)?"
    r"(?:kg|mg|g|gr|gam|gram|grams|mcg|µg|ml|cc|l|lít|lit|litre|litres|liter|liters|%|ppm|iu|ui|viên|tablets?|ha|"
    r"acre|sào|công|bình)(?!\w)",
    re.IGNORECASE,
)
PER_AREA = re.compile(
    r"/\s*(?:ha|acre|sào|bình)\b|per (?:litre|liter|hectare|acre)|mỗi (?:lít|hecta|sào|bình)", re.I
)
# Active ingredients and brands: none may be named anywhere, so that no text reads like a prescription.
FORBIDDEN = [
    "mancozeb",
    "copper-oxychloride",
    "oxychloride",
    "hydroxide",
    "bordeaux",
    "chlorothalonil",
    "carbendazim",
    "benomyl",
    "propineb",
    "metalaxyl",
    "hexaconazole",
    "propiconazole",
    "difenoconazole",
    "tebuconazole",
    "tricyclazole",
    "azoxystrobin",
    "trifloxystrobin",
    "sulphur",
    "sulfur",
    "lưu-huỳnh",
    "streptomycin",
    "kasugamycin",
    "validamycin",
    "oxolinic",
    "ningnanmycin",
    "chlorpyrifos",
    "cypermethrin",
    "deltamethrin",
    "imidacloprid",
    "thiamethoxam",
    "abamectin",
    "emamectin",
    "spinetoram",
    "dimethoate",
    "carbaryl",
    "fipronil",
    "glyphosate",
    "paraquat",
    "antracol",
    "ridomil",
    "score",
    "anvil",
    "tilt",
    "amistar",
    "kocide",
    "coc85",
    "dithane",
    "regent",
    "confidor",
    "radiant",
    "artesunate",
    "artemether",
    "artesunat",
    "lumefantrine",
    "chloroquine",
    "quinine",
    "quinin",
    "primaquine",
    "primaquin",
    "tafenoquine",
    "pyramax",
    "piperaquine",
    "amoxicillin",
    "azithromycin",
    "ceftriaxone",
    "levofloxacin",
    "gentamicin",
    "doxycycline",
    "prednisolone",
    "dexamethasone",
    "paracetamol",
    "ibuprofen",
    "tamoxifen",
    "trastuzumab",
    "letrozole",
    "hydroxyurea",
    "rituximab",
    "deferasirox",
]


def texts():
    return [(name, label, label_text(name, label)) for name, label in PAIRS]


def lines():
    for name, label, text in texts():
        for statement in text.statements():
            for language in ("vi", "en"):
                yield f"{name} {label} {language}", statement.text(language)


def test_the_sets_are_these() -> None:
    assert set(set_names()) == set(LABELS)
    for name, labels in LABELS.items():
        assert set(library().sets[name].labels) == set(labels.split())


@pytest.mark.parametrize(("name", "label"), PAIRS)
def test_a_label_is_told_whole(name: str, label: str) -> None:
    text = label_text(name, label)
    assert text is not None
    assert text.id == label
    assert text.domain == ("clinic" if name.startswith("med/") else "crop")
    assert 1 <= len(text.what) <= 2
    assert 2 <= len(text.look_for) <= 4
    assert 1 <= len(text.call_for_help) <= 2
    assert text.name("vi") != text.name("en")
    if text.domain == "clinic":
        assert text.care == ()
    elif name != "synthetic_leaf":
        assert text.care


def test_every_statement_names_documents_that_exist() -> None:
    known = library().sources
    for _, _, text in texts():
        for statement in text.statements():
            assert statement.sources
            assert len(set(statement.sources)) == len(statement.sources)
            for source in sources_of([statement]):
                assert source == known[source.id]
                assert source.institution in source.text
                assert source.title in source.text
                assert str(source.year) in source.text


def test_every_document_is_cited() -> None:
    cited = {key for _, _, text in texts() for one in text.statements() for key in one.sources}
    cited |= {key for card in cards().values() for key in card.cited()}
    assert cited == set(library().sources)


def test_the_officer_or_the_doctor_is_named() -> None:
    officer = {"vi": "khuyến nông|bảo vệ thực vật", "en": "extension officer|plant protection"}
    doctor = {"vi": "bác sĩ|chuyển viện", "en": "doctor|specialist|referred"}
    for name, label, text in texts():
        words = doctor if text.domain == "clinic" else officer
        for language in ("vi", "en"):
            said = " ".join(one.text(language) for one in text.call_for_help).lower()
            assert re.search(words[language], said), f"{name} {label} {language}"


def test_no_dose_of_anything() -> None:
    for where, line in lines():
        assert not DOSE.search(line), f"{where}: {line}"
        assert not PER_AREA.search(line), f"{where}: {line}"


def test_care_holds_no_figures_at_all() -> None:
    for name, label, text in texts():
        for one in text.care:
            assert not re.search(r"\d", one.vi + one.en), f"{name} {label}: {one.en}"


@pytest.mark.parametrize(
    "dose", ["2 g/l", "20g", "0.5 ml per litre", "50 kg/ha", "3 viên", "200ppm", "0.1 %", "2-3 lít"]
)
def test_the_dose_pattern_finds_doses(dose: str) -> None:
    assert DOSE.search(f"phun {dose} nước")


def test_no_active_ingredient_or_brand() -> None:
    patterns = [re.compile(rf"\b{word.replace('-', '[ -]')}\b", re.I) for word in FORBIDDEN]
    for where, line in lines():
        for pattern in patterns:
            assert not pattern.search(line), f"{where}: {pattern.pattern}: {line}"


def test_vietnamese_is_vietnamese_and_composed() -> None:
    for where, line in lines():
        assert line == unicodedata.normalize("NFC", line), where
        assert line == " ".join(line.split()), where
        assert line[0].isupper(), where
        assert line.endswith("."), where
        letters = len(VIETNAMESE_LETTER.findall(line.lower()))
        if where.endswith("vi"):
            assert letters > len(line) / 12, f"{where}: {line}"
            assert "tỷ" not in line, where  # reports write tỉ lệ
        else:
            assert letters == 0, f"{where}: {line}"
    for _, _, text in texts():
        assert VIETNAMESE_LETTER.search(text.name("vi"))
        assert text.name("vi") == unicodedata.normalize("NFC", text.name("vi"))


def test_both_languages_say_as_much() -> None:
    """A sentence dropped in translation shows in the ratio of lengths."""
    for _, _, text in texts():
        for one in text.statements():
            assert 0.55 < len(one.vi) / len(one.en) < 1.5, f"{one.vi} | {one.en}"


def test_drawn_leaves_say_that_they_are_drawn() -> None:
    for label in library().sets["synthetic_leaf"].labels:
        text = label_text("synthetic_leaf", label)
        assert "vẽ" in text.name("vi")
        assert "drawn" in text.name("en")
        assert "không phải lá thật" in text.what[0].vi
        assert "not real ones" in text.what[0].en


def test_a_set_is_found_by_its_last_part() -> None:
    assert label_text("ibean", "bean_rust") == label_text("agri/ibean", "bean_rust")
    assert label_text("leaf", "healthy") is None


def test_what_is_not_known_gives_nothing() -> None:
    assert label_text("agri/ibean", "rust") is None
    assert label_text("agri/durian", "healthy") is None
    assert label_text("", "healthy") is None


def test_labels_of_the_shipped_configurations_are_covered() -> None:
    configs = Path(__file__).parents[3] / "training" / "configs"
    found = 0
    for path in sorted(configs.rglob("*.yaml")):
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        labels = [label["id"] for label in config.get("labels") or []]
        name = config.get("texts") or path.stem
        if config.get("task", "classification") == "classification" and {name, path.stem} & {*LABELS, *ENDS}:
            assert [label for label in labels if label_text(name, label) is None] == [], path
            found += bool(labels)
    assert found >= 3


def test_notices() -> None:
    assert domain_notice("clinic", "vi") == "Chỉ dùng cho nghiên cứu, không phải thiết bị y tế"
    assert domain_notice("clinic", "en") == "Research use, not a medical device"
    assert "tham khảo" in domain_notice("crop", "vi")
    assert "guidance" in domain_notice("crop", "en")


def test_nobody_has_reviewed_the_texts_and_that_is_said() -> None:
    assert {one.reviewed_by for one in library().sets.values()} == {"none"}
    for name in (None, *LABELS):
        assert review_notice("en", name).startswith("No physician or agronomist has reviewed these texts")
        assert review_notice("vi", name).startswith("Chưa có bác sĩ hay kỹ sư nông nghiệp nào duyệt")
