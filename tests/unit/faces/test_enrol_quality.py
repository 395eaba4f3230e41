"""The quality gate in front of the gallery, on a drawn face."""

from datetime import UTC, datetime, timedelta

import cv2
import pytest
from drawing import face
from typer.testing import CliRunner

pytest.importorskip("cryptography")

from vnvision.cli.main import app
from vnvision.errors import DataError
from vnvision.faces.engine import FaceEngine
from vnvision.faces.enrol import enroll_pictures, open_gallery
from vnvision.faces.gallery import Consent
from vnvision.faces.quality import LIMITS, QualityGate, quality_of

NOW = datetime.now(UTC)
TERMS = {
    "consent": Consent(given_by="an", given_at=NOW, text="đồng ý"),
    "purpose": "door",
    "expires": NOW + timedelta(days=30),
}


@pytest.fixture(scope="module")
def engine(weights):
    return FaceEngine(engine="onnxruntime", threads=1)


def small(side=40):
    return cv2.resize(face(200), (side, side), interpolation=cv2.INTER_AREA)


def test_a_poor_photo_is_refused_with_reasons_in_both_languages_and_nothing_is_stored(engine, home):
    with open_gallery(embedder=engine.embedder, create=True) as gallery:
        with pytest.raises(DataError) as refused:
            enroll_pictures(engine, gallery, "an", [small()], **TERMS)
        assert gallery.list() == ()
        error = refused.value
        assert "too poor to enrol" in str(error)
        assert "the face is too small" in str(error)
        assert "come closer to the camera" in str(error)
        assert "mặt quá nhỏ" in error.vietnamese
        assert "hãy lại gần máy hơn" in error.vietnamese


def test_the_gate_can_be_left_out_or_changed(engine, home):
    loose = QualityGate(
        "enrol", LIMITS["verify"].model_copy(update={"least_inter_eye_distance_px": 1, "least_score": 0})
    )
    with open_gallery(embedder=engine.embedder, create=True) as gallery:
        assert enroll_pictures(engine, gallery, "an", [small()], gate=None, **TERMS).added == 1
        assert enroll_pictures(engine, gallery, "an", [small(44)], gate=loose, **TERMS).added == 1


def test_found_measures_quality_only_when_asked(engine):
    ((plain,),) = engine.found([face(200)], embed=False)
    ((measured,),) = engine.found([face(200)], embed=False, quality=True)
    assert plain.quality is None
    assert measured.embedding is None
    assert 0 <= quality_of(measured).score <= 100
    with pytest.raises(DataError, match="a face has no quality: expected one from with_quality, got none"):
        quality_of(plain)


def test_verify_and_detect_say_what_is_wrong_and_still_answer(weights, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), small()[:, :, ::-1])
    words = ["face", "verify", str(tmp_path / "a.png"), str(tmp_path / "a.png"), "--threshold", "0.5"]
    done = CliRunner().invoke(app, [*words, "--engine", "onnxruntime"])
    assert done.exit_code == 0
    assert "the same person" in done.stdout
    assert "mặt quá nhỏ" in done.stderr
    shown = CliRunner().invoke(
        app, ["face", "detect", str(tmp_path / "a.png"), "--quality", "--engine", "onnxruntime"]
    )
    assert "quality " in shown.stdout
    assert "the face is too small" in shown.stdout
