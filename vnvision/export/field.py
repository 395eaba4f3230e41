"""The pictures that an 8-bit target is measured and judged on: never guessed, never of the test split."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from vnvision.data.manifest import Manifest, read_manifest
from vnvision.errors import DataError
from vnvision.export.calibration_set import FEWEST, CalibrationSet, calibration_set
from vnvision.spec import PreprocessSpec

N_CALIBRATION, N_SHOWN = 256, 32


@dataclass(frozen=True)
class FieldPictures:
    """A manifest's pictures for export.

    Ranges are measured on training rows where there are enough, and answers judged on validation rows.

    Attributes:
        manifest: all of it.
        spec: the model's preprocessing.
        n: how many ranges are measured on, at most.
        seed: of their choice.
    """

    manifest: Manifest
    spec: PreprocessSpec
    n: int = N_CALIBRATION
    seed: int = 0

    @classmethod
    def read(
        cls, manifest: str | Path, spec: PreprocessSpec, *, n: int = N_CALIBRATION, seed: int = 0
    ) -> FieldPictures:
        """From a manifest file.

        Raises:
            DataError: it cannot be read, or has no validation rows to judge on.
        """
        found = cls(read_manifest(manifest), spec, n, seed)
        if not len(found.judged):
            raise DataError(
                f"{manifest} has no rows to judge an 8-bit model on",
                expected="rows with split val (test rows are never used)",
                got=", ".join(sorted({row.split or "none" for row in found.manifest.rows})),
                fix="assign splits with: vnvision data split",
            )
        return found

    @cached_property
    def measured(self) -> CalibrationSet:
        """What ranges are measured on."""
        training = [row for row in self.manifest.rows if row.split == "train"]
        if len(training) < FEWEST:
            return calibration_set(self.manifest, self.spec, self.n, seed=self.seed)
        part = replace(self.manifest, rows=tuple(training))
        return calibration_set(part, self.spec, self.n, seed=self.seed)

    @cached_property
    def judged(self) -> Manifest:
        """The rows that answers are compared on."""
        return self.manifest.where(np.array([row.split == "val" for row in self.manifest.rows], dtype=bool))

    @cached_property
    def shown(self) -> np.ndarray:
        """Some of the judged pictures, (n, h, w, C), RGB or grey, for the parity gate."""
        if len(self.judged) < FEWEST:
            return self.measured.images[:N_SHOWN]
        return calibration_set(self.judged, self.spec, N_SHOWN, seed=self.seed).images
