"""The answer drawn on the image, as a Secondary Capture: what a reader without any software can see."""

from __future__ import annotations

import cv2
import numpy as np
from highdicom.sc import SCImage
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dicom_codes
from pydicom.uid import ExplicitVRLittleEndian

from vnvision.clinic.results import codes
from vnvision.clinic.results.context import Context, put
from vnvision.clinic.results.geometry import patient_orientation
from vnvision.clinic.results.legend import banner, legend
from vnvision.clinic.results.overlay import draw_boxes, draw_heat, draw_regions
from vnvision.clinic.results.texts import text
from vnvision.imaging.depth import to_uint8
from vnvision.records import DetectionPrediction

MIN_WIDTH_PX, MAX_SIDE_PX = 512, 1600
"""Narrow pictures are enlarged so that the legend can be read; huge ones are made smaller."""


def build_capture(context: Context, picture: np.ndarray, heat: np.ndarray | None) -> Dataset:
    """The SC as a dataset: RGB, derived, with text burned in, and no scale to measure by.

    Args:
        context: the answer.
        picture: (H, W, 3) RGB or (H, W, 1) grey, uint8 or uint16, as the model's reader shows it.
        heat: (H, W) 0..1, or None.
    """
    source = context.source
    pixels = draw(context, picture, heat)
    capture = SCImage(
        pixel_array=pixels,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        study_instance_uid=str(source.header.StudyInstanceUID),
        # highdicom asks for an orientation even where nobody knows it; the true one is set below.
        patient_orientation=("L", "P"),
        transfer_syntax_uid=ExplicitVRLittleEndian,
        coding_schemes=[codes.scheme()],
        **context.series("sc"),
    )
    capture.copy_patient_and_study_information(source.header)
    capture.ImageType = ["DERIVED", "SECONDARY"]
    put(capture, "PatientOrientation", patient_orientation(source) or None)
    if "ImageLaterality" in source.header:
        capture.ImageLaterality = source.header.ImageLaterality
    else:
        capture.Laterality = source.header.get("Laterality")
    capture.BurnedInAnnotation = "YES"
    capture.DerivationDescription = text("drawn", context.language, name=context.model.name)
    capture.ImageComments = text("statement", context.language)
    capture.LossyImageCompression = source.header.get("LossyImageCompression") or "00"
    for key in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        if capture.LossyImageCompression == "01" and key in source.header:
            setattr(capture, key, source.header[key].value)
    capture.SourceImageSequence = [_reference(context)]
    context.finish(capture)
    for what in ("Date", "Time"):
        put(capture, f"{what}OfSecondaryCapture", capture[f"Content{what}"].value)
    return capture


def draw(context: Context, picture: np.ndarray, heat: np.ndarray | None) -> np.ndarray:
    """(h, w, 3) uint8: banner, picture with the answer on it, legend.

    Nothing is drawn on the picture where the model does not answer, and no heat where it finds no label.
    """
    scale = _scale(picture.shape[:2])
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    shown = _resized(_rgb(picture), (width, height), scale)
    answer = context.answer
    heat = heat if context.present() else None
    if not answer.abstained:
        if heat is not None:
            shown = draw_heat(shown, cv2.resize(heat.astype(np.float32), (width, height)))
        shown = draw_regions(shown, context.regions)
        if isinstance(answer, DetectionPrediction):
            shown = draw_boxes(shown, answer.boxes, context.task.label_ids, scale)
    full = max(width, MIN_WIDTH_PX)
    left = (full - width) // 2
    shown = np.pad(shown, ((0, 0), (left, full - width - left), (0, 0)))
    below = legend(context, full, heat=heat is not None)
    return np.ascontiguousarray(np.concatenate([banner(context, full), shown, below]))


def _scale(size_px: tuple[int, int]) -> float:
    """Whole steps up (pixels stay square blocks), any step down."""
    if max(size_px) > MAX_SIDE_PX:
        return MAX_SIDE_PX / max(size_px)
    return max(1, min(MIN_WIDTH_PX // size_px[1], MAX_SIDE_PX // size_px[0]))


def _resized(picture: np.ndarray, size_px: tuple[int, int], scale: float) -> np.ndarray:
    if scale == 1:
        return picture
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    resized: np.ndarray = cv2.resize(picture, size_px, interpolation=method)
    return resized


def _rgb(picture: np.ndarray) -> np.ndarray:
    levels = to_uint8(picture)
    return np.repeat(levels, 3, axis=2) if levels.shape[2] == 1 else levels


def _reference(context: Context) -> Dataset:
    """The source image (PS3.3, C.7.6.1.1.4), and the frame of it."""
    source = context.source
    item = Dataset()
    item.ReferencedSOPClassUID = source.sop_class
    item.ReferencedSOPInstanceUID = source.uid
    if source.frames:
        item.ReferencedFrameNumber = source.frames[0]
    purpose = Dataset()
    purpose.CodeValue, purpose.CodingSchemeDesignator, purpose.CodeMeaning = (
        dicom_codes.DCM.SourceImageForImageProcessingOperation[:3]
    )
    item.PurposeOfReferenceCodeSequence = [purpose]
    return item
