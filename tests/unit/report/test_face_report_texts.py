"""Every text of the face report is there in both languages, and every one is used."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

import vnvision.report.faces
from vnvision.evaluate.faces import notes as warning
from vnvision.metrics import notes as metric_notes
from vnvision.report.faces.texts import NOTES, TEXTS
from vnvision.report.faces.words import Significant, named, note, per_base, tell
from vnvision.report.phrases import local
from vnvision.report.texts import NOTES as SHARED

FOLDER = Path(vnvision.report.faces.__file__).parent
FAMILIES = {"protocol", "group", "reason"}


def fields(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def used_keys():
    files = [*FOLDER.glob("*.py"), *(FOLDER / "templates").glob("*.html")]
    source = " ".join(path.read_text("utf-8") for path in files if path.name != "texts.py")
    calls = re.findall(r"\btell\(\s*([^()]*?)[,)]", source)
    found = {key for call in calls for key in re.findall(r'"([a-z0-9_]+)"', call)}
    # Keys chosen before they are told.
    return found | set(re.findall(r'"((?:key|fact|big|lead)_\w+)"', source)) | {"searches", "comparisons"}


def test_no_text_is_missing_or_unused():
    plain = {key for key in TEXTS if "." not in key}
    assert used_keys() - plain == set()
    assert plain - used_keys() == set()
    assert {key.split(".")[0] for key in TEXTS if "." in key} == FAMILIES


@pytest.mark.parametrize("key", sorted(TEXTS))
def test_both_languages_say_the_same_fields(key):
    vi, en = TEXTS[key]
    assert vi.strip()
    assert en.strip()
    assert fields(vi) == fields(en)


def test_every_warning_has_a_translation_with_the_same_fields():
    ours = [value for name, value in vars(warning).items() if name.isupper()]
    assert set(ours) == set(NOTES)
    for english, vietnamese in NOTES.items():
        assert fields(english) == fields(vietnamese), english


@pytest.mark.parametrize("english", sorted(NOTES))
def test_warnings_are_recognised_with_any_values(english):
    filled = {name: f"x{i}" for i, name in enumerate(sorted(fields(english)))}
    assert note(english.format(**filled)).text("vi") == NOTES[english].format(**filled)
    assert note(english.format(**filled)).text("en") == english.format(**filled)


def test_notes_of_the_metrics_name_groups_as_the_report_does():
    text = metric_notes.FEW_SUBJECTS.format(group="korean", subjects=9, limit=30)
    assert note(text).text("vi") == SHARED[metric_notes.FEW_SUBJECTS].format(
        group="Hàn Quốc", subjects=9, limit=30
    )
    joined = metric_notes.join(metric_notes.NO_COMPARISONS, "something else")
    assert note(joined).text("vi") == f"{SHARED[metric_notes.NO_COMPARISONS]}; something else"


def test_an_unknown_key_is_an_error_at_once():
    with pytest.raises(KeyError, match="no_such_text"):
        tell("no_such_text")


def test_groups_without_a_translation_keep_their_name():
    assert named("group", "Hà Nội") == "Hà Nội"
    assert local(named("group", "Korean"), "vi") == "Hàn Quốc"


@pytest.mark.parametrize(
    ("value", "vi", "en"),
    [
        (0.0998, "0,10", "0.10"),
        (0.998, "1,0", "1.0"),
        (9.004, "9,0", "9.0"),
        (12.7, "13", "13"),
        (1250.4, "1.250", "1,250"),
        (0, "0", "0"),
        (0.00012345, "0,00012", "0.00012"),
        (1.0, "1,0", "1.0"),
    ],
)
def test_two_significant_digits(value, vi, en):
    assert (Significant(value).text("vi"), Significant(value).text("en")) == (vi, en)


@pytest.mark.parametrize(
    ("target", "rates", "base"),
    [
        (1e-3, [], 1000),
        (1e-4, [0.5], 10_000),
        (1e-6, [], 1_000_000),
        (0.05, [], 1000),
        (1e-9, [], 1_000_000),
        (None, [2e-5], 100_000),
        (None, [0.0], 1000),
    ],
)
def test_rates_are_told_out_of_a_round_number(target, rates, base):
    assert per_base(target, rates) == base
