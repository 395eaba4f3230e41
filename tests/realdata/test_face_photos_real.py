"""Whole jobs on real photos: groups are people, hidden faces are nobody's, masks are told."""

from __future__ import annotations

import csv
import os
import shutil
import zlib
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics.cluster import pair_confusion_matrix

from vnvision.errors import ModelError
from vnvision.faces import anonymise_faces, cluster_photos, face_occlusions, face_quality
from vnvision.faces.anonymise_looking import watchful_detectors
from vnvision.faces.engine import FaceEngine, area

ROOT = os.environ.get("VNVISION_DATA")
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(ROOT is None, reason="VNVISION_DATA, the folder of real images, is not set"),
]
FACES = Path(ROOT or ".") / "faces"


@pytest.fixture(scope="module")
def engine():
    try:
        return FaceEngine(threads=1)
    except ModelError as exc:
        pytest.skip(f"no face weights: {exc}")


def rows(name):
    with (FACES / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        return [row for row in csv.DictReader(stream) if row["set"] == name]


@pytest.fixture(scope="module")
def people():
    """Two photos or three of each of 30 people, by name: those whose crc32 is odd chose nothing."""
    by = defaultdict(list)
    for row in rows("lfw_2folds"):
        if zlib.crc32(row["identity"].encode()) % 2:
            by[row["identity"]].append(row)
    return {name: some[:3] for name, some in sorted(by.items()) if len(some) > 1 and len(by) > 30}


def test_groups_of_a_folder_are_people(engine, people, tmp_path):
    truth = {}
    for number, name in enumerate(list(people)[:30]):
        for row in people[name]:
            copied = Path(shutil.copy(FACES / row["path"], tmp_path))
            truth[copied.name] = number
    found = cluster_photos(tmp_path, out=tmp_path.parent / "clusters", engine=engine)
    assert not found.unreadable
    assert not found.without_face
    largest = {}
    for face in found.faces:
        x0, y0, x1, y1 = face.box_xyxy_px
        largest[face.path] = max(largest.get(face.path, (0.0, "")), ((x1 - x0) * (y1 - y0), face.person_id))
    names = {one: k for k, one in enumerate(sorted({who for _, who in largest.values()}))}
    paths = sorted(largest)
    (_, wrong), (missed, hit) = pair_confusion_matrix(
        [truth[path] for path in paths], [names[largest[path][1]] for path in paths]
    )
    assert wrong <= 2
    assert hit / (hit + missed) > 0.85
    assert (tmp_path.parent / "clusters" / "index.html").stat().st_size > 50_000


@pytest.mark.parametrize("method", ["blur", "pixelate", "fill"])
def test_hidden_faces_are_nobodys_and_no_longer_faces(engine, people, tmp_path, method):
    pairs = [some[:2] for some in list(people.values())[:20]]
    files = [FACES / row["path"] for row, _ in pairs]
    done = anonymise_faces(files, out=tmp_path, method=method, detectors=watchful_detectors(threads=1))
    assert done.all_hidden
    limit, same, plain_same, seen = engine.threshold("fmr=1e-3@lfw").value, [], [], []
    for (row, other), photo in zip(pairs, done.photos, strict=True):
        plain, reference = (
            max(some, key=area) for some in engine.represent([FACES / row["path"], FACES / other["path"]])
        )
        (crop,) = engine.align([photo.out], [[plain]])
        hidden = engine.embed(crop)[0]
        same.append(float(hidden @ np.array(reference.embedding)) >= limit)
        plain_same.append(float(np.dot(plain.embedding, reference.embedding)) >= limit)
        seen.append(bool(engine.detect([photo.out])[0]))
    assert np.mean(plain_same) > 0.85
    assert sum(same) <= 1
    assert np.mean(seen) <= 0.1


def test_masks_are_told_from_bare_faces_and_quality_says_so(engine):
    masked = [FACES / row["path"] for row in rows("masked_faces") if row["group"] == "masked"]
    bare = [
        FACES / row["path"] for row in rows("asianfaces_dev") if zlib.crc32(row["identity"].encode()) % 2
    ][::4]

    def shares(files):
        states = [face.mouth for photo in face_occlusions(files, engine=engine) for face in photo.faces[:1]]
        return {state: np.mean([one == state for one in states]) for state in ("covered", "visible")}

    real, plain = shares(masked), shares(bare)
    assert real["covered"] > 0.6  # the crops are small: many cannot be told
    assert real["visible"] < 0.1
    assert plain["covered"] < 0.03
    assert plain["visible"] > 0.9
    said = [photo for photo in face_quality(masked[:20], engine=engine) if photo.faces]
    assert all(
        photo.use != "enrol" for photo in said if any(r.code == "mouth_covered" for r in photo.reasons)
    )
    assert np.mean([photo.use == "enrol" for photo in said]) < 0.1
