"""Is this a live face or a picture of one? Passive liveness with ONNX networks on crops around the face.

What a network expects is declared in its ``LivenessSpec``, never guessed. Several networks that look at
different amounts of context are fused by the mean of their scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from vnvision import atomic
from vnvision.engines import Engine, EngineName, available_engines, open_engine
from vnvision.errors import ConfigError, DataError, ModelError
from vnvision.faces.liveness_spec import (
    LIVENESS_FILE,
    LivenessModels,
    LivenessSpec,
    context_box,
    context_factor,
)
from vnvision.imaging import Preprocessor
from vnvision.metrics.scores import softmax
from vnvision.records import Face

__all__ = ["LIVENESS_FILE", "Liveness", "LivenessModels", "LivenessSpec", "context_box", "context_factor"]

_SUM_TOLERANCE = 1e-3


class Liveness:
    """Liveness scores of faces, 0 (an attack) to 1 (live): the mean over the networks.

    The score is not a calibrated probability: choose a threshold with ``metrics.attacks`` on pictures from
    your own cameras. It judges what stood before a camera, from the whole frame: a picture file that was
    never presented, or a tight crop (see ``context_factor``), is outside what it can answer.

    Args:
        models: the networks; ``from_folder`` reads them from ``liveness.json``.
        engine: ``onnxruntime`` or ``openvino``; None takes the first one installed.
        threads: of one inference.
        folder: where the files are.
        batch_size: crops a call of a network.

    Raises:
        ConfigError: no model, or a batch size below 1.
        ModelError: a file is missing, has another hash, or does not take or answer what its spec says.
    """

    def __init__(
        self,
        models: Sequence[LivenessSpec],
        engine: EngineName | None = None,
        threads: int | None = None,
        *,
        folder: str | Path = ".",
        batch_size: int = 32,
    ) -> None:
        if not models or batch_size < 1:
            raise ConfigError(
                "liveness cannot start",
                expected="one model or more, batch_size 1 or more",
                got=f"{len(models)} models, batch_size {batch_size}",
            )
        self.models = tuple(models)
        chosen = engine or available_engines()[0]
        self._networks = [_Network(spec, Path(folder), chosen, threads, batch_size) for spec in models]

    @classmethod
    def from_folder(
        cls, folder: str | Path, engine: EngineName | None = None, threads: int | None = None
    ) -> Self:
        """The networks that ``liveness.json`` in a folder declares.

        Raises:
            ModelError: as the class, or ``liveness.json`` is missing or wrong; every wrong key is named.
        """
        declared = LivenessModels.load(Path(folder) / LIVENESS_FILE, ModelError)
        return cls(declared.models, engine, threads, folder=folder)

    def score(self, image: np.ndarray, face: Face) -> float:
        """The liveness score of one face."""
        return float(self.scores([image], [face])[0])

    def scores(self, images: Sequence[np.ndarray], faces: Sequence[Face]) -> np.ndarray:
        """(N,) float64 scores; arguments and errors as ``model_scores``."""
        return np.asarray(self.model_scores(images, faces).mean(axis=1))

    def model_scores(self, images: Sequence[np.ndarray], faces: Sequence[Face]) -> np.ndarray:
        """What each network says by itself: (N, M) float64, 0 to 1.

        Args:
            images: (H, W, 3) or (H, W, 1) uint8 RGB or grey, the whole picture each face was found in.
            faces: one a picture; a picture with several faces is given several times.

        Raises:
            DataError: not as many faces as pictures, a picture of another shape or dtype, or a face outside.
            ModelError: an answer is not what the spec says.
        """
        if len(images) != len(faces):
            raise DataError("faces do not fit", expected=f"{len(images)}, one a picture", got=str(len(faces)))
        for number, image in enumerate(images):
            if image.ndim != 3 or image.shape[2] not in (1, 3) or image.dtype != np.uint8 or not image.size:
                raise DataError(
                    f"picture {number} cannot be judged for liveness",
                    expected="(H, W, 3) or (H, W, 1) uint8",
                    got=f"{image.shape} {image.dtype}",
                )
        return np.stack([network.scores(images, faces) for network in self._networks], axis=1)

    def close(self) -> None:
        """Free the models."""
        for network in self._networks:
            network.close()


class _Network:
    """One network with its crop."""

    def __init__(
        self, spec: LivenessSpec, folder: Path, engine: EngineName, threads: int | None, batch_size: int
    ) -> None:
        self._spec, self._path = spec, folder / spec.file
        self._preprocessor = Preprocessor(spec.preprocess)
        self._engine: Engine = open_engine(_checked(self._path, spec), engine, threads=threads)
        batch, *wanted = self._engine.input_shape
        shape = (self._preprocessor.spec.channels, *spec.preprocess.size_px)
        fits = all(side in (None, own) for side, own in zip(wanted, shape, strict=True))
        if not fits or batch not in (None, 1):
            raise ModelError(
                f"{self._path} does not take what its spec says",
                expected=f"(any or 1, {', '.join(map(str, shape))})",
                got=str(self._engine.input_shape),
            )
        self._step = batch or batch_size
        self._read(self._engine.run(np.zeros((1, *shape), np.float32)), 1)

    def scores(self, images: Sequence[np.ndarray], faces: Sequence[Face]) -> np.ndarray:
        result = np.empty(len(faces))
        for at in range(0, len(faces), self._step):
            part = slice(at, at + self._step)
            crops = [self._crop(*pair) for pair in zip(images[part], faces[part], strict=True)]
            outputs = self._engine.run(self._preprocessor.batch(crops))
            result[part] = self._read(outputs, len(crops))
        return result

    def close(self) -> None:
        self._engine.close()

    def _crop(self, image: np.ndarray, face: Face) -> np.ndarray:
        height, width = image.shape[:2]
        x0, y0, x1, y1 = context_box(face.box_xyxy_px, self._spec.scale, (height, width))
        return image[y0:y1, x0:x1]

    def _read(self, outputs: Sequence[np.ndarray], n: int) -> np.ndarray:
        """(n,) share of the live class in the first output, checked."""
        raw = np.asarray(outputs[0])
        if raw.shape != (n, self._spec.classes) or not np.isfinite(raw).all():
            raise ModelError(
                f"{self._path} does not answer what its spec says",
                expected=f"({n}, {self._spec.classes}) finite numbers",
                got=str(raw.shape) if np.isfinite(raw).all() else "NaN or infinity",
            )
        if self._spec.output == "logits":
            return softmax(raw)[:, self._spec.live_index]
        if raw.min() < 0 or np.abs(raw.sum(axis=1) - 1).max() > _SUM_TOLERANCE:
            raise ModelError(
                f"{self._path} does not answer probabilities",
                expected="0 or more, rows that sum to 1",
                got=f"from {raw.min():g}, sums to {raw.sum(axis=1).max():g}",
                fix="declare output as logits",
            )
        return np.asarray(raw[:, self._spec.live_index], np.float64).clip(0, 1)


def _checked(path: Path, spec: LivenessSpec) -> Path:
    """The path, where the file is there and has the hash that was declared."""
    if not path.is_file():
        raise ModelError(
            f"liveness model {path} does not exist",
            expected=f"sha256 {spec.sha256[:12]}",
            fix=f"put it there, or correct file in {LIVENESS_FILE}",
        )
    got = atomic.sha256_file(path)
    if got != spec.sha256:
        raise ModelError(
            f"{path} is not the declared file",
            expected=f"sha256 {spec.sha256[:12]}",
            got=got[:12],
            fix="copy or convert it again",
        )
    return path
