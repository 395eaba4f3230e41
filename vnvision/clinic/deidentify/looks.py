"""What a person should look at before the files are shared: warnings, each with a code."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.dataset import Dataset

from vnvision.clinic.deidentify.faults import FAULTS
from vnvision.clinic.deidentify.pixels import Shape
from vnvision.clinic.deidentify.text_seen import lines_of_text
from vnvision.errors import DataError, MissingExtraError, ModelError

if TYPE_CHECKING:
    from vnvision.faces.detector import YuNet

WARNINGS: dict[str, tuple[str, str]] = {
    "burned-in-declared": (
        "the file says that identifying text is burned into the image",
        "tệp tự ghi rằng ảnh có chữ định danh in trong hình",
    ),
    "burned-in-usual": (
        "images of this kind often have text burned in; look at them",
        "loại ảnh này thường có chữ in trong hình; hãy xem lại bằng mắt",
    ),
    "text-seen": ("something in the image looks like text", "trong ảnh có vùng giống chữ viết"),
    "not-looked-at": (
        "the image could not be decoded here, so nobody looked for text in it",
        "không giải mã được ảnh nên chưa tìm chữ trong hình",
    ),
    "photograph": (
        "a photograph or endoscopy: faces, tattoos and labels may be seen",
        "ảnh chụp hoặc nội soi: có thể thấy mặt, hình xăm, nhãn tên",
    ),
    "face-found": ("a face was found in the image", "đã thấy khuôn mặt trong ảnh"),
    "face-can-be-rendered": (
        "thin slices of a head: a recognisable face can be rendered from the volume",
        "lát cắt mỏng vùng đầu: có thể dựng lại khuôn mặt nhận ra được",
    ),
    "bits-outside-stored-cleared": (
        "the unused bits of the pixels held something, such as an old overlay; it was cleared",
        "các bit thừa của điểm ảnh có nội dung (như lớp phủ kiểu cũ); đã xoá",
    ),
    "bytes-behind-pixels-cut": (
        "bytes behind the last pixel were cut",
        "đã cắt phần dữ liệu thừa sau điểm ảnh cuối",
    ),
    "overlays-removed": ("overlays or curves were removed", "đã bỏ lớp phủ hoặc đường vẽ"),
    "overlays-kept": ("overlay planes were kept; look at them", "đã giữ lớp phủ; hãy xem lại bằng mắt"),
    "lookup-table-removed": (
        "a lookup table that does not fit its descriptor was removed",
        "đã bỏ bảng tra sai mô tả",
    ),
    "report-content-removed": (
        "the content of the structured report was removed",
        "đã bỏ nội dung báo cáo có cấu trúc",
    ),
    "blanked-not-checked": (
        "rectangles were blanked; look whether they cover all text",
        "đã xoá vùng chỉ định; hãy xem còn sót chữ không",
    ),
}
"""Code to (English, Vietnamese)."""

_USUALLY_BURNED = frozenset({"US", "IVUS", "ES", "XA", "RF", "OT", "SC", "DOC", "BDUS", "ECG", "HC"})
_PHOTOGRAPHS = frozenset({"XC", "ES", "OP", "GM", "DMS"})
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_VOLUMES = frozenset({"CT", "MR", "PT"})
_HEAD = (
    "head",
    "brain",
    "skull",
    "face",
    "orbit",
    "sinus",
    "maxil",
    "mandib",
    "neuro",
    "sọ",
    "não",
    "mặt",
    "xoang",
)
_WHOLE = ("wholebody", "whole body", "toàn thân")
_THIN_MM = 3.0
_MOST_BYTES = 2**29


def warnings_of(source: Dataset, sop_class: str) -> list[str]:
    """Codes of what is to be looked at in an original: its first frame and its header.

    A warning says where to look; no warning does not mean that there is nothing.
    """
    modality = _text(source, "Modality").upper()
    found = []
    if _text(source, "BurnedInAnnotation").upper() == "YES":
        found.append("burned-in-declared")
    if modality in _USUALLY_BURNED or sop_class.startswith(_SECONDARY_CAPTURE):
        found.append("burned-in-usual")
    if _head_in_thin_slices(source, modality):
        found.append("face-can-be-rendered")
    photograph = modality in _PHOTOGRAPHS
    if photograph:
        found.append("photograph")
    if "PixelData" in source:
        found += _seen(source, photograph)
    return found


def _seen(source: Dataset, photograph: bool) -> list[str]:
    from pydicom.pixels import pixel_array

    try:
        if Shape.of(source).frame_bytes > _MOST_BYTES:
            return ["not-looked-at"]
        image = pixel_array(source, index=0)
    except (*FAULTS, DataError):
        return ["not-looked-at"]
    if image.ndim not in (2, 3) or min(image.shape[:2]) < 16:
        return []
    found = ["text-seen"] if lines_of_text(image) else []
    return found + (["face-found"] if photograph and _has_face(image) else [])


def _head_in_thin_slices(source: Dataset, modality: str) -> bool:
    texts = ("BodyPartExamined", "StudyDescription", "SeriesDescription", "ProtocolName")
    said = " ".join(_text(source, name) for name in texts).lower()
    if modality not in _VOLUMES or not any(word in said for word in (*_HEAD, *_WHOLE)):
        return False
    try:
        thickness = float(_text(source, "SliceThickness") or "nan")
    except ValueError:
        return True
    return not thickness > _THIN_MM


def _has_face(image: np.ndarray) -> bool:
    detector = _detector()
    if detector is None:
        return False
    grey = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    peak = float(grey.max()) or 1.0
    rgb = grey if grey.dtype == np.uint8 else (grey * (255.0 / peak)).clip(0, 255).astype(np.uint8)
    return any(detector.detect([np.ascontiguousarray(rgb)]))


@cache
def _detector() -> YuNet | None:
    """The face detector of the faces extra; None where that is not installed: the warning is optional."""
    try:
        from vnvision.faces.detector import YuNet

        return YuNet()
    except (MissingExtraError, ModelError, ImportError):
        return None


def _text(source: Dataset, keyword: str) -> str:
    try:
        value: Any = source.get(keyword)
        return "" if value is None else str(value).strip(" \0")
    except FAULTS:  # also where a sequence stands in place of a text
        return ""
