"""The page: Gradio's blocks, once in Vietnamese at ``/`` and once in English at ``/en``."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import gradio as gr

from vnvision import __version__
from vnvision_demo.settings import LANGUAGES, PATHS, Language
from vnvision_demo.station import Station
from vnvision_demo.tabs.batch import batch
from vnvision_demo.tabs.clinic import clinic
from vnvision_demo.tabs.crops import crops
from vnvision_demo.tabs.faces import faces
from vnvision_demo.tabs.fairness import fairness
from vnvision_demo.tabs.models import models
from vnvision_demo.tabs.shared import Renewed, question
from vnvision_demo.tabs.teach import teach
from vnvision_demo.texts import say

Tab = Callable[[Station, Language], list[Renewed]]
TABS: tuple[tuple[str, Tab], ...] = (
    ("crops", crops),
    ("clinic", clinic),
    ("faces", faces),
    ("fairness", fairness),
    ("batch", batch),
    ("teach", teach),
    ("models", models),
)

_LEAF = (
    '<svg viewBox="0 0 24 24" aria-hidden="true">'
    '<path d="M5 19c0-8 5-13 14-14 0 9-5 14-13 14M5 21c1-5 4-8 8-10"/></svg>'
)


def blocks(station: Station) -> gr.Blocks:
    """Both pages of the demo, with their handlers."""
    with gr.Blocks(title=say("app.title", "vi"), analytics_enabled=False, fill_width=False) as found:
        gr.Navbar(visible=False)
        _page(found, station, "vi")
    with found.route(say("app.language", "en"), PATHS["en"], show_in_navbar=False):
        gr.Navbar(visible=False)
        _page(found, station, "en")
    found.queue(max_size=station.settings.queue, default_concurrency_limit=station.settings.workers)
    return found


def _page(found: gr.Blocks, station: Station, language: Language) -> None:
    fresh: list[Renewed] = []
    gr.HTML(_head(station, language), elem_id="v-head")
    with gr.Tabs(elem_id="v-tabs"):
        for name, tab in TABS:
            with gr.Tab(say(f"tab.{name}", language), id=name, elem_id=f"tab-{name}"):
                fresh += tab(station, language)
    # A page that is loaded shows the models and people there are now, not those at the server's start.
    question(
        found.load, lambda: [one.now() for one in fresh], [], [one.component for one in fresh], shown=False
    )
    gr.HTML(f"<p>{escape(say('app.foot', language, version=__version__))}</p>", elem_id="v-foot")


def _head(station: Station, language: Language) -> str:
    names = {"vi": "Tiếng Việt", "en": "English"}
    here = {language: ' aria-current="page"'}
    links = "".join(
        f'<a href="{PATHS[one]}" hreflang="{one}" lang="{one}"{here.get(one, "")}>{names[one]}</a>'
        for one in LANGUAGES
    )
    leave = ""
    if station.settings.users:
        word = escape(say("app.leave", language))
        leave = f'<form method="post" action="/logout"><button>{word}</button></form>'
    return (
        f'<a class="v-skip" href="#v-tabs">{escape(say("app.skip", language))}</a>'
        f'<header class="v-top"><div class="v-brand">{_LEAF}<h1>vnvision</h1></div>'
        f"<p>{escape(say('app.offline', language))}</p>"
        f'<nav aria-label="{escape(say("app.language", language))}">{links}{leave}</nav></header>'
    )
