"""Any vnvision embedding bundle as the embedder of ``FaceEngine``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from vnvision.engines import EngineName, open_engine
from vnvision.errors import BundleError, ConfigError, DataError
from vnvision.imaging import Preprocessor
from vnvision.records import BundleManifest, Face
from vnvision.runtime import Predictor, open_bundle
from vnvision.runtime.target import choose_target
from vnvision.spec import PreprocessSpec


class BundleEmbedder:
    """Crops on the bundle's template to unit-norm embeddings; size, scaling and flip are the bundle's.

    Args:
        folder: a bundle of kind ``embedding`` whose geometry is ``align``.
        engine: ``openvino``, ``onnxruntime``, or ``auto``: the first one installed that it has a file for.
        target: a target's name in the manifest.
        threads: of one inference.
        batch_size: crops a call of the network.

    Attributes:
        size: length of an embedding.
        fingerprint: of the bundle's model, precision and preprocessing. Targets of one precision share it:
            each was proven equal to the same golden outputs when it was exported.

    Raises:
        BundleError: no bundle, a damaged one, or not a face embedder.
        ConfigError: no such engine or target, or batch_size below 1.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        engine: Literal["auto"] | EngineName = "auto",
        target: str | None = None,
        threads: int | None = None,
        batch_size: int = 32,
    ) -> None:
        if batch_size < 1:
            raise ConfigError("batch_size is wrong", expected="1 or more", got=str(batch_size))
        bundle = open_bundle(folder)
        manifest = bundle.manifest
        _check_kind(manifest)
        chosen = choose_target(bundle, engine, target)
        record = manifest.targets[chosen]
        spec = manifest.task.preprocess
        # choose_target has checked that the record names an engine of ours.
        loaded = open_engine(bundle.file(record.file), record.engine, threads=threads)  # type: ignore[arg-type]
        self._predictor = Predictor(manifest, chosen, loaded, signer=bundle.signer)
        bundle.confirm()
        self._geometry = Preprocessor(
            PreprocessSpec(
                size_px=spec.size_px,
                geometry="align",
                interpolation=spec.interpolation,
                pad_value=spec.pad_value,
            )
        )
        self.batch_size = batch_size
        self.operating_points = record.operating_points
        self.size = manifest.task.embedding_dim or 0
        model = f"{manifest.name}-{manifest.files[manifest.golden]}-{record.precision}"
        self.fingerprint = f"{model}:{spec.fingerprint()}"

    def align(self, image: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
        """Cut faces out onto the template: (K, h, w, 3) uint8 RGB, in the order given."""
        crops = [self._geometry.geometry(image, face.landmarks_px) for face in faces]
        return np.stack(crops) if crops else np.empty((0, *self._geometry.spec.size_px, 3), np.uint8)

    def embed(self, crops: np.ndarray) -> np.ndarray:
        """Aligned crops (K, h, w, 3) uint8 RGB -> unit-norm embeddings (K, D) float32.

        Raises:
            DataError: crops of another shape or dtype.
        """
        wanted = (*self._geometry.spec.size_px, 3)
        if crops.shape[1:] != wanted or crops.dtype != np.uint8:
            got = f"{crops.shape} {crops.dtype}"
            raise DataError(
                "crops do not fit", expected=f"(K, {', '.join(map(str, wanted))}) uint8 RGB", got=got
            )
        colour = self._predictor.task.preprocess.colour
        if colour == "bgr":
            crops = np.ascontiguousarray(crops[..., ::-1])
        ordered = (
            [cv2.cvtColor(c, cv2.COLOR_RGB2GRAY)[..., None] for c in crops] if colour == "grey" else crops
        )
        result = self._predictor.logits_of_crops(ordered, self.batch_size)
        result /= np.linalg.norm(result, axis=1, keepdims=True)
        return result

    def close(self) -> None:
        """Free the model."""
        self._predictor.close()


def _check_kind(manifest: BundleManifest) -> None:
    task = manifest.task
    spec = task.preprocess
    if (task.kind, spec.geometry, spec.input_dtype) != ("embedding", "align", "uint8"):
        raise BundleError(
            f"bundle {manifest.name} is no face embedder",
            expected="kind embedding, geometry align, input uint8",
            got=f"kind {task.kind}, geometry {spec.geometry}, input {spec.input_dtype}",
        )
