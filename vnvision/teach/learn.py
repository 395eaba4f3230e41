"""From what was seen of the photographs to a head, a gate, a score and what is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vnvision.runtime.scope import ScopeGate, fit_scope_alone
from vnvision.spec import Label, TaskSpec
from vnvision.teach import faults
from vnvision.teach.bar import Bar
from vnvision.teach.bundle import Parts
from vnvision.teach.groups import grouped
from vnvision.teach.head import choose_strength, fit_head, learnt
from vnvision.teach.look import Seen
from vnvision.teach.origin import origin
from vnvision.teach.photos import Photo
from vnvision.teach.records import ClassRow, Note, Skipped, Taught
from vnvision.teach.score import Score, guessing, listing, measured
from vnvision.teach.shortcuts import background_notes
from vnvision.teach.trunk import Trunk
from vnvision.teach.verdict import ALIKE_ACROSS, data_notes, verdict


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user wants."""

    name: str
    title: str
    domain: str
    by_folder: bool
    folder: Path
    seed: int


def learn(
    seen: Seen, photos: Sequence[Photo], labels: tuple[Label, ...], trunk: Trunk, tell: Bar, asked: Asked
) -> tuple[Taught, Parts]:
    """Everything between reading and writing."""
    names = [one.vi for one in labels]
    if len(seen.unreadable) > faults.MOST_UNREADABLE * len(photos):
        raise faults.unreadable([(photo.shown, why) for photo, why, _ in seen.unreadable], len(photos))
    tell("groups")
    files = np.bincount([photo.target for photo in photos], minlength=len(names)).tolist()
    groups, distinct, across = grouped(seen, names, files)
    task = TaskSpec(kind="classification", preprocess=trunk.spec, labels=labels)
    targets = np.array([photo.target for photo in seen.photos], np.int64)
    about = {"name": asked.name, "trunk": trunk.bundle.manifest.name}
    private, seed = asked.domain == "clinic", asked.seed
    tell("score")
    score = measured(
        seen, groups, task, about, private=private, seed=seed, step=tell.within("score", "background")
    )
    tell("background")
    rows = listing(seen, groups, task, private=private)
    shortcuts = background_notes(seen, rows, seed=seed)
    tell("fit")
    strength = choose_strength(seen.features, targets, groups, len(names), seed)
    head = fit_head(*learnt(seen.features, targets), len(names), strength)
    per_class = _rows(score, labels, files, np.bincount(targets, minlength=len(names)).tolist(), distinct)
    taught = _taught(seen, groups, score, per_class, asked, trunk, strength, shortcuts, across)
    report = score.report.model_copy(
        update={"warnings": tuple(note.en for note in portable(taught, asked).warnings)}
    )
    parts = Parts(
        task=task, trunk=trunk, head=head, gate=_gate(seen, groups), calibration=score.calibration,
        report=report, provenance=origin(trunk, taught, report, domain=asked.domain, seed=asked.seed),
    )  # fmt: skip
    return taught, parts


def _taught(
    seen: Seen,
    groups: np.ndarray,
    score: Score,
    rows: tuple[ClassRow, ...],
    asked: Asked,
    trunk: Trunk,
    strength: float,
    shortcuts: tuple[Note, ...],
    across: Sequence[tuple[str, str]],
) -> Taught:
    report = score.report
    accuracy, balanced = report.metrics["accuracy"], report.metrics["balanced_accuracy"]
    counts = [row.photos for row in rows]
    blind = guessing([photo.target for photo in seen.photos])
    commonest = rows[counts.index(max(counts))].label.vi
    further = data_notes(
        rows,
        across=across,
        unreadable=len(seen.unreadable),
        patients=asked.domain == "clinic" and not asked.by_folder,
        limit=score.calibration.abstain_below,
    )
    return Taught(
        name=asked.name,
        title=asked.title,
        folder=asked.folder,
        accuracy=accuracy,
        balanced_accuracy=balanced,
        guessing=blind,
        verdict=verdict(accuracy, balanced, blind, commonest, len(rows)),
        rows=rows,
        confusion=report.confusion,
        warnings=(*shortcuts, *further),
        skipped=tuple(
            Skipped(photo=photo.shown, why=why, why_vi=why_vi) for photo, why, why_vi in seen.unreadable
        ),
        n=len(seen.photos),
        n_groups=len(np.unique(groups)),
        trunk=trunk.bundle.manifest.name,
        strength=strength,
        seconds=0.0,
    )


def portable(taught: Taught, asked: Asked) -> Taught:
    """What may travel in the bundle: of a clinic's model nothing that names a file."""
    if asked.domain != "clinic":
        return taught
    kept = tuple(note for note in taught.warnings if note.code != ALIKE_ACROSS)
    return taught.model_copy(update={"warnings": kept, "skipped": ()})


def _rows(
    score: Score, labels: Sequence[Label], files: Sequence[int], read: Sequence[int], distinct: Sequence[int]
) -> tuple[ClassRow, ...]:
    found = score.report.per_class
    return tuple(
        ClassRow(
            label=label, files=count, photos=could, distinct=differ,
            recall=found[label.id]["recall"], precision=found[label.id]["precision"],
        )
        for label, count, could, differ in zip(labels, files, read, distinct, strict=True)
    )  # fmt: skip


def _gate(seen: Seen, groups: np.ndarray) -> ScopeGate:
    """Fitted on every view of every photograph; its limit on the photographs as they are."""
    n, views, width = seen.features.shape
    plain = np.zeros((n, views), bool)
    plain[:, 0] = True
    return fit_scope_alone(
        seen.features.reshape(-1, width), seen.measures.reshape(n * views, -1),
        np.repeat(groups, views).tolist(), plain.ravel(),
    )  # fmt: skip
