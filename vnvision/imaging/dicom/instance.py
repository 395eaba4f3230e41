"""What a data set has to know of one DICOM file. Only the header is read."""

from __future__ import annotations

from dataclasses import dataclass, field

from vnvision.imaging.dicom import quiet
from vnvision.imaging.dicom.header import header
from vnvision.imaging.dicom.pixels import check_decodable, check_there
from vnvision.imaging.dicom.source import KEYWORDS, Source, opened
from vnvision.imaging.dicom.spacing import spacing_mm

_IDENTIFYING = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "Manufacturer")
_NO_PICTURES = {
    "1.2.840.10008.5.1.4.1.1.66.4": "a segmentation",
    "1.2.840.10008.5.1.4.1.1.66.7": "a label map",
    "1.2.840.10008.5.1.4.1.1.481.2": "a dose map",
}


@dataclass(frozen=True, slots=True)
class Instance:
    """One image of a study.

    Attributes:
        patient_id: Patient ID as it stands in the file; None where it is empty. Never to be written down.
        study_uid: Study Instance UID; it leads to the patient in the hospital's archive.
        series_uid: Series Instance UID, likewise.
        frames: 1 for a single image.
        rows: height in pixels.
        columns: width in pixels.
        modality: such as CT.
        body_part: Body Part Examined.
        view: View Position.
        laterality: L, R or B.
        manufacturer: of the device.
        spacing_mm: between rows and between columns.
        not_a_picture: what the pixels are, where they are no picture of a patient.
    """

    patient_id: str | None = field(repr=False)
    study_uid: str | None = field(repr=False)
    series_uid: str | None = field(repr=False)
    frames: int
    rows: int
    columns: int
    modality: str | None
    body_part: str | None
    view: str | None
    laterality: str | None
    manufacturer: str | None
    spacing_mm: tuple[float, float] | None
    not_a_picture: str | None


def instance(source: Source, *, max_pixels: int = 100_000_000) -> Instance:
    """Read the header of one DICOM image, and make sure that its pixels could be decoded here.

    Raises:
        DataError: as ``read_dicom`` raises it for the header.
        MissingExtraError: pydicom or the codec for this file is not installed.
    """
    with quiet.notes(), opened(source, max_pixels, KEYWORDS + _IDENTIFYING) as (parsed, _):
        head = header(parsed, max_pixels)
        check_decodable(parsed, head)
        check_there(parsed, head, head.frames - 1)
        elements = parsed.elements
        return Instance(
            patient_id=elements.identifier("PatientID"),
            study_uid=elements.uid("StudyInstanceUID"),
            series_uid=elements.uid("SeriesInstanceUID"),
            frames=head.frames,
            rows=head.rows,
            columns=head.columns,
            modality=elements.code("Modality"),
            body_part=elements.code("BodyPartExamined"),
            view=elements.code("ViewPosition"),
            laterality=elements.code("ImageLaterality") or elements.code("Laterality"),
            manufacturer=elements.text("Manufacturer"),
            spacing_mm=spacing_mm(elements, 0)[0],
            not_a_picture=_NO_PICTURES.get(elements.uid("SOPClassUID") or ""),
        )
