"""How large the parts of a model may say they are, and what its input must be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

from vnvision.runtime.guard.refusal import UnfitError
from vnvision.spec import PreprocessSpec

MOST_VALUES = 1 << 28
"""Of one tensor, batch apart: 1 GiB of float32, 17 times the largest that a network at 1024 px has here."""
MOST_PIXELS = 1 << 25
"""Of one picture going in: 5792 x 5792."""
MOST_ROWS = 1024
"""Of a batch written into the file."""


def check_values(what: str, shape: Iterable[int | None]) -> int:
    """How many values a shape has, unknown sides counted as 1.

    Raises:
        UnfitError: a side is negative, or there are too many values.
    """
    sides = [1 if side is None else side for side in shape]
    count = prod(sides) if min(sides, default=0) >= 0 else -1
    if not 0 <= count <= MOST_VALUES:
        raise UnfitError(
            f"has a tensor of absurd size ({what})",
            expected=f"at most {MOST_VALUES} values",
            got=_words(sides),
        )
    return count


def check_picture(spec: PreprocessSpec) -> None:
    """Refuse pictures that no model takes, before a batch of them is allocated."""
    if spec.size_px[0] * spec.size_px[1] > MOST_PIXELS:
        raise UnfitError(
            "asks for pictures of absurd size",
            expected=f"at most {MOST_PIXELS} pixels",
            got=_words(spec.size_px),
        )


def check_inputs(inputs: Sequence[tuple[Sequence[int | None], bool]], spec: PreprocessSpec) -> None:
    """Refuse a model whose input is not the one picture that the manifest describes.

    Args:
        inputs: shape, and whether the type is float32, of each input.
        spec: from the manifest.
    """
    wanted = (spec.channels, *spec.size_px)
    words = f"one input (N, {', '.join(map(str, wanted))}) float32, as the manifest says"
    if len(inputs) != 1:
        raise UnfitError(
            "takes another input than the manifest says", expected=words, got=f"{len(inputs)} inputs"
        )
    shape, is_float = inputs[0]
    rows = shape[0] if shape else None
    fits = len(shape) == 4 and all(side in (None, size) for side, size in zip(shape[1:], wanted, strict=True))
    if not is_float or not fits or not (rows is None or 1 <= rows <= MOST_ROWS):
        kind = "float32" if is_float else "another type"
        raise UnfitError(
            "takes another input than the manifest says", expected=words, got=f"({_words(shape)}) {kind}"
        )


def _words(shape: Sequence[int | None]) -> str:
    return ", ".join("any" if side is None else str(side) for side in shape[:8]) + (
        ", ..." if len(shape) > 8 else ""
    )
