"""A folder of planted faces by person: groups, table, page, copies, and what cannot be grouped."""

import csv
import io
import json
import os
import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from planted import GOOD, planted_engine, save, shot, template

from vnvision.errors import ConfigError, DataError
from vnvision.faces import cluster_photos
from vnvision.records import Metric, OperatingPoint

pytestmark = pytest.mark.usefixtures("planted")


def textured(*faces, px=96):
    """A planted picture that is like no other: near-duplicate search looks at its texture."""
    image = shot(*faces, px=px)
    seed = sum(100 * person + photo for person, photo, *_ in faces)
    big = np.random.default_rng(seed).integers(0, 255, (12, 12, 3)).astype(np.uint8)
    image[8:] = cv2.resize(big, (px, px))[8:]
    return image


@pytest.fixture
def album(tmp_path):
    """Person 1 in four photos, one of them with person 2, who is in three; person 3 once; and the rest."""
    root = tmp_path / "album"
    for photo in range(3):
        save(root / f"one-{photo}.png", textured((1, photo)))
    save(root / "both.png", textured((1, 7), (2, 7)))
    save(root / "below" / "two-0.png", textured((2, 0)))
    save(root / "below" / "two-1.png", textured((2, 1)))
    save(root / "three.png", textured((3, 0)))
    save(root / "wall.png", textured((9, 9))).write_bytes(_png(_faceless()))
    (root / "broken.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    return root


def _faceless():
    image = textured((9, 9))
    image[0] = 0
    return image


def _png(image):
    return cv2.imencode(".png", image[:, :, ::-1])[1].tobytes()


def faces_of(found, person_id):
    return [face for face in found.faces if face.person_id == person_id]


def groups(found):
    return {
        person.person_id: sorted({face.path for face in faces_of(found, person.person_id)})
        for person in found.people
    }


def test_every_face_is_with_its_person_and_people_in_many_photos_come_first(album):
    found = cluster_photos(album, threshold=0.5, engine=planted_engine())
    assert groups(found) == {
        "person-001": ["both.png", "one-0.png", "one-1.png", "one-2.png"],
        "person-002": ["below/two-0.png", "below/two-1.png", "both.png"],
        "person-003": ["three.png"],
    }
    assert [(p.faces, p.photos) for p in found.people] == [(4, 4), (3, 3), (1, 1)]
    assert found.without_face == ("wall.png",)
    assert [one.path for one in found.unreadable] == ["broken.jpg"]
    assert "broken.jpg" in found.unreadable[0].problem
    assert (found.photos, len(found.faces), found.left_out, found.copies) == (9, 8, 0, 0)


def test_similarities_are_cosines_to_the_mean_and_to_the_others(album):
    found = cluster_photos(album, threshold=0.5, engine=planted_engine())
    mine = {f"one-{photo}.png": template(1, photo) for photo in range(3)} | {"both.png": template(1, 7)}
    mean = np.mean(list(mine.values()), axis=0)
    for face in faces_of(found, "person-001"):
        own = mine[face.path]
        assert face.similarity == pytest.approx(float(own @ mean / np.linalg.norm(mean)), abs=1e-5)
        others = [float(own @ other) for path, other in mine.items() if path != face.path]
        assert face.to_others == pytest.approx(np.mean(others), abs=1e-5)
    (lone,) = faces_of(found, "person-003")
    assert (lone.similarity, lone.to_others) == (pytest.approx(1.0), None)
    lowest = min(face.to_others for face in faces_of(found, "person-001"))
    assert found.people[0].lowest_to_others == lowest


def test_two_faces_of_a_photo_are_two_people_unless_it_is_allowed(tmp_path):
    save(tmp_path / "a" / "mirror.png", textured((1, 0), (1, 1)))
    apart = cluster_photos(tmp_path / "a", threshold=0.5, engine=planted_engine())
    assert len(apart.people) == 2
    together = cluster_photos(tmp_path / "a", threshold=0.5, engine=planted_engine(), same_photo=True)
    assert [(p.faces, p.photos) for p in together.people] == [(2, 1)]


def test_copies_of_a_photo_count_once(album):
    image = textured((1, 0))
    save(album / "zz same.png", image)
    small = cv2.resize(image[8:], (72, 66), interpolation=cv2.INTER_AREA)
    again = np.zeros((74, 72, 3), np.uint8)
    again[8:], again[:8] = small, 200
    again[0, :3] = image[0, :3]
    save(album / "zz smaller.png", again)
    found = cluster_photos(album, threshold=0.5, engine=planted_engine())
    assert found.copies == 2
    assert {f.path: f.copy_of for f in found.faces if f.copy_of} == {
        "zz same.png": "one-0.png",
        "zz smaller.png": "one-0.png",
    }
    assert (found.people[0].faces, found.people[0].photos) == (6, 4)


def test_small_faces_are_listed_and_left_out(album, monkeypatch):
    def measured(image, face):
        eyes = 12.0 if face.box_xyxy_px[2] < 20 else 80.0
        return face.model_copy(update={"quality": GOOD | {"inter_eye_distance_px": eyes}})

    monkeypatch.setattr("vnvision.faces.engine.with_quality", measured)
    save(album / "far.png", textured((1, 5, 10)))
    found = cluster_photos(album, threshold=0.5, engine=planted_engine())
    (far,) = [face for face in found.faces if face.path == "far.png"]
    assert (far.left_out, far.person_id, far.similarity) == ("too_small", "", None)
    assert found.left_out == 1
    assert found.people[0].photos == 4


def point(threshold, population, n=1000):
    rate = Metric(value=1e-3, low=5e-4, high=2e-3, n=n)
    return OperatingPoint(
        threshold=threshold,
        scale="cosine",
        target="fmr=1e-3",
        achieved=rate,
        population=population,
        n=n,
        manifest_sha256="0" * 64,
    )


def test_the_threshold_is_a_rate_of_the_strictest_population(album):
    engine = planted_engine(points=[point(0.3, "north"), point(0.6, "south")])
    found = cluster_photos(album, engine=engine)
    assert (found.threshold, found.point.population) == (0.6, "south")
    assert cluster_photos(album, engine=engine, population="north").threshold == 0.3
    with pytest.raises(ConfigError, match="fmr"):
        cluster_photos(album, engine=planted_engine(points=[]))


def test_written_files_say_the_same(album, tmp_path):
    found = cluster_photos(album, threshold=0.5, out=tmp_path / "out", engine=planted_engine())
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "clusters.csv",
        "clusters.json",
        "index.html",
    ]
    text = (tmp_path / "out" / "clusters.csv").read_bytes().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["path"], row["person_id"]) for row in rows] == [(f.path, f.person_id) for f in found.faces]
    for row, face in zip(rows, found.faces, strict=True):
        assert [float(row[name]) for name in ("x0", "y0", "x1", "y1")] == list(face.box_xyxy_px)
        assert float(row["similarity"]) == pytest.approx(face.similarity, abs=1e-4)
    summary = json.loads((tmp_path / "out" / "clusters.json").read_text("utf-8"))
    assert [person["photos"] for person in summary["people"]] == [4, 3, 1]
    assert "embedding" not in json.dumps(summary)


def test_the_page_needs_nothing_else_and_speaks_two_languages(album, tmp_path):
    save(album / "<b>&.png", textured((5, 0)))
    pages = {}
    for language in ("vi", "en"):
        cluster_photos(
            album, threshold=0.5, out=tmp_path / language, engine=planted_engine(), language=language
        )
        pages[language] = (tmp_path / language / "index.html").read_text("utf-8")
    for language, page in pages.items():
        assert f'<html lang="{language}">' in page
        assert "default-src 'none'" in page
        assert not re.findall(r'(?:src|href)="(?!data:)', page)
        assert page.count("<img ") == 9
        assert "<b>&.png" not in page
        assert "&lt;b&gt;&amp;.png" in page
    assert "Người trong ảnh" in pages["vi"]
    assert "hãy giữ kín" in pages["vi"]
    assert "People in these photos" in pages["en"]
    assert "1 photos that cannot be read" in pages["en"]


def test_small_pictures_on_the_page_are_of_the_faces(tmp_path):
    import base64

    image = np.full((200, 200, 3), (20, 40, 60), np.uint8)
    image[:30, :30] = (220, 200, 30)
    image[0, 0], image[0, 1] = 1, (1, 0, 30)
    save(tmp_path / "a" / "a.png", image)
    cluster_photos(tmp_path / "a", threshold=0.5, out=tmp_path / "out", engine=planted_engine())
    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    data = base64.b64decode(re.search(r"base64,([^\"]+)", page)[1])
    small = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    assert small.shape == (112, 112, 3)
    assert np.abs(small[56, 56].astype(int) - (220, 200, 30)).max() < 12
    assert np.abs(small[100, 100].astype(int) - (20, 40, 60)).max() < 12


def test_equal_folders_give_equal_bytes(album, tmp_path):
    for name in ("one", "two"):
        cluster_photos(album, threshold=0.5, out=tmp_path / name, engine=planted_engine())
    for file in ("clusters.csv", "clusters.json", "index.html"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_name_like_a_formula_is_quoted_in_the_table(tmp_path):
    save(tmp_path / "a" / "=1+1.png", textured((1, 0)))
    assert "'=1+1.png" in cluster_photos(tmp_path / "a", threshold=0.5, engine=planted_engine()).table()


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux")
def test_names_that_are_no_utf_8_are_written_as_their_bytes(tmp_path):
    """In every place that a photo is named: a face, its cover, a copy, one without a face, one unreadable."""
    save(tmp_path / "a" / "a.png", textured((1, 0)))
    inside = os.fsencode(tmp_path / "a")
    for name, file in ((b"/\xe9.jpg", "a.png"), (b"/\xea.jpg", "a.png")):
        Path(os.fsdecode(inside + name)).write_bytes((tmp_path / "a" / file).read_bytes())
    (tmp_path / "a" / "a.png").unlink()
    Path(os.fsdecode(inside + b"/w\xe9.jpg")).write_bytes(_png(_faceless()))
    Path(os.fsdecode(inside + b"/broken\xe9.jpg")).write_bytes(b"\xff\xd8\xff not a picture")
    found = cluster_photos(tmp_path / "a", threshold=0.5, out=tmp_path / "out", engine=planted_engine())
    assert [os.fsencode(face.path) for face in found.faces] == [b"\xe9.jpg", b"\xea.jpg"]
    text = {file.name: file.read_bytes().decode("utf-8-sig") for file in (tmp_path / "out").iterdir()}
    rows = list(csv.DictReader(io.StringIO(text["clusters.csv"])))
    named = [("\\udce9.jpg", ""), ("\\udcea.jpg", "\\udce9.jpg")]
    assert [(row["path"], row["copy_of"]) for row in rows] == named
    read = json.loads(text["clusters.json"])
    assert [(face["path"], face["copy_of"]) for face in read["faces"]] == named
    assert (read["people"][0]["cover_path"], read["without_face"]) == ("\\udce9.jpg", ["w\\udce9.jpg"])
    assert read["unreadable"][0]["path"] == "broken\\udce9.jpg"
    assert "<span>\\udce9.jpg</span>" in text["index.html"]
    assert text["index.html"].count("<img ") == 1  # the photo itself is found by its name


def test_progress_ends_at_the_number_of_photos(album):
    steps = []
    cluster_photos(album, threshold=0.5, engine=planted_engine(), progress=lambda *step: steps.append(step))
    assert steps[-1] == (9, 9)
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


def test_no_folder_no_photos_no_face(tmp_path):
    with pytest.raises(DataError, match="nowhere does not exist") as caught:
        cluster_photos(tmp_path / "nowhere", engine=planted_engine())
    assert "hãy chọn thư mục có ảnh" in caught.value.vietnamese
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no pictures in"):
        cluster_photos(tmp_path / "empty", engine=planted_engine())
    save(tmp_path / "walls" / "wall.png", _faceless())
    (tmp_path / "walls" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(
        DataError, match=r"no face in any photo .* got 1 without a face, 1 that cannot be read"
    ) as caught:
        cluster_photos(tmp_path / "walls", threshold=0.5, engine=planted_engine())
    assert "không thấy khuôn mặt nào" in caught.value.vietnamese


def test_a_folder_that_cannot_be_written_is_said(album, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(DataError, match="cannot write to") as caught:
        cluster_photos(album, threshold=0.5, out=tmp_path / "out", engine=planted_engine())
    assert "không ghi được" in caught.value.vietnamese


def test_a_cosine_that_tells_nobody_apart_is_refused(album):
    with pytest.raises(ConfigError, match="a cosine above 0"):
        cluster_photos(album, threshold=-0.2, engine=planted_engine())
