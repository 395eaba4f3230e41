"""Learn thresholds for stated false match rates from pictures of one population."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vnvision.errors import ConfigError, DataError
from vnvision.faces.embedded import EmbeddedFaces
from vnvision.faces.threshold_requests import rate_name
from vnvision.metrics.group_counts import count_all_pairs
from vnvision.metrics.intervals import rate_interval
from vnvision.metrics.pairs import code_subjects, iter_pairs_blocks
from vnvision.metrics.score_counts import ScoreCounts
from vnvision.metrics.thresholds import rule_of_three
from vnvision.records import OperatingPoint


@dataclass(frozen=True, slots=True)
class TooFew:
    """A rate that the data cannot support.

    Attributes:
        population: whose.
        rate: asked for.
        comparisons: impostor comparisons there are.
        needed: by the rule of 3, 3 / rate.
        people: of the population, with a template.
    """

    population: str
    rate: float
    comparisons: int
    needed: int
    people: int

    @property
    def people_needed(self) -> int:
        """People with one picture each whose pairs would be enough."""
        return int(np.ceil((1 + np.sqrt(1 + 8 * self.needed)) / 2))

    def text(self, language: str = "en") -> str:
        """One line: what there is, what it would take."""
        values = {
            "population": self.population,
            "rate": rate_name(self.rate),
            "n": f"{self.comparisons:,}",
            "needed": f"{self.needed:,}",
            "people": self.people,
            "wanted": self.people_needed,
        }
        return _TOO_FEW[language].format(**values)


_TOO_FEW = {
    "en": "{population}: {n} comparisons of different people ({people} people) cannot support {rate}: "
    "the rule of 3 asks for {needed}; collect about {wanted} people, or ask for a higher rate",
    "vi": "{population}: {n} phép so sánh giữa những người khác nhau ({people} người) không đủ cho {rate}: "
    "quy tắc số 3 cần {needed}; hãy thu thập khoảng {wanted} người, hoặc chọn tỷ lệ cao hơn",
}


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What ``calibrate`` found: points to store, and the rates the data is too small for."""

    points: tuple[OperatingPoint, ...]
    refused: tuple[TooFew, ...]


def calibrate(
    faces: EmbeddedFaces,
    rates: Sequence[float],
    *,
    population: str | None = None,
    group: str | None = None,
) -> Calibrated:
    """Thresholds that hold false match rates among the people of ``faces``.

    All pairs of different people are compared. The threshold is the lowest step of 3.1e-5 with at most the
    rate asked for; ``achieved`` has an interval over people (``vnvision.metrics.intervals.rate_interval``).

    Args:
        faces: templates with a column ``identity``.
        rates: false match rates asked for, each in (0, 1).
        population: name to store the points under; with ``group`` the column's values are the names.
        group: column that parts the pictures into populations.

    Raises:
        DataError: no ``manifest_sha256``, no column ``identity`` or ``group``, no picture with a face, an
            empty group column, or, without groups, fewer than two people.
        ConfigError: a rate outside (0, 1).
        MissingExtraError: scipy is not installed.
    """
    for rate in rates:
        if not 0 < rate < 1:
            raise ConfigError("a rate is wrong", expected="0 < rate < 1, such as 1e-3", got=str(rate))
    if not faces.manifest_sha256:
        raise DataError("the templates do not say which pictures they are of", expected="manifest_sha256")
    needed = {rate: rule_of_three(rate) for rate in rates}
    identities = faces.column("identity")
    kept = faces.found & np.array([bool(name) for name in identities])
    if not kept.any():
        raise DataError(
            "no picture to calibrate on",
            expected="pictures with a face and an identity",
            got="0",
            fix="put the pictures of each person into a folder of their own, or fill the column identity",
        )
    if group is None and len({identities[i] for i in np.flatnonzero(kept)}) < 2:
        raise DataError(
            f"{population or 'all'} shows one person only", expected="pictures of two people or more"
        )
    points: list[OperatingPoint] = []
    refused: list[TooFew] = []
    for name, rows in _parts(faces, kept, population, group).items():
        found = _of_one_population(faces, rows, [identities[i] for i in rows], name, needed)
        points += found.points
        refused += found.refused
    return Calibrated(tuple(points), tuple(refused))


def _parts(
    faces: EmbeddedFaces, kept: np.ndarray, population: str | None, group: str | None
) -> dict[str, np.ndarray]:
    if group is None:
        return {population or "all": np.flatnonzero(kept)}
    values = np.array(faces.column(group))
    names = sorted({value for value in values[kept] if value})
    if not names:
        raise DataError(f"column {group!r} is empty", expected="the population of each picture")
    return {str(name): np.flatnonzero(kept & (values == name)) for name in names}


def _of_one_population(
    faces: EmbeddedFaces, rows: np.ndarray, people: list[str], population: str, needed: dict[float, int]
) -> Calibrated:
    templates, codes = faces.embeddings[rows], code_subjects(people)[0]
    n_people = int(codes.max()) + 1
    counts = ScoreCounts()
    for block in iter_pairs_blocks(templates, codes):
        counts.add_block(block)
    n = counts.n_impostor
    points = []
    for rate, least in needed.items():
        if n < least:
            continue
        threshold = counts.threshold_at_fmr(rate).threshold
        at = count_all_pairs(templates, codes, [population] * len(rows), threshold)
        points.append(
            OperatingPoint(
                threshold=threshold,
                scale="cosine",
                target=rate_name(rate),
                achieved=rate_interval(at.impostor[population, population]),
                population=population,
                n=n,
                manifest_sha256=faces.manifest_sha256,
            )
        )
    few = (TooFew(population, rate, n, least, n_people) for rate, least in needed.items() if n < least)
    return Calibrated(tuple(points), tuple(few))
