"""Images to calibrated answers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np

from vnvision.engines import Engine
from vnvision.errors import BundleError, ConfigError, DataError, ModelError
from vnvision.imaging import Preprocessor, read
from vnvision.imaging.preprocess import Landmarks
from vnvision.records import BundleManifest, Calibration, OperatingPoint
from vnvision.runtime.answers import Answer, answers
from vnvision.runtime.readahead import read_ahead
from vnvision.runtime.target import remaining_preprocess
from vnvision.spec import TaskSpec

Source = str | Path | bytes | np.ndarray
_READERS = min(4, os.cpu_count() or 1)


class Predictor:
    """A loaded bundle: classification, multilabel, embedding, segmentation or detection.

    Holds no state between calls; safe to call from several threads.

    Args:
        manifest: the bundle's manifest.
        target: which of its targets ``engine`` holds.
        engine: the loaded model.

    Raises:
        BundleError: the task, or something the target asks for, is not supported here.
    """

    def __init__(self, manifest: BundleManifest, target: str, engine: Engine) -> None:
        record = manifest.targets[target]
        self.manifest = manifest
        self.target = target
        self.engine = engine
        self.task = manifest.task
        self.name = manifest.name
        self.calibration: Calibration = record.calibration
        self.operating_points: tuple[OperatingPoint, ...] = record.operating_points
        self.preprocessor = Preprocessor(remaining_preprocess(self.task.preprocess, record))
        self._labels = self.task.label_ids
        self._width = output_width(self.task)
        self._dense = self.task.kind in ("segmentation", "detection")
        if self._dense and self.task.preprocess.flip_average:
            raise BundleError(
                f"bundle {self.name}: maps are not averaged over the flip", fix="export it again"
            )
        if self.calibration.scope_file is not None:
            raise BundleError(
                f"bundle {self.name}: this version cannot apply a scope gate", fix="update vnvision"
            )
        if len(self.calibration.temperatures) not in (1, len(self._labels)):
            got = str(len(self.calibration.temperatures))
            raise BundleError(
                f"bundle {self.name}: wrong temperatures", expected=f"1 or {len(self._labels)}", got=got
            )

    def predict(self, source: Source, *, landmarks_px: Landmarks | None = None) -> Answer:
        """Answer for one image.

        Args:
            source: a path, the bytes of an image file, or an image (H, W, 3) RGB or (H, W, 1) grey.
            landmarks_px: (5, 2), for models whose faces are aligned.

        Raises:
            DataError: the image cannot be read, or does not fit the model.
            ModelError: inference failed.
        """
        image, name = _open(source)
        outputs = self._run([self.preprocessor.geometry(image, landmarks_px)])
        size = (image.shape[0], image.shape[1])
        return answers(outputs, self.task, self._labels, self.calibration, [name], [size])[0]

    def predict_many(
        self,
        sources: Iterable[Source],
        batch_size: int = 16,
        on_error: Literal["raise", "yield"] = "raise",
    ) -> Iterator[Answer | DataError]:
        """Answers in the order of ``sources``, which may be endless; files are decoded ahead, in threads.

        Holds at most three batches of crops, and one decoded image a thread.

        Args:
            sources: as for ``predict``.
            batch_size: images an inference.
            on_error: what becomes of an image that cannot be read: ``raise`` its DataError after the answers
                before it, or ``yield`` the DataError in its place and go on.

        Raises:
            ConfigError: wrong ``batch_size`` or ``on_error``.
        """
        _check_batch_size(batch_size)
        if on_error not in ("raise", "yield"):
            raise ConfigError("on_error is wrong", expected="raise or yield", got=repr(on_error))
        return self._stream(iter(sources), batch_size, on_error)

    def _stream(
        self, sources: Iterator[Source], batch_size: int, on_error: str
    ) -> Iterator[Answer | DataError]:
        crops = read_ahead(self._crop, sources, workers=_READERS, ahead=2 * batch_size)
        with closing(crops):
            while chunk := list(islice(crops, batch_size)):
                good = [(crop, name, size) for crop, name, size in chunk if not isinstance(crop, DataError)]
                found: Iterator[Answer] = iter(())
                if good:
                    crops_, names, sizes = zip(*good, strict=True)
                    outputs = self._run(crops_)
                    found = iter(answers(outputs, self.task, self._labels, self.calibration, names, sizes))
                for crop, _, _ in chunk:
                    if not isinstance(crop, DataError):
                        yield next(found)
                    elif on_error == "raise":
                        raise crop
                    else:
                        yield crop

    def _crop(self, source: Source) -> tuple[np.ndarray | DataError, str | None, tuple[int, int]]:
        try:
            image, name = _open(source)
            return self.preprocessor.geometry(image), name, (image.shape[0], image.shape[1])
        except DataError as exc:
            return exc, None, (0, 0)

    def logits(self, images: Sequence[np.ndarray], batch_size: int = 16) -> np.ndarray:
        """Raw model outputs, neither calibrated nor scaled to unit norm, averaged over the flip if asked for.

        Args:
            images: each (H, W, 3) RGB or (H, W, 1) grey.
            batch_size: images an inference.

        Returns:
            (N, C) or (N, D) float32; (N, P, h, w) planes of a segmenter or detector, for ``runtime.dense``.
        """
        return self._batched(images, batch_size, self.preprocessor.geometry)

    def logits_of_crops(self, crops: Sequence[np.ndarray] | np.ndarray, batch_size: int = 16) -> np.ndarray:
        """As ``logits``, for images that already went through ``Preprocessor.geometry`` (golden inputs).

        Args:
            crops: (N, h, w, C) in the spec's dtype, size and colour order.
            batch_size: crops an inference.
        """
        return self._batched(crops, batch_size, lambda crop: crop)

    def _batched(
        self,
        images: Sequence[np.ndarray] | np.ndarray,
        batch_size: int,
        geometry: Callable[[np.ndarray], np.ndarray],
    ) -> np.ndarray:
        _check_batch_size(batch_size)
        parts = []
        for start in range(0, len(images), batch_size):
            parts.append(self._run([geometry(image) for image in images[start : start + batch_size]]))
        return np.concatenate(parts) if parts else np.empty((0, self._width), np.float32)

    def _run(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Normalise and infer: (N, C) float32 raw outputs of N crops."""
        spec, count = self.task.preprocess, len(crops)
        views = 2 if spec.flip_average else 1
        batch = np.empty((views * count, spec.channels, *spec.size_px), np.float32)
        for index, crop in enumerate(crops):
            self.preprocessor.normalise(crop, batch[index])
        if spec.flip_average:
            np.copyto(batch[count:], batch[:count, :, :, ::-1])
        outputs = self.engine.run(batch)[0]
        if outputs.shape[:2] != (views * count, self._width) or outputs.ndim != (4 if self._dense else 2):
            raise ModelError(
                f"the model of {self.name} gives the wrong output",
                expected=f"({views * count}, {self._width}{', h, w' if self._dense else ''})",
                got=str(outputs.shape),
                fix="the manifest does not belong to this model",
            )
        return outputs if views == 1 else (outputs[:count] + outputs[count:]) / np.float32(2)

    def close(self) -> None:
        """Free the model."""
        self.engine.close()


def output_width(task: TaskSpec) -> int:
    """Second axis of the output: labels, embedding dimensions, or a detector's labels and four sides."""
    if task.kind == "embedding":
        return task.embedding_dim or 0
    return len(task.labels) + (4 if task.kind == "detection" else 0)


def _open(source: Source) -> tuple[np.ndarray, str | None]:
    if isinstance(source, np.ndarray):
        return source, None
    sample = read(source)
    return sample.image, sample.source


def _check_batch_size(batch_size: int) -> None:
    if batch_size < 1:
        raise ConfigError("batch_size is wrong", expected="1 or more", got=str(batch_size))
