"""The one place that loads pydicom, and what is asked of its decoders."""

from __future__ import annotations

import functools
import importlib
from typing import IO, Any

import numpy as np

from vnvision.errors import MissingExtraError
from vnvision.imaging.dicom.faults import reading


@functools.cache
def pydicom() -> Any:
    """The package, with the parts used here; GDCM told to keep quiet.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        for part in ("pydicom.filereader", "pydicom.encaps", "pydicom.pixels"):
            importlib.import_module(part)
        package = importlib.import_module("pydicom")
    except ImportError as exc:
        raise MissingExtraError("pydicom", "clinic") from exc
    try:
        trace = importlib.import_module("gdcm").Trace
    except ImportError:
        return package
    for switch in (trace.DebugOff, trace.WarningOff, trace.ErrorOff):
        switch()
    return package


def uid_name(uid: str) -> str:
    """The registered name of a UID, or the UID itself."""
    return str(pydicom().uid.UID(uid).name)


def frame_bytes(
    stream: IO[bytes], name: str, index: int, frames: int, offsets: tuple[bytes, bytes] | None
) -> bytes:
    """The compressed bytes of one frame; ``stream`` stands at the value of encapsulated pixel data.

    Raises:
        DataError: it is not there.
    """
    with reading(name, f"frame {index}"):
        get = pydicom().encaps.get_frame
        return bytes(get(stream, index, number_of_frames=frames, extended_offsets=offsets))


def decode(
    source: Any, name: str, syntax: str, plugin: str, index: int, options: dict[str, Any]
) -> tuple[np.ndarray, str]:
    """One frame as it is stored, and the photometric interpretation it has now.

    Args:
        source: a stream at native pixel data, or encapsulated bytes.
        name: of the file.
        syntax: transfer syntax UID.
        plugin: of pydicom's decoding plugins the one to use; empty for native data.
        index: of the frame in ``source``.
        options: what pydicom calls pixel options.

    Raises:
        DataError: the frame cannot be decoded.
    """
    with reading(name, f"frame {index}"):
        decoder = pydicom().pixels.get_decoder(syntax)
        array, properties = decoder.as_array(source, index=index, raw=True, decoding_plugin=plugin, **options)
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        return array, str(properties["photometric_interpretation"])


def encapsulated(frame: bytes, name: str) -> bytes:
    """One compressed frame, wrapped as pixel data of its own.

    Raises:
        DataError: the frame is empty.
    """
    with reading(name, "compressed frame"):
        return bytes(pydicom().encaps.encapsulate([frame], has_bot=False))


def plugins(syntax: str) -> tuple[str, ...]:
    """Names of pydicom's decoding plugins that can be used here for a transfer syntax.

    Raises:
        DataError: pydicom has no decoder for it.
    """
    with reading("a DICOM file", "transfer syntax"):
        return tuple(pydicom().pixels.get_decoder(syntax).available_plugins)


def ybr_to_rgb(image: np.ndarray) -> np.ndarray:
    """YBR_FULL (H, W, 3) uint8 to RGB, by pydicom's own conversion (PS3.3 C.7.6.3.1.2)."""
    found: np.ndarray = pydicom().pixels.convert_color_space(image, "YBR_FULL", "RGB")
    return found
