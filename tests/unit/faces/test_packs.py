import hashlib
import json
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
import toys

from vnvision.errors import ConfigError, DataError, ModelError
from vnvision.faces.engine import FaceEngine
from vnvision.faces.packs import KNOWN, LICENCE, PackFiles, find_pack, open_pack
from vnvision.faces.scrfd import SCRFD

PLANTS = [(8, 6, 1, 250), (16, 2, 3, 225), (32, 0, 0, 240)]
LAYOUTS = {
    "open": {},
    "one picture": {"ranks": 2, "batch": 1},
    "one size": {"batch": 1, "size": (64, 64)},
    "one of both": {"ranks": 2, "batch": 1, "size": (64, 64)},
}


def detector(path, engine="onnxruntime", **options):
    return SCRFD(path, engine=engine, threads=1, **{"size_px": (64, 64)} | options)


def score(brightness, std=128.0):
    return (brightness - 127.5) / std


def check(face, plant, anchor, scale=(1.0, 1.0)):
    """One face against what was planted; ``scale`` is the picture's size over the input's, x and y."""
    box, marks = toys.expected(*plant[:3], anchor)
    np.testing.assert_allclose(face.box_xyxy_px, box * np.tile(scale, 2), atol=1e-3)
    np.testing.assert_allclose(face.landmarks_px, marks * scale, atol=1e-3)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_planted_boxes_and_landmarks_are_decoded(tmp_path, layout, engine):
    pytest.importorskip(engine)
    model = detector(toys.scrfd(tmp_path / "det.onnx", **layout), engine, overlap=1.0, min_score=0.6)
    found = model.detect([toys.planted(PLANTS)])[0]
    wanted = {(plant, anchor): score(plant[3]) * toys.SECOND**anchor for plant in PLANTS for anchor in (0, 1)}
    wanted = sorted(((s, *key) for key, s in wanted.items() if s >= 0.6), reverse=True)
    assert [face.score for face in found] == pytest.approx([s for s, _, _ in wanted], abs=1e-5)
    for face, (_, plant, anchor) in zip(found, wanted, strict=True):
        check(face, plant, anchor)
    empty, again = model.detect([np.zeros((64, 64, 3), np.uint8), toys.planted(PLANTS)])
    assert empty == ()
    assert again == found


def test_what_is_added_around_a_picture_is_black(tmp_path):
    # Half of the cell is lit, half lies below the picture: black makes the mean 0, mid-grey would make it .5.
    picture = toys.planted([(32, 0, 0, 255)])[:16]
    assert detector(toys.scrfd(tmp_path / "det.onnx"), min_score=0.3).detect([picture]) == [()]


def test_pictures_of_any_size_come_back_in_their_own_pixels(tmp_path):
    model = detector(toys.scrfd(tmp_path / "det.onnx"), min_score=0.8)
    plant = (32, 0, 1, 250)
    canvas = toys.planted([plant])
    sizes = {(64, 64): 1, (192, 192): 3, (32, 32): 0.5, (96, 192): 3}
    pictures = [
        cv2.resize(canvas[:32] if h != w else canvas, (w, h), interpolation=cv2.INTER_NEAREST)
        for h, w in sizes
    ]
    found = model.detect(pictures)
    assert [len(faces) for faces in found] == [1, 1, 1, 1]
    for faces, scale in zip(found, sizes.values(), strict=True):
        check(faces[0], plant, 0, (scale, scale))


def test_each_axis_has_its_own_scale(tmp_path):
    model = detector(toys.scrfd(tmp_path / "det.onnx"), min_score=0.9)
    # 100 x 67 is fitted as 64 x 43: x is scaled by 43 / 67, y by 64 / 100.
    picture = np.zeros((100, 67, 3), np.uint8)
    picture[:51, :51, 2] = 255
    (face,) = [f for f in model.detect([picture])[0] if f.score > 0.95]
    check(face, (32, 0, 0, 255), 0, (67 / 43, 100 / 64))


def test_a_batch_answers_like_one_by_one(tmp_path, monkeypatch):
    monkeypatch.setattr("vnvision.faces.scrfd._BATCH_PIXELS", 3 * 64 * 64)
    model = detector(toys.scrfd(tmp_path / "det.onnx"))
    rng = np.random.default_rng(2)
    pictures = [
        toys.planted([(8, *rng.integers(0, 8, 2), 220), (32, *rng.integers(0, 2, 2), 255)]) for _ in range(7)
    ]
    pictures[4] = np.zeros((30, 50, 1), np.uint8)
    together = model.detect(pictures)
    assert together == [model.detect([picture])[0] for picture in pictures]
    assert together[4] == ()
    assert len(together[0]) >= 2
    assert model.detect([]) == []


def test_overlapping_faces_are_one_and_the_most_certain_stays(tmp_path):
    path = toys.scrfd(tmp_path / "det.onnx")
    # Boxes of neighbouring cells: 2.75 x 4.5 strides, one stride apart: IoU 1.75 / 3.75.
    picture = toys.planted([(8, 3, 3, 240), (8, 3, 4, 250)])
    (kept,) = detector(path, min_score=0.85).detect([picture])[0]
    check(kept, (8, 3, 4), 0)
    assert len(detector(path, min_score=0.85, overlap=0.47).detect([picture])[0]) == 2


def test_a_detector_in_another_layout_is_refused(tmp_path):
    from onnx import helper

    toys.write(
        tmp_path / "boxes.onnx",
        [helper.make_node("Flatten", ["x"], ["y"])],
        [("x", ["N", 3, "H", "W"])],
        [("y", ["N", "K"])],
        {},
    )
    with pytest.raises(ModelError, match="is no SCRFD with landmarks: expected scores, boxes, landmarks"):
        detector(tmp_path / "boxes.onnx")
    with pytest.raises(ModelError, match=r"is no SCRFD: expected input \(N or 1, 3, H, W\)"):
        detector(toys.arcface(tmp_path / "grey.onnx", batch=4))
    swapped = toys.scrfd(tmp_path / "swapped.onnx", levels=(32, 16, 8))
    with pytest.raises(ModelError, match=r"got \(1, 8, 1\)"):
        detector(swapped)
    unbounded = detector(toys.scrfd(tmp_path / "logits.onnx", gain=3.0))
    with pytest.raises(ModelError, match="gives no probabilities"):
        unbounded.detect([toys.planted(PLANTS)])


def test_wrong_pictures_sizes_and_limits_are_refused(tmp_path):
    path = toys.scrfd(tmp_path / "det.onnx")
    with pytest.raises(DataError, match="picture 1 cannot be searched"):
        detector(path).detect([toys.planted(PLANTS), np.zeros((9, 9, 3), np.float32)])
    with pytest.raises(ConfigError, match=r"det\.onnx does not take this size: expected multiples of 32"):
        detector(path, size_px=(64, 100))
    fixed = toys.scrfd(tmp_path / "fixed.onnx", size=(96, 64))
    with pytest.raises(ConfigError, match="expected 96 x 64, got 64 x 64"):
        detector(fixed)
    assert detector(fixed, size_px=None).size_px == (96, 64)
    with pytest.raises(ConfigError, match="the detector's limits are wrong"):
        detector(path, min_score=0.0)


@pytest.fixture
def home(tmp_path):
    """A root as insightface keeps it, with a toy buffalo_s and an antelopev2 unpacked into itself."""
    for name, folder in {"buffalo_s": "buffalo_s", "antelopev2": "antelopev2/antelopev2"}.items():
        toys.scrfd(tmp_path / "models" / folder / KNOWN[name].detector)
        toys.arcface(tmp_path / "models" / folder / KNOWN[name].embedder)
        (tmp_path / "models" / folder / "genderage.onnx").write_bytes(b"not used")
    return tmp_path


@pytest.fixture
def heard():
    return []


@pytest.mark.parametrize("name", ["buffalo_s", "antelopev2"])
def test_a_pack_is_found_by_name_and_serves_the_engine(home, heard, name):
    pack = open_pack(name, root=home, size_px=(64, 64), engine="onnxruntime", notice=heard.append)
    engine = FaceEngine(detector=pack.detector, embedder=pack.embedder)
    picture = toys.planted([(32, 0, 1, 250)])
    face = engine.represent([picture])[0][0]
    check(face, (32, 0, 1), 0)
    crop = pack.embedder.align(picture, [face])[0]
    np.testing.assert_allclose(face.embedding, toys.embedding(crop), atol=1e-5)
    assert heard == [pack.licence] == [f"{name}: {LICENCE}"]
    assert "non-commercial research only" in pack.licence
    engine.close()


def test_the_licence_is_a_warning_where_nobody_listens(home):
    with pytest.warns(UserWarning, match="buffalo_s: .*non-commercial research only"):
        open_pack("buffalo_s", root=home, size_px=(64, 64))


def test_finding_a_pack_opens_nothing_and_says_nothing(home, monkeypatch):
    monkeypatch.setenv("INSIGHTFACE_HOME", str(home))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = find_pack("buffalo_s")
        assert find_pack(home / "models" / "buffalo_s") == found
        assert find_pack(str(home / "models" / "buffalo_s")) == found
    assert found.files == PackFiles("det_500m.onnx", "w600k_mbf.onnx")


def test_the_usual_place_is_the_users_home(home, monkeypatch):
    monkeypatch.delenv("INSIGHTFACE_HOME", raising=False)
    monkeypatch.setattr(Path, "expanduser", lambda path: home if str(path) == "~/.insightface" else path)
    assert find_pack("buffalo_s").folder == home / "models" / "buffalo_s"


def test_a_missing_pack_is_one_line_with_the_place_and_the_terms(tmp_path):
    with pytest.raises(ModelError) as caught:
        find_pack("buffalo_l", root=tmp_path)
    text = str(caught.value)
    assert text.startswith(f"no model pack buffalo_l: got nothing at {tmp_path / 'models' / 'buffalo_l'}")
    assert "never downloads packs: they are for non-commercial research only" in text
    assert "INSIGHTFACE_HOME" in text
    assert "\n" not in text


def test_a_pack_with_a_file_missing_names_it(home):
    (home / "models" / "buffalo_s" / "w600k_mbf.onnx").unlink()
    with pytest.raises(ModelError, match=r"buffalo_s lacks w600k_mbf\.onnx"):
        find_pack("buffalo_s", root=home)


def test_a_folder_of_ones_own_needs_its_files_named(tmp_path, heard):
    toys.scrfd(tmp_path / "mine" / "d.onnx")
    toys.arcface(tmp_path / "mine" / "e.onnx", before=[("Sub", 127.5), ("Div", 127.5)])
    with pytest.raises(ConfigError, match=r"nothing says which files of .*mine to use.*PackFiles"):
        find_pack(tmp_path / "mine")
    files = PackFiles("d.onnx", "e.onnx", embedder_mean_std=None)
    pack = open_pack(tmp_path / "mine", files=files, size_px=(64, 64), notice=heard.append)
    crop = np.random.default_rng(0).integers(0, 256, (1, 112, 112, 3), dtype=np.uint8)
    np.testing.assert_allclose(pack.embedder.embed(crop)[0], toys.embedding(crop[0]), atol=1e-5)
    toys.arcface(tmp_path / "mine" / "plain.onnx")
    wrong = PackFiles("d.onnx", "plain.onnx", embedder_mean_std=None)
    with pytest.raises(ConfigError, match="its graph begins with no such step"):
        open_pack(tmp_path / "mine", files=wrong, size_px=(64, 64), notice=heard.append)
    with pytest.raises(ConfigError, match="scaled twice"):
        open_pack(tmp_path / "mine", files=PackFiles("d.onnx", "e.onnx"), notice=heard.append)


def manifest(folder, **changes):
    """A package with a manifest of version 2, as raccoon_s has it."""
    toys.scrfd(folder / "detection.onnx")
    path = toys.arcface(folder / "recognition.onnx", before=[("Sub", 127.5), ("Mul", 1 / 127.5)])
    values = {
        "manifest_version": 2,
        "model_id": "raccoon_s",
        "license": "MODEL.LICENSE",
        "tasks": {
            "detection": {"file": "detection.onnx", "preprocessing": {"mean": 100.0, "std": 155.0}},
            "recognition": {
                "file": "recognition.onnx",
                "preprocessing": "embedded",
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "input_size": [112, 112],
            },
            "verification": {"anything": 1},
        },
    }
    values["tasks"]["recognition"] |= changes
    (folder / "manifest.json").write_text(json.dumps(values))
    return folder


def test_a_manifest_declares_files_and_preprocessing(tmp_path, heard):
    folder = manifest(tmp_path / "models" / "raccoon_s")
    found = find_pack("raccoon_s", root=tmp_path)
    assert found.files == PackFiles("detection.onnx", "recognition.onnx", (100.0, 155.0), None)
    pack = open_pack(folder, size_px=(64, 64), notice=heard.append)
    picture = toys.planted([(32, 0, 0, 240)])
    assert pack.detector.detect([picture])[0][0].score == pytest.approx((240 - 100) / 155, abs=1e-4)


def test_a_manifest_without_preprocessing_has_insightfaces_defaults(tmp_path):
    folder = manifest(tmp_path / "raccoon_s", preprocessing=None)
    assert find_pack(folder).files.embedder_mean_std == (127.5, 127.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"sha256": "0" * 64},
            r"recognition\.onnx is not the file of its manifest: expected sha256 000000000000",
        ),
        ({"file": "../recognition.onnx"}, r"tasks\.recognition\.file"),
        ({"file": "/recognition.onnx"}, r"tasks\.recognition\.file"),
        ({"file": "gone.onnx"}, r"lacks gone\.onnx"),
        ({"preprocessing": {"mean": 0, "std": 0}}, r"tasks\.recognition\.preprocessing"),
    ],
)
def test_a_wrong_manifest_is_refused(tmp_path, changes, message):
    with pytest.raises(ModelError, match=message):
        find_pack(manifest(tmp_path / "raccoon_s", **changes))


def test_a_damaged_manifest_is_refused_and_an_old_one_ignored(home):
    folder = home / "models" / "buffalo_s"
    (folder / "manifest.json").write_text("{")
    with pytest.raises(ModelError, match=r"manifest\.json is not a pack's manifest"):
        find_pack(folder)
    (folder / "manifest.json").write_text('{"manifest_version": 1}')
    assert find_pack(folder).files == KNOWN["buffalo_s"]
