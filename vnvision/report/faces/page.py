"""The face report as one page without script or network."""

from __future__ import annotations

from importlib import resources
from typing import Any

from vnvision.evaluate.faces.records import FaceReport
from vnvision.report.environment import SHARED, page_environment
from vnvision.report.faces import view
from vnvision.report.faces.cards import cards
from vnvision.report.faces.drawing import svg
from vnvision.report.faces.headline import headline
from vnvision.report.faces.words import named, note, tell
from vnvision.report.phrases import Html, Language, local, show


def warnings(report: FaceReport) -> list[Any]:
    """Warnings of the report and of its groups."""
    texts = list(report.warnings)
    if report.differential is not None:
        texts += report.differential.warnings
        texts += [text for row in report.differential.groups for text in row.warnings]
    return [note(text) for text in dict.fromkeys(texts)]


def kind(block: view.Block) -> str:
    """What the template draws a block as."""
    if isinstance(block, view.Table):
        return "table"
    if isinstance(block, view.Facts):
        return "facts"
    return "sentences" if isinstance(block, view.Sentences) else "pictures"


def render(report: FaceReport, language: Language) -> str:
    """The whole page as HTML text.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    own = resources.files("vnvision.report.faces") / "templates"
    environment = page_environment(own)
    environment.globals.update(show=show, tell=tell, svg=svg, kind=kind)
    style = (SHARED / "style.css").read_text("utf-8") + (own / "face.css").read_text("utf-8")
    name = report.name or local(tell("unnamed"), language)
    return environment.get_template("face.html").render(
        style=Html(style),
        language=language,
        page_title=f"{local(tell('title'), language)} · {name}",
        name=report.name or tell("unnamed"),
        protocol=named("protocol", report.protocol),
        headline=headline(report),
        tiles=view.tiles(report),
        warnings=warnings(report),
        cards=cards(report),
    )
