"""What the parity gate measures, and what it lets through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from vnvision.engines import EngineName
from vnvision.errors import ExportError
from vnvision.spec import Record

Precision = Literal["fp32", "fp16", "int8-weights", "int8"]
RunBy = EngineName | Literal["coreml"]


BLIND_TO = "blind_to: "
"""How a bundle's figures name a fault that the golden images could not have revealed."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a target may be from the original.

    Attributes:
        relative: largest difference of any output, as a part of the spread of outputs over the images.
        cosine: least mean cosine between the outputs of target and original.
        further: of outputs other than the answer, the root of the mean square difference as a part of their
            standard deviation over the images; None: ``relative`` holds for them as well. Of thousands of
            features coarser numbers move one far, and a fault moves all.
    """

    relative: float
    cosine: float
    further: float | None = None

    @property
    def for_further(self) -> float:
        """What outputs other than the answer may differ by."""
        return self.relative if self.further is None else self.further


TOLERANCES: Mapping[Precision, Tolerance] = MappingProxyType(
    {
        "fp32": Tolerance(relative=1e-3, cosine=0.99999),
        "fp16": Tolerance(relative=2e-2, cosine=0.999, further=5e-2),
        "int8-weights": Tolerance(relative=0.2, cosine=0.99, further=0.45),
        "int8": Tolerance(relative=0.35, cosine=0.95, further=0.45),
    }
)
"""On golden images; of 8-bit targets on validation pictures, and ``judge`` decides besides."""

NOT_RUN = "nothing: it runs on other machines only; its program was read back and computed step by step"


class GateResult(Record):
    """Figures of one target on the golden images. ``None``: not measured, or does not apply.

    Attributes:
        proven_by: what ran the file.
        scale: spread of the original's outputs over the golden images; differences are relative to it.
        max_abs: largest absolute difference of any output.
        max_relative: ``max_abs / scale``.
        cosine_mean: mean over images of the cosine between target and original outputs.
        cosine_min: its least value.
        top1_agreement: part of the clear images, pixels or label entries (no difference within tolerance
            could change their answer) with the same best class.
        top1_n: how many are clear.
        dice: of masks, overlap of target and original (Dice 1945), mean over the labels either has.
        further: of every other output and of parts with a scale of their own, by name: the largest
            difference over its own spread, below float32 as ``Tolerance.further`` has it.
        batch_relative: largest difference between one image alone and the same in a batch, over the scale.
        failures: which checks failed, in words; a target passes where there are none.
        diagnosis: the likely cause of a failure, else empty.
        blind_to: common faults that these golden images could not have revealed.
    """

    target: str
    engine: RunBy
    precision: Precision = "fp32"
    proven_by: str = ""
    n: int = Field(ge=2)
    scale: float
    max_abs: float | None = None
    max_relative: float | None = None
    cosine_mean: float | None = None
    cosine_min: float | None = None
    top1_agreement: float | None = None
    top1_n: int = 0
    batch_relative: float | None = None
    dice: float | None = None
    further: dict[str, float] = Field(default={})
    failures: tuple[str, ...] = ()
    diagnosis: str = ""
    blind_to: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """No check failed."""
        return not self.failures

    def parity(self) -> dict[str, float]:
        """The figures that travel in the bundle's manifest."""
        names = ("max_abs", "max_relative", "cosine_mean", "cosine_min", "top1_agreement", "batch_relative")
        figures = {name: getattr(self, name) for name in (*names, "dice")}
        figures |= {f"{name}_max_relative": value for name, value in self.further.items()}
        counts = {"n": float(self.n), "top1_n": float(self.top1_n), "scale": self.scale}
        counts |= {f"{BLIND_TO}{fault}": 1.0 for fault in self.blind_to}
        return counts | {name: float(value) for name, value in figures.items() if value is not None}

    def require(self) -> None:
        """Raise ExportError, naming every failed check and the likely cause, unless it passed."""
        if not self.passed:
            raise ExportError(
                f"target {self.target} disagrees with the original model and is refused: "
                + "; ".join(self.failures),
                fix=f"likely cause: {self.diagnosis}",
            )
