"""Any picture a user may bring: sizes, turns, depths, channels, none or many faces."""

import cv2
import numpy as np
import pytest
from drawing import face
from PIL import Image

from vnvision.errors import DataError
from vnvision.faces.engine import FaceEngine

EYES = np.array([[0.405, 0.458], [0.595, 0.458]])  # of the drawn face, in sides of its picture


@pytest.fixture(scope="module")
def engine(weights):
    made = FaceEngine(engine="onnxruntime", threads=1)
    yield made
    made.close()


def eyes(found):
    return np.array(found.landmarks_px[:2])


def same(a, b):
    return float(np.dot(a.embedding, b.embedding))


@pytest.mark.parametrize("size", [1, 2, 7, 16, 31])
def test_tiny_pictures_are_answered(engine, size):
    assert len(engine.detect([face(64)[:size, :size]])[0]) <= 1


@pytest.mark.parametrize("size", [48, 64, 96])
def test_faces_in_small_pictures_are_found(engine, size):
    (found,) = engine.represent([face(size)])[0]
    assert np.abs(eyes(found) - EYES * size).max() < 0.05 * size


def test_huge_pictures_are_answered_in_their_own_pixels(engine):
    picture = cv2.resize(face(512), (6000, 4000), interpolation=cv2.INTER_LINEAR)
    (found,) = engine.detect([picture])[0]
    assert np.abs(eyes(found) - EYES * (6000, 4000)).max() < 0.02 * 6000


@pytest.mark.parametrize("shape", [(40, 3000), (3000, 40), (1, 4000), (4000, 1)])
def test_strips_are_answered(engine, shape):
    assert engine.detect([np.full((*shape, 3), 127, np.uint8)]) == [()]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(engine, tmp_path, orientation):
    upright = face(200)
    # What the sensor holds, so that the viewer's turn gives the upright picture (TIFF 6.0, tag Orientation).
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.jpg"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif, quality=95)
    turned, plain = engine.represent([path, upright])
    assert np.abs(eyes(turned[0]) - eyes(plain[0])).max() < 2
    assert same(turned[0], plain[0]) > 0.98


@pytest.mark.parametrize("tilt_deg", [-30, -15, 15, 30])
def test_tilted_faces_are_found_and_stay_the_same_person(engine, tilt_deg):
    straight, tilted = engine.represent([face(256), face(256, tilt_deg=tilt_deg)])
    assert same(straight[0], tilted[0]) > 0.8
    turn = cv2.getRotationMatrix2D((128, 128), tilt_deg, 1.0)
    wanted = (EYES * 256) @ turn[:, :2].T + turn[:, 2]
    assert np.abs(eyes(tilted[0]) - wanted).max() < 0.05 * 256


def test_pictures_lying_on_their_side_are_answered(engine):
    for turns in (1, 2, 3):
        found = engine.represent([np.rot90(face(256), turns)])[0]
        assert all(len(one.embedding) == engine.embedder.size for one in found)


def test_grey_pictures_of_both_shapes_are_one(engine):
    grey = cv2.cvtColor(face(256), cv2.COLOR_RGB2GRAY)
    flat, deep, colour = engine.represent([grey, grey[..., None], np.repeat(grey[..., None], 3, axis=2)])
    assert flat == deep == colour
    assert len(flat) == 1


def test_transparency_lies_on_white(engine):
    picture = face(256)
    opaque = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    clear = np.dstack([picture, np.zeros(picture.shape[:2], np.uint8)])
    plain, four, nothing = engine.represent([picture, opaque, clear])
    assert plain == four
    assert nothing == ()


def test_16_bit_is_scaled_by_its_full_range(engine):
    picture = face(256)
    deep = picture.astype(np.uint16) * 257
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    plain, wide, flat, wide_flat = engine.represent([picture, deep, grey, grey.astype(np.uint16) * 257])
    assert plain == wide
    assert flat == wide_flat


@pytest.mark.parametrize("step", [(slice(None, None, -1), slice(None)), (slice(None), slice(None, None, -1))])
def test_views_of_arrays_are_taken(engine, step):
    flipped = face(256)[step]
    assert engine.detect([flipped]) == engine.detect([np.ascontiguousarray(flipped)])


@pytest.mark.parametrize("value", [0, 127, 255])
def test_no_face_is_an_empty_answer(engine, value):
    assert engine.represent([np.full((120, 160, 3), value, np.uint8)]) == [()]


def test_an_empty_list_is_an_empty_answer(engine):
    assert engine.detect([]) == engine.represent([]) == []


def test_many_faces_are_all_found_and_in_one_call(engine):
    rows, columns, size = 4, 5, 120
    tones = np.linspace(90, 235, rows * columns).astype(int)
    tiles = [face(size, tone=(t, int(t * 0.8), int(t * 0.65)), seed=t) for t in tones]
    picture = np.concatenate(
        [np.concatenate(tiles[r * columns : (r + 1) * columns], axis=1) for r in range(rows)]
    )
    found, alone = engine.represent([picture, tiles[7]])
    places = {tuple((eyes(one).mean(axis=0) // size).astype(int)) for one in found}
    assert len(found) == len(places) == rows * columns
    # The tile alone and within the group is one person.
    (within,) = [one for one in found if tuple((eyes(one).mean(axis=0) // size).astype(int)) == (2, 1)]
    assert same(within, alone[0]) > 0.9
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)


def test_more_pictures_than_a_batch_holds_keep_their_order(engine):
    wall = np.full((64, 64, 3), 127, np.uint8)
    pictures = [face(64) if i % 7 == 0 else wall for i in range(70)]
    assert [len(found) for found in engine.detect(pictures)] == [int(i % 7 == 0) for i in range(70)]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((20, 20, 3), np.float32), r"wrong dtype: expected uint8 or uint16, got float32"),
        (np.zeros((20, 20, 3), np.float64), r"wrong dtype: expected uint8 or uint16, got float64"),
        (np.zeros((20, 20), bool), r"wrong dtype: expected uint8 or uint16, got bool"),
        (np.zeros((20, 20, 3), np.int32), r"wrong dtype: expected uint8 or uint16, got int32"),
        (np.zeros((20, 20, 2), np.uint8), r"wrong shape: expected .*RGBA, got \(20, 20, 2\)"),
        (np.zeros((3, 20, 20), np.uint8), r"wrong shape: expected .*RGBA, got \(3, 20, 20\)"),
        (np.zeros((2, 20, 20, 3), np.uint8), r"wrong shape: expected .*RGBA, got \(2, 20, 20, 3\)"),
        (np.zeros(400, np.uint8), r"wrong shape: expected .*RGBA, got \(400,\)"),
        (np.zeros((0, 20, 3), np.uint8), r"wrong shape: expected .*RGBA, got \(0, 20, 3\)"),
        (b"", r"image bytes is empty"),
        (b"no picture", r"image bytes is not an image"),
        (None, r"cannot read an image: expected a path or bytes, got NoneType"),
    ],
    ids=lambda value: "" if isinstance(value, str) else f"{getattr(value, 'shape', value)}",
)
def test_what_is_no_picture_is_refused(engine, wrong, message):
    for call in (engine.detect, engine.represent):
        with pytest.raises(DataError, match=message):
            call([face(64), wrong])
