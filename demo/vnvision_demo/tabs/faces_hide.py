"""Photos with every face hidden."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np

from vnvision_demo.door.preview import jpeg, shown
from vnvision_demo.errors import Refusal
from vnvision_demo.settings import Language
from vnvision_demo.show import empty, fragment
from vnvision_demo.show.case import Link
from vnvision_demo.station import Station
from vnvision_demo.tabs.photo import photo_box
from vnvision_demo.tabs.shared import STATIC, answering, examples, owner_of, question
from vnvision_demo.texts import say

if TYPE_CHECKING:
    pass

METHODS = (("faces.blur", "blur"), ("faces.pixelate", "pixelate"), ("faces.fill", "fill"))


def hide(station: Station, language: Language) -> None:
    """Lay out the inner tab."""
    desk = Hiding(station, language)
    gr.Markdown(say("faces.hide_lead", language), elem_classes="v-lead")
    with gr.Row(elem_classes="v-two"):
        with gr.Column(scale=5, min_width=300):
            photo = photo_box(say("faces.photo", language), height=240)
            methods = [(say(key, language), method) for key, method in METHODS]
            method = gr.Radio(methods, value="blur", label=say("faces.method", language))
            go = gr.Button(say("faces.hide_go", language), variant="primary", elem_classes="v-follow")
            (example,) = examples([("faces.example.hide", "face-a.jpg")], language)
        with gr.Column(scale=5, min_width=300):
            answer = gr.HTML(
                empty(language, "faces.wait", "faces.wait_lead"), elem_classes=["v-answer", "v-main"]
            )
    question(go.click, answering(language)(desk.photo), [photo, method], answer)
    question(example.click, answering(language)(desk.example), [method], answer)


class Hiding:
    """Photos with their faces hidden, in one language."""

    def __init__(self, station: Station, language: Language) -> None:
        self.station, self.language = station, language

    def photo(self, path: str | None, method: Any, request: gr.Request) -> str:
        """For a photo that was sent; its file is deleted."""
        if path is None:
            raise Refusal("faces.need_photo")
        owner = owner_of(request)
        image = self.station.reader.read(self.station.read_upload(owner, path)).image
        return self.answer(image, method, owner)

    def example(self, method: Any, request: gr.Request) -> str:
        """For a drawn face."""
        return self.answer(self.station.reader.read(STATIC / "face-a.jpg").image, method, owner_of(request))

    def answer(self, image: np.ndarray, method: Any, owner: str) -> str:
        """The fragment, and the photo to fetch."""
        hidden, count = self.station.desk.hide(image, method)
        whole = jpeg(np.repeat(hidden, 3, axis=2) if hidden.shape[2] == 1 else hidden, 92)
        links = []
        if count:
            name = f"{'da-che-mat' if self.language == 'vi' else 'faces-hidden'}-{date.today():%Y%m%d}.jpg"
            href = self.station.parcels.put(owner, name, "image/jpeg", whole)
            links = [Link(href, say("faces.get_hidden", self.language))]
        title = (
            say("faces.hidden", self.language, count=count)
            if count
            else say("faces.hidden_none", self.language)
        )
        return fragment(
            "hidden.html", self.language, count=count, title=title, links=links, picture=jpeg(shown(hidden))
        )
