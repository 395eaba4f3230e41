"""How well masks agree with the truth, label by label, with group-bootstrap intervals.

Label 0 is the background and is not judged. All figures of a label are means over images:

* dice, iou: 2 |A and B| / (|A| + |B|) and |A and B| / |A or B|, over the images whose truth holds the label
  (Dice 1945, Ecology 26(3); Jaccard 1912). Nothing marked there is 0.
* dice_pooled, iou_pooled: the same of the pixels of all images together, so that large objects count more and
  what was marked on images without the label counts against the model.
* hd95_px, hd95_mm: see ``surface.hd95``, over the images where truth and answer hold the label.
* missed: share of the images with the label on which nothing was marked.
* false_alarm, false_area: of the images without the label, the share on which something was marked, and the
  mean share of the picture that was marked (0 where nothing was).

The headline figure is the mean over the labels for which it is defined; a resample in which one of these is
not defined leaves it undefined there, it does not average over fewer.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from vnvision.errors import DataError
from vnvision.metrics import dense_notes, notes
from vnvision.metrics.bootstrap import ClusterBootstrap, resample, summarise
from vnvision.metrics.means import ImageMean, label_mean, ratio
from vnvision.metrics.overlap import MaskScores, compare_masks, overlap
from vnvision.records import Metric

HEADLINE = (
    "dice", "iou", "dice_pooled", "iou_pooled", "hd95_px", "hd95_mm", "missed", "false_alarm", "false_area",
)  # fmt: skip
__all__ = ["MaskScores", "SegmentationResult", "compare_masks", "overlap", "segmentation_metrics"]
_DISTANCES = ("hd95_px", "hd95_mm")
_SHARES = ("missed", "false_alarm")


@dataclass(frozen=True, slots=True)
class SegmentationResult:
    """Headline metrics by name, and those of each label but the background."""

    metrics: dict[str, Metric]
    per_class: dict[str, dict[str, Metric]]


class Overlaps:
    """Every figure as a function of image weights, prepared once; rows are the labels but the background.

    Args:
        scores: N images.
    """

    def __init__(self, scores: Sequence[MaskScores]) -> None:
        def rows(name: str) -> np.ndarray:
            return np.stack([getattr(one, name) for one in scores], axis=1).astype(np.float64)

        both, truth, answer = rows("both_px"), rows("truth_px"), rows("answer_px")
        size = truth.sum(axis=0)
        self._both, self._sum = both[1:], (truth + answer)[1:]
        self.there: np.ndarray = np.asarray(truth[1:] > 0)
        self.marked: np.ndarray = np.asarray(answer[1:] > 0)
        gone = np.where(self.there, 0.0, np.nan)
        absent = np.where(self.there, np.nan, 0.0)
        self.means = {
            "dice": ImageMean(gone + ratio(2 * self._both, self._sum)),
            "iou": ImageMean(gone + ratio(self._both, self._sum - self._both)),
            "hd95_px": ImageMean(rows("hd95_px")[1:]),
            "hd95_mm": ImageMean(rows("hd95_mm")[1:]),
            "missed": ImageMean(gone + ~self.marked),
            "false_alarm": ImageMean(absent + self.marked),
            "false_area": ImageMean(absent + answer[1:] / size),
        }

    def defined(self, name: str) -> np.ndarray:
        """(K, N) bool: the images a figure of a label is measured on."""
        if name.endswith("_pooled"):
            return np.repeat(np.asarray(self.there.any(axis=1))[:, None], self.there.shape[1], axis=1)
        return self.means[name].defined

    def averaged(self, name: str) -> np.ndarray:
        """(K,) bool: the labels a headline figure is a mean over."""
        return np.asarray(self.defined(name).any(axis=1))

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Headline figures (b,), and those of each label as ``label_<name>`` (K, b), under (N, b) weights."""
        out = {f"label_{name}": mean(weights) for name, mean in self.means.items()}
        both, total = self._both @ weights, self._sum @ weights
        here = np.asarray(self.there.any(axis=1))[:, None]
        out["label_dice_pooled"] = np.where(here, ratio(2 * both, total), np.nan)
        out["label_iou_pooled"] = np.where(here, ratio(both, total - both), np.nan)
        for name in HEADLINE:
            out[name] = label_mean(out[f"label_{name}"], self.averaged(name))
        return out


def segmentation_metrics(
    scores: Sequence[MaskScores],
    groups: Sequence[Hashable],
    label_ids: Sequence[str],
    *,
    n_boot: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> SegmentationResult:
    """Every figure with its interval; ``hd95_mm`` only where some image's pixel spacing is known.

    Args:
        scores: N images, see ``overlap.compare_masks``.
        groups: (N,) one key an image; images of one group are drawn together.
        label_ids: (C,) in output order, the background first.
        n_boot: resamples; 0 for none.
        seed: of the resamples.
        level: coverage of the intervals.

    Raises:
        DataError: no images, or groups or labels that do not fit.
    """
    if not scores or len(groups) != len(scores):
        raise DataError(
            "groups do not fit the masks", expected=f"{len(scores)} keys, 1 or more", got=str(len(groups))
        )
    if {len(one.both_px) for one in scores} != {len(label_ids)}:
        raise DataError("scores do not fit the labels", expected=f"{len(label_ids)} labels each")
    bootstrap = ClusterBootstrap(groups, n_boot, seed)
    statistic = Overlaps(scores)
    point = {name: values[..., 0] for name, values in statistic(np.ones((bootstrap.n, 1))).items()}
    draws = resample(statistic, bootstrap)
    spaced = np.array([one.spaced for one in scores])
    names = [name for name in HEADLINE if name != "hd95_mm" or spaced.any()]
    judge = _Judge(statistic, point, draws, bootstrap, spaced, tuple(label_ids), level)
    return SegmentationResult(
        {name: judge.headline(name) for name in names},
        {label: judge.of_label(k, names) for k, label in enumerate(label_ids[1:])},
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Judge:
    """Points and resamples as metrics, each with what must be said of it."""

    statistic: Overlaps
    point: dict[str, np.ndarray]
    draws: dict[str, np.ndarray]
    bootstrap: ClusterBootstrap
    spaced: np.ndarray
    label_ids: tuple[str, ...]
    level: float

    def headline(self, name: str) -> Metric:
        """The mean over labels, naming those it leaves out; of one label its own figure."""
        if len(self.label_ids) == 2:
            return self.of_label(0, [name])[name]
        wanted, images = self.statistic.averaged(name), np.asarray(self.statistic.defined(name).any(axis=0))
        left = [label for label, there in zip(self.label_ids[1:], wanted, strict=True) if not there]
        note = notes.LEFT_OUT.format(labels=", ".join(left)) if left and wanted.any() else None
        return self._metric(self.point[name], self.draws.get(name), images, notes.EMPTY_MACRO, note)

    def of_label(self, k: int, names: Sequence[str]) -> dict[str, Metric]:
        """Every figure of one label; ``n`` is in how many images there is any of it."""
        out = {}
        for name in names:
            key = f"label_{name}"
            draws = self.draws[key][k] if key in self.draws else None
            members, note = self.statistic.defined(name)[k], self._left_out(name, k)
            out[name] = self._metric(
                self.point[key][k], draws, members, self._why(name), note, proportion=name in _SHARES
            )
        there = int(self.statistic.there[k].sum())
        return out | {"n": Metric(value=float(there), n=there, level=self.level)}

    def _metric(
        self,
        value: np.ndarray,
        draws: np.ndarray | None,
        members: np.ndarray,
        why: str,
        note: str | None,
        *,
        proportion: bool = False,
    ) -> Metric:
        return summarise(
            float(value), draws, n=int(members.sum()), n_groups=self.bootstrap.groups_of(members),
            why=why, note=note, proportion=proportion, level=self.level,
        )  # fmt: skip

    def _why(self, name: str) -> str:
        if name.startswith("false"):
            return dense_notes.IN_EVERY_TRUTH
        return dense_notes.NO_PAIR if name in _DISTANCES else dense_notes.NOT_IN_TRUTH

    def _left_out(self, name: str, k: int) -> str | None:
        """How many images with the label have no distance, and how many no spacing."""
        if name not in _DISTANCES:
            return None
        there, marked = self.statistic.there[k], self.statistic.marked[k]
        images, empty = int(there.sum()), int((there & ~marked).sum())
        blind = int((there & ~self.spaced).sum()) if name == "hd95_mm" else 0
        return notes.join(
            dense_notes.NO_DISTANCE.format(count=empty, images=images) if empty else None,
            dense_notes.NO_SPACING.format(count=blind, images=images) if blind else None,
        )
