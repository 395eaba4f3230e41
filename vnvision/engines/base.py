"""What every engine offers, and the checks they share."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from vnvision.errors import ModelError

Shape = tuple[int | None, ...]


class Engine(Protocol):
    """A loaded model.

    Attributes:
        name: the engine's name.
        path: the model file.
        input_shape: (N, C, H, W); None where any size goes.
        output_names: of what ``run`` gives, in order, as the file has them.
    """

    name: str
    path: Path
    input_shape: Shape
    output_names: tuple[str, ...]

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, ...]:
        """Infer one batch (N, C, H, W) float32; every output in model order, first axis N.

        Safe to call from several threads. The arrays returned belong to the caller.

        Raises:
            ModelError: the batch does not fit the model, or the engine was closed.
        """
        ...

    def close(self) -> None:
        """Free the model. Closing twice is fine."""
        ...


def check_file(path: Path) -> None:
    """Refuse a model file that is not there, before an engine says so in its own words."""
    if not path.is_file():
        raise ModelError(f"model file {path} does not exist", fix="check the path, or export the model again")


def check_input(path: Path, inputs: list[tuple[Shape, bool]]) -> Shape:
    """The shape of the single input of a model, where it is (N, C, H, W) float32.

    Args:
        path: the model file, for the error.
        inputs: shape, and whether the type is float32, of each input.
    """
    if len(inputs) != 1 or len(inputs[0][0]) != 4 or not inputs[0][1]:
        got = ", ".join(
            f"{shape} {'float32' if is_float else 'of another type'}" for shape, is_float in inputs
        )
        raise ModelError(
            f"model file {path} cannot be used",
            expected="one input (N, C, H, W) float32",
            got=got or "no input",
        )
    return inputs[0][0]


def check_batch(batch: np.ndarray, shape: Shape, name: str) -> np.ndarray:
    """The batch, C-contiguous, where it fits ``shape``."""
    fits = batch.ndim == len(shape) and all(
        wanted is None or wanted == got for wanted, got in zip(shape, batch.shape, strict=True)
    )
    if not fits or batch.dtype != np.float32:
        words = ", ".join("any" if size is None else str(size) for size in shape)
        raise ModelError(
            f"the batch does not fit the model ({name})",
            expected=f"({words}) float32",
            got=f"{batch.shape} {batch.dtype}",
        )
    return np.ascontiguousarray(batch)


def damaged(path: Path, name: str, reason: object) -> ModelError:
    """The error for a file that an engine cannot load."""
    return ModelError(
        f"model file {path} cannot be loaded by {name}",
        got=f"{reason}"[:300],
        fix="copy or export the model again",
    )


def closed(name: str) -> ModelError:
    """The error for a call on a closed engine."""
    return ModelError(f"the {name} engine is closed", fix="load the model again")
