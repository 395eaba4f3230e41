"""Masks as a DICOM Segmentation, on the very pixels of the source."""

from __future__ import annotations

import copy

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dicom_codes
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from vnvision.clinic.results import codes
from vnvision.clinic.results.context import MANUFACTURER, Context, put
from vnvision.clinic.results.geometry import patient_orientation, plane_of
from vnvision.clinic.results.groups import region_name
from vnvision.clinic.results.texts import text

NO_PLANE = "the source states no plane in the patient: the segmentation is aligned by pixels alone"


def build_segmentation(
    context: Context, probability: np.ndarray | None = None
) -> tuple[Dataset, tuple[str, ...]]:
    """The SEG as a dataset, one segment a label, and what to know about it.

    Where the source has a frame of reference, position, orientation and spacing, the segmentation has the
    same; where one of them is missing (ultrasound, most radiographs), it has none of them and points to the
    source's pixels only.

    Args:
        context: the answer, with its regions. All empty is a result too: nothing was found.
        probability: (H, W, segments) 0..1; with it the segmentation is FRACTIONAL, without it BINARY.
    """
    source = context.source
    if probability is None:
        pixels = np.stack([region.mask for region in context.regions], axis=-1).astype(np.uint8)
    else:
        pixels = probability.astype(np.float64)
    kind = SegmentationTypeValues.BINARY if probability is None else SegmentationTypeValues.FRACTIONAL
    segmentation = Segmentation(
        source_images=[_stand_in(context)],
        pixel_array=pixels[np.newaxis],
        segmentation_type=kind,
        segment_descriptions=_descriptions(context),
        content_label="AI_RESULT",
        content_description=text("statement", context.language),
        content_creator_name=None,
        coding_schemes=[codes.scheme()],
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **context.series("seg"),
    )
    _point_to_source(segmentation, context)
    if "FrameOfReferenceUID" not in segmentation:
        put(segmentation, "PatientOrientation", patient_orientation(source) or None)
    _same_organisation(segmentation, context.uids.of("dimension organization"))
    context.finish(segmentation)
    return segmentation, () if "FrameOfReferenceUID" in segmentation else (NO_PLANE,)


def _descriptions(context: Context) -> list[SegmentDescription]:
    algorithm = AlgorithmIdentificationSequence(
        name=context.model.name,
        family=dicom_codes.cid7162.ArtificialIntelligence,
        version=context.model.version,
        source=MANUFACTURER,
    )
    return [
        SegmentDescription(
            segment_number=region.number,
            segment_label=region.label.text(context.language)[:64],
            segmented_property_category=codes.segment_category(region.label),
            segmented_property_type=codes.segment_type(region.label, context.language),
            algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm,
            tracking_uid=context.uids.of(f"tracking {region_name(region)}"),
            tracking_id=region_name(region),
        )
        for region in context.regions
    ]


def _stand_in(context: Context) -> Dataset:
    """The one frame as a single-frame image, with all of its geometry or none.

    highdicom takes geometry from the source's class: it refuses a CT without frame of reference and looks
    for functional groups in any class that may hold several frames. A single frame of a class that needs
    neither goes through for every source; ``_point_to_source`` puts the real class back.
    """
    header = copy.deepcopy(context.source.header)
    header.SOPClassUID = SecondaryCaptureImageStorage
    for key in (
        "NumberOfFrames", "FrameOfReferenceUID", "PositionReferenceIndicator", "ImagePositionPatient",
        "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "SpacingBetweenSlices",
        "ImageOrientationSlide", "ImageCenterPointCoordinatesSequence",
    ):  # fmt: skip
        if key in header:
            del header[key]
    plane = plane_of(context.source)
    if plane is not None:
        header.FrameOfReferenceUID = plane.frame_of_reference
        header.PositionReferenceIndicator = context.source.header.get("PositionReferenceIndicator")
        header.ImagePositionPatient = list(plane.position)
        header.ImageOrientationPatient = list(plane.orientation)
        header.PixelSpacing = list(plane.spacing)
        header.SliceThickness = plane.thickness
    return header


def _point_to_source(dataset: Dataset, context: Context) -> None:
    """Name the source's real class, and the frame, wherever the stand-in is referred to."""
    source = context.source

    def correct(item: Dataset) -> None:
        for element in item:
            if element.VR == "SQ":
                for inner in element.value:
                    correct(inner)
        if item.get("ReferencedSOPInstanceUID") == source.uid:
            item.ReferencedSOPClassUID = source.sop_class
            if source.frames:
                item.ReferencedFrameNumber = source.frames[0]

    correct(dataset)


def _same_organisation(segmentation: Dataset, uid: str) -> None:
    """One known UID for the dimensions, in place of a random one of highdicom's."""
    for item in (*segmentation.DimensionOrganizationSequence, *segmentation.DimensionIndexSequence):
        item.DimensionOrganizationUID = uid
