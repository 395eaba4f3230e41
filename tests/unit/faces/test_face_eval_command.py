"""``vnvision face eval``: what is written, printed and refused before anything is embedded."""

import json
import pickle

import numpy as np
import pytest
from drawing import face as drawn
from face_cli import run

from vnvision.errors import ConfigError
from vnvision.evaluate.faces import FaceReport

pytest.importorskip("scipy")


def test_page_pdf_json_and_the_figures_that_matter(crowd, tmp_path):
    out = tmp_path / "report"
    words = ("--data", crowd, "--group", "region", "--reference", "north", "--threshold", "0.8", "--out", out)
    done = run("eval", *words)
    assert done.exit_code == 0, done.stderr
    assert "80 pictures of 40 people; 40 comparisons of one person, 3,120 of two" in done.stdout
    assert "by group, held against north:" in done.stdout
    assert "at threshold 0.8000 (given)" in done.stdout
    report = FaceReport.load(out / "report.json")
    assert [row.group for row in report.differential.groups] == ["north", "south"]
    assert (out / "report.pdf").read_bytes().startswith(b"%PDF")
    assert "Báo cáo" in (out / "report.html").read_text("utf-8")
    again = run("eval", *words, "--json", "--quiet")
    assert json.loads(again.stdout) == json.loads((out / "report.json").read_text("utf-8"))


def test_stored_templates_give_the_same_report(crowd, tmp_path):
    pytest.importorskip("pyarrow")
    run("embed", crowd, "--out", tmp_path / "faces.parquet")
    one = run("eval", "--data", crowd, "--out", tmp_path / "a", "--json")
    other = run("eval", "--data", tmp_path / "faces.parquet", "--out", tmp_path / "b", "--json")
    first, second = json.loads(one.stdout), json.loads(other.stdout)
    assert first.pop("name") == "list"
    assert second.pop("name") == "faces"
    assert first == second


def test_a_search_in_a_gallery(crowd, tmp_path):
    done = run("eval", "--data", crowd, "--protocol", "1n", "--out", tmp_path / "r")
    assert done.exit_code == 0, done.stderr
    assert "searches for enrolled people" in done.stdout
    assert "TPIR at FPIR" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--protocol", "lfw"), "protocol lfw needs its pairs: expected --pairs FILE, or a .bin set"),
        (("--protocol", "all"), "protocol: expected all-pairs, lfw, 1n, got all"),
        (("--language", "fr"), "language: expected vi or en, got fr"),
        (("--threshold", "tight"), "a threshold is wrong"),
        (("--fmr", "2"), "a target rate cannot be met"),
        (("--group", "colour"), "no column 'colour': expected one of identity, region"),
    ],
)
def test_wrong_options_are_refused_before_a_picture_is_embedded(crowd, tmp_path, monkeypatch, words, message):
    def embedded(*words, **options):
        raise AssertionError("a picture was embedded")

    monkeypatch.setattr("vnvision.faces.bulk.embed_in_memory", embedded)
    done = run("eval", "--data", crowd, "--out", tmp_path / "r", *words)
    assert message in str(done.exception)
    assert not (tmp_path / "r").exists()


def test_an_engine_that_was_opened_resolves_the_threshold(crowd, tmp_path, monkeypatch):
    """A bundle brings operating points of its own: they must count here as they do in verify."""
    from planted import planted_engine

    asked = []

    def open_engine(*words, **options):
        engine = planted_engine()
        monkeypatch.setattr(
            type(engine), "threshold", lambda self, text, population=None: asked.append(text) or _stop()
        )
        return engine

    def _stop():
        raise ConfigError("asked")

    monkeypatch.setattr("vnvision.cli.face.open_engine", open_engine)
    done = run("eval", "--data", crowd, "--out", tmp_path / "r", "--threshold", "fmr=1e-3@own")
    assert str(done.exception) == "asked"
    assert asked == ["fmr=1e-3@own"]


def test_a_bin_set_and_a_hostile_one(weights, home, tmp_path):
    import cv2

    crops = [cv2.imencode(".png", drawn(112, seed=seed))[1].tobytes() for seed in range(40)]
    (tmp_path / "own.bin").write_bytes(pickle.dumps((crops, [True, False] * 10)))
    done = run("eval", "--data", tmp_path / "own.bin", "--out", tmp_path / "r", "--engine", "onnxruntime")
    assert done.exit_code == 0, done.exception
    assert "accuracy over folds" in done.stdout
    small = [cv2.imencode(".png", np.zeros((64, 64, 3), np.uint8))[1].tobytes() for _ in range(4)]
    (tmp_path / "small.bin").write_bytes(pickle.dumps((small, [True, False])))
    done = run("eval", "--data", tmp_path / "small.bin", "--out", tmp_path / "r", "--engine", "onnxruntime")
    assert "expected 112 x 112 pixels, aligned, got 64 x 64" in str(done.exception)

    class Evil:
        def __reduce__(self):
            import os

            return os.system, (f"touch {tmp_path / 'ran'}",)

    (tmp_path / "evil.bin").write_bytes(pickle.dumps(Evil()))
    done = run("eval", "--data", tmp_path / "evil.bin", "--out", tmp_path / "r")
    assert "do not open this file" in str(done.exception)
    assert not (tmp_path / "ran").exists()
