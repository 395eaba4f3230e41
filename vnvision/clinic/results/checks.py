"""What the caller gives, checked before anything is built."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vnvision.clinic.results.context import Answer, Region
from vnvision.clinic.results.records import KINDS, Kind
from vnvision.errors import ConfigError, DataError
from vnvision.records import ClassPrediction, DetectionPrediction, MaskPrediction
from vnvision.spec import TaskSpec

_FIX = "write the results with the image and the task that the prediction was made with"


def check_kinds(kinds: Sequence[str]) -> tuple[Kind, ...]:
    """The kinds of file asked for, in fixed order.

    Raises:
        ConfigError: none, or an unknown one.
    """
    if not kinds or set(kinds) - set(KINDS):
        raise ConfigError(
            "kinds of result", expected=f"some of {', '.join(KINDS)}", got=", ".join(kinds) or "none"
        )
    return tuple(kind for kind in KINDS if kind in kinds)


def check_answer(answer: object, task: TaskSpec, size_px: tuple[int, int]) -> Answer:
    """The prediction, if it is one that a result can be written of, of this task and this image.

    Raises:
        DataError: it is not.
    """
    if not isinstance(answer, ClassPrediction | MaskPrediction | DetectionPrediction):
        got = getattr(answer, "kind", type(answer).__name__)
        raise DataError("no DICOM result can be written", expected="classes, a mask or boxes", got=str(got))
    if answer.kind != task.kind:
        raise DataError("prediction and task disagree", expected=task.kind, got=answer.kind, fix=_FIX)
    if isinstance(answer, ClassPrediction) and answer.labels != task.label_ids:
        raise DataError(
            "prediction and task have other labels",
            expected=", ".join(task.label_ids), got=", ".join(answer.labels), fix=_FIX,
        )  # fmt: skip
    if isinstance(answer, MaskPrediction) and answer.size_px != size_px:
        raise _other_size("the mask", answer.size_px, size_px)
    if isinstance(answer, DetectionPrediction):
        unknown = {box.label for box in answer.boxes} | set(answer.counts)
        if unknown := unknown - set(task.label_ids):
            raise DataError(
                "the prediction has labels that the task has not",
                expected=", ".join(task.label_ids), got=", ".join(sorted(unknown)), fix=_FIX,
            )  # fmt: skip
    return answer


def regions_of(
    answer: Answer, task: TaskSpec, mask: np.ndarray | None, size_px: tuple[int, int]
) -> tuple[Region, ...]:
    """One region a label that is not background (index 0); for a class, the region the mask shows it in.

    Raises:
        ConfigError: a mask beside a prediction that cannot use one.
        DataError: a mask of another size, or with an index that the task has no label for.
    """
    if isinstance(answer, MaskPrediction):
        if mask is not None:
            raise ConfigError(
                "mask is given twice", expected="only that of the prediction", fix="leave mask out"
            )
        indices = answer.mask()
        if indices.size and int(indices.max()) >= len(task.labels):
            raise DataError(
                "the mask has labels that the task has not",
                expected=f"indices below {len(task.labels)}", got=str(int(indices.max())), fix=_FIX,
            )  # fmt: skip
        return tuple(
            Region(index, label, indices == index) for index, label in enumerate(task.labels) if index
        )
    if mask is None:
        return ()
    if not isinstance(answer, ClassPrediction) or answer.kind != "classification":
        raise ConfigError(
            "mask does not fit the prediction", expected="one of classification", got=answer.kind
        )
    if mask.shape != size_px:
        raise _other_size("mask", mask.shape, size_px)
    label = next(label for label in task.labels if label.id == answer.top)
    return (Region(1, label, mask != 0),)


def check_map(values: np.ndarray | None, name: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """A map of shares, if it has the right shape and holds nothing but 0..1.

    Raises:
        DataError: it has not.
    """
    if values is None:
        return None
    if values.shape != shape:
        raise _other_size(name, values.shape, shape)
    if not np.isfinite(values).all() or values.min(initial=0) < 0 or values.max(initial=0) > 1:
        raise DataError(f"{name} is out of range", expected="0 to 1", got=f"{values.min()} to {values.max()}")
    return values


def check_picture(picture: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """The picture to draw on, if it is the source's.

    Raises:
        DataError: another size, kind of numbers or count of channels.
    """
    kind = f"{picture.dtype} {picture.shape}"
    if picture.dtype not in (np.uint8, np.uint16) or picture.ndim != 3 or picture.shape[2] not in (1, 3):
        raise DataError(
            "picture cannot be drawn on", expected="uint8 or uint16, (H, W, 1) or (H, W, 3)", got=kind
        )
    if picture.shape[:2] != size_px:
        raise _other_size("picture", picture.shape[:2], size_px)
    return picture


def _other_size(what: str, got: tuple[int, ...], expected: tuple[int, ...]) -> DataError:
    return DataError(
        f"{what} has another size than the image", expected=str(expected), got=str(got), fix=_FIX
    )
