"""Aligned crops to unit-norm embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vnvision.engines import EngineName, available_engines, open_engine
from vnvision.errors import ConfigError
from vnvision.faces.graph import prepared
from vnvision.faces.prelu import for_onnxruntime
from vnvision.imaging import Preprocessor
from vnvision.records import Face
from vnvision.spec import PreprocessSpec

# OpenVINO shares a batch among its threads; in ONNX Runtime larger batches fall out of the cache.
_BATCH: dict[EngineName, int] = {"openvino": 32, "onnxruntime": 2}


class SFace:
    """128 numbers a face; alike faces have a high cosine.

    The network takes RGB from 0 to 255 on the 112 x 112 ArcFace template and normalises inside. With
    ``flip`` a crop and its mirror image are embedded and averaged, which is how our thresholds were made.

    Source: Zhong et al. 2021, "SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition",
    IEEE Transactions on Image Processing 30, 2587-2598.

    Args:
        engine: ``onnxruntime`` or ``openvino``; None takes the first one installed.
        threads: of one inference.
        batch_size: crops a call of the network; None takes what was fastest on two cores.
        flip: average with the mirror image.
        folder: where the weights are; see ``find_weights``.

    Attributes:
        fingerprint: of model and preprocessing; embeddings with different ones must not be compared.
        size: length of an embedding.

    Raises:
        ModelError: no weights, or not the published ones.
    """

    size = 128
    # (x - 0) / 255 / (1 / 255): the network is given what the picture holds.
    preprocess = PreprocessSpec(size_px=(112, 112), geometry="align", std=(1 / 255,) * 3, flip_average=True)

    def __init__(
        self,
        *,
        engine: EngineName | None = None,
        threads: int | None = None,
        batch_size: int | None = None,
        flip: bool = True,
        folder: str | Path | None = None,
    ) -> None:
        engine = engine or available_engines()[0]
        batch_size = _BATCH[engine] if batch_size is None else batch_size
        if batch_size < 1:
            raise ConfigError("batch_size is wrong", expected="1 or more", got=str(batch_size))
        path = prepared("sface", folder)
        self.batch_size, self.flip = batch_size, flip
        spec = self.preprocess.model_copy(update={"flip_average": flip})
        self._preprocessor = Preprocessor(spec)
        self.fingerprint = f"{path.stem}:{spec.fingerprint()}"
        file = for_onnxruntime(path) if engine == "onnxruntime" else path
        self._engine = open_engine(file, engine, threads=threads)

    def align(self, image: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
        """Cut faces out onto the template: (K, 112, 112, 3) uint8 RGB, in the order given."""
        crops = [self._preprocessor.geometry(image, face.landmarks_px) for face in faces]
        return np.stack(crops) if crops else np.empty((0, *self.preprocess.size_px, 3), np.uint8)

    def embed(self, crops: np.ndarray) -> np.ndarray:
        """Aligned crops (K, 112, 112, 3) uint8 RGB -> unit-norm embeddings (K, 128) float32.

        Raises:
            DataError: crops of another shape or dtype.
        """
        result = np.empty((len(crops), self.size), np.float32)
        for at in range(0, len(crops), self.batch_size):
            part = crops[at : at + self.batch_size]
            batch = np.stack([self._preprocessor.normalise(crop) for crop in part])
            if self.flip:
                batch = np.concatenate([batch, batch[..., ::-1]])
            raw = self._engine.run(batch)[0]
            result[at : at + len(part)] = raw[: len(part)] + raw[len(part) :] if self.flip else raw
        result /= np.linalg.norm(result, axis=1, keepdims=True)
        return result

    def close(self) -> None:
        """Free the model."""
        self._engine.close()
