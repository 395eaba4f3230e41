"""Fairness: a zip of people, and who is taken for whom, by group."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from vnvision.records import Metric
from vnvision.report.phrases import Quantity, local
from vnvision_demo.errors import Refusal
from vnvision_demo.jobs.fairness import Fairness, fairness_report
from vnvision_demo.jobs.zips import unpack_pictures
from vnvision_demo.settings import Language
from vnvision_demo.show import empty, fragment
from vnvision_demo.show.case import Link
from vnvision_demo.station import Station
from vnvision_demo.tabs.drawn import people
from vnvision_demo.tabs.progress import bar
from vnvision_demo.tabs.shared import Renewed, answering, examples, owner_of, question
from vnvision_demo.texts import say

_PROGRESS = gr.Progress()


def fairness(station: Station, language: Language) -> list[Renewed]:
    """Lay out the tab."""
    desk = Differences(station, language)
    with gr.Row(elem_classes="v-two"):
        with gr.Column(scale=4, min_width=300):
            gr.Markdown(say("fairness.lead", language), elem_classes="v-lead")
            gr.HTML(f'<p class="v-tree"><code>{say("fairness.tree", language)}</code></p>')
            file = gr.File(
                label=say("fairness.zip", language),
                file_count="single",
                file_types=[".zip"],
                height=170,
                buttons=[],
            )
            go = gr.Button(say("fairness.go", language), variant="primary", elem_classes="v-follow")
            (example,) = examples([("fairness.example.drawn", "face-a.jpg")], language)
        with gr.Column(scale=6, min_width=300):
            answer = gr.HTML(
                empty(language, "fairness.none", "fairness.none_lead"), elem_classes=["v-answer", "v-main"]
            )
    question(go.click, answering(language)(desk.sent), [file], answer, long=True)
    question(example.click, answering(language)(desk.example), [], answer, long=True)
    return []


class Differences:
    """Reports on a user's own people, in one language."""

    def __init__(self, station: Station, language: Language) -> None:
        self.station, self.language = station, language

    def sent(self, path: str | None, request: gr.Request, progress: gr.Progress = _PROGRESS) -> str:
        """For a zip that was just sent, and that is deleted."""
        if path is None:
            raise Refusal("fairness.need")
        owner = owner_of(request)
        with self.station.uploads.taken(owner, [path]) as (file,), self.station.folder() as folder:
            return self.answer(file, owner, folder, progress)

    def example(self, request: gr.Request, progress: gr.Progress = _PROGRESS) -> str:
        """For drawn faces."""
        with self.station.folder() as folder:
            return self.answer(people(folder / "people.zip"), owner_of(request), folder, progress)

    def answer(self, file: Path, owner: str, folder: Path, progress: gr.Progress) -> str:
        """The fragment about a zip, and its report to fetch."""
        unpacked = unpack_pictures(file, folder, progress=bar(progress, "fairness", self.language, 0.0, 0.1))
        found = fairness_report(
            unpacked,
            folder / "out",
            engine=self.station.desk.bulk,
            reader=self.station.reader,
            language=self.language,
            progress=bar(progress, "fairness", self.language, 0.1, 1.0),
        )
        limit = Quantity(round(found.threshold, 2), "plain")
        return fragment(
            "fairness.html",
            self.language,
            at=say("fairness.at", self.language, target=f"{found.target} · {found.population}", limit=limit),
            title=say("fairness.done", self.language, people=found.people, photos=found.photos),
            few=self._few(found),
            links=self._links(found, owner),
            rows=self._rows(found),
        )

    def _rows(self, found: Fairness) -> list[dict[str, str]]:
        def count(value: int) -> str:
            return local(value, self.language)

        return [
            {
                "name": row.name or say("fairness.everyone", self.language),
                "people": count(row.people),
                "mistaken": count(row.mistaken),
                "missed": count(row.missed),
                "fmr": _rate(row.fmr, self.language),
                "no_face": count(row.no_face + row.unreadable),
            }
            for row in found.groups
        ]

    def _few(self, found: Fairness) -> list[str]:
        """Where there are too few people for the rate that was promised."""
        lines = []
        for row in found.groups:
            if row.people_needed > row.people:
                key = "fairness.few" if row.name else "fairness.few_all"
                lines.append(say(key, self.language, group=row.name, needed=row.people_needed))
        pairs = [" = ".join(pair) for pair in found.twins[:5]]
        return [*lines, *([say("fairness.twins", self.language, pairs="; ".join(pairs))] if pairs else [])]

    def _links(self, found: Fairness, owner: str) -> list[Link]:
        put, language = self.station.parcels.put, self.language
        stem = "bao-cao-cong-bang" if language == "vi" else "fairness-report"
        kinds = (
            ("pdf", "application/pdf", found.pdf, say("fairness.pdf", language)),
            ("html", "text/html", found.html, say("fairness.html", language)),
            ("json", "application/json", found.json, say("fairness.json", language)),
        )
        return [
            Link(put(owner, f"{stem}.{suffix}", kind, path.read_bytes()), words, second=suffix != "pdf")
            for suffix, kind, path, words in kinds
        ]


def _rate(rate: Metric | None, language: Language) -> str:
    if rate is None or rate.value is None:
        return "–"
    numbers = [
        local(Quantity(round(100 * (one or 0.0), 2), "plain"), language)
        for one in (rate.value, rate.low, rate.high)
    ]
    return f"{numbers[0]} % [{numbers[1]}; {numbers[2]}]"
