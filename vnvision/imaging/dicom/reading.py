"""DICOM files to samples."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np

from vnvision.errors import ConfigError, DataError
from vnvision.imaging.dicom import colour, grey, quiet, toolkit, views
from vnvision.imaging.dicom.header import GREY, Header, header
from vnvision.imaging.dicom.parsing import Parsed
from vnvision.imaging.dicom.pixels import stored_frame
from vnvision.imaging.dicom.source import Source, opened
from vnvision.imaging.dicom.spacing import spacing_mm
from vnvision.imaging.dicom.views import Request
from vnvision.records import Sample

MAX_PIXELS = 100_000_000


def read_dicom(
    source: Source,
    *,
    frame: int = 0,
    voi: Request = "header",
    voi_index: int = 0,
    max_pixels: int = MAX_PIXELS,
) -> Sample:
    """Read one frame of a DICOM file, as it is meant to be seen or as it was measured.

    **Grey**, ``voi="header"`` or a window: modality LUT or rescale, then VOI LUT or window, then white made
    the highest value where it is the lowest (MONOCHROME1), then padding pixels made black. The result fills
    the range of its type: the low end of the window or table is 0, the high end 65,535 in uint16. Without
    window or table the ends are those that the header allows: Bits Stored and Pixel Representation through
    the modality transform, never what the pixels happen to hold. One case is uint8, with ends 0 and 255: at
    most 8 bits stored, and neither modality transform nor window or table. So 8-bit pictures keep their
    values, and 1-bit ones become 0 and 255.

    **Grey**, ``voi="none"``: the modality's own values (Hounsfield units in CT), float32, neither windowed
    nor turned round; padding keeps its value.

    **Colour**: RGB, uint8 up to 8 bits a channel and uint16 above, full range; YBR and palettes are turned
    into RGB. Windows do not apply, so ``"header"`` and ``"none"`` are the same, and a window is an error.

    Overlays are not burned in, colour profiles and real-world value maps not applied, other files that the
    data set refers to not followed, and the patient's data not even read: ``meta`` holds ``format``
    (DICOM), ``modality``, ``body_part``, ``view``, ``laterality``, ``photometric``, ``bits_stored``,
    ``frames``, ``frame``, ``transfer_syntax``, ``voi`` (what was used), ``units``, ``spacing`` (what
    ``spacing_mm`` is), with ``voi="none"`` also ``padding`` (its least and greatest value), and
    ``warnings`` where there are any. Source: PS3.3 C.7.6.3, C.11.1, C.11.2.

    Args:
        source: a path, or the bytes of a file. A file without preamble is read where it begins with two
            elements of group 2 or 8.
        frame: counted from 0; only this one is decoded.
        voi: ``"header"``, ``"none"``, or (centre, width) of a linear window in the modality's units.
        voi_index: which of the header's views, VOI LUTs first, then windows.
        max_pixels: the largest width times height accepted, checked before a pixel is unpacked.

    Returns:
        Sample with image (H, W, 1) or (H, W, 3) and ``spacing_mm``; ``source`` is the path as text, None
        for bytes; ``group_id`` stays None.

    Raises:
        DataError: naming the file, where it is missing, no DICOM file, holds no image, is damaged, too
            large, or of a kind that is not read.
        ConfigError: ``voi``, ``voi_index`` or ``frame`` is wrong.
        MissingExtraError: pydicom or the codec for this file is not installed.
    """
    _check(voi, voi_index, frame)
    with quiet.notes() as notes, opened(source, max_pixels) as (parsed, path):
        head = header(parsed, max_pixels)
        return _noted(_sample(parsed, head, path, frame, voi, voi_index), notes)


def frames(source: Source) -> int:
    """How many frames a DICOM file has, by its header.

    Raises:
        DataError: no DICOM file, no image, or damaged.
        MissingExtraError: pydicom is not installed.
    """
    with quiet.notes(), opened(source, MAX_PIXELS) as (parsed, _):
        return header(parsed, 2**32).frames


def read_frames(
    source: Source,
    *,
    every: int = 1,
    voi: Request = "header",
    voi_index: int = 0,
    max_pixels: int = MAX_PIXELS,
) -> Iterator[Sample]:
    """Read the frames of a DICOM file one after the other, each as ``read_dicom`` would give it.

    The file stays open while frames are taken; frames between those wanted are not decoded.

    Args:
        source: a path, or the bytes of a file.
        every: 1 for all frames, 2 for every second from the first on, and so on.
        voi: as in ``read_dicom``.
        voi_index: likewise.
        max_pixels: likewise.

    Raises:
        DataError, ConfigError, MissingExtraError: as ``read_dicom``; also ``every`` below 1.
    """
    _check(voi, voi_index, 0)
    if type(every) is not int or every < 1:
        raise ConfigError("every", expected="1 or more", got=repr(every)[:40])
    return _frames(source, every, voi, voi_index, max_pixels)


def _frames(
    source: Source, every: int, request: Request, voi_index: int, max_pixels: int
) -> Iterator[Sample]:
    with ExitStack() as stack:
        with quiet.notes() as first:  # not across a yield: the filters belong to all threads
            parsed, path = stack.enter_context(opened(source, max_pixels))
            head = header(parsed, max_pixels)
        for frame in range(0, head.frames, every):
            with quiet.notes() as notes:
                sample = _sample(parsed, head, path, frame, request, voi_index)
            yield _noted(sample, [*first, *notes])


def _check(request: Any, voi_index: Any, frame: Any) -> None:
    views.check_request(request, voi_index)
    if type(frame) is not int or frame < 0:
        raise ConfigError("frame", expected="0 or more", got=repr(frame)[:40])


def _sample(
    parsed: Parsed, head: Header, path: str | None, frame: int, request: Request, voi_index: int
) -> Sample:  # fmt: skip
    if frame >= head.frames:
        raise DataError(f"{parsed.name} has no frame {frame}", expected=f"frame below {head.frames}")
    stored, photometric = stored_frame(parsed, head, frame)
    used: dict[str, Any]
    if head.photometric in GREY:
        image, used = _grey(stored, parsed, head, frame, request, voi_index)
    elif request not in ("header", "none"):
        expected = "voi='header' or 'none'"
        raise DataError(f"{parsed.name} is a colour image", expected=expected, got=f"a window {request}")
    else:
        image, used = colour.shown(stored, photometric, head, parsed.elements), {"voi": {"kind": "none"}}
    image = np.ascontiguousarray(image if image.ndim == 3 else image[:, :, None])
    spacing, what = spacing_mm(parsed.elements, frame)
    meta = _described(parsed, head) | {"frame": frame, "spacing": what} | used
    return Sample(image=image, spacing_mm=spacing, source=path, meta=meta)


def _noted(sample: Sample, notes: list[str]) -> Sample:
    if notes:
        sample.meta["warnings"] = tuple(dict.fromkeys(notes))
    return sample


def _grey(
    stored: np.ndarray, parsed: Parsed, head: Header, frame: int, request: Request, voi_index: int
) -> tuple[np.ndarray, dict[str, Any]]:
    elements = parsed.elements
    change = grey.modality(elements, frame)
    units = elements.code("Units") if elements.code("Modality") == "PT" else change.unit
    fill = grey.padding(elements, head)
    if request == "none":
        ends = None if fill is None else tuple(change(np.array(fill)).tolist())
        return grey.measured(stored, change), {"voi": {"kind": "none"}, "units": units, "padding": ends}
    bounds = change.bounds(head)
    view = (
        views.from_header(elements, frame, voi_index)
        if request == "header"
        else views.window(*request, "LINEAR")
    )
    if view is None:
        if bounds is None:
            raise grey.no_range(parsed.name)
        view = views.whole(bounds)
    image = grey.displayed(stored, head, change, view, fill)
    return image, {"voi": view.used, "units": units}


def _described(parsed: Parsed, head: Header) -> dict[str, Any]:
    elements = parsed.elements
    return {
        "format": "DICOM",
        "modality": elements.code("Modality"),
        "body_part": elements.code("BodyPartExamined"),
        "view": elements.code("ViewPosition"),
        "laterality": elements.code("ImageLaterality") or elements.code("Laterality"),
        "photometric": head.photometric,
        "bits_stored": head.stored,
        "frames": head.frames,
        "transfer_syntax": toolkit.uid_name(parsed.syntax),
        "units": None,
    }
