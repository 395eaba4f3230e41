"""One picture's answer as a part of the page, with its PDF to fetch."""

from __future__ import annotations

from dataclasses import dataclass

from vnvision.report.cases import Case
from vnvision.report.cases.pdf_case import render_case_pdf
from vnvision.report.phrases import Html
from vnvision_demo.door.parcels import Parcels
from vnvision_demo.show import fragment
from vnvision_demo.texts import say


@dataclass(frozen=True, slots=True)
class Link:
    """A file to fetch."""

    href: str
    words: str
    second: bool = False


def pdf_link(case: Case, owner: str, parcels: Parcels) -> Link:
    """The PDF of a case, made when it is fetched.

    Args:
        case: what it shows; held until then.
        owner: the browser's session.
        parcels: where it waits.
    """
    held = len(case.picture.jpeg) + len(case.thumbnail) + (len(case.drawn.jpeg) if case.drawn else 0)
    name = "phieu-ket-qua.pdf" if case.language == "vi" else "result.pdf"
    href = parcels.put(owner, name, "application/pdf", lambda: render_case_pdf(case), size=held + 8192)
    return Link(href, say("get.pdf", case.language))


def case_html(case: Case, links: list[Link], *, by: str = "", extra: str = "") -> str:
    """The fragment.

    Args:
        case: what to show, in its language.
        links: files to fetch.
        by: who answered.
        extra: a further fragment, already escaped.
    """
    return fragment("case.html", case.language, case=case, links=links, by=by, extra=Html(extra))
