import json

import cv2
import pytest
from drawing import face
from typer.testing import CliRunner

from vnvision.cli.main import app
from vnvision.errors import DataError

run = CliRunner().invoke


@pytest.fixture
def pictures(weights, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), face(160)[:, :, ::-1])
    cv2.imwrite(str(tmp_path / "b.jpg"), face(200, seed=4)[:, :, ::-1])
    (tmp_path / "c.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    return tmp_path


def test_detect_reports_every_picture_and_the_unreadable_one(pictures):
    done = run(app, ["face", "detect", str(pictures), "--json", "--engine", "onnxruntime"])
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.exit_code == 1
    assert [len(row.get("faces", [])) for row in rows] == [1, 1, 0]
    assert "error" in rows[2]
    assert len(rows[0]["faces"][0]["landmarks_px"]) == 5


def test_detect_in_words(pictures):
    done = run(app, ["face", "detect", str(pictures / "a.png"), "--engine", "onnxruntime"])
    assert done.exit_code == 0
    assert "a.png: 1 face: 0.9" in done.stdout


def test_verify_needs_a_threshold_and_uses_it(pictures):
    names = [str(pictures / "a.png"), str(pictures / "b.jpg"), "--engine", "onnxruntime"]
    assert run(app, ["face", "verify", *names]).exit_code == 2
    same = run(app, ["face", "verify", *names, "--threshold", "0.5", "--json"])
    assert json.loads(same.stdout)["same"] is True
    other = run(app, ["face", "verify", *names, "--threshold", "0.9999"])
    assert "not the same person" in other.stdout


def test_a_damaged_picture_is_an_error_of_its_own(pictures):
    done = run(
        app, ["face", "verify", str(pictures / "a.png"), str(pictures / "c.jpg"), "--threshold", "0.5"]
    )
    assert isinstance(done.exception, DataError)
