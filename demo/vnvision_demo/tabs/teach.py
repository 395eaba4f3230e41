"""Teach: a farm or a clinic makes its own expert from its own photos, and hears honestly how good it is."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from vnvision.records import Metric
from vnvision.report.cases import case_of, model_facts
from vnvision.report.cases.wording import percent
from vnvision.report.phrases import Quantity, local
from vnvision.runtime import load_bundle, open_bundle
from vnvision_demo.errors import Refusal
from vnvision_demo.jobs.zips import unpack_pictures
from vnvision_demo.settings import Language
from vnvision_demo.show import empty, fragment
from vnvision_demo.show.case import Link, case_html, pdf_link
from vnvision_demo.station import Station
from vnvision_demo.tabs.drawn import lesson as drawn_lesson
from vnvision_demo.tabs.photo import photo_box
from vnvision_demo.tabs.progress import bar
from vnvision_demo.tabs.shared import Renewed, answering, examples, owner_of, question
from vnvision_demo.texts import say

if TYPE_CHECKING:
    from vnvision.teach import Taught
    from vnvision_demo.lessons import Lesson

LEAST = 20
_PROGRESS = gr.Progress()


def teach(station: Station, language: Language) -> list[Renewed]:
    """Lay out the tab."""
    desk = Teaching(station, language)
    gr.Markdown(say("teach.lead", language, least=LEAST), elem_classes="v-lead")
    with gr.Row(elem_classes="v-two"):
        with gr.Column(scale=5, min_width=300):
            gr.Markdown(f"### {say('teach.step_photos', language)}")
            kind = gr.Textbox(
                label=say("teach.class", language),
                placeholder=say("teach.class_hint", language),
                max_length=60,
            )
            photos = gr.File(
                label=say("teach.photos", language), file_count="multiple", height=190, buttons=[]
            )
            add = gr.Button(say("teach.add", language))
            zipped = gr.File(
                label=say("teach.zip", language),
                file_count="single",
                file_types=[".zip"],
                height=190,
                buttons=[],
            )
            (example,) = examples([("teach.example.leaves", "leaf-spots.jpg")], language)
            so_far = gr.HTML(desk.listed(None), elem_classes="v-answer")
            clear = gr.Button(say("teach.clear", language), size="sm")
            gr.Markdown(f"### {say('teach.step_teach', language)}")
            name = gr.Textbox(
                say("teach.name_default", language), label=say("teach.name", language), max_length=40
            )
            domains = [(say("teach.crop", language), "crop"), (say("teach.clinic", language), "clinic")]
            domain = gr.Radio(domains, value="crop", label=say("teach.domain", language))
            go = gr.Button(say("teach.go", language), variant="primary", elem_classes="v-follow")
        with gr.Column(scale=5, min_width=300):
            answer = gr.HTML(
                empty(language, "teach.none", "teach.none_lead"), elem_classes=["v-answer", "v-main"]
            )
            gr.Markdown(f"### {say('teach.step_try', language)}")
            photo = photo_box(say("teach.try", language), height=220)
            tried = gr.HTML(elem_classes="v-answer")
            keep = gr.Button(say("teach.keep", language))
            kept = gr.HTML(elem_classes="v-answer")
    three = answering(language, outputs=3)
    question(add.click, three(desk.add), [kind, photos], [so_far, kind, photos])
    question(zipped.upload, answering(language, outputs=2)(desk.unpack), [zipped], [so_far, zipped])
    question(example.click, answering(language)(desk.example), [], so_far)
    question(clear.click, answering(language)(desk.clear), [], so_far)
    question(go.click, answering(language)(desk.teach), [name, domain], answer, long=True)
    question(photo.input, answering(language)(desk.tried), [photo], tried)
    question(keep.click, answering(language)(desk.keep), [], kept)
    return []


class Teaching:
    """Lessons of all browsers, in one language."""

    def __init__(self, station: Station, language: Language) -> None:
        self.station, self.language = station, language

    def listed(self, lesson: Lesson | None) -> str:
        """The classes so far, and what is missing."""
        classes = lesson.classes if lesson is not None else {}
        rows = []
        for name, paths in classes.items():
            missing = LEAST - len(paths)
            state = (
                say("teach.more", self.language, count=missing)
                if missing > 0
                else say("teach.enough", self.language)
            )
            rows.append({"name": name, "words": f"{len(paths)} · {state}", "enough": missing <= 0})
        count = sum(len(paths) for paths in classes.values())
        title = say("teach.listed", self.language, classes=len(classes), photos=count)
        return fragment(
            "lesson.html",
            self.language,
            title=title if rows else say("teach.empty", self.language),
            rows=rows,
        )

    def add(self, kind: str, paths: Sequence[str] | None, request: gr.Request) -> Any:
        """A class with its photos, which move into the lesson."""
        if not kind.strip():
            raise Refusal("teach.need_class")
        if not paths:
            raise Refusal("teach.need_photos")
        owner = owner_of(request)
        with self.station.uploads.taken(owner, paths) as files:
            lesson = self.station.lessons.add(owner, kind.strip(), files)
        return self.listed(lesson), "", None

    def unpack(self, path: str | None, request: gr.Request) -> Any:
        """A zip with a folder a class."""
        if path is None:
            return gr.skip(), gr.skip()
        owner = owner_of(request)
        with self.station.uploads.taken(owner, [path]) as (file,), self.station.folder() as folder:
            by_class: dict[str, list[Path]] = {}
            for shown, lies in unpack_pictures(file, folder).files:
                by_class.setdefault(shown.rpartition("/")[0].rpartition("/")[2] or "?", []).append(lies)
            for kind, files in by_class.items():
                self.station.lessons.add(owner, kind, files)
        return self.listed(self.station.lessons.of(owner)), None

    def example(self, request: gr.Request) -> str:
        """Drawn leaves of three kinds."""
        owner = owner_of(request)
        self.station.lessons.end(owner)
        with self.station.folder() as folder:
            for kind, files in drawn_lesson(folder, self.language).items():
                self.station.lessons.add(owner, kind, files)
        return self.listed(self.station.lessons.of(owner))

    def clear(self, request: gr.Request) -> str:
        """Start over."""
        self.station.lessons.end(owner_of(request))
        return self.listed(None)

    def teach(self, name: str, domain: Any, request: gr.Request, progress: gr.Progress = _PROGRESS) -> str:
        """Learn, measure, and give the bundle; the photos are deleted."""
        from vnvision.teach import teach as learn

        owner = owner_of(request)
        lesson = self.station.lessons.of(owner)
        if len(lesson.classes) < 2:
            raise Refusal("teach.need_two")
        bundle = lesson.folder / "bundle"
        taught = learn(
            lesson.classes,
            bundle,
            name=name.strip() or say("teach.name_default", self.language),
            domain=domain,
            progress=bar(progress, "teach", self.language),
            reader=self.station.reader.read,
            overwrite=True,
        )
        lesson.bundle = bundle
        for kind in list(lesson.classes):
            self.station.lessons.drop(owner, kind)
        return self._told(taught, bundle, owner)

    def _told(self, taught: Taught, bundle: Path, owner: str) -> str:
        def share(metric: Metric) -> str:
            if metric.value is None:
                return "–"
            ends = [percent(one, self.language) for one in (metric.low, metric.high) if one is not None]
            return percent(metric.value, self.language) + (f" [{'; '.join(ends)}]" if ends else "")

        language, accuracy = self.language, taught.accuracy
        low, high = (percent(one or 0.0, language) for one in (accuracy.low, accuracy.high))
        skipped = [say("teach.skipped", language, count=len(taught.skipped))] if taught.skipped else []
        href = self.station.parcels.put(
            owner, f"{taught.name}.zip", "application/zip", _zipped(bundle, taught.name)
        )
        better = accuracy.low is not None and accuracy.low > taught.guessing
        return fragment(
            "taught.html",
            language,
            tone="v-sure" if better else "v-unsure",
            name=taught.title,
            score=say("teach.score", language, value=percent(accuracy.value or 0.0, language)),
            verdict=taught.verdict.text(language),
            interval=say(
                "teach.interval",
                language,
                low=low,
                high=high,
                guess=percent(taught.guessing, language),
                n=taught.n,
                groups=taught.n_groups,
            ),
            took=say("teach.took", language, seconds=Quantity(round(taught.seconds, 1), "plain")),
            links=[Link(href, say("teach.get", language))],
            rows=[
                {
                    "name": row.label.text(language),
                    "photos": local(row.photos, language),
                    "distinct": local(row.distinct, language),
                    "recall": share(row.recall),
                    "precision": share(row.precision),
                }
                for row in taught.rows
            ],
            warnings=[*(note.text(language) for note in taught.warnings), *skipped],
        )

    def tried(self, path: str | None, request: gr.Request) -> str:
        """The model that was just taught, on a new photo, whose file is deleted."""
        if path is None:
            return ""
        owner = owner_of(request)
        image = self.station.reader.read(self.station.read_upload(owner, path)).image
        bundle = self.station.lessons.of(owner).bundle
        if bundle is None:
            raise Refusal("teach.nothing")
        model = load_bundle(bundle, threads=1)
        try:
            answer = model.predict(image)
            heat = None if answer.abstained else model.heatmap(image)
            facts = model_facts(open_bundle(bundle), model.target)
        finally:
            model.close()
        reference = say("crops.reference", self.language)
        case = case_of(
            image,
            answer,
            facts,
            reference=reference,
            language=self.language,
            heatmap=heat,
            made=date.today(),
        )
        return case_html(case, [pdf_link(case, owner, self.station.parcels)])

    def keep(self, request: gr.Request) -> str:
        """Put the model beside those of this machine."""
        from vnvision.api import add_model

        if not self.station.settings.is_private:
            raise Refusal("models.off", 403)
        bundle = self.station.lessons.of(owner_of(request)).bundle
        if bundle is None:
            raise Refusal("teach.nothing")
        made = add_model(bundle)
        self.station.models.forget(made.name)
        return fragment("done.html", self.language, line=say("models.added", self.language, name=made.name))


def _zipped(bundle: Path, name: str) -> bytes:
    """The bundle's folder as one file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(bundle.rglob("*")):
            if path.is_file():
                archive.write(path, f"{name}/{path.relative_to(bundle).as_posix()}")
    return stream.getvalue()
