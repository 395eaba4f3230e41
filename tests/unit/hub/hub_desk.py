"""A folder with everything that the examples of the catalogue name, all of it drawn or planted here."""

from __future__ import annotations

import json
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "faces"))
from hub_standins import FORMS, stand_in

from vnvision.data.synthetic import write_leaves
from vnvision.hub import shelf

PEOPLE = 90


def write_desk(folder: Path) -> Path:
    """All files but those of people, which need the face weights, and of DICOM, which need pydicom."""
    folder.mkdir(parents=True, exist_ok=True)
    write_leaves(folder / "set", per_class=10, size_px=64)
    for item in (folder / "set").iterdir():
        item.rename(folder / item.name)
    leaves = sorted((folder / "images").rglob("*.jpg"))
    shutil.copy(leaves[0], folder / "leaf.jpg")
    rng = np.random.default_rng(0)
    for name in ("cell", "xray", "ultrasound", "smear"):
        picture = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{name}.png"), cv2.resize(picture, (160, 120)))
    _pictures(folder / "pictures", leaves[:4])
    _faces(folder)
    (folder / "damaged.jpg").write_bytes(b"\xff\xd8\xff no picture")
    for name in FORMS:
        if not shelf.is_shipped(name):
            stand_in(folder / "models" / name, name)
    return folder


def _pictures(folder: Path, leaves: list[Path]) -> None:
    """Four leaves, and the first once more, saved smaller."""
    folder.mkdir()
    for number, leaf in enumerate(leaves):
        shutil.copy(leaf, folder / f"{number}.jpg")
    image = cv2.imread(str(leaves[0]))
    cv2.imwrite(str(folder / "again.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 60])


def _faces(folder: Path) -> None:
    from drawing import face

    for name, seed in (("photo.jpg", 0), ("other.jpg", 4), ("people/an/0.png", 1), ("people/binh/0.png", 2)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), face(256, seed=seed)[:, :, ::-1])


def write_templates(folder: Path) -> None:
    """``people.parquet`` and ``others.parquet``: 90 people with two templates each, the last ten in both."""
    from planted import template

    from vnvision.faces.parquet import EmbeddedRow, to_bytes
    from vnvision.records import Face

    def rows(people: range, photos: range) -> list[EmbeddedRow]:
        made = []
        for person in people:
            for photo in photos:
                vector = tuple(float(v) for v in template(person, photo))
                points = ((1.0, 1.0),) * 5
                face = Face(box_xyxy_px=(0, 0, 9, 9), landmarks_px=points, score=0.9, embedding=vector)
                region = "north" if person % 2 else "south"
                made.append(EmbeddedRow(f"{person}-{photo}.png", (f"p{person}", region), 1, face, ""))
        return made

    for name, people, photos in (
        ("people", range(PEOPLE), range(2)),
        ("others", range(PEOPLE - 10, PEOPLE + 20), range(2, 4)),
    ):
        data = to_bytes(rows(people, photos), ("identity", "region"), "planted", 16, "0" * 64)
        (folder / f"{name}.parquet").write_bytes(data)


def write_scans(folder: Path) -> None:
    """``scan.dcm``, ``scans/`` and ``my.key``, from pydicom's own test files."""
    from pydicom.data import get_testdata_file

    from vnvision.imaging.dicom.pseudonym import create_key_file

    (folder / "scans").mkdir()
    for name in ("CT_small.dcm", "MR_small.dcm"):
        shutil.copy(get_testdata_file(name, download=False), folder / "scans" / name)
    shutil.copy(folder / "scans" / "CT_small.dcm", folder / "scan.dcm")
    create_key_file(folder / "my.key")


def enrol(*people: str) -> None:
    """People in the gallery of ``VNVISION_HOME``, with templates that are no face's."""
    from vnvision.faces import thresholds
    from vnvision.faces.enrol import open_gallery
    from vnvision.faces.gallery import Consent

    points = Path(thresholds.__file__).with_name("operating_points.json")
    (model,) = json.loads(points.read_text("utf-8"))["models"]
    now = datetime.now(UTC)
    with open_gallery(create=True, embedder=SimpleNamespace(fingerprint=model, size=128)) as gallery:
        for number, person in enumerate(people):
            gallery.enroll(
                person,
                np.eye(128, dtype=np.float32)[[number]],
                consent=Consent(given_by=person, given_at=now, text="yes"),
                purpose="test",
                expires=now + timedelta(days=1),
            )
