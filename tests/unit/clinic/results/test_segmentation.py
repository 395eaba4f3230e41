"""The segmentation lies on the source's pixels, and states as much geometry as the source does."""

import highdicom as hd
import numpy as np
import pydicom
import pytest
import result_scenes as scenes

from vnvision.clinic.results.segment import NO_PLANE
from vnvision.errors import ConfigError, DataError


def segmentation(ds, answer, tmp_path, **keys):
    files = scenes.write(ds, answer, tmp_path / "out", **keys)
    return hd.seg.segread(files.seg), files


@pytest.mark.parametrize("kind", ["US", "US30", "DX", "CR", "CT", "CTE"])
def test_every_pixel_comes_back(kind, tmp_path):
    mask = scenes.mask()
    seg, _ = segmentation(scenes.source(kind), scenes.mask_answer(mask), tmp_path)
    assert (seg.SegmentationType, seg.Rows, seg.Columns) == ("BINARY", 60, 80)
    frames = pydicom.dcmread(tmp_path / "out" / "seg.dcm").pixel_array
    assert np.array_equal(frames[0] == 1, mask == 1)
    assert np.array_equal(frames[1] == 1, mask == 2)
    assert seg.SegmentSequence[0].SegmentLabel == "tổn thương ác tính"


def test_segments_say_what_they_are_and_who_drew_them(tmp_path):
    seg, _ = segmentation(scenes.source("CT"), scenes.mask_answer(scenes.mask()), tmp_path)
    first, second = seg.SegmentSequence
    assert scenes.code(first, "SegmentedPropertyCategoryCodeSequence")[:2] == ("49755003", "SCT")
    assert scenes.code(first, "SegmentedPropertyTypeCodeSequence")[:2] == ("52988006", "SCT")
    assert scenes.code(second, "SegmentedPropertyTypeCodeSequence")[:2] == ("burr_cell", "99VNVISION")
    for segment in (first, second):
        assert segment.SegmentAlgorithmType == "AUTOMATIC"
        algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
        assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == (
            scenes.MODEL.name, scenes.MODEL.version,
        )  # fmt: skip
        assert segment.TrackingUID.startswith("2.25.")
    assert seg.ContentQualification == "RESEARCH"


def test_the_geometry_is_the_sources(tmp_path):
    ds = scenes.source("CT")
    seg, files = segmentation(ds, scenes.mask_answer(scenes.mask()), tmp_path)
    shared, frame = seg.SharedFunctionalGroupsSequence[0], seg.PerFrameFunctionalGroupsSequence[0]
    assert seg.FrameOfReferenceUID == ds.FrameOfReferenceUID
    assert frame.PlanePositionSequence[0].ImagePositionPatient == ds.ImagePositionPatient
    assert shared.PlaneOrientationSequence[0].ImageOrientationPatient == ds.ImageOrientationPatient
    assert shared.PixelMeasuresSequence[0].PixelSpacing == ds.PixelSpacing
    assert NO_PLANE not in files.notes


def test_a_frame_of_an_enhanced_image_keeps_its_own_place(tmp_path):
    ds = scenes.source("CTE")
    seg, files = segmentation(ds, scenes.mask_answer(scenes.mask()), tmp_path, frame=3)
    frame = seg.PerFrameFunctionalGroupsSequence[0]
    assert list(frame.PlanePositionSequence[0].ImagePositionPatient) == [-100, -90, 20]
    reference = frame.DerivationImageSequence[0].SourceImageSequence[0]
    assert reference.ReferencedSOPClassUID == ds.SOPClassUID
    assert reference.ReferencedSOPInstanceUID == ds.SOPInstanceUID
    assert reference.ReferencedFrameNumber == 3
    assert "the answer is about frame 3 of 3" in files.notes


@pytest.mark.parametrize(
    "missing", ["FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"]
)
def test_half_a_geometry_is_none_and_a_note_says_so(missing, tmp_path):
    ds = scenes.source("CT", **{missing: ...})
    seg, files = segmentation(ds, scenes.mask_answer(scenes.mask()), tmp_path)
    assert "FrameOfReferenceUID" not in seg
    assert NO_PLANE in files.notes
    reference = seg.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    assert reference.ReferencedSOPClassUID == pydicom.uid.CTImageStorage
    assert scenes.code(reference, "PurposeOfReferenceCodeSequence")[0] == "121322"


@pytest.mark.parametrize(
    "orientation", [[1, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0]], ids=["not at right angles", "zero"]
)
def test_an_impossible_orientation_counts_as_missing(orientation, tmp_path):
    ds = scenes.source("CT", ImageOrientationPatient=orientation)
    seg, files = segmentation(ds, scenes.mask_answer(scenes.mask()), tmp_path)
    assert "FrameOfReferenceUID" not in seg
    assert NO_PLANE in files.notes


def test_nothing_found_is_written_too(tmp_path):
    seg, _ = segmentation(scenes.source("CT"), scenes.mask_answer(np.zeros((60, 80), np.uint8)), tmp_path)
    assert len(seg.SegmentSequence) == 2
    assert not seg.pixel_array.any()


def test_probabilities_make_it_fractional(tmp_path):
    shares = np.stack([np.linspace(0, 1, 4800), np.linspace(1, 0, 4800)], axis=-1).reshape(60, 80, 2)
    seg, _ = segmentation(
        scenes.source("US"), scenes.mask_answer(scenes.mask()), tmp_path, probability=shares
    )
    assert (seg.SegmentationType, seg.SegmentationFractionalType) == ("FRACTIONAL", "PROBABILITY")
    read = pydicom.dcmread(tmp_path / "out" / "seg.dcm").pixel_array / seg.MaximumFractionalValue
    assert np.abs(read.transpose(1, 2, 0) - shares).max() <= 0.5 / 255 + 1e-9


def test_a_class_with_the_region_it_was_seen_in(tmp_path):
    files = scenes.write(
        scenes.source("CT"), scenes.class_answer(0.1, 0.8, 0.1), tmp_path, mask=scenes.mask() == 1
    )
    assert np.array_equal(pydicom.dcmread(files.seg).pixel_array == 1, scenes.mask() == 1)
    sr = pydicom.dcmread(files.sr)
    assert scenes.numbers(sr)["area.malignant"] == (50.0, "mm2")


def test_an_answer_without_mask_has_no_segmentation_and_says_so(tmp_path):
    files = scenes.write(scenes.source(), scenes.class_answer(0.1, 0.8, 0.1), tmp_path / "out")
    assert files.seg is None
    assert files.notes == ("the answer has no mask: no segmentation",)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["sc.dcm", "sr.dcm"]


@pytest.mark.parametrize(
    ("keys", "error", "line"),
    [
        ({"mask": np.ones((60, 80), bool)}, ConfigError, "mask is given twice"),
        ({"probability": np.ones((60, 80, 3))}, DataError, r"probability has another size .* \(60, 80, 2\)"),
        (
            {"probability": np.full((60, 80, 2), 1.5)},
            DataError,
            "probability is out of range: expected 0 to 1",
        ),
        ({"probability": np.full((60, 80, 2), np.nan)}, DataError, "probability is out of range"),
    ],
)
def test_maps_that_do_not_fit(keys, error, line, tmp_path):
    with pytest.raises(error, match=line):
        scenes.write(scenes.source(), scenes.mask_answer(scenes.mask()), tmp_path / "out", **keys)
    assert not (tmp_path / "out").exists()


def test_a_mask_of_another_size_or_with_an_unknown_label_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"the mask has another size than the image: expected \(60, 80\)"):
        scenes.write(scenes.source(), scenes.mask_answer(scenes.mask((60, 79))), tmp_path)
    with pytest.raises(DataError, match=r"labels that the task has not: expected indices below 3, got 7"):
        scenes.write(scenes.source(), scenes.mask_answer(np.full((60, 80), 7, np.uint8)), tmp_path)
