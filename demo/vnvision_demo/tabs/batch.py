"""Batch: many pictures or a zip of them, to a table and pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import gradio as gr

from vnvision.report.cases.wording import percent
from vnvision.report.phrases import Quantity
from vnvision_demo.errors import Refusal
from vnvision_demo.jobs.batch import MOST_PICTURES, BatchResult, run_batch
from vnvision_demo.jobs.batch_rows import BatchRow
from vnvision_demo.jobs.zips import unpack_pictures
from vnvision_demo.settings import Language
from vnvision_demo.show import empty, fragment
from vnvision_demo.show.case import Link
from vnvision_demo.station import Station
from vnvision_demo.tabs import clinic, crops
from vnvision_demo.tabs.drawn import leaves
from vnvision_demo.tabs.progress import bar
from vnvision_demo.tabs.shared import Renewed, answering, examples, owner_of, question
from vnvision_demo.texts import say

TILES = (
    ("answered", "batch.answered"),
    ("abstained", "batch.abstained"),
    ("no_expert", "batch.no_expert"),
    ("unread", "batch.unread"),
)
_SHOWN = 100
_PROGRESS = gr.Progress()


def batch(station: Station, language: Language) -> list[Renewed]:
    """Lay out the tab."""
    desk = Batches(station, language)

    def choices() -> list[tuple[str, str]]:
        return crops.experts(station, language) + clinic.experts(station, language)[1:]

    with gr.Row(elem_classes="v-two"):
        with gr.Column(scale=4, min_width=300):
            gr.Markdown(say("batch.lead", language, most=MOST_PICTURES), elem_classes="v-lead")
            files = gr.File(label=say("batch.files", language), file_count="multiple", height=200, buttons=[])
            expert = gr.Dropdown(choices(), value=crops.AUTO, label=say("crops.expert", language))
            title = gr.Textbox(label=say("batch.title", language), max_length=80)
            go = gr.Button(say("batch.go", language), variant="primary", elem_classes="v-follow")
            (example,) = examples([("batch.example.leaves", "leaf-spots.jpg")], language)
        with gr.Column(scale=6, min_width=300):
            answer = gr.HTML(
                empty(language, "batch.none", "batch.none_lead"), elem_classes=["v-answer", "v-main"]
            )
    question(go.click, answering(language)(desk.sent), [files, expert, title], answer, long=True)
    question(example.click, answering(language)(desk.example), [title], answer, long=True)
    return [Renewed(expert, lambda: gr.update(choices=choices()))]


class Batches:
    """Answers about many pictures, in one language."""

    def __init__(self, station: Station, language: Language) -> None:
        self.station, self.language = station, language

    def sent(
        self,
        paths: Sequence[str] | None,
        expert: str,
        title: str,
        request: gr.Request,
        progress: gr.Progress = _PROGRESS,
    ) -> str:
        """For files that were just sent, and that are deleted."""
        if not paths:
            raise Refusal("batch.need")
        owner = owner_of(request)
        with self.station.uploads.taken(owner, paths) as files, self.station.folder() as folder:
            given = [(file.name, file) for file in files]
            if len(files) == 1 and _is_zip(files[0]):
                tell = bar(progress, "batch", self.language, 0.0, 0.1)
                given = list(unpack_pictures(files[0], folder, progress=tell).files)
            return self.answer(given, expert, title, owner, folder, progress)

    def example(self, title: str, request: gr.Request, progress: gr.Progress = _PROGRESS) -> str:
        """For drawn leaves."""
        with self.station.folder() as folder:
            given = leaves(folder)
            return self.answer(given, crops.SEVERITY, title, owner_of(request), folder, progress)

    def answer(
        self,
        given: list[tuple[str, Path]],
        expert: str,
        title: str,
        owner: str,
        folder: Path,
        progress: gr.Progress,
    ) -> str:
        """The fragment about a batch, and its files to fetch."""
        found = run_batch(
            given,
            expert,
            models=self.station.models,
            out=folder / "out",
            reader=self.station.reader,
            language=self.language,
            title=title.strip(),
            progress=bar(progress, "batch", self.language, 0.1, 1.0),
        )
        tiles = [(say(key, self.language), found.counts[one]) for one, key in TILES if found.counts[one]]
        shown = [asdict(row) | {"words": self._words(row)} for row in found.rows[:_SHOWN]]
        more = len(found.rows) > len(shown)
        seconds = Quantity(round(found.seconds, 1), "plain")
        return fragment(
            "batch.html",
            self.language,
            title=say("batch.done", self.language, count=len(found.rows), seconds=seconds),
            tiles=tiles,
            links=self._links(found, owner),
            rows=shown,
            note=say("batch.first", self.language, shown=len(shown)) if more else "",
        )

    def _links(self, found: BatchResult, owner: str) -> list[Link]:
        put, language = self.station.parcels.put, self.language
        name = "bang-ket-qua.csv" if language == "vi" else "results.csv"
        links = [Link(put(owner, name, "text/csv", found.csv.read_bytes()), say("batch.csv", language))]
        known = self.station.models.experts
        titles = known("crops", language) | known("clinic", language)
        for expert, path in found.pdfs.items():
            href = put(owner, f"{expert}.pdf", "application/pdf", path.read_bytes())
            words = say("batch.pdf", language, name=titles.get(expert, expert))
            links.append(Link(href, words, second=True))
        return links

    def _words(self, row: BatchRow) -> str:
        if row.status != "answered":
            return row.reason_text
        share = f" · {percent(row.probability, self.language)}" if row.probability is not None else ""
        return f"{row.answer_text}{share}"


def _is_zip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == b"PK\3\4" or path.suffix.lower() == ".zip"
