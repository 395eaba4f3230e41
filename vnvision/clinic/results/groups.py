"""The measurement groups of the report: the answer as a whole, then one group a finding, region or box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from highdicom.sr import (
    CodedConcept,
    ImageRegion,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    ReferencedSegmentationFrame,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
    SourceImageForSegmentation,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset

from vnvision.clinic.results import codes
from vnvision.clinic.results.context import Context, Region
from vnvision.clinic.results.figures import algorithm, area, parameters, percent
from vnvision.clinic.results.texts import text
from vnvision.errors import DataError
from vnvision.records import Box, ClassPrediction, DetectionPrediction
from vnvision.spec import Label

Group: TypeAlias = MeasurementsAndQualitativeEvaluations | PlanarROIMeasurementsAndQualitativeEvaluations


def groups(context: Context, segmentation: Dataset | None) -> list[Group]:
    """Every group of the report, the whole answer first.

    Args:
        context: the answer.
        segmentation: the SEG file that regions refer to; without it their figures stand alone.
    """
    answer, found = context.answer, [_whole(context)]
    if isinstance(answer, ClassPrediction):
        found += [_finding(context, label) for label in context.present()]
    if isinstance(answer, DetectionPrediction) and not answer.abstained:
        found += [_box(context, index, box) for index, box in enumerate(answer.boxes, start=1)]
    if not answer.abstained:
        found += [_region(context, region, segmentation) for region in context.regions if region.area_px]
    return found


def _whole(context: Context) -> Group:
    """Whether there is an answer and why not, and every figure of it, under names that state no finding."""
    answer, language = context.answer, context.language
    evaluations = [
        QualitativeEvaluation(
            name=codes.private("answer_given", text("answer_given", language)),
            value=codes.NO if answer.abstained else codes.YES,
        )
    ]
    evaluations += [
        QualitativeEvaluation(
            name=codes.private("reason", text("reason", language)), value=codes.reason(code, language)
        )
        for code in answer.reasons
    ]
    return _plain_group(context, "answer", None, _figures(context), evaluations, parameters(context))


def _figures(context: Context) -> list[Measurement]:
    answer, labels, language = context.answer, context.task.labels, context.language
    found = []
    if isinstance(answer, ClassPrediction):
        for label, probability in zip(labels, answer.probabilities, strict=True):
            found.append(percent(codes.about("probability", label, language), probability))
    if isinstance(answer, DetectionPrediction):
        for label in labels:
            name = codes.about("count", label, language)
            found.append(Measurement(name, answer.counts.get(label.id, 0), codes.NO_UNIT))
    for region in context.regions:
        found.append(area(context, region, codes.about("area", region.label, language)))
    if not isinstance(answer, DetectionPrediction) and answer.severity is not None:
        found.append(percent(codes.private("severity", text("severity", language)), answer.severity))
    return found


def _finding(context: Context, label: Label) -> Group:
    """One class that the model says is there, with how sure it is."""
    assert isinstance(context.answer, ClassPrediction)
    probability = context.answer.probabilities[context.task.label_ids.index(label.id)]
    certainty = [percent(codes.CERTAINTY, probability)]
    return _plain_group(context, label.id, codes.finding(label, context.language), certainty)


def _plain_group(
    context: Context,
    name: str,
    finding: CodedConcept | None,
    measurements: Sequence[Measurement],
    evaluations: Sequence[QualitativeEvaluation] = (),
    said: Sequence[str] = (),
) -> Group:
    source = context.source
    image = SourceImageForMeasurementGroup(source.sop_class, source.uid, source.frames)
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(context, name),
        finding_type=finding,
        measurements=measurements,
        qualitative_evaluations=evaluations,
        source_images=[image],
        algorithm_id=algorithm(context, said),
    )


def _region(context: Context, region: Region, segmentation: Dataset | None) -> Group:
    """One label of a mask, with its area; it points to its segment where there is a segmentation file."""
    finding = codes.finding(region.label, context.language)
    measured = [area(context, region, codes.AREA)]
    name = region_name(region)
    if segmentation is None:
        return _plain_group(context, name, finding, measured)
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(context, name),
        referenced_segment=_segment(context, region, segmentation),
        finding_type=finding,
        measurements=measured,
        algorithm_id=algorithm(context),
    )


def _segment(context: Context, region: Region, segmentation: Dataset) -> ReferencedSegmentationFrame:
    """A segment by its number alone: a reference states frames or segments, never both.

    Source: DICOM PS3.3, table 10-3: each of the two attributes is there only if the other one is not.
    """
    source = context.source
    image = SourceImageForSegmentation(source.sop_class, source.uid, source.frames)
    items = ReferencedSegmentationFrame(
        segmentation.SOPClassUID, segmentation.SOPInstanceUID, 1, region.number, image
    )
    del items[0].ReferencedSOPSequence[0].ReferencedFrameNumber
    return items


def _box(context: Context, index: int, box: Box) -> Group:
    """One object: a closed rectangle and its score. The answer's own group names the algorithm for all."""
    source = context.source
    region = ImageRegion(
        "POLYLINE", corners(box, source.size_px),
        SourceImageForRegion(source.sop_class, source.uid, source.frames),
    )  # fmt: skip
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(context, f"{box.label} {index}"),
        referenced_region=region,
        finding_type=codes.finding(context.label(box.label), context.language),
        measurements=[percent(codes.CERTAINTY, box.score)],
    )


def corners(box: Box, size_px: tuple[int, int]) -> np.ndarray:
    """(5, 2) column and row of a closed rectangle, clipped to the picture.

    Source: DICOM PS3.3, C.18.6.1.2: 0\\0 is the outer corner of the first pixel, as in ``box_xyxy_px``.

    Raises:
        DataError: nothing of the box lies inside the picture.
    """
    height, width = size_px
    x0, x1 = np.clip(box.box_xyxy_px[0::2], 0, width)
    y0, y1 = np.clip(box.box_xyxy_px[1::2], 0, height)
    if not (x1 > x0 and y1 > y0):
        raise DataError(
            "a box lies outside the picture",
            expected=f"0 to {width}, 0 to {height}",
            got=str(box.box_xyxy_px),
        )
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]])


def region_name(region: Region) -> str:
    """Tracking identifier of a region, the same in report and segmentation."""
    return f"segment {region.number} {region.label.id}"


def _tracking(context: Context, name: str) -> TrackingIdentifier:
    return TrackingIdentifier(uid=context.uids.of(f"tracking {name}"), identifier=name)
