"""What every embedder must hold: red first, and landmarks on the ArcFace template."""

import cv2
import numpy as np
import pytest
import toys
from drawing import face as drawn

from vnvision.faces.arcface import ArcFaceOnnx
from vnvision.faces.bundle import BundleEmbedder
from vnvision.faces.embedder import SFace
from vnvision.records import Face

# Deng et al. 2019: the five-point template in a crop of 112 x 112.
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
KINDS = ("sface", "arcface", "arcface bgr", "bundle", "bundle bgr")


@pytest.fixture(params=KINDS)
def embedder(request, tmp_path):
    if request.param == "sface":
        request.getfixturevalue("weights")
        model = SFace(engine="onnxruntime", threads=1)
    elif request.param.startswith("arcface"):
        colour = "bgr" if "bgr" in request.param else "rgb"
        model = ArcFaceOnnx(toys.arcface(tmp_path / "a.onnx"), colour=colour, engine="onnxruntime")
    else:
        colour = "bgr" if "bgr" in request.param else "rgb"
        model = BundleEmbedder(toys.bundle(tmp_path / "b", colour=colour), engine="onnxruntime")
    yield model
    model.close()


def placed(scale, angle_deg, shift):
    """The template turned, scaled and moved into a picture: (5, 2), as a detector would report it."""
    angle = np.deg2rad(angle_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (TEMPLATE - 56) @ turn.T * scale + shift


def reported(points):
    return Face(box_xyxy_px=(0, 0, 1, 1), landmarks_px=tuple(map(tuple, points.tolist())), score=1.0)


def dots(points, radius, shape=(400, 500)):
    """A picture with a soft dot at each point; the first is red, the others are white."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = np.zeros((*shape, 3))
    for number, (px, py) in enumerate(points):
        bell = np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * radius**2))
        image[..., : 1 if number == 0 else 3] += bell[..., None]
    return np.round(255 * np.minimum(image, 1)).astype(np.uint8)


@pytest.mark.parametrize(
    ("scale", "angle_deg", "shift"), [(1.0, 0, (120, 100)), (2.2, 25, (250, 200)), (0.8, -60, (300, 150))]
)
def test_landmarks_come_to_lie_on_the_template(embedder, scale, angle_deg, shift):
    points = placed(scale, angle_deg, np.array(shift))
    (crop,) = embedder.align(dots(points, 2.5 * scale), [reported(points)])
    assert crop.shape == (112, 112, 3)
    assert crop.dtype == np.uint8
    y, x = np.mgrid[:112, :112]
    for px, py in TEMPLATE:
        near = (np.abs(x - px) < 7) & (np.abs(y - py) < 7)
        mass = np.where(near, crop[..., 0].astype(float), 0)
        centre = np.array([(mass * x).sum(), (mass * y).sum()]) / mass.sum()
        assert np.abs(centre - (px, py)).max() < 0.5


def test_crops_keep_red_first_whatever_the_network_takes(embedder):
    points = placed(1.5, 10, np.array([200, 180]))
    (crop,) = embedder.align(dots(points, 4.0), [reported(points)])
    left_eye = crop[round(TEMPLATE[0, 1]), round(TEMPLATE[0, 0])].astype(int)
    assert left_eye[0] > 200
    assert left_eye[2] < 50


def test_swapped_channels_change_the_embedding(embedder):
    crop = cv2.resize(drawn(256), (112, 112), interpolation=cv2.INTER_AREA)[None]
    right = embedder.embed(crop)[0]
    swapped = embedder.embed(np.ascontiguousarray(crop[..., ::-1]))[0]
    assert np.linalg.norm(right) == pytest.approx(1, abs=1e-5)
    assert right @ swapped < 0.99, "channel order must matter, or a swap would go unseen"


def test_grey_crops_do_not_care_for_the_order(embedder):
    grey = np.repeat(np.random.default_rng(0).integers(0, 256, (1, 112, 112, 1), dtype=np.uint8), 3, axis=3)
    assert np.array_equal(embedder.embed(grey), embedder.embed(np.ascontiguousarray(grey[..., ::-1])))


def test_crops_in_a_batch_and_alone_have_one_embedding(embedder):
    crops = np.random.default_rng(1).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
    alone = np.concatenate([embedder.embed(crop[None]) for crop in crops])
    assert (embedder.embed(crops) * alone).sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert alone.shape == (3, embedder.size)


def test_rgb_and_bgr_declarations_mirror_each_other(tmp_path):
    crops = np.random.default_rng(2).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    path = toys.arcface(tmp_path / "a.onnx")
    rgb, bgr = (ArcFaceOnnx(path, colour=colour, engine="onnxruntime") for colour in ("rgb", "bgr"))
    assert np.array_equal(bgr.embed(crops), rgb.embed(np.ascontiguousarray(crops[..., ::-1])))
    assert rgb.fingerprint != bgr.fingerprint
