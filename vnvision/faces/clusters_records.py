"""What grouping a photo folder by person answers, and its table."""

from __future__ import annotations

import csv
import io
from typing import Annotated, Literal

from pydantic import PlainSerializer

from vnvision.records import OperatingPoint
from vnvision.spec import Record

Left = Literal["", "too_small"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def spelt(text: str) -> str:
    """Text that can be written: bytes of a file name that are no UTF-8 become ``\\udc..``."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


Spelt = Annotated[str, PlainSerializer(spelt, when_used="json")]


class ClusteredFace(Record):
    """One face of one photo.

    Attributes:
        path: of the photo, relative to the folder.
        face: its number in the photo, from 1, the most certain first.
        box_xyxy_px: in the photo, turned upright.
        person_id: ``person-001`` and so on; empty where the face was left out.
        similarity: cosine to the mean of the person's faces, this one among them; None where it was left out.
        to_others: mean cosine to the person's other faces; None where there is none.
        quality: 0 to 100; 0 where it could not be measured.
        left_out: why it has no person.
        copy_of: the photo that this one is a copy of, saved again or resized; empty where it is none.
    """

    path: Spelt
    face: int
    box_xyxy_px: tuple[float, float, float, float]
    person_id: str = ""
    similarity: float | None = None
    to_others: float | None = None
    quality: float = 0.0
    left_out: Left = ""
    copy_of: Spelt = ""


class PhotoPerson(Record):
    """One person.

    Attributes:
        faces: how many.
        photos: in how many photos, copies counted once.
        lowest_to_others: of the face least like the others, its mean cosine to them; None for a lone face.
        cover_path, cover_face: the face of the best quality.
    """

    person_id: str
    faces: int
    photos: int
    lowest_to_others: float | None
    cover_path: Spelt
    cover_face: int


class PhotoProblem(Record):
    """A photo that could not be read, and why."""

    path: Spelt
    problem: Spelt


class PhotoClusters(Record):
    """The faces of a folder by person.

    Attributes:
        photos: how many were looked at.
        threshold: mean cosine from which two groups of faces are one person.
        point: where the threshold comes from; None where it was stated as a number.
        people: those in the most photos first.
        faces: by path, then number.
        without_face: photos that show none.
        unreadable: photos that could not be read.
        copies: photos that are copies of others.
    """

    photos: int
    threshold: float
    point: OperatingPoint | None = None
    model: str = ""
    people: tuple[PhotoPerson, ...] = ()
    faces: tuple[ClusteredFace, ...] = ()
    without_face: tuple[Spelt, ...] = ()
    unreadable: tuple[PhotoProblem, ...] = ()
    copies: int = 0

    @property
    def left_out(self) -> int:
        """Faces that were found but too small to be told apart."""
        return sum(bool(face.left_out) for face in self.faces)

    def table(self) -> str:
        """CSV with a byte order mark (for Excel), a row a face, boxes in pixels.

        A name that a spreadsheet would take for a formula gets an apostrophe before it.
        """
        out = io.StringIO(newline="")
        rows = csv.writer(out, lineterminator="\r\n")
        rows.writerow(
            (
                "path",
                "face",
                "x0",
                "y0",
                "x1",
                "y1",
                "person_id",
                "similarity",
                "quality",
                "left_out",
                "copy_of",
            )
        )
        for one in self.faces:
            box = (f"{value:.1f}" for value in one.box_xyxy_px)
            near = "" if one.similarity is None else f"{one.similarity:.4f}"
            cells = (one.person_id, near, f"{one.quality:.0f}", one.left_out, plain_cell(one.copy_of))
            rows.writerow((plain_cell(one.path), one.face, *box, *cells))
        return "\ufeff" + out.getvalue()


def plain_cell(text: str) -> str:
    """Text for a cell of a table: one that begins like a formula gets an apostrophe before it."""
    text = spelt(text)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
