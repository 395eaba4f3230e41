"""The protocols: each takes stored templates and options, and gives the fields of a ``FaceReport``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vnvision.evaluate.faces import all_pairs, lfw, operating, search_1n, tar_intervals
from vnvision.evaluate.faces.differential import groups_of_persons, reference_group
from vnvision.evaluate.faces.pair_lists import PairList
from vnvision.evaluate.faces.population import enrolment, population
from vnvision.faces.embedded import EmbeddedFaces
from vnvision.metrics.differential import DifferentialReport, differential_report
from vnvision.metrics.group_counts import GroupCounts
from vnvision.metrics.score_counts import ScoreCounts
from vnvision.metrics.thresholds import FmrThreshold
from vnvision.records import OperatingPoint

FMRS = (1e-2, 1e-3, 1e-4)
FPIRS = (1e-2, 1e-3)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of ``evaluate_faces``, under the same names."""

    pairs: PairList | None = None
    group: str | None = None
    reference: str | None = None
    threshold: float | OperatingPoint | None = None
    fmr: float = 1e-3
    within: str | None = None
    identity: str = "identity"
    enrolled_images: int = 1
    unknown_share: float = 0.3
    n_boot: int = 1000
    seed: int = 0
    block: int = 2048


def every_pair(faces: EmbeddedFaces, asked: Options) -> dict[str, Any]:
    """Every image with every other."""
    people = population(faces, identity=asked.identity, group=asked.group, within=asked.within)
    counts = all_pairs.count_scores(people, people.parts, asked.block)
    all_pairs.check_comparisons(counts, "the data")
    reference = None
    if people.groups is not None:
        names = [people.names[code] for code in people.subjects.tolist()]
        reference = reference_group(
            groups_of_persons(zip(names, people.groups, strict=True)), asked.reference
        )

    def found(target: float) -> FmrThreshold:
        if reference is None:
            return counts.threshold_at_fmr(target)
        own = all_pairs.count_scores(people, people.of_group(reference), asked.block)
        all_pairs.check_comparisons(own, f"the reference group {reference}")
        return own.threshold_at_fmr(target)

    choice = operating.choose(asked.threshold, asked.fmr, reference, found)
    tars = tar_intervals.tar_at_fmrs(
        people, counts, FMRS, block=asked.block, n_boot=asked.n_boot, seed=asked.seed
    )
    everybody = ("all",) * len(people.subjects)
    grouped = all_pairs.count_groups(people, people.groups or everybody, choice.threshold, asked.block)
    overall = grouped
    if grouped.left_out:
        overall = all_pairs.count_groups(people, everybody, choice.threshold, asked.block)
    return {
        "n_subjects": len(people.names),
        "tar_at_fmr": tars,
        **_curves(counts),
        "operating": choice.stated(*operating.rates(overall)),
        "differential": _differential(faces, asked, grouped, reference, choice),
        "said": operating.cautions(choice, tars),
    }


def listed_pairs(faces: EmbeddedFaces, asked: Options) -> dict[str, Any]:
    """The pairs of a list, in folds."""
    assert asked.pairs is not None
    scored = lfw.score_pairs(faces, asked.pairs)
    group_of, reference = None, None
    if asked.group is not None:
        group_of = lfw.groups_of(faces, scored, asked.group)
        reference = reference_group(group_of, asked.reference)

    def found(target: float) -> FmrThreshold:
        return lfw.threshold(scored, target, reference, group_of)

    choice = operating.choose(asked.threshold, asked.fmr, reference, found)
    tars = lfw.tar_at_fmrs(scored, FMRS, asked.n_boot, asked.seed)
    grouped = lfw.count_groups(scored, group_of, choice.threshold)
    overall = lfw.count_groups(scored, None, choice.threshold)
    return {
        "n_subjects": scored.n_subjects,
        "tar_at_fmr": tars,
        **_curves(lfw.score_counts(scored)),
        "folds": lfw.folds(scored),
        "operating": choice.stated(*operating.rates(overall)),
        "differential": _differential(faces, asked, grouped, reference, choice),
        "said": lfw.cautions(scored) + operating.cautions(choice, tars),
    }


def one_to_many(faces: EmbeddedFaces, asked: Options) -> dict[str, Any]:
    """Probes in a gallery, some of people who are not in it."""
    people = population(faces, identity=asked.identity)
    if "role" in faces.columns:
        roles = search_1n.roles_by_column(people, faces.column("role"))
    else:
        roles = search_1n.roles_by_seed(people, asked.enrolled_images, asked.unknown_share, asked.seed)
    searches = search_1n.run(people, roles)
    report = search_1n.report(searches, roles, FPIRS)
    return {
        "n_subjects": len(people.names),
        "n_genuine": report.n_mated,
        "n_impostor": report.n_unknown,
        "histogram": all_pairs.histogram(search_1n.scores(searches)),
        "search": report,
        "said": search_1n.cautions(report),
    }


def _curves(counts: ScoreCounts) -> dict[str, Any]:
    """What the fine bins alone tell."""
    return {
        "n_genuine": counts.n_genuine,
        "n_impostor": counts.n_impostor,
        "eer": counts.eer(),
        "roc": tuple(counts.roc_curve()),
        "det": tuple(counts.det_curve()),
        "histogram": all_pairs.histogram(counts),
    }


def _differential(
    faces: EmbeddedFaces,
    asked: Options,
    counts: GroupCounts,
    reference: str | None,
    choice: operating.Choice,
) -> DifferentialReport | None:
    if reference is None:
        return None
    attempts = enrolment(faces, asked.identity, asked.group)
    return differential_report(counts, reference=reference, enrolment=attempts, target_fmr=choice.target_fmr)
