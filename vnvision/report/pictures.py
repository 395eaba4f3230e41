"""The mistakes as small pictures that travel inside the page."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from vnvision.data.manifest import leaves_root
from vnvision.errors import DataError
from vnvision.imaging import read
from vnvision.records import Mistake
from vnvision.report.phrases import Html, Quantity, phrase, show
from vnvision.spec import Label

SIZE_PX = 160


@dataclass(frozen=True, slots=True)
class Picture:
    """One mistake."""

    uri: str | None
    path: str
    truth: Html
    answer: Html
    confidence: Html
    width: str


def picture(mistake: Mistake, labels: dict[str, Label], image_root: Path | None) -> Picture:
    """One mistake with its thumbnail, if there is one."""
    return Picture(
        uri=thumbnail(image_root, mistake.path),
        path=mistake.path,
        truth=_answer(mistake.truth, labels),
        answer=_answer(mistake.answer, labels),
        confidence=show(phrase("confident", value=Quantity(mistake.probability, "percent"))),
        width=f"{100 * mistake.probability:.1f}%",
    )


def _answer(text: str, labels: dict[str, Label]) -> Html:
    """A label, or ``label=1`` and ``label=0`` of multi-label answers in words."""
    if text in labels:
        return show(labels[text])
    label, _, value = text.rpartition("=")
    if label in labels and value in ("0", "1"):
        return show(phrase("present" if value == "1" else "not_present", label=labels[label]))
    return show(text)


def thumbnail(image_root: Path | None, path: str, size_px: int = SIZE_PX) -> str | None:
    """A JPEG of at most ``size_px`` a side as a data URI; None where there is no readable picture.

    A report must come out even where its pictures are gone, and never shows a file outside the root.
    """
    found = thumbnail_and_size(image_root, path, size_px)
    return None if found is None else found[0]


def thumbnail_and_size(
    image_root: Path | None, path: str, size_px: int = SIZE_PX
) -> tuple[str, tuple[int, int]] | None:
    """As ``thumbnail``, with the picture's own height and width."""
    if image_root is None or leaves_root(path):
        return None
    try:
        image = read(image_root / path).image
    except (DataError, OSError):
        return None
    uri = "data:image/jpeg;base64," + base64.b64encode(_jpeg(image, size_px)).decode("ascii")
    return uri, (image.shape[0], image.shape[1])


def _jpeg(image: np.ndarray, size_px: int) -> bytes:
    from PIL import Image

    if image.dtype != np.uint8:
        image = np.round(image.astype(np.float64) * (255 / np.iinfo(image.dtype).max)).astype(np.uint8)
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    picture.thumbnail((size_px, size_px), Image.Resampling.LANCZOS)
    stream = BytesIO()
    picture.save(stream, format="JPEG", quality=80, optimize=True)
    return stream.getvalue()
