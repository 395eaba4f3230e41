"""What stands in the structured report, read back by plain pydicom and by highdicom."""

import highdicom as hd
import numpy as np
import pydicom
import pytest
import result_scenes as scenes
from pydicom.sr.codedict import codes

from vnvision.clinic.results import ModelFacts
from vnvision.errors import DataError
from vnvision.records import Box, DetectionPrediction

FINDING, CERTAINTY, AREA = "121071", "111012", "42798000"


def report(answer, tmp_path, ds=None, **keys):
    files = scenes.write(ds or scenes.source("US"), answer, tmp_path / "out", **keys)
    return pydicom.dcmread(files.sr)


def texts(dataset):
    return [item.TextValue for item in scenes.items(dataset) if item.ValueType == "TEXT"]


def test_a_class_is_a_coded_finding_with_its_certainty_in_percent(tmp_path):
    sr = report(scenes.class_answer(0.125, 0.75, 0.125), tmp_path)
    assert scenes.coded(sr, FINDING) == [("21594007", "SCT", "Malignant")]
    found = scenes.numbers(sr)
    assert found[CERTAINTY] == (75.0, "%")
    assert found["probability.background"] == (12.5, "%")
    assert found["probability.malignant"] == (75.0, "%")
    assert found["probability.burr_cell"] == (12.5, "%")


def test_a_label_without_standard_code_gets_a_private_one_with_its_text(tmp_path):
    sr = report(scenes.class_answer(0.1, 0.1, 0.8), tmp_path)
    assert scenes.coded(sr, FINDING) == [("burr_cell", "99VNVISION", "hồng cầu gai")]
    scheme = sr.CodingSchemeIdentificationSequence[0]
    assert scheme.CodingSchemeDesignator == "99VNVISION"
    english = report(scenes.class_answer(0.1, 0.1, 0.8), tmp_path / "en", language="en")
    assert scenes.coded(english, FINDING) == [("burr_cell", "99VNVISION", "burr cell")]


def test_multilabel_states_each_label_from_one_half_on_and_says_so(tmp_path):
    sr = report(scenes.class_answer(0.49, 0.5, 0.75, kind="multilabel"), tmp_path)
    assert [found[0] for found in scenes.coded(sr, FINDING)] == ["21594007", "burr_cell"]
    assert "Coi là có khi xác suất từ 50% trở lên" in texts(sr)
    assert scenes.numbers(sr)["probability.background"] == (49.0, "%")


def test_abstention_states_no_finding_and_every_reason(tmp_path):
    answer = scenes.class_answer(
        0.4, 0.3, 0.3, abstained=True, reasons=("low_confidence", "out_of_scope", "too_blurred", "new_one")
    )
    sr = report(answer, tmp_path)
    assert scenes.coded(sr, FINDING) == []
    assert CERTAINTY not in scenes.numbers(sr)
    assert scenes.coded(sr, "answer_given") == [("373067005", "SCT", "No")]
    assert scenes.coded(sr, "reason") == [
        ("low_confidence", "99VNVISION", "Độ tự tin quá thấp"),
        ("out_of_scope", "99VNVISION", "Không phải loại ảnh mà mô hình biết"),
        ("too_blurred", "99VNVISION", "Ảnh quá mờ"),
        ("new_one", "99VNVISION", "new one"),
    ]
    answered = report(scenes.class_answer(0.1, 0.8, 0.1), tmp_path / "yes")
    assert scenes.coded(answered, "answer_given") == [("373066001", "SCT", "Yes")]
    assert scenes.coded(answered, "reason") == []


def test_an_abstained_mask_or_detection_gives_no_region(tmp_path):
    boxes = scenes.BOXES.model_copy(update={"abstained": True, "reasons": ("too_dark",)})
    sr = report(boxes, tmp_path)
    assert not [item for item in scenes.items(sr) if item.ValueType == "SCOORD"]
    files = scenes.write(
        scenes.source("CT"),
        scenes.mask_answer(scenes.mask(), abstained=True, reasons=("too_dark",)),
        tmp_path / "mask",
    )
    assert files.seg is None
    assert "the model does not answer: no segmentation" in files.notes
    assert scenes.coded(pydicom.dcmread(files.sr), FINDING) == []


def test_areas_are_in_square_millimetres_where_the_spacing_is_known(tmp_path):
    sr = report(scenes.mask_answer(scenes.mask(), severity=0.25), tmp_path, scenes.source("CT"))
    found = scenes.numbers(sr)
    assert found["area.malignant"] == (400 * 0.5 * 0.25, "mm2")
    assert found["area.burr_cell"] == (25 * 0.5 * 0.25, "mm2")
    assert found["severity"] == (25.0, "%")
    assert "area.background" not in found


@pytest.mark.parametrize("kind", ["US", "DX", "CR"])
def test_areas_are_in_pixels_where_nothing_in_the_body_was_measured(kind, tmp_path):
    """Imager Pixel Spacing is at the detector, in front of which the body lies."""
    ds = scenes.source(kind, ImagerPixelSpacing=[0.1, 0.1])
    found = scenes.numbers(report(scenes.mask_answer(scenes.mask()), tmp_path, ds))
    assert found["area.malignant"] == (400, "{pixels}")
    assert found[AREA][1] == "{pixels}"


@pytest.mark.parametrize(
    ("edges", "expected"),
    [((0, 0, 79, 59), (400 * 0.2 * 0.1, "mm2")), ((30, 0, 79, 59), (400, "{pixels}"))],
    ids=["region holds the mask", "mask sticks out"],
)
def test_ultrasound_is_measured_inside_a_calibrated_region_only(edges, expected, tmp_path):
    region = pydicom.Dataset()
    region.RegionSpatialFormat, region.PhysicalUnitsXDirection, region.PhysicalUnitsYDirection = 1, 3, 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.01, -0.02  # cm
    region.RegionLocationMinX0, region.RegionLocationMinY0 = edges[:2]
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = edges[2:]
    ds = scenes.source("US", SequenceOfUltrasoundRegions=[region])
    found = scenes.numbers(report(scenes.mask_answer(scenes.mask()), tmp_path, ds))
    assert found["area.malignant"] == (pytest.approx(expected[0]), expected[1])


def test_a_region_points_to_its_segment_and_shares_its_tracking_uid(tmp_path):
    files = scenes.write(scenes.source("CT"), scenes.mask_answer(scenes.mask()), tmp_path)
    sr, seg = pydicom.dcmread(files.sr), pydicom.dcmread(files.seg)
    references = [
        item.ReferencedSOPSequence[0] for item in scenes.items(sr) if scenes.code(item)[0] == "121214"
    ]
    assert [ref.ReferencedSOPInstanceUID for ref in references] == [seg.SOPInstanceUID] * 2
    assert [ref.ReferencedSegmentNumber for ref in references] == [1, 2]
    assert not any("ReferencedFrameNumber" in ref for ref in references)  # PS3.3: one of the two, never both
    tracked = {item.UID for item in scenes.items(sr) if scenes.code(item)[0] == "112040"}
    assert {segment.TrackingUID for segment in seg.SegmentSequence} <= tracked


def test_without_a_segmentation_the_figures_stand_alone(tmp_path):
    files = scenes.write(scenes.source("CT"), scenes.mask_answer(scenes.mask()), tmp_path, kinds=("sr",))
    sr = pydicom.dcmread(files.sr)
    assert files.seg is None
    assert files.sc is None
    assert [found[0] for found in scenes.coded(sr, FINDING)] == ["21594007", "burr_cell"]
    assert not [item for item in scenes.items(sr) if scenes.code(item)[0] == "121214"]


def test_a_mask_with_nothing_in_it_reports_no_finding_but_its_zero(tmp_path):
    sr = report(scenes.mask_answer(np.zeros((60, 80), np.uint8)), tmp_path)
    assert scenes.coded(sr, FINDING) == []
    assert scenes.numbers(sr)["area.malignant"] == (0, "{pixels}")
    assert scenes.coded(sr, "answer_given")[0][2] == "Yes"


def test_boxes_are_closed_rectangles_clipped_to_the_picture_and_counted(tmp_path):
    sr = report(scenes.BOXES, tmp_path)
    drawn = [item for item in scenes.items(sr) if item.ValueType == "SCOORD"]
    assert [item.GraphicType for item in drawn] == ["POLYLINE", "POLYLINE"]
    assert list(drawn[0].GraphicData) == [2, 3, 30, 3, 30, 40, 2, 40, 2, 3]
    assert list(drawn[1].GraphicData) == [0, 50, 12, 50, 12, 60, 0, 60, 0, 50]
    inner = drawn[0].ContentSequence[0].ReferencedSOPSequence[0]
    assert inner.ReferencedSOPInstanceUID == scenes.source("US").SOPInstanceUID
    found = scenes.numbers(sr)
    assert found["count.malignant"] == (1, "1")
    assert found["count.background"] == (0, "1")
    scores = [
        float(item.MeasuredValueSequence[0].NumericValue)
        for item in scenes.items(sr)
        if item.ValueType == "NUM" and scenes.code(item)[0] == CERTAINTY
    ]
    assert scores == [87.5, 50.0]


def test_a_box_outside_the_picture_is_an_error(tmp_path):
    box = Box(box_xyxy_px=(90, 5, 99, 9), label="malignant", score=0.9)
    with pytest.raises(DataError, match=r"a box lies outside the picture: expected 0 to 80, 0 to 60"):
        report(DetectionPrediction(boxes=(box,), counts={"malignant": 1}), tmp_path)
    assert not (tmp_path / "out").exists()


def test_the_model_is_the_observer_and_nobody_has_verified(tmp_path):
    sr = report(scenes.class_answer(0.1, 0.8, 0.1), tmp_path)
    assert scenes.coded(sr, "121005") == [("121007", "DCM", "Device")]
    said = texts(sr)
    for words in (scenes.MODEL.name, scenes.MODEL.version, scenes.MODEL.sha256, "vnvision"):
        assert words in said
    assert "Huấn luyện trên: 500 ảnh siêu âm" in said
    assert (sr.CompletionFlag, sr.VerificationFlag, sr.PreliminaryFlag) == (
        "COMPLETE", "UNVERIFIED", "PRELIMINARY",
    )  # fmt: skip
    assert sr.ContentQualification == "RESEARCH"
    assert (sr.Modality, sr.SOPClassUID) == ("SR", pydicom.uid.ComprehensiveSRStorage)


def test_one_model_is_one_device_and_another_version_another(tmp_path):
    def device(name, **changes):
        model = ModelFacts(**scenes.MODEL.model_dump() | changes)
        sr = report(scenes.class_answer(0.1, 0.8, 0.1), tmp_path / name, model=model, uid_seed=None)
        return next(item.UID for item in scenes.items(sr) if scenes.code(item)[0] == "121012")

    assert device("a") == device("b")
    assert device("a2", version="1.3") != device("b2")
    assert device("a3", sha256="cd" * 32) != device("b3")


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("vi", ["Chỉ dùng cho nghiên cứu, không phải thiết bị y tế", "Research use, not a medical device"]),
        ("en", ["Research use, not a medical device"]),
    ],
)
def test_research_use_is_said_in_the_documents_language_and_in_english(language, said, tmp_path):
    sr = report(scenes.class_answer(0.1, 0.8, 0.1), tmp_path, language=language)
    assert [text for text in texts(sr) if text in said] == said
    assert scenes.coded(sr, "121049")[0][:2] == (language, "RFC5646")


def test_the_image_is_referenced_with_its_frame(tmp_path):
    ds = scenes.source("US30")
    sr = report(scenes.class_answer(0.1, 0.8, 0.1), tmp_path, ds, frame=7)
    evidence = sr.CurrentRequestedProcedureEvidenceSequence[0]
    assert evidence.StudyInstanceUID == scenes.STUDY
    one = evidence.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert (one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID) == (ds.SOPClassUID, ds.SOPInstanceUID)
    images = [item.ReferencedSOPSequence[0] for item in scenes.items(sr) if item.ValueType == "IMAGE"]
    assert images
    assert {(ref.ReferencedSOPInstanceUID, ref.ReferencedFrameNumber) for ref in images} == {
        (ds.SOPInstanceUID, 7)
    }


def test_highdicom_reads_the_report_as_a_measurement_report(tmp_path):
    sr = hd.sr.ComprehensiveSR.from_dataset(
        report(scenes.mask_answer(scenes.mask()), tmp_path, scenes.source("CT"))
    )
    groups = sr.content.get_planar_roi_measurement_groups()
    assert [group.finding_type.value for group in groups] == ["21594007", "burr_cell"]
    assert [group.get_measurements(codes.SCT.Area)[0].value for group in groups] == [50.0, 3.125]
    rois = hd.sr.ComprehensiveSR.from_dataset(report(scenes.BOXES, tmp_path / "boxes"))
    assert [group.roi.value.shape for group in rois.content.get_planar_roi_measurement_groups()] == [
        (5, 2)
    ] * 2
