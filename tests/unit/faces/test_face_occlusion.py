"""What is covered of a drawn face: masks, dark and clear glasses drawn on it, and what cannot be told."""

import cv2
import numpy as np
import pytest
from drawing import face as drawn_face

from vnvision.data.occlusion import occlude
from vnvision.errors import ConfigError
from vnvision.faces import face_occlusions
from vnvision.faces.engine import FaceEngine
from vnvision.faces.occlusion import FaceOcclusion, eye_lightness, occlusion_of
from vnvision.faces.quality.crop import cut
from vnvision.records import Face

SIZE = 256
# Where ``drawing.face`` puts eyes, nose and mouth.
MARKS = ((0.405, 0.458), (0.595, 0.458), (0.5, 0.575), (0.425, 0.68), (0.575, 0.68))


def planted_face(scale=SIZE, marks=MARKS, score=0.95):
    points = tuple((x * scale, y * scale) for x, y in marks)
    return Face(box_xyxy_px=(70, 60, 186, 210), landmarks_px=points, score=score)


class Fixed:
    def __init__(self, *faces):
        self.faces, self.closed = faces, False

    def detect(self, images):
        return [self.faces if image.std() > 5 else () for image in images]

    def close(self):
        self.closed = True


class NoEmbedder:
    size, fingerprint = 4, "none"

    def close(self):
        pass


def engine(*faces):
    return FaceEngine(detector=Fixed(*faces), embedder=NoEmbedder())


def states(image, face=None):
    found = occlusion_of(image, face or planted_face())
    return found.mouth, found.eyes


@pytest.fixture(params=[(224, 182, 150), (150, 105, 80), (104, 70, 54)], ids=["light", "brown", "dark"])
def bare(request):
    return drawn_face(SIZE, tone=request.param)


def covered(image, kind, seed=3):
    return occlude(image, planted_face().landmarks_px, kind, seed=seed)


def test_a_bare_face_of_any_skin_is_visible(bare):
    found = occlusion_of(bare, planted_face())
    assert (found.mouth, found.eyes, found.why_unsure) == ("visible", "visible", "")


@pytest.mark.parametrize("seed", range(3))
def test_a_mask_covers_the_mouth_and_leaves_the_eyes_untold(bare, seed):
    found = occlusion_of(covered(bare, "surgical_mask", seed), planted_face())
    assert (found.mouth, found.eyes) == ("covered", "unsure")


@pytest.mark.parametrize("seed", range(3))
def test_dark_glasses_cover_the_eyes_of_a_light_face(seed):
    image = drawn_face(SIZE)
    assert states(covered(image, "sunglasses", seed))[1] == "covered"
    assert states(covered(image, "glasses", seed))[1] == "visible"


def test_eye_lightness_is_the_ratio_of_lens_to_cheek():
    from vnvision.imaging.align import template

    image = np.full((112, 112, 3), 160, np.uint8)
    image[46:64, 28:84] = 40
    image[60:64, 51:61] = 160  # the nose
    found = eye_lightness(cut(image, planted_face(1, template().tolist())))
    light = cv2.cvtColor(np.array([[[40] * 3, [160] * 3]], np.uint8), cv2.COLOR_RGB2LAB)[0, :, 0].astype(
        float
    )
    assert found == pytest.approx((light[0] + 6) / (light[1] + 6), rel=0.02)


def test_in_bad_pictures_nothing_is_told_and_the_reason_is_said():
    image = drawn_face(SIZE)
    black = (image * 0.03).astype(np.uint8)
    found = occlusion_of(black, planted_face())
    assert (found.mouth, found.eyes, found.why_unsure) == ("unsure", "unsure", "too_dark")
    assert "quá tối" in found.text("vi")
    assert "too dark" in found.text("en")
    small = cv2.resize(image, (48, 48), interpolation=cv2.INTER_AREA)
    assert occlusion_of(small, planted_face(48)).why_unsure == "too_small"
    half, marks = image[:, 128:], tuple((x - 0.5, y) for x, y in MARKS)
    assert occlusion_of(half, planted_face(marks=marks)).why_unsure == "cut_off"
    nowhere = planted_face(1, ((80, 80),) * 5)
    assert occlusion_of(image, nowhere).why_unsure == "face_unclear"


def test_a_skin_reference_behind_glasses_is_not_trusted(monkeypatch):
    """With dark glasses the mouth loses what it is compared with: half its visibility says nothing."""
    image = drawn_face(SIZE)

    def told(mouth, light):
        monkeypatch.setattr("vnvision.faces.occlusion.visibility", lambda crop: {"mouth_visibility": mouth})
        monkeypatch.setattr("vnvision.faces.occlusion.eye_lightness", lambda crop: light)
        return states(image)

    assert told(0.5, 0.3) == ("unsure", "unsure")
    assert told(0.2, 0.3) == ("covered", "unsure")
    assert told(0.5, 0.9) == ("covered", "unsure")
    assert told(0.9, 0.3) == ("visible", "covered")
    assert told(0.6, 0.6) == ("unsure", "unsure")
    assert told(0.9, 0.9) == ("visible", "visible")


def test_the_forehead_is_not_claimed():
    assert {"mouth", "eyes"} <= FaceOcclusion.model_fields.keys()
    assert not any("forehead" in name for name in FaceOcclusion.model_fields)


def test_photos_in_order_with_what_is_wrong(tmp_path):
    image = drawn_face(SIZE)
    cv2.imwrite(str(tmp_path / "bare.png"), image[:, :, ::-1])
    cv2.imwrite(str(tmp_path / "mask.png"), covered(image, "surgical_mask")[:, :, ::-1])
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((64, 64, 3), 90, np.uint8))
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    files = [tmp_path / name for name in ("mask.png", "broken.jpg", "wall.png", "bare.png", "none.png")]
    steps = []
    photos = face_occlusions(files, engine=engine(planted_face()), progress=lambda *step: steps.append(step))
    assert [photo.path for photo in photos] == [str(file) for file in files]
    assert [len(photo.faces) for photo in photos] == [1, 0, 0, 1, 0]
    assert photos[0].lines("vi") == ["khuôn mặt 1: miệng và mũi: bị che, mắt: không chắc"]
    assert photos[3].lines("en") == ["face 1: mouth and nose: visible, eyes: visible"]
    assert photos[2].lines("vi") == ["không thấy khuôn mặt"]
    assert photos[2].lines("en") == ["no face found"]
    assert "broken.jpg" in photos[1].problem
    assert "none.png does not exist" in photos[4].lines("en")[0]
    assert steps == [(i, 5) for i in range(1, 6)]


def test_a_grey_array_and_one_picture_alone():
    grey = cv2.cvtColor(drawn_face(SIZE), cv2.COLOR_RGB2GRAY)
    (photo,) = face_occlusions(grey, engine=engine(planted_face()))
    assert photo.path == "the picture"
    assert len(photo.faces) == 1


def test_nothing_to_look_at_is_an_error():
    with pytest.raises(ConfigError, match="no photos to look at") as caught:
        face_occlusions([], engine=engine())
    assert "chưa có ảnh" in caught.value.vietnamese
