"""Cases and batches as pages without script or network."""

from __future__ import annotations

import base64
from datetime import date
from importlib import resources
from typing import Any

from vnvision.hub import scale_legend
from vnvision.hub.library import Language
from vnvision.report.cases.records import Case
from vnvision.report.cases.texts import say
from vnvision.report.environment import SHARED, page_environment
from vnvision.report.phrases import Html


def render_case(case: Case) -> str:
    """The page about one picture.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    return render(
        "case.html",
        case.language,
        page_title=f"{say('title', case.language)} · {case.reference}",
        case=case,
        made=day(case.made, case.language),
        scale=scale_legend(case.language),
        heat=any(key.colour is None for key in case.keys),
    )


def render(template: str, language: Language, **fields: Any) -> str:
    """One of the templates of this package, in one language."""
    own = resources.files("vnvision.report.cases") / "templates"
    environment = page_environment(own)
    environment.globals.update(uri=uri, say=lambda key, **values: say(key, language, **values))
    style = (SHARED / "style.css").read_text("utf-8") + (own / "case.css").read_text("utf-8")
    return str(environment.get_template(template).render(style=Html(style), language=language, **fields))


def uri(jpeg: bytes) -> str:
    """A JPEG as part of the page."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


def day(made: date | None, language: Language) -> str:
    """A date as people write it there; empty where there is none."""
    if made is None:
        return ""
    return made.strftime("%d/%m/%Y" if language == "vi" else "%Y-%m-%d")
