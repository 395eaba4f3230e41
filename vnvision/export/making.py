"""Writing each target's files and letting them through the parity gate."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from vnvision.engines import EngineName
from vnvision.errors import ExportError, MissingExtraError
from vnvision.export.coreml import CoreMlResult
from vnvision.export.field import FieldPictures
from vnvision.export.gate import check_parity, not_run
from vnvision.export.int8_search import Fidelity
from vnvision.export.reference import Reference
from vnvision.export.result import GateResult
from vnvision.export.source import Source
from vnvision.export.targets import ONNX_FILE, Target
from vnvision.spec import TaskSpec

if TYPE_CHECKING:
    import torch


class TargetMaker:
    """Makes targets in a bundle's folder.

    Args:
        folder: the bundle's, with the canonical ONNX in it.
        net: the network with all the outputs of that file.
        task: what it answers.
        reference: its answers to the golden images.
        pictures: for 8-bit targets.
        skip_refused: go on without a target that is refused.

    Attributes:
        refused: why, by target.
        in_float: layers that accuracy-aware quantisation left in float32, by target.
    """

    def __init__(
        self,
        folder: Path,
        net: torch.nn.Module,
        task: TaskSpec,
        reference: Reference,
        pictures: FieldPictures | None,
        *,
        skip_refused: bool,
    ) -> None:
        self.folder, self._net, self._task, self._reference = folder, net, task, reference
        self._pictures, self._skip = pictures, skip_refused
        self.refused: dict[str, str] = {}
        self.in_float: dict[str, list[str]] = {}

    def make(self, chosen: Mapping[str, Target]) -> dict[str, GateResult]:
        """Write and test each target, the canonical ONNX first; what passed, by name.

        Raises:
            ExportError: a target cannot be made, or disagrees with the original (unless it is skipped; the
                canonical ONNX never is).
        """
        results = {}
        for key, target in chosen.items():
            try:
                results[key] = self._made(key, target)
            except (ExportError, MissingExtraError) as exc:
                self.remove(target)
                if not self._skip or target.write is None:
                    raise
                self.refused[key] = str(exc)
        return results

    def remove(self, target: Target) -> None:
        """Take a refused target's files away."""
        if target.write is not None:
            shutil.rmtree(self.folder / Path(target.file).parts[0], ignore_errors=True)

    def notes(self, refused: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What provenance says of the making."""
        all_refused = {**self.refused, **(refused or {})}
        found: dict[str, Any] = {"refused": all_refused} if all_refused else {}
        if self._pictures is not None and self.in_float:
            found["calibration_images"] = self._pictures.measured.record()
            found["layers_in_float"] = self.in_float
        return found

    def _made(self, key: str, target: Target) -> GateResult:
        made: object = None
        if target.write is not None:
            made = target.write(self._source(target), self.folder / Path(target.file).parts[0])
        if isinstance(made, CoreMlResult):
            return not_run(key, target.engine, target.precision, made.max_relative, self._reference.scale)
        if target.is_8_bit:
            self.in_float[key] = list(made.in_float) if isinstance(made, Fidelity) else []
        result = check_parity(
            self.folder / target.file,
            key,
            cast(EngineName, target.engine),
            self._field if target.is_8_bit else self._reference,
            target.precision,
            took=target.converter_took,
        )
        result.require()
        return result

    def _source(self, target: Target) -> Source:
        ranges = None
        if target.is_8_bit and self._pictures is not None:
            ranges = self._pictures.measured.inputs
        return Source(self.folder / ONNX_FILE, self._net, self._task, ranges)

    @cached_property
    def _field(self) -> Reference:
        """The original's answers to pictures as 8-bit ranges expect them; golden patterns lie outside."""
        assert self._pictures is not None
        return Reference(self._net, self._task, self._pictures.shown)
