"""What a liveness network is shown and how its answer is read, as data that travels with its file."""

from __future__ import annotations

from pathlib import PureWindowsPath
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from vnvision.errors import DataError
from vnvision.records import Sha256
from vnvision.spec import PreprocessSpec, Record

LIVENESS_FILE = "liveness.json"


class LivenessSpec(Record):
    """One liveness network: its file, what it is shown and how its answer is read.

    ``scale`` is how much of the picture it sees: sides of the crop over sides of the face box.
    ``preprocess`` holds size, colour order, range, mean and std; its geometry is ``squash``.
    """

    file: str = Field(min_length=1, description="ONNX file inside the folder")
    sha256: Sha256
    scale: float = Field(gt=0)
    preprocess: PreprocessSpec
    classes: int = Field(ge=2, description="length of the output")
    live_index: int = Field(ge=0, description="which output is the live class")
    output: Literal["logits", "probabilities"]

    @field_validator("file")
    @classmethod
    def _stays_inside(cls, file: str) -> str:
        path = PureWindowsPath(file)
        if path.anchor or ".." in path.parts:
            raise ValueError("must stay inside the folder")
        return file

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.live_index >= self.classes:
            raise ValueError(f"live_index must be below classes = {self.classes}, got {self.live_index}")
        if self.preprocess.geometry != "squash" or self.preprocess.input_dtype != "uint8":
            raise ValueError("preprocess must squash uint8 crops")
        return self


class LivenessModels(Record):
    """``liveness.json``: the networks that are fused, and under which licence."""

    models: tuple[LivenessSpec, ...] = Field(min_length=1)
    licence: str = ""
    source: str = ""


def context_factor(
    box_xyxy_px: tuple[float, float, float, float], scale: float, size_px: tuple[int, int]
) -> float:
    """By how much a face box grows: by ``scale``, or by what its picture (height, width) has room for.

    Where this is well below ``scale`` the network sees less of the surroundings than it asks for, and its
    score is to be trusted less; the remedy is to stand further from the camera. At 1 there is no context.

    Raises:
        DataError: the box has no area, or lies outside the picture.
    """
    x0, y0, x1, y1 = box_xyxy_px
    height, width = size_px
    if not (x0 < x1 and y0 < y1) or x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
        raise DataError(
            "a face box does not fit its picture",
            expected=f"x0 < x1, y0 < y1, within {width} x {height} pixels",
            got=", ".join(f"{value:g}" for value in box_xyxy_px),
        )
    return min(scale, (width - 1) / (x1 - x0), (height - 1) / (y1 - y0))


def context_box(
    box_xyxy_px: tuple[float, float, float, float], scale: float, size_px: tuple[int, int]
) -> tuple[int, int, int, int]:
    """The part of a picture around a face that a network is shown: x0, y0, x1, y1, the ends excluded.

    The rule that the published MiniFASNet networks were trained with. Both sides of the box grow by one
    factor (``context_factor``) about its centre. A box that then reaches over an edge is moved inside, not
    cut and not padded, so the face may leave the middle.

    Args:
        box_xyxy_px: the face.
        scale: sides of the result over sides of the box.
        size_px: height, width of the picture.

    Raises:
        DataError: the box has no area, or lies outside the picture.
    """
    factor = context_factor(box_xyxy_px, scale, size_px)
    x0, y0, x1, y1 = box_xyxy_px
    height, width = size_px
    spans = []
    for low, high, limit in ((x0, x1, width - 1), (y0, y1, height - 1)):
        length = (high - low) * factor
        start = min(max((low + high - length) / 2, 0.0), limit - length)
        # The pixel that the far end falls on belongs to the crop.
        spans.append((int(start), min(int(start + length), limit) + 1))
    (left, right), (top, bottom) = spans
    return left, top, right, bottom
