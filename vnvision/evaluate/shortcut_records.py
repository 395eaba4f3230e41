"""What the shortcut probe carries."""

from __future__ import annotations

from typing import Literal

from vnvision.records import Metric, Sha256
from vnvision.spec import Record

Measure = Literal["balanced_accuracy", "accuracy"]
Verdict = Literal["strong", "some", "none", "unknown"]


class ProbeRow(Record):
    """What one view reaches.

    Attributes:
        view: one of ``VIEWS``.
        cover: of the background: mask, object or centre.
        n_train, n, n_groups: pictures learned from, asked about, and their groups.
        accuracy, balanced_accuracy, auroc: with 95 % intervals by group.
        judged_on: balanced accuracy; accuracy where that has no interval (few groups, or no mistake).
        chance: of that measure: 1 / classes, or always the commonest class.
        shuffled, shuffled_high: mean and highest of it when all labels are shuffled between groups, those
            learned from and those asked about apart, 19 times: the mean should be about chance, and the
            highest is what luck gives.
        verdict: ``some`` where it is above chance beyond its interval, widened for the number of views
            (Bonferroni), and beyond every shuffle; ``strong`` where it also goes a third of the way from
            chance to perfect; ``none``; or ``unknown``.
        says: the verdict as a sentence, by language.
    """

    view: str
    cover: str | None = None
    n_train: int
    n: int
    n_groups: int
    accuracy: Metric
    balanced_accuracy: Metric
    auroc: Metric
    judged_on: Measure
    chance: float
    shuffled: float | None = None
    shuffled_high: float | None = None
    verdict: Verdict
    says: dict[str, str]


class ShortcutReport(Record):
    """The probe of one manifest. ``model`` is a model's own balanced accuracy on the same rows, if known."""

    schema_version: int = 1
    name: str
    manifest_sha256: Sha256
    train: str
    test: str
    n_train: int
    n: int
    n_groups: int
    labels: tuple[str, ...]
    rows: tuple[ProbeRow, ...]
    model: Metric | None = None
    warnings: tuple[str, ...] = ()

    @property
    def flagged(self) -> tuple[str, ...]:
        """Views with a strong verdict."""
        return tuple(row.view for row in self.rows if row.verdict == "strong")
