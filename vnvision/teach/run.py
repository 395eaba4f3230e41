"""From folders of photographs to a model that is used at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np

import vnvision
from vnvision.errors import ConfigError, MissingExtraError
from vnvision.imaging.isolated import IsolatedReader
from vnvision.records import EvalReport
from vnvision.runtime.publish import check_free, staged
from vnvision.runtime.scope import ScopeGate, fit_scope_alone
from vnvision.spec import Label, TaskSpec
from vnvision.teach import faults
from vnvision.teach.bundle import Parts, write_bundle
from vnvision.teach.groups import grouped
from vnvision.teach.head import choose_strength, fit_head, learnt
from vnvision.teach.look import READERS, Reader, Seen, look_at
from vnvision.teach.names import labels_of, model_name
from vnvision.teach.photos import Photo, found_in, listed
from vnvision.teach.records import ClassRow, Note, Skipped, Taught
from vnvision.teach.score import Score, guessing, listing, measured
from vnvision.teach.shortcuts import background_notes
from vnvision.teach.trunk import DEFAULT, Trunk, open_trunk
from vnvision.teach.verdict import data_notes, verdict

Progress = Callable[[float, str], None]
STAGES = {
    "read": 0.0,
    "groups": 0.6,
    "score": 0.62,
    "background": 0.88,
    "fit": 0.94,
    "write": 0.97,
    "done": 1.0,
}
"""Where each stage begins, as a share of the whole."""


def teach(
    photographs: str | Path | Mapping[str, Sequence[str | Path]],
    out: str | Path,
    *,
    name: str,
    trunk: str | Path = DEFAULT,
    domain: Literal["crop", "clinic"] = "crop",
    by_folder: bool = False,
    progress: Progress | None = None,
    reader: Reader | None = None,
    overwrite: bool = False,
    seed: int = 0,
    threads: int | None = None,
) -> Taught:
    """Teach an image classifier from 20 photographs a class or more, without torch and without a network.

    A frozen network describes each photograph and a logistic regression learns from the descriptions. The
    score is of photographs that it had not seen, near-duplicates kept together. Equal photographs, names and
    seed give equal bundles on one machine.

    Args:
        photographs: a folder with a folder for each class, or the files by class name.
        out: the bundle's folder. It appears whole or not at all, also where ``progress`` raises.
        name: of the model; a Vietnamese one is kept as the title, and ``Lá ớt`` is called ``la_ot``.
        trunk: the model whose network describes the photographs, by name or folder.
        domain: ``crop``, or ``clinic``: then no file name goes into the bundle.
        by_folder: photographs of one folder inside a class's folder are of one plant or patient.
        progress: called with (share done 0 to 1, stage, a key of ``STAGES``); raise from it to stop.
        reader: how a file becomes a sample; default: decoded apart, with limited memory and time.
        overwrite: replace a bundle that is there.
        seed: of folds and resamples.
        threads: how many threads one inference may use.

    Raises:
        TeachError: the photographs cannot teach a model; see ``vnvision.teach.faults`` for its kinds.
        DataError: there is no such folder.
        ConfigError: a name that no model can have, or an unknown domain.
        BundleError, ModelError: the trunk is damaged or unfit.
        ExportError: ``out`` is taken.
        MissingExtraError: scikit-learn or scipy is not installed.
    """
    start = time.monotonic()
    _check_packages()
    if domain not in ("crop", "clinic"):
        raise ConfigError("unknown domain", expected="crop or clinic", got=repr(domain))
    called, place = model_name(name), Path(out).absolute()
    check_free(place, overwrite=overwrite)
    classes = photographs if isinstance(photographs, Mapping) else found_in(photographs)
    labels = labels_of(classes)
    photos = listed(classes, by_folder=by_folder)
    tell = _Bar(progress)
    with ExitStack() as stack:
        if reader is None:
            reader = stack.enter_context(IsolatedReader(workers=READERS)).read
        network = stack.enter_context(closing(open_trunk(trunk, threads=threads)))
        seen = look_at(photos, network, reader, tell.within("read", "groups"))
        asked = _Asked(called, name, domain, by_folder, place, seed)
        taught, parts = _learn(seen, photos, labels, network, tell, asked)
        tell("write")
        taught = taught.model_copy(update={"seconds": round(time.monotonic() - start, 2)})
        with staged(place, overwrite=overwrite) as folder:
            write_bundle(folder, parts, taught)
            tell("write")
        tell("done")
    return taught


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the user wants."""

    name: str
    title: str
    domain: str
    by_folder: bool
    folder: Path
    seed: int


class _Bar:
    """Shares and stages for ``progress``."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress

    def __call__(self, stage: str) -> None:
        self._tell(STAGES[stage], stage)

    def within(self, stage: str, following: str) -> Callable[[int, int], None]:
        """Steps of a stage that lasts until another begins."""
        start, end = STAGES[stage], STAGES[following]
        return lambda done, total: self._tell(start + (end - start) * done / max(total, 1), stage)

    def _tell(self, share: float, stage: str) -> None:
        if self._progress is not None:
            self._progress(round(share, 4), stage)


def _learn(
    seen: Seen, photos: Sequence[Photo], labels: tuple[Label, ...], trunk: Trunk, tell: _Bar, asked: _Asked
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
    report = score.report.model_copy(update={"warnings": tuple(note.en for note in taught.warnings)})
    parts = Parts(
        task=task, trunk=trunk, head=head, gate=_gate(seen, groups), calibration=score.calibration,
        report=report, provenance=_provenance(asked, trunk, taught, report),
    )  # fmt: skip
    return taught, parts


def _taught(
    seen: Seen,
    groups: np.ndarray,
    score: Score,
    rows: tuple[ClassRow, ...],
    asked: _Asked,
    trunk: Trunk,
    strength: float,
    shortcuts: tuple[Note, ...],
    across: int,
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


def _provenance(asked: _Asked, trunk: Trunk, taught: Taught, report: EvalReport) -> dict[str, Any]:
    """Where the model comes from; nothing of it names a place on this machine."""
    under = trunk.bundle.manifest
    packages = ("numpy", "opencv-python", "onnxruntime", "scikit-learn")
    told = under.provenance
    data = told.get("card", {}).get("data") or told.get("trunk", {}).get("data", [])  # taught on a taught one
    kept = ("title", "authors", "year", "doi", "url", "licence", "licence_url")
    return {
        "domain": asked.domain,
        "purpose": f"{asked.title}: {', '.join(row.label.vi for row in taught.rows)}",
        "title": asked.title,
        "taught": {
            "photographs": taught.n,
            "groups": taught.n_groups,
            "classes": {row.label.id: row.photos for row in taught.rows},
            "strength": taught.strength,
            "seed": asked.seed,
            "verdict": taught.verdict.model_dump(mode="json"),
        },
        "trunk": {
            "name": under.name,
            "manifest_sha256": trunk.bundle.digest,
            "file_sha256": under.files[trunk.record.file],
            "weights": under.provenance.get("weights", {}),
            "data": [{key: one[key] for key in kept if one.get(key)} for one in data],
        },
        "manifest_sha256": report.manifest_sha256,
        "versions": {"vnvision": vnvision.__version__} | {one: metadata.version(one) for one in packages},
    }


def _check_packages() -> None:
    """Say what is missing before an hour of photographs is read."""
    import importlib.util

    for package, said in (("sklearn", "scikit-learn"), ("scipy", "scipy")):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(said, "eval")
