"""Every text is there in both languages, is used, and says the same fields in both."""

from __future__ import annotations

import ast
import string
from pathlib import Path

import pytest

import vnvision_demo
from vnvision_demo.texts import TEXTS, say
from vnvision_demo.texts.gradio_vi import TEXTS as GRADIO
from vnvision_demo.texts.gradio_vi import WORDS

ROOT = Path(vnvision_demo.__file__).parent
BUILT = ("tab.", "batch.stage.", "fairness.stage.", "teach.stage.", "faces.audit.")
"""How keys begin that are put together of a name in the code and a code of a job."""


def literals() -> set[str]:
    """Every string in the package's code, and every key that a template asks for."""
    found: set[str] = set()
    for path in ROOT.rglob("*.py"):
        if path.parent.name == "texts":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    for path in (ROOT / "show" / "templates").glob("*.html"):
        parts = path.read_text("utf-8").split('say("')[1:]
        found |= {part.partition('"')[0] for part in parts}
    return found


def test_every_key_is_used() -> None:
    used = literals()
    unused = [key for key in TEXTS if key not in used and not key.startswith(BUILT)]
    assert unused == []


def test_no_key_is_missing() -> None:
    prefixes = {key.partition(".")[0] for key in TEXTS}
    asked = {
        text
        for text in literals()
        if text.partition(".")[0] in prefixes
        and text.count(".") in (1, 2)
        and " " not in text
        and text.replace(".", "").replace("_", "").isalnum()
        and not text.endswith((".", ".html", ".jpg", ".csv", ".pdf", ".css", ".zip", ".db"))
    }
    assert sorted(text for text in asked if text not in TEXTS) == []


@pytest.mark.parametrize("key", sorted(TEXTS))
def test_both_languages_say_the_same_fields(key: str) -> None:
    vietnamese, english = TEXTS[key]
    assert vietnamese.strip()
    assert english.strip()
    fields = [
        {name for _, name, _, _ in string.Formatter().parse(text) if name} for text in (vietnamese, english)
    ]
    assert fields[0] == fields[1]


def test_numbers_are_written_as_people_write_them_there() -> None:
    assert "1.234" in say("fairness.done", "vi", people=1234, photos=2)
    assert "1,234" in say("fairness.done", "en", people=1234, photos=2)


def english_of_gradio() -> dict[str, object]:
    """Gradio's own English words, read from the files that it serves."""
    import re

    import gradio

    assets = Path(gradio.__file__).parent / "templates" / "frontend" / "assets"
    (core,) = [path for path in assets.glob("core-*.js") if "Drop Image Here" in path.read_text("utf-8")]
    script = core.read_text("utf-8")
    found: dict[str, object] = {}
    table = script[script.index("{_name:") :][:1500]
    for name, variable in re.findall(r"(\w+):([$\w]+)(?=[,}])", table):
        inside = re.search(rf"(?<![$\w]){re.escape(variable)}=\{{((?:\w+:`[^`]*`,?)+)\}}", script)
        if inside:
            found[name] = dict(re.findall(r"(\w+):`([^`]*)`", inside[1]))
    return found


def test_gradio_is_told_every_word_that_it_knows() -> None:
    english = english_of_gradio()
    assert len(english) > 15
    missing = [
        f"{group}.{word}"
        for group, words in english.items()
        if isinstance(words, dict)
        for word in words
        if group in GRADIO and word not in GRADIO[group]
    ]
    assert missing == []
    assert [group for group in english if group not in GRADIO] == []


def test_fixed_words_are_in_vietnamese() -> None:
    assert all(value.strip() and value != key for key, value in WORDS.items())
