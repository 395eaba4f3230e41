"""The secondary capture: what is drawn, what is burned in, what its header says of it."""

import numpy as np
import pydicom
import pytest
import result_scenes as scenes
from PIL import Image

from vnvision.clinic.results import capture, lettering
from vnvision.errors import ConfigError, DataError

HEAT = np.zeros((60, 80), np.float32)
HEAT[20:30, 30:40] = 1
BLANK = np.full((60, 80, 1), 100, np.uint8)


def written(answer, tmp_path, ds=None, **keys):
    files = scenes.write(ds or scenes.source("US"), answer, tmp_path / "out", **{"picture": BLANK} | keys)
    return pydicom.dcmread(files.sc)


def middle(sc, scale):
    """The part of the pixels that shows the source: below the band, as many rows as it has."""
    found = sc.pixel_array
    rows = np.flatnonzero((found[:, found.shape[1] // 2] == 100).all(axis=1))
    top = rows[0]
    left = (found.shape[1] - 80 * scale) // 2
    return found[top : top + 60 * scale, left : left + 80 * scale][::scale, ::scale]


def test_the_header_says_derived_burned_in_and_whose_study(tmp_path):
    ds = scenes.source("US")
    sc = written(scenes.class_answer(0.1, 0.8, 0.1), tmp_path, ds)
    assert sc.SOPClassUID == pydicom.uid.SecondaryCaptureImageStorage
    assert list(sc.ImageType) == ["DERIVED", "SECONDARY"]
    assert (sc.PhotometricInterpretation, sc.SamplesPerPixel, sc.BitsAllocated) == ("RGB", 3, 8)
    assert sc.BurnedInAnnotation == "YES"
    assert sc.DerivationDescription == f"Ảnh nguồn, vẽ thêm kết quả của mô hình {scenes.MODEL.name}"
    assert (sc.StudyInstanceUID, sc.PatientID) == (ds.StudyInstanceUID, ds.PatientID)
    assert sc.SeriesInstanceUID != ds.SeriesInstanceUID
    reference = sc.SourceImageSequence[0]
    assert (reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID) == (
        ds.SOPClassUID, ds.SOPInstanceUID,
    )  # fmt: skip
    assert "PixelSpacing" not in sc


def test_regions_are_tinted_where_they_are_and_nowhere_else(tmp_path):
    shown = middle(written(scenes.mask_answer(scenes.mask()), tmp_path), 6)
    inside = scenes.mask() == 1
    rim = np.zeros_like(inside)
    rim[9:21, 19:61] = True  # the outline may cover the pixels beside the region
    rim[29:36, 4:11] = True
    assert (shown[~rim] == 100).all()
    assert (shown[inside].astype(int) != 100).any(axis=1).all()
    tint = shown[15, 40].astype(int) - 100
    other = shown[32, 7].astype(int) - 100
    assert tint[0] > 0 > tint[2]  # orange
    assert other[2] > 0 > other[0]  # sky blue


def test_heat_brightens_where_it_is_and_leaves_the_rest(tmp_path):
    shown = middle(written(scenes.class_answer(0.1, 0.8, 0.1), tmp_path, heatmap=HEAT), 6)
    assert (shown[:15] == 100).all()
    assert (shown[40:] == 100).all()
    assert shown[25, 35].mean() > 150


def test_nothing_is_drawn_where_the_model_does_not_answer(tmp_path):
    answer = scenes.class_answer(0.4, 0.3, 0.3, abstained=True, reasons=("too_dark",))
    assert (middle(written(answer, tmp_path, heatmap=HEAT), 6) == 100).all()
    mask = scenes.mask_answer(scenes.mask(), abstained=True, reasons=("too_dark",))
    assert (middle(written(mask, tmp_path / "mask"), 6) == 100).all()


def test_no_heat_where_no_label_is_found_and_none_without_classes(tmp_path):
    nothing = scenes.class_answer(0.4, 0.3, 0.3, kind="multilabel")
    assert (middle(written(nothing, tmp_path, heatmap=HEAT), 6) == 100).all()
    with pytest.raises(ConfigError, match="a heatmap needs classes: got segmentation; leave heatmap out"):
        written(scenes.mask_answer(scenes.mask()), tmp_path / "mask", heatmap=HEAT)


def test_boxes_are_outlined(tmp_path):
    shown = middle(written(scenes.BOXES, tmp_path), 6)
    assert (shown[3, 2:30] != 100).any(axis=1).all()
    assert (shown[10:30, 10:20] == 100).all()


@pytest.mark.parametrize("size_px", [(60, 80), (3, 3), (700, 90), (2000, 1500), (1, 4000)])
def test_size_and_legend_for_any_picture(size_px, tmp_path):
    ds = scenes.source("US", size_px)
    sc = written(
        scenes.class_answer(0.1, 0.8, 0.1), tmp_path, ds, picture=np.full((*size_px, 1), 9, np.uint8)
    )
    height, width = sc.pixel_array.shape[:2]
    assert capture.MIN_WIDTH_PX <= width <= capture.MAX_SIDE_PX
    assert height <= capture.MAX_SIDE_PX + 900
    assert (sc.Rows, sc.Columns) == (height, width)


def test_research_use_is_burned_in_and_an_abstention_looks_different(tmp_path):
    """The band's letters are those of the font: the same line drawn again by PIL is found in the picture."""
    sc = written(scenes.class_answer(0.1, 0.8, 0.1), tmp_path).pixel_array
    face = lettering.font(14, bold=True)
    line = Image.new("RGB", (512, 40), (18, 20, 19))
    lettering.write(line, (14, 6), "RESEARCH USE", face, (255, 196, 84))
    ink = np.asarray(line)[:26]
    assert (ink[..., 0] > 200).sum() > 100
    assert np.array_equal(sc[:26], ink)
    answer = scenes.class_answer(0.4, 0.3, 0.3, abstained=True, reasons=("too_dark",))
    withheld = written(answer, tmp_path / "abstained").pixel_array
    assert not np.array_equal(sc[-60:], withheld[-60:])


def test_the_font_has_every_vietnamese_letter():
    letters = "ăâđêôơưàảãáạằẳẵắặầẩẫấậèẻẽéẹềểễếệìỉĩíịòỏõóọồổỗốộờởỡớợùủũúụừửữứựỳỷỹýỵ"
    missing = lettering.font(24).getmask("\ue123").getbbox(), bytes(lettering.font(24).getmask("\ue123"))
    for letter in letters + letters.upper() + "–²…":
        drawn = lettering.font(24).getmask(letter)
        assert (drawn.getbbox(), bytes(drawn)) != missing, letter


@pytest.mark.parametrize(
    "words", ["một hai ba bốn năm sáu bảy tám", "khôngcókhoảngtrắngnàotrongtừdàinày", ""]
)
def test_wrapping_loses_no_letter_and_keeps_the_width(words):
    face = lettering.font(20)
    lines = lettering.wrap(words, face, 100)
    assert "".join(lines).replace(" ", "") == words.replace(" ", "")
    assert all(face.getlength(line) <= 100 for line in lines)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"PatientOrientation": ["L", "F"]}, ["L", "F"]),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}, ["L", "P"]),
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, ["P", "F"]),
        ({"ImageOrientationPatient": [-0.8, 0.6, 0, 0, 0, -1]}, ["RP", "F"]),
        ({}, None),
    ],
)
def test_the_patients_orientation_is_the_sources_or_unknown(stated, expected, tmp_path):
    sc = written(scenes.class_answer(0.1, 0.8, 0.1), tmp_path, scenes.source("US", **stated))
    assert "PatientOrientation" in sc
    assert (list(sc.PatientOrientation) if sc.PatientOrientation else None) == expected


def test_sixteen_bits_and_colour_are_shown_in_full_range(tmp_path):
    deep = np.full((60, 80, 1), 100 * 257, np.uint16)
    assert (middle(written(scenes.class_answer(1, 0, 0), tmp_path, picture=deep), 6) == 100).all()
    colour = np.full((60, 80, 3), (100, 100, 100), np.uint8)
    colour[30:] = (200, 10, 30)
    shown = middle(written(scenes.class_answer(1, 0, 0), tmp_path / "colour", picture=colour), 6)
    assert (shown[40] == (200, 10, 30)).all()


@pytest.mark.parametrize(
    ("picture", "line"),
    [
        (
            np.zeros((60, 80), np.uint8),
            r"expected uint8 or uint16, \(H, W, 1\) or \(H, W, 3\), got uint8 \(60, 80\)",
        ),
        (np.zeros((60, 80, 1), np.float32), "picture cannot be drawn on"),
        (np.zeros((61, 80, 1), np.uint8), r"picture has another size than the image: expected \(60, 80\)"),
    ],
)
def test_a_picture_that_is_not_the_sources(picture, line, tmp_path):
    with pytest.raises(DataError, match=line):
        written(scenes.class_answer(0.1, 0.8, 0.1), tmp_path, picture=picture)


def test_a_heatmap_out_of_range_or_size(tmp_path):
    with pytest.raises(DataError, match=r"heatmap is out of range: expected 0 to 1, got 0\.0 to 2\.0"):
        written(scenes.class_answer(0.1, 0.8, 0.1), tmp_path, heatmap=2 * HEAT)
    with pytest.raises(DataError, match="heatmap has another size"):
        written(scenes.class_answer(0.1, 0.8, 0.1), tmp_path, heatmap=HEAT[1:])


def test_the_picture_comes_from_the_file_where_none_is_given(tmp_path):
    path = scenes.saved(scenes.source("US"), tmp_path / "us.dcm")
    answer = scenes.class_answer(0.1, 0.8, 0.1)
    keys = {
        "task": scenes.task("classification"),
        "model": scenes.MODEL,
        "when": scenes.WHEN,
        "uid_seed": "x",
    }
    own = scenes.write_results(path, answer, out=tmp_path / "own", **keys)
    given = scenes.write_results(
        path, answer, out=tmp_path / "given", picture=scenes.pixels((60, 80)), **keys
    )
    assert own.sc.read_bytes() == given.sc.read_bytes()
    with pytest.raises(ConfigError, match="a picture to draw on is missing; give the dataset's pixels"):
        scenes.write_results(scenes.source("US"), answer, out=tmp_path / "dataset", **keys)
