"""The frozen network that describes photographs: that of a model which ships, or of the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vnvision.engines import Engine, open_engine
from vnvision.errors import ModelError
from vnvision.hub import shelf
from vnvision.imaging import Preprocessor
from vnvision.records import TargetRecord
from vnvision.runtime.bundle import Bundle, open_bundle
from vnvision.spec import PreprocessSpec

DEFAULT = "rice"
"""The best of those that ship for 30 photographs a class of sets that it never saw: training/LOG.md."""


@dataclass(frozen=True, slots=True)
class Trunk:
    """A verified bundle whose network serves.

    Attributes:
        bundle: the bundle.
        target: which of its targets.
        engine: that file, loaded.
        preprocessor: its preprocessing.
    """

    bundle: Bundle
    target: str
    engine: Engine
    preprocessor: Preprocessor

    @property
    def record(self) -> TargetRecord:
        """The target."""
        return self.bundle.manifest.targets[self.target]

    @property
    def spec(self) -> PreprocessSpec:
        """What pictures become before they go in."""
        return self.bundle.manifest.task.preprocess

    @property
    def file(self) -> Path:
        """The ONNX file."""
        return self.bundle.file(self.record.file)

    def features(self, crops: list[np.ndarray]) -> np.ndarray:
        """(N, F) float32 of crops that went through ``preprocessor.geometry``."""
        batch = np.stack([self.preprocessor.normalise(crop) for crop in crops])
        found = self.engine.run(batch)[self.engine.output_names.index("features")]
        if not np.isfinite(found).all():
            raise ModelError(f"the network of {self.bundle.manifest.name} gave NaN or infinity")
        return found

    def close(self) -> None:
        """Free the network."""
        self.engine.close()


def open_trunk(name: str | Path, *, threads: int | None = None) -> Trunk:
    """Verify a bundle and load its network.

    Args:
        name: of a model that ships or the user has added, or a bundle's folder.
        threads: how many threads one inference may use.

    Raises:
        BundleError: there is no such model, or it is damaged.
        ModelError: its network gives no features, or none that a classifier can be put on.
    """
    bundle = open_bundle(shelf.resolve(name))
    spec = bundle.manifest.task.preprocess
    fits = (
        key
        for key, record in bundle.manifest.targets.items()
        if record.engine == "onnxruntime" and not record.converter_took
    )
    key = next(fits, None)
    if key is None or spec.flip_average or spec.input_dtype != "uint8" or spec.geometry == "align":
        raise unfit(bundle)
    engine = open_engine(bundle.file(bundle.manifest.targets[key].file), "onnxruntime", threads=threads)
    bundle.confirm()
    if "features" not in engine.output_names:
        engine.close()
        raise unfit(bundle)
    return Trunk(bundle, key, engine, Preprocessor(spec))


def unfit(bundle: Bundle) -> ModelError:
    """The error that a bundle is no trunk."""
    name = bundle.manifest.name
    return ModelError(
        f"{name} cannot be taught another task",
        expected="a classifier as ONNX that gives its features",
        fix=f"leave trunk out, which takes {DEFAULT}",
        vietnamese=f"không dạy được từ mô hình {name}; hãy bỏ trống trunk để dùng {DEFAULT}",
    )
