"""Identification: a gallery, probes of enrolled people, and probes of people who are not enrolled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vnvision.errors import ConfigError, DataError
from vnvision.evaluate.faces import notes
from vnvision.evaluate.faces.population import Population
from vnvision.evaluate.faces.records import SearchReport
from vnvision.metrics.identification import Searches, cmc, search, tpir_at_fpir
from vnvision.metrics.score_counts import ScoreCounts

ROLES = ("gallery", "probe", "unknown")


@dataclass(frozen=True, slots=True, eq=False)
class Roles:
    """Image indices of each role: (G,) gallery, (P,) mated probes, (U,) probes of unknown people."""

    gallery: np.ndarray
    probe: np.ndarray
    unknown: np.ndarray


def roles_by_seed(people: Population, images: int, unknown_share: float, seed: int) -> Roles:
    """Choose who is enrolled.

    A share of the persons, drawn by ``seed``, stays unknown: all their images search the gallery. Of the
    others the first ``images`` are enrolled and the rest search. The same persons in the same order and the
    same seed give the same roles.

    Raises:
        ConfigError: ``images`` below 1, or a share outside 0..1.
    """
    if images < 1:
        raise ConfigError("images enrolled of each person", expected="1 or more", got=str(images))
    if not 0 < unknown_share < 1:
        raise ConfigError("share of unknown people", expected="between 0 and 1", got=f"{unknown_share:g}")
    size = len(people.names)
    # By name, so that the order of the rows does not choose.
    ranked = np.argsort(np.array(people.names), kind="stable")
    n_unknown = min(max(1, round(unknown_share * size)), max(size - 1, 1))
    unknown = np.zeros(size, bool)
    unknown[np.random.default_rng(seed).permutation(ranked)[:n_unknown]] = True
    order = np.argsort(people.subjects, kind="stable")
    codes = people.subjects[order]
    starts = np.searchsorted(codes, codes)
    place = np.arange(len(order)) - starts
    outside = unknown[codes]
    early = place < images
    return Roles(np.sort(order[~outside & early]), np.sort(order[~outside & ~early]), np.sort(order[outside]))


def roles_by_column(people: Population, column: Sequence[str]) -> Roles:
    """Roles as the manifest gives them; rows with an empty role are left out.

    Raises:
        DataError: another word than the three roles, a probe that nobody enrolled, or an unknown who is.
    """
    roles = np.array(column)[people.rows]
    wrong = sorted(set(roles.tolist()) - {*ROLES, ""})
    if wrong:
        raise DataError("role", expected=", ".join(ROLES), got=", ".join(wrong[:5]))
    found = Roles(*(np.flatnonzero(roles == role) for role in ROLES))
    enrolled = set(people.subjects[found.gallery].tolist())
    for row, inside in [(found.probe, True), (found.unknown, False)]:
        odd = [code for code in people.subjects[row].tolist() if (code in enrolled) != inside]
        if odd:
            name = people.names[odd[0]]
            raise DataError(
                f"{name!r} has role {'probe' if inside else 'unknown'}",
                expected="somebody in the gallery" if inside else "somebody who is not in the gallery",
            )
    return found


def run(people: Population, roles: Roles) -> Searches:
    """Search the gallery with every probe, the mated ones first.

    Raises:
        DataError: the gallery or one kind of probe is empty.
    """
    empty = [name for name in ROLES if not len(getattr(roles, name))]
    if empty:
        raise DataError(
            f"identification has no {' and no '.join(empty)}",
            expected="gallery, probe and unknown images",
            fix="more images a person, or fewer enrolled images each",
        )
    probes = np.concatenate([roles.probe, roles.unknown])
    return search(
        people.embeddings[probes],
        people.embeddings[roles.gallery],
        people.subjects[probes],
        people.subjects[roles.gallery],
    )


def report(searches: Searches, roles: Roles, targets: Sequence[float], max_rank: int = 20) -> SearchReport:
    """TPIR at each FPIR and the CMC."""
    return SearchReport(
        n_enrolled=searches.n_enrolled,
        n_gallery=len(roles.gallery),
        n_mated=int(searches.mated.sum()),
        n_unknown=int((~searches.mated).sum()),
        tpir=tuple(tpir_at_fpir(searches, target) for target in targets),
        cmc=cmc(searches, max_rank),
    )


def scores(searches: Searches) -> ScoreCounts:
    """Scores of the right person in mated searches, and the best scores of unknown people."""
    mated = searches.mated
    return ScoreCounts().add(searches.mate_score[mated], searches.top_score[~mated])


def cautions(report: SearchReport) -> list[str]:
    """FPIRs that the searches cannot support."""
    return [
        notes.FPIR_UNSUPPORTED.format(target=f"{one.at.target:g}", needed=one.at.needed, n=one.at.n_impostor)
        for one in report.tpir
        if not one.at.supported
    ]
