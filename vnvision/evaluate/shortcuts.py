"""How far a label can be told without looking at the subject: the shortcut probe.

A classifier that finds pneumonia in the exposure of an X-ray, or a leaf disease in the table below the leaf,
has learned how the pictures were taken (Geirhos et al. 2020, "Shortcut learning in deep neural networks",
Nature Machine Intelligence 2). The probe asks a plain logistic regression the same question on views that
cannot show the answer. What it reaches, a network can reach the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vnvision.data.manifest import Manifest
from vnvision.errors import ConfigError, DataError
from vnvision.evaluate.shortcut_fit import fit_predict, shuffled
from vnvision.evaluate.shortcut_records import Measure, ProbeRow, ShortcutReport
from vnvision.evaluate.shortcut_rows import ViewRows, collect
from vnvision.evaluate.shortcut_verdict import chance_of, sentence, verdict_of, warnings
from vnvision.evaluate.shortcut_views import VIEWS
from vnvision.metrics.classification import Kind, classification_metrics
from vnvision.records import Metric

__all__ = ["VIEWS", "ProbeRow", "ShortcutReport", "probe_shortcuts", "probe_views"]

SHUFFLES = 19
"""Beating all of them by luck has a chance of 1 in 20."""
LEVEL = 0.95


def probe_shortcuts(
    manifest: Manifest,
    *,
    train: str = "train",
    test: str = "val",
    views: Sequence[str] = VIEWS,
    model: Metric | None = None,
    n_boot: int = 1000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> ShortcutReport:
    """Learn the labels from poor views of the training rows, and ask about the others.

    Args:
        manifest: with splits; single-label or multi-label.
        train: rows to learn from.
        test: rows to ask about. The validation rows unless asked otherwise: a look at a test split counts as
            one.
        views: which; see ``shortcut_views``.
        model: a model's balanced accuracy on the same rows, to stand beside the probe's.
        n_boot: resamples of every interval.
        seed: of the resamples and of the shuffled control.
        progress: called with (steps done, steps in all): the first half reads pictures, the second learns.

    Raises:
        ConfigError: an unknown view, or none.
        DataError: no such split, a group in both, fewer than two labels, or a picture that cannot be read.
        MissingExtraError: scikit-learn is not installed.
    """
    wanted = _known_views(views)
    parts = [_labelled(manifest.split(name)) for name in (train, test)]
    _check_apart(manifest, parts[0], parts[1], train, test)
    both = Manifest(
        parts[0].rows + parts[1].rows, manifest.root, manifest.path, manifest.sha256, manifest.warnings
    )
    labels = both.label_ids()
    if len(labels) < (1 if both.is_multilabel else 2):
        raise DataError(
            f"{manifest.path} has too few labels to probe", expected="two or more", got=str(labels)
        )
    learned = np.arange(len(both)) < len(parts[0])
    step = progress or (lambda done, total: None)
    found = collect(both, wanted, lambda done, _: step(done, 2 * len(both)))
    judge = _Judge(labels, "multilabel" if both.is_multilabel else "classification", n_boot, seed)
    rows = []
    for view in wanted:
        rows.append(_probe(view, found[view], both, learned, judge, _strict(len(wanted))))
        step(len(both) + round(len(both) * len(rows) / len(wanted)), 2 * len(both))
    return ShortcutReport(
        name=manifest.path.parent.name or manifest.path.name,
        manifest_sha256=manifest.sha256,
        train=train,
        test=test,
        n_train=len(parts[0]),
        n=len(parts[1]),
        n_groups=len(set(parts[1].group_keys())),
        labels=labels,
        rows=tuple(rows),
        model=model,
        warnings=warnings(parts[1], test, any(row.judged_on == "accuracy" for row in rows)),
    )


def probe_views(
    found: Mapping[str, ViewRows], rows: Manifest, learned: np.ndarray, *, n_boot: int = 1000, seed: int = 0
) -> tuple[ProbeRow, ...]:
    """As ``probe_shortcuts``, of views that were taken already.

    Args:
        found: by view, a row a picture.
        rows: their labels and groups; no file is read.
        learned: (N,) bool, which to learn from; the others are asked about, and share no group with them.
        n_boot: resamples of every interval.
        seed: of the resamples and of the shuffled control.

    Raises:
        ConfigError: an unknown view, or none.
        MissingExtraError: scikit-learn is not installed.
    """
    wanted = _known_views(tuple(found))
    judge = _Judge(rows.label_ids(), "multilabel" if rows.is_multilabel else "classification", n_boot, seed)
    strict = _strict(len(wanted))
    return tuple(_probe(view, found[view], rows, learned, judge, strict) for view in wanted)


def _strict(count: int) -> float:
    """The level of each of some intervals that together keep ``LEVEL``."""
    return 1 - (1 - LEVEL) / count


@dataclass(frozen=True, slots=True)
class _Judge:
    """How every view is judged."""

    labels: tuple[str, ...]
    kind: Kind
    n_boot: int
    seed: int

    def metrics(
        self,
        p: np.ndarray,
        truth: np.ndarray,
        groups: list[str],
        level: float = LEVEL,
        n_boot: int | None = None,
    ) -> dict[str, Metric]:
        return classification_metrics(
            p, truth, groups, self.labels, kind=self.kind,
            n_boot=self.n_boot if n_boot is None else n_boot, seed=self.seed, level=level,
        ).metrics  # fmt: skip


def _probe(
    view: str, seen: ViewRows, both: Manifest, learned: np.ndarray, judge: _Judge, strict: float
) -> ProbeRow:
    """One view, learned and judged: as it is, and with shuffled labels."""
    targets, keys = both.targets(judge.labels), np.array(both.group_keys(), dtype=object)
    train, test = learned & seen.usable, ~learned & seen.usable
    truth, groups = targets[test], keys[test].tolist()
    p, luck = np.zeros((len(truth), len(judge.labels))), list[dict[str, Metric]]()
    if train.any() and test.any():
        x, y, mine, asked = seen.features[train], targets[train], keys[train].tolist(), seen.features[test]
        p, used = fit_predict(x, y, mine, asked, len(judge.labels))
        for turn in range(SHUFFLES):
            seed = judge.seed + turn
            guess, _ = fit_predict(x, shuffled(y, mine, seed), mine, asked, len(judge.labels), strengths=used)
            luck.append(judge.metrics(guess, shuffled(truth, groups, seed), groups, n_boot=0))
    plain = judge.metrics(p, truth, groups)
    judged_on: Measure = "accuracy" if plain["balanced_accuracy"].low is None else "balanced_accuracy"
    chance, values = chance_of(truth, judged_on), [one[judged_on].value or 0.0 for one in luck]
    widened = judge.metrics(p, truth, groups, level=strict)[judged_on]
    verdict = verdict_of(widened, chance, max(values, default=1.0))
    return ProbeRow(
        view=view, cover=seen.cover, n_train=int(train.sum()), n=len(truth), n_groups=len(set(groups)),
        accuracy=plain["accuracy"], balanced_accuracy=plain["balanced_accuracy"], auroc=plain["auroc"],
        judged_on=judged_on, chance=chance, shuffled=float(np.mean(values)) if values else None,
        shuffled_high=max(values, default=None), verdict=verdict,
        says={
            code: sentence((view, seen.cover), verdict, judged_on, plain[judged_on], chance, code)
            for code in ("vi", "en")
        },
    )  # fmt: skip


def _known_views(views: Sequence[str]) -> tuple[str, ...]:
    unknown = [view for view in views if view not in VIEWS]
    if unknown or not views:
        raise ConfigError("views", expected=", ".join(VIEWS), got=", ".join(unknown) or "none")
    return tuple(dict.fromkeys(views))


def _labelled(part: Manifest) -> Manifest:
    known = [
        row.label is not None or any(v is not None for v in (row.labels or {}).values()) for row in part.rows
    ]
    if not any(known):
        raise DataError(f"no row of {part.path} has a known label", fix="fill the label column")
    return part.where(known)


def _check_apart(manifest: Manifest, train: Manifest, test: Manifest, *names: str) -> None:
    shared = sorted(set(train.group_keys()) & set(test.group_keys()))
    if shared:
        raise DataError(
            f"{manifest.path}: {len(shared)} groups lie in {names[0]} and in {names[1]}",
            expected="groups kept apart",
            got=", ".join(shared[:3]),
            fix="assign splits again with: vnvision data split",
        )
