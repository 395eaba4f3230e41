"""Two photos: one person or two?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np

from vnvision.report.phrases import Quantity
from vnvision_demo.door.preview import jpeg
from vnvision_demo.errors import Refusal
from vnvision_demo.faces import CLOSE, VERIFY
from vnvision_demo.settings import Language
from vnvision_demo.show import empty, fragment
from vnvision_demo.station import Station
from vnvision_demo.tabs.photo import photo_box
from vnvision_demo.tabs.shared import STATIC, answering, examples, owner_of, question
from vnvision_demo.texts import say

if TYPE_CHECKING:
    from vnvision.faces.engine import Comparison


def _strict(language: Language) -> gr.Radio:
    choices = [(say("faces.strict_4", language), "fmr=1e-4"), (say("faces.strict_3", language), "fmr=1e-3")]
    return gr.Radio(choices, value="fmr=1e-4", label=say("faces.strict", language))


def compare(station: Station, language: Language) -> None:
    """Lay out the inner tab."""
    desk = Comparing(station, language)
    gr.Markdown(say("faces.compare_lead", language), elem_classes="v-lead")
    with gr.Row(elem_classes="v-two"):
        with gr.Column(scale=5, min_width=300):
            with gr.Row():
                first, second = (
                    photo_box(say("faces.first", language), height=240),
                    photo_box(say("faces.second", language), height=240),
                )
            strict = _strict(language)
            go = gr.Button(say("faces.go", language), variant="primary", elem_classes="v-follow")
            (same,) = examples([("faces.example.same", "face-b.jpg")], language)
        with gr.Column(scale=5, min_width=300):
            answer = gr.HTML(
                empty(language, "faces.wait", "faces.wait_lead"), elem_classes=["v-answer", "v-main"]
            )
    answered = answering(language)
    question(go.click, answered(desk.photos), [first, second, strict], answer)
    question(strict.input, answered(desk.again), [strict], answer)
    question(same.click, answered(desk.example("face-b.jpg")), [strict], answer)


class Comparing:
    """Answers about two photos, in one language."""

    def __init__(self, station: Station, language: Language) -> None:
        self.station, self.language = station, language

    def photos(self, first: str | None, second: str | None, strict: str, request: gr.Request) -> str:
        """For two that were sent; both files are deleted."""
        given = [path for path in (first, second) if path]
        if len(given) < 2:
            raise Refusal("faces.two_needed")
        owner = owner_of(request)
        one, two = (self.station.reader.read(self.station.read_upload(owner, path)).image for path in given)
        self.station.kept.put(owner, "faces", (one, two), one.nbytes + two.nbytes)
        return self.answer(one, two, strict)

    def again(self, strict: str, request: gr.Request) -> str:
        """For the same two as before, at another threshold."""
        kept = self.station.kept.get(owner_of(request), "faces")
        if kept is None:
            return empty(self.language, "faces.wait", "faces.wait_lead")
        one, two = kept
        return self.answer(one, two, strict)

    def example(self, other: str) -> Any:
        """A handler that compares two drawn faces."""

        def show(strict: str, request: gr.Request) -> str:
            one, two = (self.station.reader.read(STATIC / name).image for name in ("face-a.jpg", other))
            self.station.kept.put(owner_of(request), "faces", (one, two), one.nbytes + two.nbytes)
            return self.answer(one, two, strict)

        return show

    def answer(self, one: np.ndarray, two: np.ndarray, strict: str) -> str:
        """The fragment.

        Raises:
            DataError: a photo without a face.
        """
        found, poor = self.station.desk.compare(one, two, strict)
        crops = self.station.desk.crops((one, two), found.faces)
        near = abs(found.similarity - found.threshold) < CLOSE
        tone = "unsure" if near or poor else "sure" if found.same else "found"
        title = "faces.unsure" if near else "faces.same" if found.same else "faces.other"
        lines = [say("faces.near", self.language)] if near else []
        for face in poor:
            reasons = VERIFY.check_face(face).reasons[:2]
            why = ", ".join(reason.text(self.language) for reason in reasons)
            lines.append(say("faces.poor", self.language, why=why))
        numbers = {"score": cosine(found.similarity), "limit": cosine(found.threshold)}
        return fragment(
            "compare.html",
            self.language,
            tone=tone,
            title=say(title, self.language),
            score=say("faces.score", self.language, **numbers),
            share=min(1.0, max(0.0, found.similarity)),
            limit=found.threshold,
            lines=lines,
            crops=[jpeg(crop, 90) for crop in crops],
            notes=_origin(found, self.language),
        )


def cosine(value: float) -> Quantity:
    """A similarity as people read it."""
    return Quantity(round(value, 2), "plain")


def _origin(found: Comparison, language: Language) -> list[str]:
    """Where the threshold comes from."""
    point = found.point
    if point is None or point.achieved.value is None:
        return []
    rate = point.achieved
    shown_rates = {
        name: Quantity(round(1e4 * (value or 0), 1), "plain")
        for name, value in (("rate", rate.value), ("low", rate.low), ("high", rate.high))
    }
    known = say("faces.origin", language, population=point.population, **shown_rates)
    return [known, say("faces.no_vn", language)]
