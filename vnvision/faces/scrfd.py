"""SCRFD over any engine: the detector of insightface's model packs, decoded in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from vnvision.engines import EngineName, available_engines, open_engine
from vnvision.errors import ConfigError, ModelError
from vnvision.faces.pictures import as_rgb
from vnvision.records import Face

_STRIDES, _ANCHORS = (8, 16, 32), 2
_WIDTHS = (1, 4, 10)  # score, distances to the four sides, five landmarks
_MULTIPLE_PX, _DEFAULT_PX = 32, 640
_BATCH_PIXELS = 4 * 640 * 640
_MAX_FACES = 5000  # before overlapping ones are dropped


class SCRFD:
    """Faces in RGB pictures, from an ONNX file of SCRFD with landmarks.

    Each picture is scaled, up or down and bilinearly, to fit the input, and padded with black at the right
    and below, as insightface does: its scores are of such pictures. As all become one size, pictures of any
    sizes share a batch where the file allows batches; files exported for one picture take them in turn.

    Source: Guo et al. 2021, "Sample and Computation Redistribution for Efficient Face Detection",
    arXiv 2105.04714: three levels, two anchors a place, distances in strides from the anchor's place.

    Args:
        path: nine outputs: scores, boxes and landmarks, each at strides 8, 16 and 32.
        engine: ``onnxruntime`` or ``openvino``; None takes the first one installed.
        threads: of one inference.
        size_px: height and width of the input; None takes the file's own, 640 x 640 where it is open.
        min_score: faces below are dropped, 0 to 1.
        overlap: intersection over union from which the weaker of two boxes is dropped.
        mean_px: the input is ``(x - mean_px) / std_px``, RGB, x from 0 to 255.
        std_px: see ``mean_px``.

    Raises:
        ModelError: the file is missing, damaged, or no such network.
        ConfigError: a limit out of range, or a size the file does not take.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        engine: EngineName | None = None,
        threads: int | None = None,
        size_px: tuple[int, int] | None = None,
        min_score: float = 0.5,
        overlap: float = 0.4,
        mean_px: float = 127.5,
        std_px: float = 128.0,
    ) -> None:
        if not 0 < min_score < 1 or not 0 < overlap <= 1 or std_px <= 0:
            raise ConfigError(
                "the detector's limits are wrong",
                expected="min_score and overlap between 0 and 1, std_px above 0",
                got=f"{min_score}, {overlap}, {std_px}",
            )
        self.path, self.min_score, self.overlap = Path(path), min_score, overlap
        self._mean, self._std = mean_px, std_px
        self._engine = open_engine(path, engine or available_engines()[0], threads=threads)
        try:
            self.size_px = self._size(size_px)
            self._many = self._takes_many()
        except (ConfigError, ModelError):
            self._engine.close()
            raise

    def detect(self, images: Sequence[np.ndarray]) -> list[tuple[Face, ...]]:
        """Faces of each picture, the most certain first. Boxes may reach over the picture's edge.

        Args:
            images: (H, W, 3) or (H, W, 1) uint8 RGB or grey each, of any sizes.

        Returns:
            One tuple a picture, empty where no face was found.

        Raises:
            DataError: another shape or dtype; the picture's number is named.
            ModelError: inference failed.
        """
        pictures = [as_rgb(image, number) for number, image in enumerate(images)]
        step = max(1, _BATCH_PIXELS // (self.size_px[0] * self.size_px[1])) if self._many else 1
        found: list[tuple[Face, ...]] = []
        for at in range(0, len(pictures), step):
            found += self._run(pictures[at : at + step])
        return found

    def close(self) -> None:
        """Free the model."""
        self._engine.close()

    def _run(self, pictures: Sequence[np.ndarray]) -> list[tuple[Face, ...]]:
        batch = np.full((len(pictures), 3, *self.size_px), -self._mean / self._std, np.float32)
        scales = []
        for row, picture in enumerate(pictures):
            height, width = _fitted(picture.shape[:2], self.size_px)
            small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
            batch[row, :, :height, :width] = (small.transpose(2, 0, 1) - self._mean) / self._std
            # Each side was rounded on its own, so each axis has a scale of its own.
            scales.append(np.array([width / picture.shape[1], height / picture.shape[0]]))
        scores, boxes, points = decode(self._engine.run(batch), len(pictures), self.size_px, self.path)
        return [
            faces_of(scores[i], boxes[i] / np.tile(scales[i], 2), points[i] / scales[i], self)
            for i in range(len(pictures))
        ]

    def _size(self, wanted: tuple[int, int] | None) -> tuple[int, int]:
        n, channels, height, width = self._engine.input_shape
        if channels != 3 or n not in (1, None):
            raise ModelError(
                f"{self.path} is no SCRFD",
                expected="input (N or 1, 3, H, W)",
                got=str(self._engine.input_shape),
            )
        size = wanted or (height or _DEFAULT_PX, width or _DEFAULT_PX)
        fits = all(own in (None, side) for own, side in zip((height, width), size, strict=True))
        if not fits or any(side < _MULTIPLE_PX or side % _MULTIPLE_PX for side in size):
            own = f"{height} x {width}" if height and width else f"multiples of {_MULTIPLE_PX}"
            raise ConfigError(
                f"{self.path.name} does not take this size", expected=own, got=f"{size[0]} x {size[1]}"
            )
        return size

    def _takes_many(self) -> bool:
        """One run on a black picture proves the outputs' number, order and lengths."""
        outputs = self._engine.run(np.zeros((1, 3, *self.size_px), np.float32))
        decode(outputs, 1, self.size_px, self.path)
        return self._engine.input_shape[0] is None and outputs[0].ndim == 3


def decode(
    outputs: Sequence[np.ndarray], count: int, size_px: tuple[int, int], path: Path
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nine maps -> scores (N, P), boxes (N, P, 4) x0 y0 x1 y1, landmarks (N, P, 5, 2), in input pixels.

    Raises:
        ModelError: other maps, or scores that are no probabilities.
    """
    places = [(size_px[0] // s) * (size_px[1] // s) * _ANCHORS for s in _STRIDES]
    wanted = [(count, number, width) for width in _WIDTHS for number in places]
    got = [(1, *part.shape) if part.ndim == 2 else part.shape for part in outputs]
    if got != wanted:
        raise ModelError(
            f"{path} is no SCRFD with landmarks",
            expected="scores, boxes, landmarks at strides 8, 16, 32: " + ", ".join(map(str, wanted)),
            got=", ".join(map(str, got)),
        )
    maps = [part.reshape(shape) for part, shape in zip(outputs, wanted, strict=True)]
    scores = np.concatenate(maps[:3], axis=1)[..., 0]
    if not (scores.min() >= 0 and scores.max() <= 1):
        raise ModelError(f"{path} gives no probabilities", expected="scores from 0 to 1 (sigmoid inside)")
    boxes, points = [], []
    for level, stride in enumerate(_STRIDES):
        rows, columns = size_px[0] // stride, size_px[1] // stride
        cell = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)
        place = np.repeat(cell, _ANCHORS, axis=0).astype(np.float32)
        sides, marks = maps[3 + level], maps[6 + level].reshape(count, -1, 5, 2)
        boxes.append(np.concatenate([place - sides[..., :2], place + sides[..., 2:]], axis=-1) * stride)
        points.append((place[:, None] + marks) * stride)
    return scores, np.concatenate(boxes, 1), np.concatenate(points, 1)


def faces_of(scores: np.ndarray, boxes: np.ndarray, points: np.ndarray, limits: SCRFD) -> tuple[Face, ...]:
    """The faces that are certain enough, overlapping ones dropped, the most certain first."""
    kept = np.flatnonzero(scores >= limits.min_score)
    kept = kept[np.argsort(-scores[kept], kind="stable")][:_MAX_FACES]
    if not len(kept):
        return ()
    sides = [[x0, y0, x1 - x0, y1 - y0] for x0, y0, x1, y1 in boxes[kept].tolist()]
    winners = cv2.dnn.NMSBoxes(sides, scores[kept].tolist(), 0.0, limits.overlap)
    return tuple(
        Face(
            box_xyxy_px=tuple(boxes[k].tolist()),
            landmarks_px=tuple((float(x), float(y)) for x, y in points[k]),
            score=float(scores[k]),
        )
        for k in kept[np.sort(np.asarray(winners, dtype=np.int64).reshape(-1))]
    )


def _fitted(shape: tuple[int, ...], size_px: tuple[int, int]) -> tuple[int, int]:
    scale = min(size_px[0] / shape[0], size_px[1] / shape[1])
    height, width = (min(size_px[i], max(1, round(shape[i] * scale))) for i in (0, 1))
    return height, width
