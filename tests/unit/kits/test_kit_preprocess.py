"""The kit's preprocessing, written once more in numpy and OpenCV, is that of vnvision.imaging to the bit."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit_bundles import scripts

from vnvision.imaging import Preprocessor, read
from vnvision.imaging.depth import to_uint8
from vnvision.spec import PreprocessSpec

LANDMARKS = np.array([[10.5, 12], [30, 11], [20, 22.25], [13, 31], [28, 30.5]])
SIDES = st.integers(1, 41)


@st.composite
def cases(draw):
    geometry = draw(st.sampled_from(["squash", "crop", "letterbox", "strips", "align", "none"]))
    kinds = ["bilinear", "bicubic"] + ([] if geometry == "align" else ["nearest", "area"])  # OpenCV's own
    colour = draw(st.sampled_from(["rgb", "bgr", "grey"]))
    channels = 1 if colour == "grey" else 3
    unit = st.floats(0.1, 0.9)
    spec = PreprocessSpec(
        size_px=draw(st.tuples(SIDES, SIDES)), colour=colour, geometry=geometry,
        crop_pct=draw(st.sampled_from([1.0, 0.875, 0.9, 0.31])), pad_value=draw(st.integers(0, 255)),
        interpolation=draw(st.sampled_from(kinds)),
        input_range=draw(st.sampled_from([(0, 255), (0, 1), (16, 235.5)])),
        mean=tuple(draw(unit) for _ in range(channels)), std=tuple(draw(unit) for _ in range(channels)),
    )  # fmt: skip
    size = spec.size_px if geometry == "none" else draw(st.tuples(SIDES, SIDES))
    shape = (*size, draw(st.sampled_from([1, 3])))
    picture = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, shape, np.uint8)
    return spec, picture


@pytest.fixture(scope="module")
def kit():
    with scripts() as loaded:

        class Stub:
            def __init__(self, path, about, threads):
                pass

        loaded.model.ENGINES["stub"] = (Stub, "stub")
        yield loaded


def model_of(kit, folder, spec, **facts):
    about = dict.fromkeys(kit.model.KEYS) | {"engine": "stub", "files": {}, "file": "none"}
    about |= {"preprocess": spec.model_dump(mode="json")} | facts
    (folder / "spec.json").write_text(json.dumps(about))
    return kit.model.Model(folder)


@settings(max_examples=300, deadline=None)
@given(case=cases())
def test_every_geometry_colour_and_size(kit, tmp_path_factory, case):
    spec, picture = case
    landmarks = LANDMARKS if spec.geometry == "align" else None
    right = Preprocessor(spec)(picture, landmarks_px=landmarks)
    model = model_of(kit, tmp_path_factory.getbasetemp(), spec)
    crop, _, _ = kit.picture.place(picture, model.spec, landmarks)
    assert np.array_equal(model.batch(crop[None])[0], right)
    assert np.array_equal(model.batch(crop[None], flip=True)[0], right[..., ::-1])


@settings(max_examples=100, deadline=None)
@given(case=cases())
def test_where_a_crop_lies(kit, case):
    from vnvision.imaging.geometry import placement

    spec, picture = case
    if spec.geometry in ("align", "strips"):
        return
    _, scale, offset = kit.picture.place(picture, json.loads(spec.to_json()))
    right = placement(picture.shape[:2], spec.size_px, spec.geometry, spec.crop_pct)
    assert (scale, offset) == (right.scale, right.offset_px)


def test_a_file_that_normalises_inside_gets_pixels(kit, tmp_path):
    spec = PreprocessSpec(size_px=(5, 7), colour="bgr", input_range=(0, 1))
    picture = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), np.uint8)
    model = model_of(kit, tmp_path, spec)
    model.takes_pixels = True
    batch = model.batch(picture)
    assert (batch.dtype, batch.shape) == (np.uint8, (2, 5, 7, 3))
    assert np.array_equal(batch, picture[..., ::-1])
    assert kit.engines.Rknn.takes_pixels


def test_wrong_pictures_get_one_line(kit, tmp_path):
    spec = PreprocessSpec(size_px=(5, 7), geometry="none")
    model = model_of(kit, tmp_path, spec)
    with pytest.raises(kit.model.KitError, match=r"must be \(N, 5, 7, 3\) uint8, not \(1, 5, 8, 3\)"):
        model.batch(np.zeros((1, 5, 8, 3), np.uint8))
    with pytest.raises(kit.model.KitError, match=r"must be 5 x 7 \(height x width\) already, it is 6 x 7"):
        kit.picture.place(np.zeros((6, 7, 3), np.uint8), model.spec)
    aligned = model.spec | {"geometry": "align"}
    for bad, message in (
        (np.zeros((5, 2)), "five different"),
        (np.ones((4, 2)), "five points"),
        (np.full((5, 2), np.nan), "five points"),
    ):
        with pytest.raises(kit.model.KitError, match=message):
            kit.picture.place(np.zeros((9, 9, 3), np.uint8), aligned, bad)


@pytest.mark.parametrize("kind", ["rgb", "grey", "deep", "clear", "deep_clear", "turned"])
def test_picture_files_are_read_as_we_read_them(kit, tmp_path, kind):
    rng = np.random.default_rng(3)
    shape = {"grey": (9, 11), "clear": (9, 11, 4), "deep_clear": (9, 11, 4)}.get(kind, (9, 11, 3))
    deep = kind.startswith("deep")
    values = rng.integers(0, 65536 if deep else 256, shape, np.uint16 if deep else np.uint8)
    path = tmp_path / f"ảnh.{'jpg' if kind == 'turned' else 'png'}"
    if kind == "turned":
        from PIL import Image

        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(values).save(path, exif=exif, quality=95)
    else:
        path.write_bytes(cv2.imencode(".png", values)[1].tobytes())
    right = to_uint8(read(path).image)
    assert np.array_equal(kit.picture.read(path), np.broadcast_to(right, (*right.shape[:2], 3)))
    assert right.shape[:2] == ((11, 9) if kind == "turned" else (9, 11))


def test_files_that_are_no_pictures_get_one_line(kit, tmp_path):
    for name, data in (("text.png", b"no picture"), ("empty.png", b"")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(kit.model.KitError, match="it is no picture"):
            kit.picture.read(tmp_path / name)
    with pytest.raises(kit.model.KitError, match="No such file"):
        kit.picture.read(tmp_path / "missing.png")
