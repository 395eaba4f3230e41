"""Every text of the demo, Vietnamese and English side by side; one module a tab."""

from __future__ import annotations

from typing import Any

from vnvision.report.phrases import local
from vnvision_demo.settings import LANGUAGES, Language
from vnvision_demo.texts import batch, clinic, common, crops, faces, fairness, models, teach

TEXTS: dict[str, tuple[str, str]] = {
    key: pair
    for module in (common, crops, clinic, faces, fairness, batch, teach, models)
    for key, pair in module.TEXTS.items()
}


def say(key: str, language: Language, **fields: Any) -> str:
    """One text with its fields filled in, numbers in local form; unknown keys raise ``KeyError``."""
    template = TEXTS[key][LANGUAGES.index(language)]
    return template.format(**{name: local(value, language) for name, value in fields.items()})
