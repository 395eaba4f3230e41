"""Clinic: a picture or a DICOM file, its window, and a calibrated answer or none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np

from vnvision.imaging import sniff
from vnvision.report.cases import Case, case_of
from vnvision.report.cases.wording import percent
from vnvision.report.phrases import Quantity
from vnvision_demo.door.preview import jpeg
from vnvision_demo.errors import Refusal
from vnvision_demo.jobs.dicom_results import dicom_download
from vnvision_demo.settings import Language
from vnvision_demo.show import empty, fragment
from vnvision_demo.show.case import Link, case_html, pdf_link
from vnvision_demo.station import Station
from vnvision_demo.tabs.shared import STATIC, Renewed, answering, examples, owner_of, question
from vnvision_demo.tabs.strangers import stranger_html
from vnvision_demo.texts import say

if TYPE_CHECKING:
    from vnvision.runtime import Predictor
    from vnvision.runtime.answers import Answer
    from vnvision_demo.jobs.window_view import View

AUTO, TAB = "auto", "clinic"
_SUFFIXES = [".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".dcm", ".dicom", ""]
_OUTPUTS = 5


@dataclass(frozen=True, slots=True)
class _Sent:
    """What a browser sent last: the file, and how it is looked at."""

    data: bytes
    view: View


def experts(station: Station, language: Language) -> list[tuple[str, str]]:
    """What can be chosen: the title and the name of each clinic model there is."""
    found = station.models.experts("clinic", language)
    return [(say("clinic.auto", language), AUTO), *((title, one) for one, title in found.items())]


def samples() -> tuple[tuple[str, str, str | None], ...]:
    """Examples: text key, picture of the button, name of pydicom's own file."""
    return (
        ("clinic.example.smear", "smear.jpg", None),
        ("clinic.example.ct", "ct.jpg", "J2K_pixelrep_mismatch.dcm"),
        ("clinic.example.us", "us.jpg", "examples_palette.dcm"),
    )


def clinic(station: Station, language: Language) -> list[Renewed]:
    """Lay out the tab."""
    desk = Clinic(station, language)
    gr.HTML(f'<p class="v-notice" role="note">{say("clinic.banner", language)}</p>')
    with gr.Row(elem_classes="v-two"):
        with gr.Column(scale=4, min_width=300):
            gr.Markdown(say("clinic.lead", language), elem_classes="v-lead")
            file = gr.File(
                label=say("clinic.file", language),
                file_count="single",
                height=170,
                buttons=[],
                elem_classes="v-follow",
            )
            expert = gr.Dropdown(experts(station, language), value=AUTO, label=say("clinic.expert", language))
            reference = gr.Textbox(label=say("clinic.reference", language), max_length=60)
            pressed = examples(
                [(key, picture) for key, picture, _ in samples()], language, note="clinic.example.note"
            )
            with gr.Accordion(say("clinic.window", language), open=True, elem_classes="v-window"):
                seen = gr.HTML(f"<p>{say('clinic.view_none', language)}</p>", elem_classes="v-answer")
                preset = gr.Dropdown([], label=say("clinic.preset", language), visible=False)
                center = gr.Slider(
                    0, 255, 128, label=say("clinic.center", language), visible=False, buttons=[]
                )
                width = gr.Slider(1, 256, 256, label=say("clinic.width", language), visible=False, buttons=[])
        with gr.Column(scale=6, min_width=300):
            answer = gr.HTML(
                empty(language, "clinic.none", "clinic.none_lead"), elem_classes=["v-answer", "v-main"]
            )
    outputs = [answer, seen, preset, center, width]
    answered = answering(language, outputs=_OUTPUTS)
    question(file.upload, answered(desk.sent), [file, expert, reference], outputs)
    question(file.clear, answered(desk.cleared), [], outputs)
    question(expert.input, answering(language)(desk.again), [expert, reference], answer)
    windows = answering(language, outputs=3)
    question(preset.input, windows(desk.preset), [preset], [seen, center, width])
    for slider in (center, width):
        question(slider.release, answering(language)(desk.window), [center, width], seen)
    for button, (_, picture, name) in zip(pressed, samples(), strict=True):
        show = answering(language, outputs=_OUTPUTS + 2)(desk.example(picture, name))
        question(button.click, show, [reference], [*outputs, expert, file])
    return [Renewed(expert, lambda: gr.update(choices=experts(station, language)))]


class Clinic:
    """Answers of the clinic tab, in one language."""

    def __init__(self, station: Station, language: Language) -> None:
        self.station, self.language = station, language

    def sent(self, path: str | None, expert: str, reference: str, request: gr.Request) -> Any:
        """For a file that was just sent, and that is deleted."""
        if path is None:
            return self.cleared(request)
        owner = owner_of(request)
        return self._first(self.station.read_upload(owner, path), expert, reference, owner)

    def example(self, picture: str, name: str | None) -> Any:
        """A handler that answers about one of the examples."""

        def show(reference: str, request: gr.Request) -> Any:
            if name is None:
                data, expert = (STATIC / picture).read_bytes(), "blood_count"
            else:
                data, expert = sample_bytes(name), AUTO
            return (*self._first(data, expert, reference, owner_of(request)), expert, None)

        return show

    def cleared(self, request: gr.Request) -> Any:
        """For nothing: what was kept is let go."""
        self.station.kept.drop(owner_of(request), TAB)
        hidden = gr.update(visible=False)
        none = f"<p>{say('clinic.view_none', self.language)}</p>"
        return empty(self.language, "clinic.none", "clinic.none_lead"), none, hidden, hidden, hidden

    def again(self, expert: str, reference: str, request: gr.Request) -> str:
        """For the same file as before, by another expert."""
        owner = owner_of(request)
        kept: _Sent | None = self.station.kept.get(owner, TAB)
        if kept is None:
            return empty(self.language, "clinic.none", "clinic.none_lead")
        return self._answer(kept.data, expert, reference, owner)

    def preset(self, name: str, request: gr.Request) -> Any:
        """The picture under one of its presets, and where the sliders stand then."""
        view = self._view(request)
        window = view.preset(name).window or _middle(view)
        return self._seen(view, window), gr.update(value=window[0]), gr.update(value=window[1])

    def window(self, center: float, width: float, request: gr.Request) -> str:
        """The picture under a window."""
        return self._seen(self._view(request), (center, max(1.0, width)))

    def _view(self, request: gr.Request) -> View:
        kept: _Sent | None = self.station.kept.get(owner_of(request), TAB)
        if kept is None:
            raise Refusal("again.gone", 410)
        return kept.view

    def _first(self, data: bytes, expert: str, reference: str, owner: str) -> Any:
        with self.station.folder() as folder:
            path = folder / "scan"
            path.write_bytes(data)
            view = self.station.viewer.open(path)
            self.station.viewer.forget(path)
        self.station.kept.put(owner, TAB, _Sent(data, view), len(data) + view.bytes)
        answer = self._answer(data, expert, reference, owner)
        return answer, *self._controls(view)

    def _controls(self, view: View) -> tuple[Any, Any, Any, Any]:
        """The viewer and its controls, set to the file's own window."""
        window = view.preset(view.default).window or _middle(view)
        seen = self._seen(view, window)
        if view.facts.colour:
            hidden = gr.update(visible=False)
            return seen, hidden, hidden, hidden
        low, high = view.slider
        step = max((high - low) / 500, 0.01) if high - low < 500 else 1
        choices = [(one.text(self.language), one.id) for one in view.presets if one.window is not None]
        default = view.default if any(view.default == one for _, one in choices) else choices[0][1]
        return (
            seen,
            gr.update(choices=choices, value=default, visible=True),
            gr.update(minimum=low, maximum=high, value=window[0], step=step, visible=True),
            gr.update(minimum=1, maximum=max(2.0, high - low + 1), value=window[1], step=step, visible=True),
        )

    def _seen(self, view: View, window: tuple[float, float]) -> str:
        picture = jpeg(self.station.viewer.under(view, window, max_side=900))
        facts, told = view.facts, []
        told.append(facts.modality or facts.format)
        if facts.body_part is not None:
            told.append(facts.body_part[self.language == "en"])
        told.append(
            say("clinic.fact.size", self.language, height=str(facts.size_px[0]), width=str(facts.size_px[1]))
        )
        if facts.spacing_mm is not None:
            row, column = (Quantity(round(one, 3), "plain") for one in facts.spacing_mm)
            told.append(say("clinic.fact.spacing", self.language, row=row, column=column))
        if facts.frames > 1:
            told.append(say("clinic.fact.frames", self.language, count=facts.frames))
        return fragment("view.html", self.language, picture=picture, facts=told)

    def _answer(self, data: bytes, expert: str, reference: str, owner: str) -> str:
        """The fragment about a file.

        Raises:
            VnvisionError: it cannot be read or answered.
        """
        image = self.station.reader.read(data).image
        by, name = "", expert
        titles = self.station.models.experts("clinic", self.language)
        if expert == AUTO:
            (chosen,) = self.station.models.router.choose([image])
            if chosen.expert is None:
                return stranger_html(image, chosen.reasons, "clinic", self.language)
            if chosen.expert not in titles:
                raise Refusal("clinic.crop")
            name, share = chosen.expert, percent(chosen.certainty, self.language)
            by = say("crops.answered_by", self.language, name=titles[name], share=share)
        model, facts = self.station.models.model(name)
        answer = model.predict(image)
        seen = not answer.abstained and answer.kind in ("classification", "multilabel")
        heat = model.heatmap(image) if seen else None
        default = say("clinic.reference_default", self.language, at=f"{datetime.now():%H:%M:%S}")
        case = case_of(
            image,
            answer,
            facts,
            reference=reference.strip() or default,
            language=self.language,
            heatmap=heat,
            made=date.today(),
        )
        return case_html(case, self._links(case, data, answer, model, image, heat, owner), by=by)

    def _links(
        self,
        case: Case,
        data: bytes,
        answer: Answer,
        model: Predictor,
        image: np.ndarray,
        heat: np.ndarray | None,
        owner: str,
    ) -> list[Link]:
        links = [pdf_link(case, owner, self.station.parcels)]
        if not sniff.is_dicom(data[: sniff.HEAD_BYTES]):
            return links
        language, station = self.language, self.station

        def results() -> bytes:
            with station.folder() as folder:
                source = folder / "scan.dcm"
                source.write_bytes(data)
                made = dicom_download(
                    source,
                    answer,
                    folder / "out",
                    model=model,
                    language=language,
                    picture=image,
                    heatmap=heat,
                )
                return made.zip.read_bytes()

        size = len(data) + image.nbytes
        href = station.parcels.put(owner, "dicom-sr.zip", "application/zip", results, size=size)
        return [*links, Link(href, say("clinic.dicom", language), second=True)]


def _middle(view: View) -> tuple[float, float]:
    low, high = view.slider
    return (low + high) / 2, max(1.0, high - low)


def sample_bytes(name: str) -> bytes:
    """One of the test files that pydicom brings with it."""
    from pydicom.data import get_testdata_file

    found = get_testdata_file(name, download=False)
    if found is None:
        raise Refusal("example.missing")
    return Path(str(found)).read_bytes()
