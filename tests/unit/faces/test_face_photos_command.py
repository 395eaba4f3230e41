"""``vnvision face (cluster | anonymise | quality | occlusion)``: prints, files, and answers to mistakes."""

import csv
import json
import sys

import cv2
import numpy as np
import pytest
from drawing import face as drawn_face
from planted import planted_engine, save, shot
from typer.testing import CliRunner

from vnvision.cli import main as entry
from vnvision.cli.face_photos import app
from vnvision.data.occlusion import occlude
from vnvision.errors import ConfigError, DataError
from vnvision.records import Face

MARKS = ((0.405, 0.458), (0.595, 0.458), (0.5, 0.575), (0.425, 0.68), (0.575, 0.68))


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


class Drawn:
    """Finds one face in every picture of a drawn face, none in plain ones."""

    def detect(self, images):
        return [(self._face(len(image)),) if image.std() > 5 else () for image in images]

    @staticmethod
    def _face(size):
        points = tuple((x * size, y * size) for x, y in MARKS)
        box = (0.27 * size, 0.23 * size, 0.73 * size, 0.82 * size)
        return Face(box_xyxy_px=box, landmarks_px=points, score=0.95)

    def close(self):
        pass


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """A bare face, a masked one, a wall, a damaged file; the verbs find faces without weights."""
    engine = planted_engine()
    engine.detector = Drawn()
    monkeypatch.setattr("vnvision.cli.face.open_engine", lambda *words, **options: engine)
    monkeypatch.setattr("vnvision.faces.anonymise.watchful_detectors", lambda **options: (Drawn(),))
    root = tmp_path / "photos"
    image = drawn_face(256)
    save(root / "bare.png", image)
    save(root / "mask.png", occlude(image, Drawn._face(256).landmarks_px, "surgical_mask", seed=3))
    save(root / "wall.png", np.full((64, 64, 3), 90, np.uint8))
    (root / "broken.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    return root


@pytest.fixture
def album(tmp_path, planted):
    for person, photo in ((1, 0), (1, 1), (2, 0)):
        save(tmp_path / "album" / f"{person}-{photo}.png", shot((person, photo)))
    return tmp_path / "album"


def test_cluster_writes_and_says_where(album, tmp_path):
    done = run("cluster", album, "--out", tmp_path / "out", "--threshold", "0.5")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        "3 ảnh, 3 khuôn mặt, 2 người, 1 người có từ 2 ảnh",
        str(tmp_path / "out" / "index.html"),
    ]
    with (tmp_path / "out" / "clusters.csv").open(encoding="utf-8-sig", newline="") as stream:
        assert [row["person_id"] for row in csv.DictReader(stream)] == [
            "person-001",
            "person-001",
            "person-002",
        ]
    done = run("cluster", album, "--out", tmp_path / "out", "--threshold", "0.5", "--language", "en")
    assert done.stdout.startswith("photos: 3, faces: 3, people: 2, in 2 photos or more: 1")


def test_cluster_as_json_and_a_photo_that_cannot_be_read(album, tmp_path):
    (album / "broken.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    done = run("cluster", album, "--out", tmp_path / "out", "--threshold", "0.5", "--json")
    assert done.exit_code == 1
    answer = json.loads(done.stdout)
    assert [person["photos"] for person in answer["people"]] == [2, 1]
    assert answer["unreadable"][0]["path"] == "broken.jpg"
    assert "broken.jpg" in done.stderr


def test_cluster_refuses_what_is_no_folder_and_a_rate_never_measured(album, tmp_path):
    done = run("cluster", tmp_path / "none", "--out", tmp_path / "out")
    assert isinstance(done.exception, DataError | ConfigError)
    done = run("cluster", album, "--out", tmp_path / "out", "--threshold", "fmr=1e-3")
    assert isinstance(done.exception, ConfigError)  # the planted model was never calibrated
    done = run("cluster", album, "--out", tmp_path / "out", "--language", "fr")
    assert "expected vi or en, got fr" in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_anonymise_hides_names_and_refuses_to_reassure(drawn, tmp_path):
    done = run("anonymise", drawn, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert f"{drawn / 'bare.png'}: đã che 1 khuôn mặt -> {tmp_path / 'out' / 'bare.png'}" in done.stdout
    assert f"KHÔNG thấy khuôn mặt, chưa che gì: {drawn / 'wall.png'}; hãy tự xem lại" in done.stderr
    assert "broken.jpg" in done.stderr
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["bare.png", "mask.png"]
    before, after = (cv2.imread(str(folder / "bare.png")) for folder in (drawn, tmp_path / "out"))
    assert (before[-4:] == after[-4:]).all()
    assert abs(before[110:125, 95:110].astype(int) - after[110:125, 95:110]).mean() > 10


def test_anonymise_all_hidden_is_exit_0_and_json_is_a_line_a_photo(drawn, tmp_path):
    words = (drawn / "bare.png", drawn / "mask.png", "--out", tmp_path / "out", "--method", "fill")
    done = run("anonymise", *words, "--language", "en")
    assert done.exit_code == 0, done.output
    assert "hidden faces: 1 -> " in done.stdout
    again = run("anonymise", *words)
    assert "is there already" in str(again.exception)
    done = run("anonymise", *words, "--replace", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["status"], row["faces"]) for row in rows] == [("hidden", 1)] * 2


def test_anonymise_says_in_english_too_what_is_not_hidden(drawn, tmp_path):
    done = run(
        "anonymise", drawn / "wall.png", "--out", tmp_path / "out", "--language", "en", "--keep-faceless"
    )
    assert done.exit_code == 1
    assert f"wall.png: no face found -> {tmp_path / 'out' / 'wall.png'}" in done.stdout
    assert "NO face found, nothing is hidden" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--method", "smear"), "blur, pixelate, fill"),
        (("--engine", "abacus"), "unknown engine"),
        (("--language", "fr"), "vi or en"),
    ],
)
def test_anonymise_refuses_what_it_does_not_know(drawn, tmp_path, words, said):
    done = run("anonymise", drawn, "--out", tmp_path / "out", *words)
    assert isinstance(done.exception, ConfigError)
    assert said in str(done.exception)


def test_anonymise_never_writes_over_an_original(drawn):
    done = run("anonymise", drawn, "--out", drawn, "--replace")
    assert "is an original and would be overwritten" in str(done.exception)


def test_quality_in_words_json_and_table(drawn, tmp_path):
    table = tmp_path / "quality.csv"
    done = run("quality", drawn, "--csv", table)
    assert done.exit_code == 1  # broken.jpg
    assert "wall.png: không dùng được" in done.stdout
    assert "  - không thấy khuôn mặt: hãy chụp lại" in done.stdout
    assert "mask.png: " in done.stdout
    assert "miệng có vẻ bị che" in done.stdout
    with table.open(encoding="utf-8-sig", newline="") as stream:
        rows = {row["path"].rpartition("/")[2]: row for row in csv.DictReader(stream)}
    assert rows["broken.jpg"]["use"] == "unreadable"
    assert "mouth_covered" in rows["mask.png"]["codes"]
    assert "mouth_covered" not in rows["bare.png"]["codes"]
    done = run("quality", drawn / "wall.png", "--json", "--language", "en")
    (row,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.exit_code == 0
    assert (row["use"], row["verdict"], row["reasons"][0]["code"]) == ("none", "not usable", "no_face")
    assert row["advice"] == [
        "no face found: take another picture, nearer and brighter, looking into the camera"
    ]


def test_quality_says_where_it_cannot_write(drawn, tmp_path):
    (tmp_path / "file").write_text("a file")
    done = run("quality", drawn / "bare.png", "--csv", tmp_path / "file" / "q.csv")
    assert isinstance(done.exception, DataError)
    assert "cannot write" in str(done.exception)


def test_occlusion_in_words_and_json(drawn):
    done = run("occlusion", drawn / "mask.png", drawn / "bare.png")
    assert done.exit_code == 0, done.output
    assert "mask.png: khuôn mặt 1: miệng và mũi: bị che, mắt: không chắc" in done.stdout
    assert "bare.png: khuôn mặt 1: miệng và mũi: thấy rõ, mắt: thấy rõ" in done.stdout
    done = run("occlusion", drawn, "--json", "--language", "en")
    assert done.exit_code == 1
    rows = {row["path"].rpartition("/")[2]: row for row in map(json.loads, done.stdout.splitlines())}
    assert rows["mask.png"]["faces"][0]["mouth"] == "covered"
    assert rows["wall.png"]["faces"] == []
    assert "problem" in rows["broken.jpg"]


@pytest.mark.parametrize("verb", ["quality", "occlusion"])
def test_a_missing_file_is_an_answer_and_no_pictures_an_error(drawn, tmp_path, verb):
    done = run(verb, tmp_path / "none.png")
    assert done.exit_code == 1
    assert "none.png does not exist" in done.output
    (tmp_path / "empty").mkdir()
    assert "no pictures found" in str(run(verb, tmp_path / "empty").exception)


def test_mistakes_are_one_line_in_both_languages(drawn, monkeypatch, capsys):
    if not any(group.typer_instance is app for group in entry.face.app.registered_groups):
        entry.face.app.add_typer(app)
    monkeypatch.setattr(
        sys, "argv", ["vnvision", "face", "anonymise", str(drawn), "--out", str(drawn), "--replace"]
    )
    with pytest.raises(SystemExit) as left:
        entry.main()
    err = capsys.readouterr().err
    assert left.value.code == 2
    assert err.count("\n") == 1
    assert "would be overwritten" in err
    assert " | " in err
    assert "không được ghi đè" in err
