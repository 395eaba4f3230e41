"""Landmarks measured again, with a detector whose answers are planted."""

import cv2
import numpy as np
import pytest

from vnvision.errors import ConfigError
from vnvision.faces.choosing import open_faces
from vnvision.faces.engine import FaceEngine
from vnvision.faces.landmarks import FACE_PX, PATCH_PX, RefinedAlignment, refined
from vnvision.records import Face

# On a face of width 1 around (0, 0): eyes, nose, corners of the mouth, the left ones first.
SHAPE = np.array([(-0.2, -0.15), (0.2, -0.12), (0.05, 0.05), (-0.15, 0.25), (0.18, 0.22)])
COLOURS = np.array([(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0), (0, 250, 250)])


def drawn(places, size=(400, 600)):
    """A picture with faces: at each landmark a dot of its own colour."""
    image = np.full((*size, 3), 60, np.uint8)
    for x, y, width in places:
        for (dx, dy), colour in zip(SHAPE, COLOURS, strict=True):
            centre = round(x + dx * width), round(y + dy * width)
            cv2.circle(image, centre, max(2, round(width / 25)), colour.tolist(), -1)
    return image


def face_at(x, y, width, shift=(0.0, 0.0)):
    box = (x - width / 2, y - width / 2, x + width / 2, y + width / 2)
    points = SHAPE * width + (x, y) + shift
    return Face(box_xyxy_px=box, score=0.9, landmarks_px=tuple(map(tuple, points.tolist())))


class Dots:
    """Finds a face by its dots; names them left and right as they lie in the picture, as a detector does."""

    def __init__(self, error=None, blind=()):
        self.error, self.blind, self.seen = error, blind, []

    def detect(self, images):
        out = []
        for number, image in enumerate(images):
            assert image.dtype == np.uint8
            assert image.shape[2] == 3
            self.seen.append(image.shape)
            out.append(() if number % 2 in self.blind else self._one(image, number))
        return out

    def _one(self, image, number):
        points = []
        for colour in COLOURS:
            near = np.abs(image.astype(int) - colour).max(axis=2) < 40
            if not near.any():
                return ()
            rows, columns = np.nonzero(near)
            points.append((columns.mean(), rows.mean()))
        points = np.array(points)
        if points[0, 0] > points[1, 0]:
            points = points[[1, 0, 2, 4, 3]]
        if self.error is not None:
            points = points + self.error[number % 2]
        low, high = points.min(axis=0), points.max(axis=0)
        return (Face(box_xyxy_px=(*low, *high), score=0.8, landmarks_px=tuple(map(tuple, points.tolist()))),)

    def close(self):
        pass


@pytest.mark.parametrize("place", [(200, 180, 120), (300, 200, 300), (100, 90, 60), (560, 350, 90)])
def test_a_wrong_landmark_is_put_right(place):
    found = face_at(*place, shift=(0.03 * place[2], -0.04 * place[2]))
    detector = Dots()
    (better,) = refined(detector, drawn([place]), [found])
    wanted = SHAPE * place[2] + place[:2]
    assert np.abs(np.array(better.landmarks_px) - wanted).max() < 0.02 * place[2]
    assert better.box_xyxy_px == found.box_xyxy_px
    assert detector.seen == [(PATCH_PX, PATCH_PX, 3)] * 2


def test_errors_that_a_mirror_turns_round_cancel():
    place = (250, 200, FACE_PX)
    drifting = Dots(error=[np.array([4.0, 0.0]), np.array([4.0, 0.0])])  # always to the right
    (better,) = refined(drifting, drawn([place]), [face_at(*place)])
    assert np.abs(np.array(better.landmarks_px) - (SHAPE * FACE_PX + place[:2])).max() < 1.0


def test_every_face_gets_its_own():
    places = [(120, 120, 100), (400, 250, 200)]
    image = drawn(places)
    better = refined(Dots(), image, [face_at(*place, shift=(5, 5)) for place in places])
    for face, (x, y, width) in zip(better, places, strict=True):
        assert np.abs(np.array(face.landmarks_px) - (SHAPE * width + (x, y))).max() < 3
    assert refined(Dots(), image, []) == ()


@pytest.mark.parametrize(
    "detector",
    [Dots(blind=(0,)), Dots(blind=(1,)), Dots(error=[np.zeros(2), np.array([90.0, 0.0])])],
    ids=["not seen", "mirror not seen", "two things seen"],
)
def test_a_look_that_fails_changes_nothing(detector):
    place = (250, 200, 150)
    found = face_at(*place, shift=(3, 3))
    assert refined(detector, drawn([place]), [found]) == (found,)


def test_a_grey_picture_is_looked_at_too():
    grey = drawn([(200, 180, 120)])[..., :1]
    found = face_at(200, 180, 120)
    assert refined(Dots(), grey, [found]) == (found,)  # no dot has its colour


class Crops:
    """An embedder that tells where it cut."""

    size, fingerprint = 3, "model:spec"

    def __init__(self):
        self.closed = False

    def align(self, image, faces):
        self.points = [face.landmarks_px for face in faces]
        return np.zeros((len(faces), 112, 112, 3), np.uint8)

    def embed(self, crops):
        return np.tile(np.array([[1, 0, 0]], np.float32), (len(crops), 1))

    def close(self):
        self.closed = True


def test_an_engine_aligns_by_them_and_says_so():
    place = (200, 180, 120)
    crops, detector = Crops(), Dots()
    refining = RefinedAlignment(crops, detector)
    engine = FaceEngine(detector=detector, embedder=refining)
    engine.align([drawn([place])], [[face_at(*place, shift=(6, 6))]])
    assert np.abs(np.array(crops.points[0]) - (SHAPE * 120 + place[:2])).max() < 3
    assert refining.fingerprint == f"model:spec+landmarks{FACE_PX}"
    assert refining.size == 3
    assert refining.embed(np.zeros((2, 112, 112, 3), np.uint8)).shape == (2, 3)
    engine.close()
    assert crops.closed


def test_an_unknown_choice_is_said():
    with pytest.raises(ConfigError, match="landmarks: expected detector or refined, got best"):
        open_faces(landmarks="best")
