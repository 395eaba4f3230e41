"""Single figures of the report: shares in percent, areas, and the algorithm that computed them."""

from __future__ import annotations

from collections.abc import Sequence

from highdicom.sr import AlgorithmIdentification, CodedConcept, Measurement
from pydicom.sr.codedict import codes as dicom_codes
from pydicom.sr.coding import Code

from vnvision.clinic.results import codes
from vnvision.clinic.results.context import MANUFACTURER, Context, Region
from vnvision.clinic.results.geometry import spacing_mm
from vnvision.clinic.results.texts import number, text
from vnvision.records import PRESENT_FROM, ClassPrediction


def algorithm(context: Context, parameters: Sequence[str] = ()) -> AlgorithmIdentification:
    """What computed a group (PS3.16, TID 4019)."""
    return AlgorithmIdentification(
        name=context.model.name,
        version=context.model.version,
        parameters=parameters or None,
        family=dicom_codes.cid7162.ArtificialIntelligence,
        manufacturer=MANUFACTURER,
    )


def parameters(context: Context) -> list[str]:
    """What to know of the algorithm to read its figures rightly."""
    language = context.language
    said = [text("calibrated", language)] if isinstance(context.answer, ClassPrediction) else []
    if context.answer.kind == "multilabel":
        said.append(text("present_from", language, percent=number(100 * PRESENT_FROM, 0, language)))
    if context.model.trained_on:
        said.append(text("trained_on", language, data=context.model.trained_on))
    return said


def percent(name: Code | CodedConcept, share: float) -> Measurement:
    """A share of 0..1 as a percentage; six digits are more than a float32 network's answer holds."""
    return Measurement(name, round(100.0 * share, 4), codes.PERCENT)


def area(context: Context, region: Region, name: Code | CodedConcept) -> Measurement:
    """In mm2 where the header gives a scale that holds inside the patient, else in pixels."""
    spacing = spacing_mm(context.source, region.mask)
    if spacing is None:
        return Measurement(name, region.area_px, codes.PIXELS)
    return Measurement(name, round(region.area_px * spacing[0] * spacing[1], 4), codes.SQUARE_MM)
