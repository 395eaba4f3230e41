"""Models: their cards, and the door for one's own."""

from __future__ import annotations

from typing import Any

import gradio as gr

from vnvision.api import add_model, remove_model
from vnvision.hub.cards import CARD_FILE, HEADINGS
from vnvision.hub.listing import STATUS_VI, Entry
from vnvision.report.phrases import Quantity
from vnvision_demo.errors import Refusal
from vnvision_demo.jobs.bundles import unpack_bundle
from vnvision_demo.settings import Language
from vnvision_demo.show import fragment
from vnvision_demo.station import Station
from vnvision_demo.tabs.shared import Renewed, answering, owner_of, question
from vnvision_demo.texts import say

_FIRST = "mango"


def models(station: Station, language: Language) -> list[Renewed]:
    """Lay out the tab."""
    desk = Shelf(station, language)
    gr.Markdown(say("models.lead", language), elem_classes="v-lead")
    with gr.Row(elem_classes="v-two"):
        with gr.Column(scale=4, min_width=300):
            which = gr.Dropdown(desk.names(), value=_FIRST, label=say("models.which", language))
            remove = gr.Button(say("models.remove", language), variant="stop", visible=False)
            with gr.Accordion(say("models.add", language), open=False):
                gr.Markdown(say("models.add_lead", language))
                file = gr.File(
                    label=say("models.zip", language),
                    file_count="single",
                    file_types=[".zip"],
                    height=150,
                    buttons=[],
                )
                name = gr.Textbox(
                    label=say("models.name", language),
                    placeholder=say("models.name_hint", language),
                    max_length=41,
                )
                add = gr.Button(say("models.add_go", language), variant="primary")
            told = gr.HTML(elem_classes="v-answer")
        with gr.Column(scale=6, min_width=300):
            facts = gr.HTML(desk.facts(_FIRST), elem_classes="v-answer")
            card = gr.Markdown(desk.card(_FIRST), elem_classes="v-card-text", sanitize_html=True)
    question(which.input, answering(language, outputs=3)(desk.show), [which], [facts, card, remove])
    question(add.click, answering(language, outputs=2)(desk.add), [file, name], [told, which])
    question(remove.click, answering(language, outputs=2)(desk.remove), [which], [told, which])
    return [Renewed(which, lambda: gr.update(choices=desk.names()))]


class Shelf:
    """What the tab shows, in one language."""

    def __init__(self, station: Station, language: Language) -> None:
        self.station, self.language = station, language

    def _entries(self) -> dict[str, Entry]:
        return self.station.models.entries(self.language)

    def names(self) -> list[tuple[str, str]]:
        """Title and name of everything there is."""
        found = self._entries().values()
        return [(f"{one.title[:1].upper()}{one.title[1:]} · {one.name}", one.name) for one in found]

    def facts(self, name: str) -> str:
        """What was measured, size, licence, status."""
        entry = self._entries()[name]
        size = Quantity(entry.size_mb, "plain") if entry.size_mb is not None else None
        status = STATUS_VI[entry.status] if self.language == "vi" else entry.status
        rows = (
            (say("models.measured", self.language), entry.figure),
            (say("models.size", self.language), say("models.mb", self.language, size=size) if size else ""),
            (say("models.licence", self.language), ", ".join(dict.fromkeys(entry.licences))),
            (say("models.status", self.language), status),
        )
        return fragment("model.html", self.language, entry=entry, facts=rows)

    def card(self, name: str) -> str:
        """The card's half in this language, as it is written."""
        entry = self._entries()[name]
        if entry.path is None:
            return say("models.function", self.language)
        text = (entry.path / CARD_FILE).read_text("utf-8")
        heading, other = HEADINGS[self.language], HEADINGS["en" if self.language == "vi" else "vi"]
        half = text.partition(heading)[2].partition(other)[0] if heading in text else text
        return half.strip()

    def show(self, name: str) -> Any:
        """One model, and whether it may be removed."""
        mine = self._entries()[name].status == "yours" and self.station.settings.is_private
        return self.facts(name), self.card(name), gr.update(visible=mine)

    def add(self, path: str | None, name: str, request: gr.Request) -> Any:
        """Take in a bundle, whose zip is deleted."""
        self._allowed()
        if path is None or not name.strip():
            raise Refusal("models.need")
        with (
            self.station.uploads.taken(owner_of(request), [path]) as (file,),
            self.station.folder() as folder,
        ):
            bundle = unpack_bundle(file, folder / "bundle")
            made = add_model(bundle, name.strip())
        self.station.models.forget(made.name)
        line = say("models.added", self.language, name=made.name)
        return self._told(line), gr.update(choices=self.names(), value=made.name)

    def remove(self, name: str) -> Any:
        """Delete a model of the user's."""
        self._allowed()
        remove_model(name)
        self.station.models.forget(name)
        return self._told(say("models.removed", self.language, name=name)), gr.update(
            choices=self.names(), value=_FIRST
        )

    def _told(self, line: str) -> str:
        return fragment("done.html", self.language, line=line)

    def _allowed(self) -> None:
        if not self.station.settings.is_private:
            raise Refusal("models.off", 403)
