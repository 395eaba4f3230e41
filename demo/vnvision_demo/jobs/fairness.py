"""Photos of a user's own people to the report of who is taken for whom, by group."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vnvision.evaluate.faces import FaceReport, evaluate_faces
from vnvision.faces.embedded import EmbeddedFaces
from vnvision.faces.engine import DEFAULT_THRESHOLD, FaceEngine
from vnvision.faces.thresholds import Threshold
from vnvision.imaging.isolated import IsolatedReader
from vnvision.metrics.thresholds import rule_of_three
from vnvision.records import Metric
from vnvision.report.faces import write_face_report
from vnvision_demo.jobs.fairness_faces import NO_FACE, UNREADABLE, embed_photos, people_wrong
from vnvision_demo.jobs.fairness_people import Named, Photo, check_enough, list_photos, twins
from vnvision_demo.jobs.progress import Progress, silent
from vnvision_demo.jobs.zips import Unpacked

LIST, FACES, COMPARE, WRITE, DONE = "list", "faces", "compare", "write", "done"
"""Stage codes, in this order."""
_FACES_FROM, _FACES_TO, _WRITE_FROM = 0.02, 0.85, 0.93


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group at the threshold of this system; the only one, named "", where there are no groups.

    Attributes:
        name: of the folder.
        people: with a face in one photo or more.
        photos: all of them.
        no_face: photos in which no face was found.
        unreadable: photos that could not be decoded.
        mistaken: people with a photo that matches a photo of somebody else, of whatever group.
        missed: people of whom two photos do not match.
        fmr: share of comparisons of two people of the group that match.
        fnmr: share of comparisons of one person that do not.
        people_needed: in the group, at as many photos each, to see the false match rate that the threshold
            was made for (rule of three); 0 where it was made for none.
    """

    name: str
    people: int
    photos: int
    no_face: int
    unreadable: int
    mistaken: int
    missed: int
    fmr: Metric | None
    fnmr: Metric | None
    people_needed: int


@dataclass(frozen=True, slots=True)
class Fairness:
    """A report and what stands on its first line.

    Attributes:
        report: all of it.
        html: the page in both languages.
        pdf: the same on paper.
        json: the same for programs.
        people: with a face.
        photos: all of them, those without a face among them.
        no_face: photos without a face; they are failures to enrol in the report.
        unreadable: photos that could not be decoded; likewise.
        groups: by name.
        threshold: cosine.
        target: what the threshold promises, such as ``fmr=1e-4``; empty for a bare number.
        population: on whom it was measured.
        twins: names of the same photo in two people's folders; these two count as mistaken for each other.
    """

    report: FaceReport
    html: Path
    pdf: Path
    json: Path
    people: int
    photos: int
    no_face: int
    unreadable: int
    groups: tuple[GroupRow, ...]
    threshold: float
    target: str
    population: str
    twins: tuple[tuple[str, str], ...] = ()


def fairness_report(
    root: Unpacked | str | Path | Iterable[Named],
    out: str | Path,
    *,
    engine: FaceEngine,
    reader: IsolatedReader,
    language: Literal["vi", "en"] = "vi",
    threshold: float | str = DEFAULT_THRESHOLD,
    name: str = "",
    progress: Progress = silent,
) -> Fairness:
    """How many of these people are taken for somebody else, by group, at the threshold this system uses.

    Every photo is compared with every other. No photo, template or person's name is in what is written.

    Args:
        root: ``people/An/1.jpg``, or ``group/An/1.jpg`` where groups are to be held against each other: what
            a zip held, a folder, or names with folders and where the pictures lie.
        out: folder for ``report.html``, ``report.pdf`` and ``report.json``.
        engine: finds and embeds faces.
        reader: decodes in processes of its own.
        language: shown first.
        threshold: as the rest of the system uses it: a cosine or a stored operating point. The default is
            the strictest of all populations measured.
        name: what the report calls the photos.
        progress: told the share done and the stage: ``list``, ``faces``, ``compare``, ``write``, ``done``.

    Raises:
        DataError: folders that do not say who is who, too many photos or people, or too few for a rate.
        ConfigError: a threshold that was never measured for this engine.
    """
    progress(0.0, LIST)
    limit = engine.threshold(threshold)
    photos = list_photos(root)
    check_enough(photos)

    def told(done: int) -> None:
        progress(_FACES_FROM + (_FACES_TO - _FACES_FROM) * done / len(photos), FACES)

    told(0)
    faces = embed_photos(engine, reader, photos, told)
    check_enough(photos, faces.found.tolist())
    progress(_FACES_TO, COMPARE)
    grouped = "group" if "group" in faces.columns else None
    at = limit.point or limit.value
    report = evaluate_faces(faces, "all-pairs", group=grouped, threshold=at, name=name)
    rows = _rows(faces, photos, report, limit.value)
    progress(_WRITE_FROM, WRITE)
    html = write_face_report(report, out, language=language)
    progress(1.0, DONE)
    return _result(report, html, faces, photos, limit, rows)


def _result(
    report: FaceReport,
    html: Path,
    faces: EmbeddedFaces,
    photos: Sequence[Photo],
    limit: Threshold,
    rows: tuple[GroupRow, ...],
) -> Fairness:
    point = limit.point
    return Fairness(
        report=report,
        html=html,
        pdf=html.with_suffix(".pdf"),
        json=html.with_suffix(".json"),
        people=sum(row.people for row in rows),
        photos=len(photos),
        no_face=faces.reasons.count(NO_FACE),
        unreadable=faces.reasons.count(UNREADABLE),
        groups=rows,
        threshold=limit.value,
        target=point.target if point is not None else "",
        population=point.population if point is not None else "",
        twins=twins(photos),
    )


def _rows(
    faces: EmbeddedFaces, photos: Sequence[Photo], report: FaceReport, threshold: float
) -> tuple[GroupRow, ...]:
    mistaken, missed = people_wrong(faces, threshold)
    rates = {one.group: one for one in report.differential.groups} if report.differential else {}
    rows = []
    for group in sorted({photo.group for photo in photos}):
        mine = [i for i, photo in enumerate(photos) if photo.group == group]
        reasons = [faces.reasons[i] for i in mine]
        people = {photos[i].person for i in mine if not faces.reasons[i]}
        rate, point = rates.get(group), report.operating
        found = (rate.fmr, rate.fnmr) if rate else (point.fmr, point.fnmr) if point else (None, None)
        target = point.target_fmr if point is not None else None
        rows.append(
            GroupRow(
                name=group,
                people=len(people),
                photos=len(mine),
                no_face=reasons.count(NO_FACE),
                unreadable=reasons.count(UNREADABLE),
                mistaken=len(people & mistaken),
                missed=len(people & missed),
                fmr=found[0],
                fnmr=found[1],
                people_needed=_needed(target, reasons.count("") / max(1, len(people))),
            )
        )
    return tuple(rows)


def _needed(target: float | None, photos_each: float) -> int:
    """People n with n (n - 1) / 2 pairs, each of ``photos_each`` squared comparisons, for a rate."""
    if target is None:
        return 0
    pairs = rule_of_three(target) / max(1.0, photos_each) ** 2
    return math.ceil(0.5 + math.sqrt(0.25 + 2 * pairs))
