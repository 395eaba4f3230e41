"""A graph of operations as a ``.pt2`` archive has it, before torch knows of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vnvision.engines import base


@dataclass(frozen=True, slots=True)
class Ref:
    """The value of this name."""

    name: str


@dataclass(frozen=True, slots=True)
class Special:
    """An argument that only torch can name: ``as_scalar_type`` and the like, with its number."""

    kind: str
    value: Any


@dataclass(frozen=True, slots=True)
class Step:
    """One operation: ``target(*args, **options)``, its answers and what nobody needs after it."""

    target: str
    args: tuple[Any, ...]
    options: dict[str, Any]
    outputs: tuple[str, ...]
    many: bool


@dataclass(frozen=True, slots=True)
class Weight:
    """A view on stored numbers: flat data, shape, strides and offset in elements."""

    data: np.ndarray
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Program:
    """A graph of one image input, in the order of its operations."""

    entry: str
    inputs: tuple[tuple[base.Shape, bool], ...]
    weights: Mapping[str, Weight]
    steps: tuple[Step, ...]
    outputs: tuple[str, ...]
    output_names: tuple[str, ...]
