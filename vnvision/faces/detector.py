"""YuNet over any engine, many pictures a call: boxes, five landmarks, scores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from vnvision.engines import EngineName, available_engines, open_engine
from vnvision.errors import ConfigError
from vnvision.faces.graph import prepared
from vnvision.faces.pictures import as_rgb
from vnvision.records import Face

_STRIDES = (8, 16, 32)
_MULTIPLE_PX = 32
_BATCH_PIXELS = 4 * 320 * 320  # its maps take some 50 bytes a pixel: those of larger batches leave the cache
_MAX_FACES = 5000  # before overlapping ones are dropped
_BORDER = 0.5  # of the picture's sides, for the second look


class YuNet:
    """Faces in RGB pictures.

    Pictures are shrunk to ``max_side_px``, padded to whole cells and put through the network in batches of
    one size. A picture in which nothing is found is looked at once more with a grey border around it, because
    the network was trained on faces in scenes: a face that fills its picture is otherwise missed.

    Source: Wu, Peng and Yu 2023, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence
    Research 20, 656-665.

    Args:
        engine: ``onnxruntime`` or ``openvino``; None takes the first one installed.
        threads: of one inference.
        max_side_px: pictures are shrunk to this longer side; faces under a fiftieth of it are missed.
        min_score: faces below are dropped, 0 to 1.
        overlap: intersection over union from which the weaker of two boxes is dropped.
        second_look: look again with a border where nothing was found.
        folder: where the weights are; see ``find_weights``.

    Raises:
        ModelError: no weights, or not the published ones.
        ConfigError: a limit out of range.
    """

    def __init__(
        self,
        *,
        engine: EngineName | None = None,
        threads: int | None = None,
        max_side_px: int = 640,
        min_score: float = 0.7,
        overlap: float = 0.3,
        second_look: bool = True,
        folder: str | Path | None = None,
    ) -> None:
        if max_side_px < _MULTIPLE_PX or not 0 < min_score < 1 or not 0 < overlap <= 1:
            raise ConfigError(
                "the detector's limits are wrong",
                expected=f"max_side_px from {_MULTIPLE_PX}, min_score and overlap between 0 and 1",
                got=f"{max_side_px}, {min_score}, {overlap}",
            )
        self.max_side_px, self.min_score, self.overlap = max_side_px, min_score, overlap
        self.second_look = second_look
        self._engine = open_engine(
            prepared("yunet", folder), engine or available_engines()[0], threads=threads
        )

    def detect(self, images: Sequence[np.ndarray]) -> list[tuple[Face, ...]]:
        """Faces of each picture, the most certain first.

        Args:
            images: (H, W, 3) or (H, W, 1) uint8 RGB or grey each, of any sizes.

        Returns:
            One tuple a picture, empty where no face was found. Boxes may reach over the picture's edge.

        Raises:
            DataError: another shape or dtype; the picture's number is named.
        """
        pictures = [as_rgb(image, number) for number, image in enumerate(images)]
        found = self._look(pictures, border=0.0)
        missed = [i for i, faces in enumerate(found) if not faces] if self.second_look else []
        for i, faces in zip(missed, self._look([pictures[i] for i in missed], border=_BORDER), strict=True):
            found[i] = faces
        return found

    def close(self) -> None:
        """Free the model."""
        self._engine.close()

    def _look(self, pictures: Sequence[np.ndarray], border: float) -> list[tuple[Face, ...]]:
        sizes: dict[tuple[int, int], list[int]] = defaultdict(list)
        scales = []
        for i, picture in enumerate(pictures):
            height, width = picture.shape[:2]
            scale = min(1.0, self.max_side_px / (max(height, width) * (1 + 2 * border)))
            scales.append(scale)
            sizes[_padded(height, scale, border), _padded(width, scale, border)].append(i)
        found: list[tuple[Face, ...]] = [()] * len(pictures)
        for (height, width), members in sizes.items():
            step = max(1, _BATCH_PIXELS // (height * width))
            for at in range(0, len(members), step):
                part = members[at : at + step]
                self._run(pictures, part, scales, (height, width), border, found)
        return found

    def _run(
        self,
        pictures: Sequence[np.ndarray],
        part: Sequence[int],
        scales: Sequence[float],
        size_px: tuple[int, int],
        border: float,
        found: list[tuple[Face, ...]],
    ) -> None:
        batch = np.zeros((len(part), 3, *size_px), np.float32)
        corners = []
        for row, i in enumerate(part):
            small = _shrunk(pictures[i], scales[i])
            height, width = small.shape[:2]
            top, left = round(border * height), round(border * width)
            corners.append((left, top))
            if border:
                batch[row] = 128.0
            # The network takes blue first.
            batch[row, :, top : top + height, left : left + width] = small[:, :, ::-1].transpose(2, 0, 1)
        outputs = self._engine.run(batch)
        scores = _scores(outputs)
        for row, i in enumerate(part):
            # Shrinking rounds each side on its own, so each axis has a scale of its own.
            shape = np.array(pictures[i].shape[1::-1], np.float64)
            scale = np.maximum(np.round(shape * scales[i]), 1) / shape
            kept = np.flatnonzero(scores[row] >= self.min_score)
            kept = kept[np.argsort(-scores[row, kept], kind="stable")][:_MAX_FACES]
            if len(kept):
                boxes, points = _decoded([output[row] for output in outputs], size_px, kept)
                found[i] = self._faces(scores[row, kept], boxes, points, np.array(corners[row]), scale)

    def _faces(
        self, scores: np.ndarray, boxes: np.ndarray, points: np.ndarray, corner: np.ndarray, scale: np.ndarray
    ) -> tuple[Face, ...]:
        sides = [[x0, y0, x1 - x0, y1 - y0] for x0, y0, x1, y1 in boxes.tolist()]
        winners = cv2.dnn.NMSBoxes(sides, scores.tolist(), self.min_score, self.overlap)
        faces = []
        for k in np.sort(np.asarray(winners, dtype=np.int64).reshape(-1)):
            box = ((boxes[k].reshape(2, 2) - corner) / scale).reshape(4)
            marks = (points[k] - corner) / scale
            faces.append(
                Face(
                    box_xyxy_px=tuple(box.tolist()),
                    landmarks_px=tuple((float(x), float(y)) for x, y in marks),
                    score=float(scores[k]),
                )
            )
        return tuple(faces)


def _scores(outputs: Sequence[np.ndarray]) -> np.ndarray:
    """Twelve maps -> scores (N, P) of all places."""
    cls, obj = (np.concatenate(outputs[i : i + 3], axis=1)[..., 0] for i in (0, 3))
    scores: np.ndarray = np.sqrt(np.clip(cls, 0, 1) * np.clip(obj, 0, 1))
    return scores


def _decoded(
    maps: Sequence[np.ndarray], size_px: tuple[int, int], places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """One picture's maps -> boxes (K, 4) x0 y0 x1 y1, landmarks (K, 5, 2) at K places, in input pixels."""
    box, marks = (np.concatenate(maps[i : i + 3])[places] for i in (6, 9))
    rows, columns = ([side // stride for stride in _STRIDES] for side in size_px)
    counts = np.multiply(rows, columns)
    level = np.searchsorted(np.cumsum(counts), places, side="right")
    within = places - (np.cumsum(counts) - counts)[level]
    cell = np.stack([within % np.take(columns, level), within // np.take(columns, level)], 1)
    cell, stride = cell.astype(np.float32), np.take(_STRIDES, level).astype(np.float32)[:, None]
    centre, half = (cell + box[:, :2]) * stride, np.exp(np.minimum(box[:, 2:], 20)) * stride / 2
    points = (cell[:, None] + marks.reshape(-1, 5, 2)) * stride[:, None]
    return np.concatenate([centre - half, centre + half], axis=1), points


def _padded(side: int, scale: float, border: float) -> int:
    small = max(1, round(side * scale))
    wanted = small + 2 * round(border * small)
    return -(-wanted // _MULTIPLE_PX) * _MULTIPLE_PX


def _shrunk(picture: np.ndarray, scale: float) -> np.ndarray:
    if scale == 1.0:
        return picture
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    small: np.ndarray = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return small
