"""Faces hidden for good, the rest of the photo and its kind kept, originals never touched."""

import io
import shutil

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms
from planted import save

from vnvision.errors import ConfigError, DataError
from vnvision.faces import anonymise_faces
from vnvision.faces.anonymise import anonymise_picture
from vnvision.faces.anonymise_hide import CELLS, METHODS, head_mask, hide_faces
from vnvision.faces.anonymise_looking import Enlarging
from vnvision.imaging import read
from vnvision.imaging.align import template
from vnvision.records import Face

SIDE = 200


def face_at(x, y, scale=0.5, landmarks=None):
    """A face whose template starts at x, y; the box is what a detector would give."""
    marks = template() * scale + [x, y] if landmarks is None else np.array(landmarks, float)
    box = (x + 20 * scale, y + 30 * scale, x + 92 * scale, y + 112 * scale)
    return Face(box_xyxy_px=box, landmarks_px=tuple(map(tuple, marks.tolist())), score=0.9)


class Fixed:
    """Finds the same faces in every picture that is not plain."""

    def __init__(self, *faces):
        self.faces, self.seen, self.closed = faces, [], False

    def detect(self, images):
        self.seen += [image.copy() for image in images]
        return [self.faces if image.std() > 5 else () for image in images]

    def close(self):
        self.closed = True


def noise(height=SIDE, width=SIDE, channels=3, dtype=np.uint8, seed=0):
    high = np.iinfo(dtype).max + 1
    return np.random.default_rng(seed).integers(0, high, (height, width, channels)).astype(dtype)


def smooth(height=SIDE, width=SIDE):
    """A picture that JPEG keeps well."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x % 256, y % 256, (x + y) // 2 % 256], axis=2).astype(np.uint8)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_outside_of_the_head_every_pixel_stays_and_inside_little_is_left(method, dtype, channels):
    image, face = noise(channels=channels, dtype=dtype), face_at(60, 60)
    before = image.copy()
    out = hide_faces(image, [face], method)
    mask = head_mask(face, image.shape[:2])
    assert (image == before).all()
    assert out.dtype == dtype
    assert out.shape == image.shape
    assert (out[~mask] == image[~mask]).all()
    # The mean of a cell of noise, hundreds of pixels, is all but one grey: nothing is left of the pixels.
    inside = out[mask].astype(float)
    assert inside.std() < 0.15 * image[mask].astype(float).std()
    if method != "fill":
        assert abs(np.corrcoef(inside.ravel(), image[mask].astype(float).ravel())[0, 1]) < 0.2


def test_pixelate_keeps_the_means_of_cells_and_no_more():
    image, face = noise(), face_at(60, 60)
    mask = head_mask(face, image.shape[:2])
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    out = hide_faces(image, [face], "pixelate")
    colours = np.unique(out[mask].reshape(-1, 3), axis=0)
    assert len(colours) <= CELLS["pixelate"] * round(CELLS["pixelate"] * height / width)
    # Pictures that share the means of their cells come out the same: what they differ in is gone.
    other = image.copy()
    box = other[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    box[:] = hide_faces(image, [face], "pixelate", cells=1000)[
        rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1
    ]
    assert (hide_faces(other, [face], "pixelate")[mask] == out[mask]).all()


def test_fill_says_nothing_of_the_face():
    face = face_at(60, 60)
    one, other = (hide_faces(noise(seed=seed), [face], "fill") for seed in (1, 2))
    mask = head_mask(face, (SIDE, SIDE))
    assert (one[mask] == other[mask]).all()


def test_a_head_reaches_from_hair_to_chin_and_turns_with_the_face():
    face = face_at(60, 60, 0.5)
    mask = head_mask(face, (SIDE, SIDE))
    for x, y in ((56, -6), (56, 120), (8, 60), (104, 60)):  # crown, chin and ears on the template
        assert mask[int(60 + 0.5 * y), int(60 + 0.5 * x)]
    x0, y0, x1, y1 = (round(v) for v in face.box_xyxy_px)
    assert mask[y0:y1, x0:x1].all()
    angle = np.deg2rad(90)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    marks = (np.array(face.landmarks_px) - 100) @ turn.T + 100
    lying = head_mask(
        face.model_copy(update={"landmarks_px": tuple(map(tuple, marks.tolist()))}), (SIDE, SIDE)
    )
    crown = turn @ (np.array([60 + 0.5 * 56, 60 + 0.5 * -6]) - 100) + 100
    assert lying[round(crown[1]), round(crown[0])]


def test_landmarks_that_span_no_face_hide_the_whole_box():
    face = face_at(60, 60, landmarks=[(80, 80)] * 5)
    mask = head_mask(face, (SIDE, SIDE))
    x0, y0, x1, y1 = face.box_xyxy_px
    assert mask[int(y0) - 5 : int(y1) + 5, int(x0) - 5 : int(x1) + 5].all()


def test_a_face_across_the_edge_and_one_outside():
    image = noise()
    assert (hide_faces(image, [face_at(170, 170)], "fill")[190:, 190:] == 127).all()
    assert (hide_faces(image, [face_at(900, 900)], "fill") == image).all()


def runs(row):
    """Lengths of the stretches of one colour in a row (W, C)."""
    ends = np.flatnonzero((row[1:] != row[:-1]).any(axis=-1)) + 1
    return np.diff([0, *ends, len(row)])


@pytest.mark.parametrize("scale", [0.5, 0.9])
@pytest.mark.parametrize("beyond", [0.3, 0.5, 0.7, 0.9])
def test_squares_at_the_edge_are_no_smaller_than_inside(scale, beyond):
    image, inside = noise(400, 400), face_at(120, 120, scale)
    columns = np.flatnonzero(head_mask(inside, (400, 400)).any(0))
    cut = columns[0] + round(beyond * len(columns))
    least = min(runs(hide_faces(image, [inside], "pixelate")[120 + round(60 * scale), columns]))
    out = hide_faces(image[:, cut:], [face_at(120 - cut, 120, scale)], "pixelate")
    row = out[120 + round(60 * scale), : columns[-1] + 1 - cut]
    assert min(runs(row)) >= min(least, len(row))


@pytest.mark.parametrize("beyond", [0.5, 0.8])
@pytest.mark.parametrize("side", ["left", "top"])
def test_blur_at_the_edge_leaves_no_more_than_inside(beyond, side):
    y, x = np.mgrid[:400, :400]
    stripes = np.where((x // 10 + y // 10) % 2, 255, 0).astype(np.uint8)[:, :, None]
    inside = face_at(120, 120, 0.9)
    mask = head_mask(inside, (400, 400))
    left = hide_faces(stripes, [inside], "blur")[mask].std()
    across = np.flatnonzero(mask.any(0 if side == "left" else 1))
    cut = int(across[0]) + round(beyond * len(across))
    down, right = (0, cut) if side == "left" else (cut, 0)
    part, half = stripes[down:, right:], face_at(120 - right, 120 - down, 0.9)
    seen = head_mask(half, part.shape[:2])
    assert hide_faces(part, [half], "blur")[seen].std() <= 1.2 * left + 1


def test_wrong_words_and_arrays_are_said():
    with pytest.raises(ConfigError, match="blur, pixelate, fill") as caught:
        hide_faces(noise(), [], "smear")
    assert "không có cách che" in caught.value.vietnamese
    with pytest.raises(DataError, match="uint8 or uint16"):
        hide_faces(noise().astype(np.float32), [], "blur")


def test_what_any_detector_finds_is_hidden_and_a_face_counts_once():
    large, small, part = face_at(20, 20, 0.9), face_at(150, 150, 0.2), face_at(40, 50, 0.5)
    first, second = Fixed(part), Fixed(large, small)
    out, faces = anonymise_picture(noise(), [first, second], "fill")
    assert len(faces) == 2
    for one in (large, small, part):
        assert (out[head_mask(one, (SIDE, SIDE))] == 127).all()


class Spot:
    """Finds the red square of a picture; remembers how large pictures came."""

    def __init__(self):
        self.sizes = []

    def detect(self, images):
        self.sizes += [image.shape[:2] for image in images]
        found = []
        for image in images:
            rows, columns = np.nonzero((image[:, :, 0] > 128) & (image[:, :, 1] < 128))
            box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            marks = tuple((float(box[0]) + j, float(box[1])) for j in range(5))
            found.append((Face(box_xyxy_px=tuple(map(float, box)), landmarks_px=marks, score=0.9),))
        return found


@pytest.mark.parametrize(
    ("size", "seen"), [((100, 150), (200, 300)), ((1000, 600), (1600, 960)), ((100, 2000), (100, 2000))]
)
def test_small_pictures_are_looked_at_enlarged_and_faces_are_in_their_own_pixels(size, seen):
    image = np.full((*size, 3), 255, np.uint8)
    image[20:50, 30:80] = (255, 0, 0)
    spot = Spot()
    ((face,),) = Enlarging(spot).detect([image])
    assert spot.sizes == [seen]
    assert face.box_xyxy_px == pytest.approx((30, 20, 80, 50), abs=1)
    assert face.landmarks_px[0] == pytest.approx((30, 20), abs=1)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.webp"])
def test_kinds_without_loss_keep_every_pixel_outside(tmp_path, name):
    image, face = noise(), face_at(60, 60)
    Image.fromarray(image).save(tmp_path / name, **({"lossless": True} if name.endswith("webp") else {}))
    done = anonymise_faces(tmp_path / name, out=tmp_path / "out", detectors=[Fixed(face)])
    mask = head_mask(face, (SIDE, SIDE))
    back = read(tmp_path / "out" / name)
    assert back.meta["format"] == read(tmp_path / name).meta["format"]
    assert (back.image[~mask] == image[~mask]).all()
    assert not (back.image[mask] == image[mask]).all(axis=-1).mean() > 0.01
    assert done.all_hidden
    assert (done.faces, done.photos[0].out) == (1, str(tmp_path / "out" / name))


def test_a_jpeg_comes_out_nearly_as_it_was(tmp_path):
    face, image = face_at(60, 60), smooth()
    for quality in (60, 90):
        file = tmp_path / f"{quality}.jpg"
        Image.fromarray(image).save(file, quality=quality)
        anonymise_faces(file, out=tmp_path / "out", detectors=[Fixed(face)])
        before, after = read(file).image.astype(int), read(tmp_path / "out" / file.name).image.astype(int)
        # A margin of two JPEG blocks: the head's edge shares theirs.
        near = cv2.dilate(head_mask(face, (SIDE, SIDE)).astype(np.uint8), np.ones((33, 33))).astype(bool)
        assert abs(before - after)[~near].mean() < 0.5
        tables = [Image.open(one).quantization for one in (file, tmp_path / "out" / file.name)]
        assert tables[0] == tables[1]


def test_metadata_does_not_go_along_and_the_photo_is_turned_upright(tmp_path):
    image, face = smooth(120, 200), face_at(60, 60)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "Nguyen Thi A, ward 3"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    file = tmp_path / "a.jpg"
    Image.fromarray(image).save(file, exif=exif, comment=b"secret note", icc_profile=profile, quality=90)
    anonymise_faces(file, out=tmp_path / "out", detectors=[Fixed(face)])
    written = (tmp_path / "out" / "a.jpg").read_bytes()
    for secret in (b"Nguyen", b"secret note", b"Exif"):
        assert secret in file.read_bytes()
        assert secret not in written
    after = Image.open(io.BytesIO(written))
    assert after.size == (120, 200)  # a quarter turn
    assert not after.getexif()
    assert after.info["icc_profile"] == profile


def test_text_of_a_png_does_not_go_along(tmp_path):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Author", "Tran Van B")
    Image.fromarray(noise()).save(tmp_path / "a.png", pnginfo=info)
    anonymise_faces(tmp_path / "a.png", out=tmp_path / "out", detectors=[Fixed(face_at(60, 60))])
    assert b"Tran Van B" not in (tmp_path / "out" / "a.png").read_bytes()


def test_colours_under_transparency_are_not_written(tmp_path):
    pixels = np.dstack([noise(), np.zeros((SIDE, SIDE), np.uint8)])
    pixels[:, :100, 3] = 255
    Image.fromarray(pixels, "RGBA").save(tmp_path / "a.png")
    anonymise_faces(tmp_path / "a.png", out=tmp_path / "out", detectors=[Fixed(face_at(10, 60))])
    after = np.array(Image.open(tmp_path / "out" / "a.png"))
    assert after.shape == (SIDE, SIDE, 3)
    assert (after[:, 100:][:, 20:] == 255).all()


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_16_bits_stay_16_bits(tmp_path, name, channels):
    image, face = noise(channels=channels, dtype=np.uint16), face_at(60, 60)
    cv2.imwrite(str(tmp_path / name), image[:, :, ::-1] if channels == 3 else image)
    detector = Fixed(face)
    anonymise_faces(tmp_path / name, out=tmp_path / "out", detectors=[detector])
    back = read(tmp_path / "out" / name).image
    mask = head_mask(face, (SIDE, SIDE))
    assert back.dtype == np.uint16
    assert (back[~mask] == image[~mask]).all()
    assert detector.seen[0].dtype == np.uint8
    assert detector.seen[0].shape == (SIDE, SIDE, 3)


def test_a_grey_jpeg_stays_grey(tmp_path):
    Image.fromarray(smooth()[:, :, 0]).save(tmp_path / "a.jpg")
    anonymise_faces(tmp_path / "a.jpg", out=tmp_path / "out", detectors=[Fixed(face_at(60, 60))])
    assert Image.open(tmp_path / "out" / "a.jpg").mode == "L"


@pytest.fixture
def album(tmp_path):
    """Two photos with a face, one in a folder below; one of nobody; one damaged; a text."""
    save(tmp_path / "album" / "a.png", noise())
    save(tmp_path / "album" / "wedding" / "a.png", noise(seed=1))
    save(tmp_path / "album" / "wall.png", np.full((SIDE, SIDE, 3), 90, np.uint8))
    (tmp_path / "album" / "broken.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    (tmp_path / "album" / "notes.txt").write_text("no picture")
    return tmp_path / "album"


def test_a_folder_keeps_its_shape_and_what_is_not_hidden_is_not_written(album, tmp_path):
    before = {file: file.read_bytes() for file in album.rglob("*") if file.is_file()}
    steps = []
    done = anonymise_faces(
        album,
        out=tmp_path / "out",
        detectors=[Fixed(face_at(60, 60))],
        progress=lambda *step: steps.append(step),
    )
    written = sorted(
        file.relative_to(tmp_path / "out").as_posix() for file in (tmp_path / "out").rglob("*.*")
    )
    assert written == ["a.png", "wedding/a.png"]
    assert [photo.status for photo in done.photos] == ["hidden", "unreadable", "no_face", "hidden"]
    assert "broken.jpg" in done.photos[1].problem
    assert not done.all_hidden
    assert steps == [(i, 4) for i in range(1, 5)]
    assert {file: file.read_bytes() for file in before} == before


def test_faceless_photos_are_written_when_asked(album, tmp_path):
    done = anonymise_faces(album, out=tmp_path / "out", detectors=[Fixed()], keep_faceless=True)
    assert (tmp_path / "out" / "wall.png").is_file()
    assert {photo.status for photo in done.photos} == {"no_face", "unreadable"}


def test_originals_are_never_overwritten(album):
    for out in (album, album / "wedding" / ".."):
        with pytest.raises(
            ConfigError, match="is an original and would be overwritten; choose another folder"
        ):
            anonymise_faces(album, out=out, detectors=[Fixed(face_at(60, 60))], replace=True)
    (album.parent / "link.png").symlink_to(album / "a.png")
    with pytest.raises(ConfigError, match="would be overwritten"):
        anonymise_faces(
            album.parent / "link.png", out=album.parent, detectors=[Fixed(face_at(60, 60))], replace=True
        )


def test_copies_are_not_overwritten_unless_asked_and_are_no_originals(album):
    detectors = [Fixed(face_at(60, 60))]
    first = anonymise_faces(album, out=album / "hidden", detectors=detectors)
    with pytest.raises(ConfigError, match=r"a\.png is there already; .*--replace"):
        anonymise_faces(album, out=album / "hidden", detectors=detectors)
    again = anonymise_faces(album, out=album / "hidden", detectors=detectors, replace=True)
    assert again == first


def test_copies_may_go_to_a_folder_above_the_photos(album):
    done = anonymise_faces(album / "wedding", out=album.parent, detectors=[Fixed(face_at(60, 60))])
    assert [photo.out for photo in done.photos] == [str(album.parent / "a.png")]
    with pytest.raises(ConfigError, match=r"a\.png is there already"):
        anonymise_faces(album / "wedding", out=album, detectors=[Fixed(face_at(60, 60))])


def test_two_photos_of_one_name_are_refused_before_anything_is_written(album, tmp_path):
    two = [album / "a.png", album / "wedding" / "a.png"]
    with pytest.raises(ConfigError, match=r"would both be written to .*a\.png") as caught:
        anonymise_faces(two, out=tmp_path / "out", detectors=[Fixed(face_at(60, 60))])
    assert "trùng tên" in caught.value.vietnamese
    assert not (tmp_path / "out").exists()


def test_nothing_to_do_is_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="no pictures found"):
        anonymise_faces(tmp_path / "empty", out=tmp_path / "out", detectors=[Fixed()])
    with pytest.raises(ConfigError, match="blur, pixelate, fill"):
        anonymise_faces(tmp_path / "empty", out=tmp_path / "out", method="smear", detectors=[Fixed()])


def test_a_missing_photo_is_named(tmp_path):
    (photo,) = anonymise_faces(tmp_path / "none.png", out=tmp_path / "out", detectors=[Fixed()]).photos
    assert photo.status == "unreadable"
    assert "none.png does not exist" in photo.problem


def test_a_folder_that_cannot_be_written_is_said(album, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(DataError, match="cannot write") as caught:
        anonymise_faces(album / "a.png", out=tmp_path / "out", detectors=[Fixed(face_at(60, 60))])
    assert "không ghi được" in caught.value.vietnamese


def test_a_dicom_file_is_sent_to_its_own_verb(tmp_path):
    pytest.importorskip("pydicom")
    from pydicom.data import get_testdata_file

    file = tmp_path / "scan.dcm"
    shutil.copy(get_testdata_file("CT_small.dcm"), file)
    (photo,) = anonymise_faces(file, out=tmp_path / "out", detectors=[Fixed()]).photos
    assert photo.status == "unreadable"
    assert "clinic deidentify" in photo.problem
