"""Crops: one leaf, its disease, where the model looked, how much of it is ill, and what to do."""

from __future__ import annotations

from datetime import date
from typing import Any

import gradio as gr
import numpy as np

from vnvision.records import MaskPrediction
from vnvision.report.cases import case_of
from vnvision.report.cases.wording import percent
from vnvision_demo.errors import Refusal
from vnvision_demo.settings import Language
from vnvision_demo.show import empty, fragment
from vnvision_demo.show.case import case_html, pdf_link
from vnvision_demo.station import Station
from vnvision_demo.tabs.photo import photo_box
from vnvision_demo.tabs.shared import STATIC, Renewed, answering, examples, owner_of, question
from vnvision_demo.tabs.strangers import stranger_html
from vnvision_demo.texts import say

AUTO = "auto"
SEVERITY = "leaf_severity"
EXAMPLES = (
    ("crops.example.spots", "leaf-spots.jpg", AUTO),
    ("crops.example.blight", "leaf-blight.jpg", SEVERITY),
    ("crops.example.stranger", "stranger.jpg", AUTO),
)


def experts(station: Station, language: Language) -> list[tuple[str, str]]:
    """What can be chosen: the title and the name of each crop model there is."""
    found = station.models.experts("crops", language)
    return [(say("crops.auto", language), AUTO), *((title, one) for one, title in found.items())]


def crops(station: Station, language: Language) -> list[Renewed]:
    """Lay out the tab."""
    teller = Teller(station, language)
    with gr.Row(elem_classes="v-two"):
        with gr.Column(scale=4, min_width=300):
            gr.Markdown(say("crops.lead", language), elem_classes="v-lead")
            photo = photo_box(say("crops.photo", language), height=320, clipboard=True, classes=("v-follow",))
            expert = gr.Dropdown(experts(station, language), value=AUTO, label=say("crops.expert", language))
            severity = gr.Checkbox(label=say("crops.severity", language), value=False)
            pressed = examples([(key, file) for key, file, _ in EXAMPLES], language)
        with gr.Column(scale=6, min_width=300):
            answer = gr.HTML(
                empty(language, "crops.none", "crops.none_lead"), elem_classes=["v-answer", "v-main"]
            )
    answered = answering(language)
    question(photo.input, answered(teller.photo), [photo, expert, severity], answer)
    question(expert.input, answered(teller.again), [expert, severity], answer)
    question(severity.input, answered(teller.again), [expert, severity], answer)
    for button, (_, file, name) in zip(pressed, EXAMPLES, strict=True):
        show = answering(language, outputs=3)(_example(teller, file, name))
        question(button.click, show, [severity], [answer, expert, photo])
    return [Renewed(expert, lambda: gr.update(choices=experts(station, language)))]


def _example(teller: Teller, file: str, name: str) -> Any:
    def show(severity: bool, request: gr.Request) -> Any:
        data = (STATIC / file).read_bytes()
        return teller.answer(data, name, severity, owner_of(request)), name, None

    return show


class Teller:
    """Answers of the crops tab, in one language."""

    def __init__(self, station: Station, language: Language) -> None:
        self.station, self.language = station, language

    def photo(self, path: str | None, expert: str, severity: bool, request: gr.Request) -> str:
        """For a picture that was just sent; its file is deleted."""
        owner = owner_of(request)
        if path is None:
            self.station.kept.drop(owner, "crops")
            return empty(self.language, "crops.none", "crops.none_lead")
        return self.answer(self.station.read_upload(owner, path), expert, severity, owner)

    def again(self, expert: str, severity: bool, request: gr.Request) -> str:
        """For the same picture as before, with another wish."""
        owner = owner_of(request)
        data = self.station.kept.get(owner, "crops")
        if data is None:
            return empty(self.language, "crops.none", "crops.none_lead")
        return self.answer(data, expert, severity, owner)

    def answer(self, data: bytes, expert: str, severity: bool, owner: str) -> str:
        """The fragment about a picture.

        Raises:
            VnvisionError: it cannot be read or answered.
        """
        image = self.station.reader.read(data).image
        self.station.kept.put(owner, "crops", data, len(data))
        by, name = "", expert
        if expert == AUTO:
            (chosen,) = self.station.models.router.choose([image])
            if chosen.expert is None:
                return stranger_html(image, chosen.reasons, "crop", self.language)
            name, share = chosen.expert, percent(chosen.certainty, self.language)
            titles = self.station.models.experts("crops", self.language)
            if name not in titles:
                raise Refusal("crops.clinic_plain")
            by = say("crops.answered_by", self.language, name=titles[name], share=share)
        case = self._case(image, name)
        extra = (
            self._severity(image) if severity and name != SEVERITY and case.verdict.tone != "unsure" else ""
        )
        return case_html(case, [pdf_link(case, owner, self.station.parcels)], by=by, extra=extra)

    def _case(self, image: np.ndarray, name: str) -> Any:
        model, facts = self.station.models.model(name)
        answer = model.predict(image)
        seen = not answer.abstained and answer.kind in ("classification", "multilabel")
        return case_of(
            image,
            answer,
            facts,
            reference=say("crops.reference", self.language),
            language=self.language,
            heatmap=model.heatmap(image) if seen else None,
            made=date.today(),
        )

    def _severity(self, image: np.ndarray) -> str:
        model, _ = self.station.models.model(SEVERITY)
        answer = model.predict(image)
        if not isinstance(answer, MaskPrediction) or answer.abstained:
            return ""
        case = self._case(image, SEVERITY)
        return fragment("severity.html", self.language, case=case)
