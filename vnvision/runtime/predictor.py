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
from vnvision.imaging import read
from vnvision.imaging.preprocess import Landmarks
from vnvision.records import BundleManifest, Calibration, OperatingPoint, Sample
from vnvision.runtime import heatmap as maps
from vnvision.runtime.answers import Answer, answers
from vnvision.runtime.bundle import scope_gate
from vnvision.runtime.label_scope import Gate
from vnvision.runtime.lesions import with_healthy
from vnvision.runtime.picture_quality import measure_all
from vnvision.runtime.readahead import read_ahead
from vnvision.runtime.target import Outputs, Runner, check_batch_size

Source = str | Path | bytes | np.ndarray
Reader = Callable[[str | Path | bytes], Sample]
_READERS = min(4, os.cpu_count() or 1)


class Predictor:
    """A loaded bundle: classification, multilabel, embedding, segmentation or detection.

    Holds no state between calls; safe to call from several threads.

    Args:
        manifest: the bundle's manifest.
        target: which of its targets ``engine`` holds.
        engine: the loaded model.
        scope: the scope gate; read from the bundle where the target's calibration names one, unless given.
        reader: how files and bytes become samples; ``IsolatedReader().read`` for files from strangers.
        signer: fingerprint of the trusted key that signed the bundle; None where none was asked for.

    Raises:
        BundleError: the task, or something the target asks for, is not supported here.
    """

    def __init__(
        self,
        manifest: BundleManifest,
        target: str,
        engine: Engine,
        scope: Gate | None = None,
        *,
        reader: Reader = read,
        signer: str | None = None,
    ) -> None:
        self.signer = signer
        self.read = reader
        record = manifest.targets[target]
        self.manifest = manifest
        self.target = target
        self.engine = engine
        self.task = manifest.task
        self.name = manifest.name
        self.calibration: Calibration = record.calibration
        self.operating_points: tuple[OperatingPoint, ...] = record.operating_points
        self._run = Runner(manifest, target, engine)
        self.preprocessor = self._run.preprocessor
        self._labels = self.task.label_ids
        if scope is None and self.calibration.scope_file is not None:
            scope = scope_gate(manifest, target, engine.path)
        self.scope = scope
        if scope is not None and "features" not in engine.output_names:
            raise BundleError(
                f"bundle {self.name}: its scope gate needs features", fix="export the model again"
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
        image, name = self._open(source)
        crop = self.preprocessor.geometry(image, landmarks_px)
        return self._answers([crop], [name], [(image.shape[0], image.shape[1])])[0]

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
        check_batch_size(batch_size)
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
                    found = iter(self._answers(crops_, names, sizes))
                for crop, _, _ in chunk:
                    if not isinstance(crop, DataError):
                        yield next(found)
                    elif on_error == "raise":
                        raise crop
                    else:
                        yield crop

    def _crop(self, source: Source) -> tuple[np.ndarray | DataError, str | None, tuple[int, int]]:
        try:
            image, name = self._open(source)
            return self.preprocessor.geometry(image), name, (image.shape[0], image.shape[1])
        except DataError as exc:
            return exc, None, (0, 0)

    def _answers(
        self, crops: Sequence[np.ndarray], names: Sequence[str | None], sizes: Sequence[tuple[int, int]]
    ) -> list[Answer]:
        outputs, refusals = self._run(crops), None
        if self.scope is not None and outputs.features is not None:
            refusals = self.scope.reasons(outputs.features, self._measures(crops), outputs.answer)
        if self.calibration.lesions is not None:
            refusals = with_healthy(refusals, crops, self.task.preprocess, self.calibration.lesions)
        task, calibration = self.task, self.calibration
        return answers(outputs.answer, task, self._labels, calibration, names, sizes, refusals)

    def logits(self, images: Sequence[np.ndarray], batch_size: int = 16) -> np.ndarray:
        """Raw model outputs, neither calibrated nor scaled to unit norm, averaged over the flip if asked for.

        Args:
            images: each (H, W, 3) RGB or (H, W, 1) grey.
            batch_size: images an inference.

        Returns:
            (N, C) or (N, D) float32; (N, P, h, w) planes of a segmenter or detector, for ``runtime.dense``.
        """
        return self._run.batched(images, batch_size, self.preprocessor.geometry).answer

    def features(self, images: Sequence[np.ndarray], batch_size: int = 16) -> np.ndarray:
        """What the classifier takes in, (N, F) float32, for images as in ``logits``.

        Raises:
            ModelError: the file gives no features.
        """
        found = self._run.batched(images, batch_size, self.preprocessor.geometry).features
        if found is None:
            raise ModelError(f"the model of {self.name} gives no features", fix="export it again")
        return found

    def scope_score(self, images: Sequence[np.ndarray], batch_size: int = 16) -> np.ndarray:
        """How strange images are to the model, (N,) float64; above ``scope.limit`` they are out of scope.

        Raises:
            ConfigError: the bundle has no scope gate.
        """
        if self.scope is None:
            raise ConfigError(f"bundle {self.name} has no scope gate", fix="export a run that was given one")
        found = self._run.batched(images, batch_size, self.preprocessor.geometry)
        if found.features is None:  # a gate without features is refused when the bundle is opened
            raise ModelError(f"the model of {self.name} gives no features", fix="export it again")
        measures = self._measures([self.preprocessor.geometry(image) for image in images])
        return self.scope.score(found.features, measures, found.answer)

    def heatmap(
        self, source: Source, label: str | None = None, method: Literal["auto", "cam", "occlusion"] = "auto"
    ) -> np.ndarray:
        """Where in the picture a label was seen: (H, W) float32, 0 to 1, at the picture's own size.

        Negative evidence is left out and the rest divided by *this picture's* largest value, so a map says
        where, never how sure. What the model does not see (the rim of a centre crop) is 0.

        Args:
            source: as for ``predict``.
            label: a label's id; the most probable one unless given.
            method: ``cam`` (class activation map, computed in the model's file), ``occlusion`` (any
                classifier, about a hundred inferences), or ``auto``: the first of these there is.

        Raises:
            ConfigError: no such label or method, or not a classifier.
            ModelError: ``cam`` where the file gives none.
        """
        image, _ = self._open(source)
        return maps.heatmap(self, image, label, method)

    def run_crops(self, crops: Sequence[np.ndarray]) -> Outputs:
        """Every output for crops that went through ``Preprocessor.geometry``, in one batch."""
        return self._run(crops)

    def _open(self, source: Source) -> tuple[np.ndarray, str | None]:
        if isinstance(source, np.ndarray):
            return source, None
        sample = self.read(source)
        return sample.image, sample.source

    def _measures(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        return measure_all(list(crops), self.task.preprocess)

    def logits_of_crops(self, crops: Sequence[np.ndarray] | np.ndarray, batch_size: int = 16) -> np.ndarray:
        """As ``logits``, for images that already went through ``Preprocessor.geometry`` (golden inputs).

        Args:
            crops: (N, h, w, C) in the spec's dtype, size and colour order.
            batch_size: crops an inference.
        """
        return self._run.batched(crops, batch_size, lambda crop: crop).answer

    def close(self) -> None:
        """Free the model."""
        self.engine.close()
