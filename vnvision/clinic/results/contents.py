"""The files' bytes, built in memory: each from highdicom's object, every failure one clear line."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import TypeVar

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from vnvision.clinic.results.capture import build_capture
from vnvision.clinic.results.context import Context
from vnvision.clinic.results.records import Kind
from vnvision.clinic.results.report import build_report
from vnvision.clinic.results.segment import build_segmentation
from vnvision.errors import DataError
from vnvision.imaging.dicom.quiet import plain

T = TypeVar("T")
ABSTAINED = "the model does not answer: no segmentation"
NO_MASK = "the answer has no mask: no segmentation"


def contents_of(
    context: Context,
    wanted: tuple[Kind, ...],
    picture: np.ndarray | None,
    heat: np.ndarray | None,
    shares: np.ndarray | None,
) -> tuple[dict[Kind, bytes], tuple[str, ...]]:
    """The bytes of each file that there is something to write in, and notes."""
    made: dict[Kind, bytes] = {}
    notes: tuple[str, ...] = ()
    segmentation = None
    if "seg" in wanted and (context.answer.abstained or not context.regions):
        notes = (ABSTAINED if context.answer.abstained else NO_MASK,)
    elif "seg" in wanted:
        segmentation, notes = _built("seg", lambda: build_segmentation(context, shares))
        made["seg"] = _bytes("seg", segmentation)
    if "sc" in wanted:
        assert picture is not None
        made["sc"] = _bytes("sc", _built("sc", lambda: build_capture(context, picture, heat)))
    if "sr" in wanted:
        made["sr"] = _bytes("sr", _built("sr", lambda: build_report(context, segmentation)))
    return made, notes


def _built(kind: Kind, build: Callable[[], T]) -> T:
    """Run a builder; what highdicom does not accept in a header becomes one line."""
    try:
        return build()
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        got = f"{type(exc).__name__}: {plain(str(exc))}"  # without values: they may name the patient
        raise DataError(f"the {kind} cannot be made from the source's header", got=got) from exc


def _bytes(kind: Kind, dataset: Dataset) -> bytes:
    stream = BytesIO()
    _built(kind, lambda: pydicom.dcmwrite(stream, dataset, enforce_file_format=True))
    return stream.getvalue()
