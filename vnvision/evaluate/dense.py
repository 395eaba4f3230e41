"""What the evaluation of masks and that of boxes share: planes picture by picture, parts, and the report."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from vnvision.data.card import describe
from vnvision.data.manifest import Manifest, Row
from vnvision.errors import DataError
from vnvision.evaluate import notes
from vnvision.evaluate.cautions import about_data, cautions
from vnvision.evaluate.images import sample_batches
from vnvision.evaluate.mistakes import MOST
from vnvision.evaluate.subsets import MOST_VALUES, cell
from vnvision.records import Calibration, EvalReport, GroupRow, Metric, Mistake, Sample
from vnvision.spec import TaskSpec

Progress = Callable[[int, int], None]
Points = tuple[tuple[float, float], ...]
CURVE_POINTS = 600


class LogitPredictor(Protocol):
    """What is judged: a loaded bundle, or a trained run."""

    @property
    def name(self) -> str:
        """For the record."""

    @property
    def task(self) -> TaskSpec:
        """What it answers."""

    def logits(self, images: Sequence[np.ndarray], batch_size: int = 16) -> np.ndarray:
        """(N, C) raw outputs of images as read; (N, P, h, w) planes of a segmenter or detector."""


def plane_batches(
    predictor: LogitPredictor, manifest: Manifest, batch_size: int, progress: Progress | None
) -> Iterator[tuple[list[Row], list[Sample], np.ndarray]]:
    """Rows, their samples and the planes (n, P, h, w) that the predictor gives for them, batch after batch.

    One batch of planes is held at a time.

    Raises:
        DataError: an image cannot be read, or the outputs are no planes, or not finite; names the rows.
    """
    width = len(predictor.task.labels) + (4 if predictor.task.kind == "detection" else 0)
    rows = list(manifest.rows)
    done = 0
    for samples in sample_batches(manifest, rows, batch_size):
        planes = predictor.logits([sample.image for sample in samples], batch_size=batch_size)
        mine = rows[done : done + len(samples)]
        if planes.ndim != 4 or planes.shape[:2] != (len(samples), width):
            expected = f"({len(samples)}, {width}, h, w)"
            raise DataError("outputs do not fit the task", expected=expected, got=str(planes.shape))
        bad = [row.line for row, one in zip(mine, planes, strict=True) if not np.isfinite(one).all()]
        if bad:
            lines = ", ".join(map(str, bad[:5]))
            raise DataError(
                f"the model's outputs for {len(bad)} rows of {manifest.path.name} are not numbers "
                f"(rows {lines})",
                expected="finite planes",
            )
        yield mine, samples, planes
        done += len(samples)
        if progress is not None:
            progress(done, len(rows))


def size_of(sample: Sample) -> tuple[int, int]:
    """Height and width."""
    return sample.image.shape[0], sample.image.shape[1]


class Worst:
    """The pictures on which answer and truth agree least; of equals those that came first.

    As ``Mistake``s: ``truth`` and ``answer`` are outlines (see ``outlines``), ``probability`` is the
    agreement, 0 to 1 (mean Dice of the labels there are, or F1 of the boxes). A picture without any fault is
    not among them.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._heap: list[tuple[float, int, Mistake]] = []
        self._count = 0

    def offer(self, path: str, agreement: float, outlines: Callable[[], tuple[str, str]]) -> None:
        """Take a picture in if it is bad enough; only then its outlines are asked for."""
        self._count += 1
        key = (-agreement, -self._count)
        if agreement >= 1 or (len(self._heap) == self._most and key <= self._heap[0][:2]):
            return
        truth, answer = outlines()
        item = (*key, Mistake(path=path, truth=truth, answer=answer, probability=agreement))
        if len(self._heap) == self._most:
            heapq.heapreplace(self._heap, item)
        else:
            heapq.heappush(self._heap, item)

    def mistakes(self) -> tuple[Mistake, ...]:
        """The worst first."""
        return tuple(item[2] for item in sorted(self._heap, key=lambda item: (-item[0], -item[1])))


def part_rows(
    manifest: Manifest, columns: Sequence[str], judge: Callable[[np.ndarray], dict[str, Metric]]
) -> tuple[tuple[GroupRow, ...], tuple[str, ...]]:
    """One row a value of each column, the most frequent first, and warnings; as ``subsets.group_rows``.

    Args:
        manifest: the rows judged.
        columns: manifest columns; one without any value is skipped.
        judge: indices of some rows -> their metrics.
    """
    rows, warnings = [], []
    for column in columns:
        values = [cell(row, column) for row in manifest.rows]
        if not any(values):
            continue
        counts = sorted(Counter(values).items(), key=lambda item: (item[0] == "", -item[1], item[0]))
        if len(counts) > MOST_VALUES:
            warnings.append(notes.MANY_VALUES.format(column=column, count=len(counts), shown=MOST_VALUES))
        for value, n in counts[:MOST_VALUES]:
            inside = np.flatnonzero([v == value for v in values])
            rows.append(GroupRow(column=column, value=value, n=n, metrics=judge(inside)))
    return tuple(rows), tuple(warnings)


def thinned(points: np.ndarray, most: int = CURVE_POINTS) -> Points:
    """(K, 2) as points, at most ``most``, evenly picked."""
    picked = np.unique(np.linspace(0, len(points) - 1, min(len(points), most)).round().astype(int))
    return tuple((float(x), float(y)) for x, y in points[picked])


def dense_report(
    manifest: Manifest,
    known: np.ndarray,
    present: np.ndarray,
    predictor: LogitPredictor,
    *,
    split: str,
    model: dict[str, Any],
    warnings: Sequence[str] = (),
    counts: dict[str, Any] | None = None,
    **measured: Any,
) -> EvalReport:
    """The report of a segmenter or detector.

    Args:
        manifest: the split's rows, those of unknown truth included.
        known: (N,) bool, the rows judged.
        present: (n, C) bool, which labels the truth of each judged row holds.
        predictor: what was judged.
        split: its name.
        model: what to record of it.
        warnings: what else to warn of.
        counts: what else to say of the data.
        measured: metrics, per_class, groups, curves, mistakes.
    """
    calibration = getattr(predictor, "calibration", None) or Calibration()
    targets = np.full((len(manifest), present.shape[1]), -1, np.int8)
    targets[known] = present
    data = describe(manifest)
    return EvalReport(
        task=predictor.task,
        split=split,
        n=int(known.sum()),
        n_groups=len(set(manifest.where(known).group_keys())),
        manifest_sha256=manifest.sha256,
        calibration=calibration,
        data={key: value for key, value in data.items() if key != "warnings"} | (counts or {}),
        model=model,
        warnings=(
            *cautions(manifest, targets, predictor.task, calibration, split),
            *about_data(data),
            *warnings,
        ),
        **measured,
    )
