"""Answers as fragments of the page: everything in them is escaped, and pictures travel inside."""

from __future__ import annotations

import base64
from functools import cache
from importlib import resources
from typing import Any

from vnvision.report.environment import page_environment
from vnvision_demo.settings import Language
from vnvision_demo.texts import say


@cache
def _environment() -> Any:
    return page_environment(resources.files("vnvision_demo.show") / "templates")


def uri(picture: bytes, kind: str = "image/jpeg") -> str:
    """A picture as part of the page."""
    return f"data:{kind};base64," + base64.b64encode(picture).decode("ascii")


def fragment(template: str, language: Language, **fields: Any) -> str:
    """One of the templates, filled in."""

    def word(key: str, **values: Any) -> str:
        return say(key, language, **values)

    return str(_environment().get_template(template).render(say=word, uri=uri, language=language, **fields))


def empty(language: Language, title: str, lead: str) -> str:
    """What stands where an answer will be."""
    return fragment("empty.html", language, title=say(title, language), lead=say(lead, language))


def problem(language: Language, line: str, *, detail: str = "") -> str:
    """Why something was not done, and what to do."""
    return fragment("problem.html", language, line=line, detail=detail)
