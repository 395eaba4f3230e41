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

Source = str | Path | bytes | np.ndarray
_READERS = min(4, os.cpu_count() or 1)


class Predictor:
    """A loaded bundle: classification, multilabel or embedding.

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
        embeds = self.task.kind == "embedding"
        self._width = (self.task.embedding_dim or 0) if embeds else len(self._labels)
        if self.task.kind not in ("classification", "multilabel", "embedding"):
            raise BundleError(f"bundle {self.name}: this version cannot predict {self.task.kind}")
        if self.calibration.scope_file is not None:
            raise BundleError(
                f"bundle {self.name}: this version cannot apply a scope gate", fix="update vnvision"
            )
        if len(self.calibration.temperatures) not in (1, self._width):
            got = str(len(self.calibration.temperatures))
            raise BundleError(
                f"bundle {self.name}: wrong temperatures", expected=f"1 or {self._width}", got=got
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
        return answers(outputs, self.task, self._labels, self.calibration, [name])[0]

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
                good = [(crop, name) for crop, name in chunk if not isinstance(crop, DataError)]
                found: Iterator[Answer] = iter(())
                if good:
                    outputs = self._run([crop for crop, _ in good])
                    found = iter(
                        answers(
                            outputs, self.task, self._labels, self.calibration, [name for _, name in good]
                        )
                    )
                for crop, _ in chunk:
                    if not isinstance(crop, DataError):
                        yield next(found)
                    elif on_error == "raise":
                        raise crop
                    else:
                        yield crop

    def _crop(self, source: Source) -> tuple[np.ndarray | DataError, str | None]:
        try:
            image, name = _open(source)
            return self.preprocessor.geometry(image), name
        except DataError as exc:
            return exc, None

    def logits(self, images: Sequence[np.ndarray], batch_size: int = 16) -> np.ndarray:
        """Raw model outputs, neither calibrated nor scaled to unit norm, averaged over the flip if asked for.

        Args:
            images: each (H, W, 3) RGB or (H, W, 1) grey.
            batch_size: images an inference.

        Returns:
            (N, C) or (N, D) float32.
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
        out = np.empty((len(images), self._width), np.float32)
        for start in range(0, len(images), batch_size):
            part = [geometry(image) for image in images[start : start + batch_size]]
            out[start : start + len(part)] = self._run(part)
        return out

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
        if outputs.shape != (views * count, self._width):
            raise ModelError(
                f"the model of {self.name} gives the wrong output",
                expected=f"{(views * count, self._width)}",
                got=str(outputs.shape),
                fix="the manifest does not belong to this model",
            )
        return outputs if views == 1 else (outputs[:count] + outputs[count:]) / np.float32(2)

    def close(self) -> None:
        """Free the model."""
        self.engine.close()


def _open(source: Source) -> tuple[np.ndarray, str | None]:
    if isinstance(source, np.ndarray):
        return source, None
    sample = read(source)
    return sample.image, sample.source


def _check_batch_size(batch_size: int) -> None:
    if batch_size < 1:
        raise ConfigError("batch_size is wrong", expected="1 or more", got=str(batch_size))
