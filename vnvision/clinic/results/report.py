"""The answer as a structured report: DICOM PS3.16, TID 1500, in a Comprehensive SR."""

from __future__ import annotations

from highdicom.sr import (
    CodedConcept,
    ComprehensiveSR,
    ContainerContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    LanguageOfContentItemAndDescendants,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
    RelationshipTypeValues,
    TextContentItem,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dicom_codes
from pydicom.uid import ExplicitVRLittleEndian

from vnvision.clinic.results import codes
from vnvision.clinic.results.context import MANUFACTURER, Context
from vnvision.clinic.results.groups import groups
from vnvision.clinic.results.texts import text
from vnvision.clinic.results.uids import device_uid


def build_report(context: Context, segmentation: Dataset | None) -> Dataset:
    """The report as a dataset, complete, unverified and preliminary: no person has looked at it.

    Args:
        context: the answer.
        segmentation: the SEG file about the same image, if one is written.
    """
    content = MeasurementReport(
        observation_context=_observer(context),
        procedure_reported=codes.PROCEDURES.get(str(context.source.header.get("Modality")), codes.PROCEDURE),
        imaging_measurements=groups(context, segmentation),
        title=dicom_codes.DCM.ImagingMeasurementReport,
        language_of_content_item_and_descendants=LanguageOfContentItemAndDescendants(
            CodedConcept.from_code(codes.LANGUAGES[context.language])
        ),
    )
    content[0].ContentSequence.append(_statement(context))
    report = ComprehensiveSR(
        evidence=[context.source.header] + ([segmentation] if segmentation is not None else []),
        content=content,
        is_complete=True,
        is_final=False,
        is_verified=False,
        coding_schemes=[codes.scheme()],
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **context.series("sr"),
    )
    context.finish(report)
    return report


def _observer(context: Context) -> ObservationContext:
    """The model is the observer; nobody else is."""
    device = DeviceObserverIdentifyingAttributes(
        uid=device_uid(context.model),
        name=context.model.name,
        manufacturer_name=MANUFACTURER,
        model_name=f"{context.model.name} {context.model.version}",
        serial_number=context.model.sha256,
    )
    return ObservationContext(
        observer_device_context=ObserverContext(
            observer_type=dicom_codes.DCM.Device, observer_identifying_attributes=device
        )
    )


def _statement(context: Context) -> ContainerContentItem:
    """Research use only: in the document's language, and in English."""
    said = [text("statement", context.language)]
    if context.language != "en":
        said.append(text("statement", "en"))
    container = ContainerContentItem(
        name=codes.QUALITATIVE, relationship_type=RelationshipTypeValues.CONTAINS
    )
    container.ContentSequence = ContentSequence(
        [
            TextContentItem(
                name=codes.COMMENT, value=sentence, relationship_type=RelationshipTypeValues.CONTAINS
            )
            for sentence in said
        ]
    )
    return container
