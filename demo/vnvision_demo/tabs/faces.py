"""Faces: compare two photos; enrol, find and forget people; hide faces."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import cv2
import gradio as gr
import numpy as np

from vnvision.report.cases.page import day
from vnvision.report.phrases import Quantity, local
from vnvision_demo.door.preview import jpeg, shown
from vnvision_demo.errors import Refusal
from vnvision_demo.faces import CLOSE, VERIFY
from vnvision_demo.settings import Language
from vnvision_demo.show import empty, fragment
from vnvision_demo.show.case import Link
from vnvision_demo.station import Station
from vnvision_demo.tabs.photo import Photo
from vnvision_demo.tabs.shared import STATIC, Renewed, answering, examples, owner_of, question
from vnvision_demo.texts import say

if TYPE_CHECKING:
    from vnvision.faces.engine import Comparison, Match
    from vnvision.records import Face

METHODS = (("faces.blur", "blur"), ("faces.pixelate", "pixelate"), ("faces.fill", "fill"))
_AUDIT_SHOWN = 50
_INK = (11, 107, 87)


def faces(station: Station, language: Language) -> list[Renewed]:
    """Lay out the tab."""
    with gr.Tabs(elem_classes="v-inner"):
        with gr.Tab(say("faces.compare", language)):
            _compare(station, language)
        with gr.Tab(say("faces.find", language)):
            fresh = _enrol_and_find(station, language)
        with gr.Tab(say("faces.hide", language)):
            _hide(station, language)
    return fresh


def _photo(language: Language, key: str) -> Photo:
    return Photo(
        label=say(key, language),
        type="filepath",
        image_mode=None,
        sources=["upload", "webcam"],
        buttons=[],
        height=240,
        elem_classes="v-photo",
    )


def _strict(language: Language) -> gr.Radio:
    choices = [(say("faces.strict_4", language), "fmr=1e-4"), (say("faces.strict_3", language), "fmr=1e-3")]
    return gr.Radio(choices, value="fmr=1e-4", label=say("faces.strict", language))


def _compare(station: Station, language: Language) -> None:
    desk = Comparing(station, language)
    gr.Markdown(say("faces.compare_lead", language), elem_classes="v-lead")
    with gr.Row(elem_classes="v-two"):
        with gr.Column(scale=5, min_width=300):
            with gr.Row():
                first, second = _photo(language, "faces.first"), _photo(language, "faces.second")
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
        numbers = {"score": _cosine(found.similarity), "limit": _cosine(found.threshold)}
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


def _cosine(value: float) -> Quantity:
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


def _enrol_and_find(station: Station, language: Language) -> list[Renewed]:
    desk = Enrolling(station, language)
    gr.Markdown(say("faces.law", language), elem_classes="v-lead")
    with gr.Row(elem_classes="v-two"):
        with gr.Column(scale=5, min_width=300):
            photo = _photo(language, "faces.photo")
            person = gr.Textbox(
                label=say("faces.person", language),
                placeholder=say("faces.person_hint", language),
                max_length=80,
            )
            purpose = gr.Textbox(
                say("faces.purpose_value", language), label=say("faces.purpose", language), max_length=200
            )
            days = gr.Slider(1, 730, 90, step=1, label=say("faces.days", language), buttons=[])
            agree = gr.Checkbox(label=say("faces.agree", language))
            enroll = gr.Button(say("faces.enroll", language), variant="primary")
        with gr.Column(scale=5, min_width=300):
            wanted = _photo(language, "faces.search_photo")
            search = gr.Button(say("faces.search", language), variant="primary")
            answer = gr.HTML(elem_classes="v-answer")
            people = gr.HTML(elem_classes="v-answer")
            who = gr.Dropdown([], label=say("faces.forget_who", language), value=None)
            forget = gr.Button(say("faces.forget", language), variant="stop")
            with gr.Accordion(say("faces.audit", language), open=False):
                refresh = gr.Button(say("faces.audit_refresh", language))
                log = gr.HTML(elem_classes="v-answer")
    many = answering(language, outputs=3)
    question(enroll.click, many(desk.enroll), [photo, person, purpose, days, agree], [answer, people, who])
    question(search.click, answering(language)(desk.find), [wanted], answer)
    question(forget.click, many(desk.forget), [who], [answer, people, who])
    question(refresh.click, answering(language)(desk.audit), [], log)
    return [Renewed(people, desk.listed), Renewed(who, lambda: gr.update(choices=desk.names()))]


class Enrolling:
    """Answers about the people enrolled, in one language."""

    def __init__(self, station: Station, language: Language) -> None:
        self.station, self.language, self.desk = station, language, station.desk

    def names(self) -> list[str]:
        """Everyone enrolled."""
        return [person.person for person in self.desk.people()]

    def listed(self) -> str:
        """Everyone enrolled, with consent and expiry."""
        rows = []
        for person in self.desk.people():
            last = max(person.photos, key=lambda photo: photo.expires)
            until = (
                day(last.expires.date(), self.language)
                if person.matches
                else say("faces.expired", self.language)
            )
            given = day(last.consent.given_at.date(), self.language)
            words = say(
                "faces.row",
                self.language,
                count=len(person.photos),
                purpose=last.purpose,
                given=given,
                until=until,
            )
            rows.append({"name": person.person, "words": words})
        title = say("faces.people", self.language, count=len(rows))
        return fragment("people.html", self.language, title=title, rows=rows)

    def _all(self, line: str) -> tuple[str, str, Any]:
        told = fragment("done.html", self.language, line=line)
        return told, self.listed(), gr.Dropdown(choices=self.names(), value=None)

    def enroll(
        self, path: str | None, person: str, purpose: str, days: float, agree: bool, request: gr.Request
    ) -> Any:
        """Enrol a person with one photo, whose file is deleted."""
        if not agree:
            raise Refusal("faces.need_consent")
        if not person.strip():
            raise Refusal("faces.need_person")
        if path is None:
            raise Refusal("faces.need_photo")
        image = self.station.reader.read(self.station.read_upload(owner_of(request), path)).image
        words = say("faces.agree", self.language)
        done, until = self.desk.enroll(
            person.strip(), image, words=words, purpose=purpose.strip() or "-", days=int(days)
        )
        count = done.added + done.already + done.replaced
        line = say(
            "faces.enrolled",
            self.language,
            person=done.person,
            count=count,
            until=day(until.date(), self.language),
        )
        return self._all(line)

    def find(self, path: str | None, request: gr.Request) -> str:
        """Who the faces of a photo are; its file is deleted."""
        if path is None:
            raise Refusal("faces.need_photo")
        image = self.station.reader.read(self.station.read_upload(owner_of(request), path)).image
        matches = self.desk.find(image, "fmr=1e-4")
        found = [match.face for match in matches] or list(self.desk.faces(image))
        if not found:
            raise Refusal("faces.none")
        who = [self._who(match) for match in matches] or [say("faces.unknown", self.language)] * len(found)
        lines = [
            say("faces.found_one", self.language, number=number, who=name)
            for number, name in enumerate(who, 1)
        ]
        known = any(match.answer.candidates for match in matches)
        note = "" if self.names() else say("faces.nobody", self.language)
        return fragment(
            "found.html",
            self.language,
            lines=lines,
            known=known,
            note=note,
            picture=jpeg(_numbered(image, found)),
        )

    def _who(self, match: Match) -> str:
        if not match.answer.candidates:
            return say("faces.unknown", self.language)
        best = match.answer.candidates[0]
        return f"{best.person} ({local(_cosine(best.score), self.language)})"

    def forget(self, person: str | None) -> Any:
        """Erase a person."""
        if not person:
            raise Refusal("faces.nobody_chosen")
        count = self.desk.forget(person)
        return self._all(say("faces.forgotten", self.language, person=person, count=count))

    def audit(self) -> str:
        """The last entries of the log."""
        entries = self.desk.audit()
        known = {self._pseudonym(name): name for name in self.names()}
        rows = []
        for entry in reversed(entries[-_AUDIT_SHOWN:]):
            key = f"faces.audit.{entry.action}"
            what = say(key if key in _AUDITED else "faces.audit.other", self.language)
            at = datetime.fromisoformat(entry.at).astimezone()
            form = "%d/%m/%Y %H:%M" if self.language == "vi" else "%Y-%m-%d %H:%M"
            whom = ", ".join(known.get(one, one[:8]) for one in entry.subjects)
            rows.append({"at": at.strftime(form), "what": what, "whom": whom})
        return fragment("audit.html", self.language, rows=rows, count=len(entries))

    def _pseudonym(self, person: str) -> str:
        with self.desk.gallery() as gallery:
            return gallery.pseudonym(person)


_AUDITED = {
    "faces.audit.create", "faces.audit.enroll", "faces.audit.identify", "faces.audit.forget",
    "faces.audit.verify", "faces.audit.anonymise", "faces.audit.purge",
}  # fmt: skip


def _numbered(image: np.ndarray, found: list[Face]) -> np.ndarray:
    """The picture as shown, with a box and a number around every face."""
    picture = np.ascontiguousarray(shown(image)).copy()
    scale = picture.shape[1] / image.shape[1]
    thick = max(2, round(max(picture.shape[:2]) / 300))
    for number, face in enumerate(found, 1):
        x0, y0, x1, y1 = (round(scale * side) for side in face.box_xyxy_px)
        cv2.rectangle(picture, (x0, y0), (x1, y1), (255, 255, 255), thick + 2)
        cv2.rectangle(picture, (x0, y0), (x1, y1), _INK, thick)
        place = (x0 + thick, max(y0 - 2 * thick, 20))
        cv2.putText(
            picture, str(number), place, cv2.FONT_HERSHEY_SIMPLEX, thick / 3, (255, 255, 255), 2 * thick
        )
        cv2.putText(picture, str(number), place, cv2.FONT_HERSHEY_SIMPLEX, thick / 3, _INK, thick)
    return picture


def _hide(station: Station, language: Language) -> None:
    desk = Hiding(station, language)
    gr.Markdown(say("faces.hide_lead", language), elem_classes="v-lead")
    with gr.Row(elem_classes="v-two"):
        with gr.Column(scale=5, min_width=300):
            photo = _photo(language, "faces.photo")
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
