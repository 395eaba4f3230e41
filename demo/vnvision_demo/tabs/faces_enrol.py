"""People enrolled with their consent: find them, forget them, see who was looked up."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import cv2
import gradio as gr
import numpy as np

from vnvision.report.cases.page import day
from vnvision.report.phrases import local
from vnvision_demo.door.preview import jpeg, shown
from vnvision_demo.errors import Refusal
from vnvision_demo.settings import Language
from vnvision_demo.show import fragment
from vnvision_demo.station import Station
from vnvision_demo.tabs.faces_compare import cosine
from vnvision_demo.tabs.photo import photo_box
from vnvision_demo.tabs.shared import Renewed, answering, owner_of, question
from vnvision_demo.texts import say

if TYPE_CHECKING:
    from vnvision.faces.engine import Match
    from vnvision.records import Face

_AUDIT_SHOWN = 50
_INK = (11, 107, 87)


def enrol_and_find(station: Station, language: Language) -> list[Renewed]:
    """Lay out the inner tab."""
    desk = Enrolling(station, language)
    gr.Markdown(say("faces.law", language), elem_classes="v-lead")
    with gr.Row(elem_classes="v-two"):
        with gr.Column(scale=5, min_width=300):
            photo = photo_box(say("faces.photo", language), height=240)
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
            wanted = photo_box(say("faces.search_photo", language), height=240)
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
        return f"{best.person} ({local(cosine(best.score), self.language)})"

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
