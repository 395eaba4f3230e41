"""Which other runs teach a classifier."""

from __future__ import annotations

from pydantic import Field

from vnvision.spec import Record


class TeachersConfig(Record):
    """Learning from the mean answer of several classifiers (Hinton et al. 2015).

    Each teacher sees the student's augmented picture, scaled to the size it was trained for.
    """

    runs: tuple[str, ...] = Field(min_length=1, description="run folders of the same task and labels")
    weight: float = Field(default=0.5, gt=0, le=1, description="of their answers; the labels have the rest")
    temperature: float = Field(default=2.0, gt=0)
    one_a_batch: bool = Field(
        default=False,
        description="one of them, drawn for each batch: the mean's gradient on average, in less time",
    )
