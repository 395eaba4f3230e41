"""Which SOP classes a result can be about, and which of them may hold several frames."""

from __future__ import annotations

from pydicom import uid
from pydicom.uid import UID

# A file of these may hold one frame only; some hold more, and then no reference may name a frame.
SINGLE_FRAME = frozenset(
    {
        uid.SecondaryCaptureImageStorage, uid.CTImageStorage, uid.MRImageStorage, uid.UltrasoundImageStorage,
        uid.ComputedRadiographyImageStorage, uid.DigitalXRayImageStorageForPresentation,
        uid.DigitalXRayImageStorageForProcessing, uid.DigitalMammographyXRayImageStorageForPresentation,
        uid.DigitalMammographyXRayImageStorageForProcessing, uid.PositronEmissionTomographyImageStorage,
        uid.VLEndoscopicImageStorage, uid.VLMicroscopicImageStorage, uid.VLPhotographicImageStorage,
        uid.VLSlideCoordinatesMicroscopicImageStorage,
    }
)  # fmt: skip


def is_image(sop_class: UID) -> bool:
    """Whether this is an image storage class of the current standard (PS3.4, B.5), medical ones only."""
    standard = sop_class.type == "SOP Class" and not sop_class.is_private and not sop_class.is_retired
    # DICOS looks into luggage, eddy current into metal.
    return standard and "Image Storage" in sop_class.name and not sop_class.name.startswith(("DICOS", "Eddy"))
