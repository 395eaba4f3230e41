"""Thresholds by what they promise: ``fmr=1e-4`` for a population, from stored operating points.

A cosine means nothing by itself, and a threshold that lets one stranger in a thousand through in one
population may let eight through in another. So thresholds are measured (``vnvision face calibrate``) and kept
by model and population; asking for one that was never measured is an error, not a guess.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pydantic import Field

from vnvision.errors import ConfigError, DataError
from vnvision.faces.places import thresholds_file
from vnvision.faces.threshold_requests import (
    is_number,
    not_calibrated,
    only_easy_ones,
    parse_request,
    rate_of,
    unknown_population,
)
from vnvision.records import OperatingPoint
from vnvision.spec import Record

_SHIPPED = "operating_points.json"


class StoredPoints(Record):
    """Operating points by the fingerprint of the model they were measured with."""

    schema_version: int = Field(default=1, ge=1, le=1)
    models: dict[str, tuple[OperatingPoint, ...]] = Field(default={})

    def add(self, model: str, points: Sequence[OperatingPoint]) -> StoredPoints:
        """With more points; one for the same population and rate is replaced."""
        new = {(point.population, point.target) for point in points}
        kept = [p for p in self.models.get(model, ()) if (p.population, p.target) not in new]
        return self.model_copy(update={"models": {**self.models, model: (*kept, *points)}})


@dataclass(frozen=True, slots=True)
class Threshold:
    """A cosine threshold.

    Attributes:
        value: the cosine.
        point: the operating point it comes from; None where the caller stated a number.
        populations: how many were measured at that rate, of which this is the strictest; 1 for a named one.
    """

    value: float
    point: OperatingPoint | None = None
    populations: int = 1


def stored_points(model: str) -> tuple[OperatingPoint, ...]:
    """Every operating point known for a model: those that ship, and over them those measured here.

    Raises:
        DataError: a file of operating points is damaged.
    """
    shipped = resources.files("vnvision.faces") / _SHIPPED
    known = StoredPoints.from_json(shipped.read_bytes(), _SHIPPED, DataError)
    return known.add(model, load_points().models.get(model, ())).models.get(model, ())


def load_points(path: Path | None = None) -> StoredPoints:
    """The points measured on this machine; none where the file is missing.

    Raises:
        DataError: the file is damaged.
    """
    file = path or thresholds_file()
    return StoredPoints.load(file, DataError) if file.is_file() else StoredPoints()


def save_points(model: str, points: Sequence[OperatingPoint], path: Path | None = None) -> Path:
    """Add points to those measured on this machine; the file is replaced whole.

    Raises:
        DataError: the file that is there is damaged, or cannot be written.
    """
    file = path or thresholds_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _alone(file):
            return load_points(file).add(model, points).save(file)
    except OSError as exc:
        raise DataError(f"cannot write {file}", got=exc.strerror or str(exc)) from exc


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """One process at a time; where there are no POSIX locks the last one to write wins."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with open(file.with_name(f".{file.name}.lock"), "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def resolve(
    threshold: float | str,
    model: str,
    *,
    population: str | None = None,
    points: Sequence[OperatingPoint] | None = None,
) -> Threshold:
    """The cosine to compare with.

    Args:
        threshold: a cosine, or ``fmr=RATE`` or ``fmr=RATE@POPULATION``.
        model: fingerprint of the embedder.
        population: whose operating point; without one the strictest of all populations measured at that
            rate, which holds the rate in each of them.
        points: stored points to choose from; None takes ``stored_points``.

    Raises:
        ConfigError: not a threshold, a rate never measured for this model, or an unknown population, each
            with the command that mends it.
    """
    if not isinstance(threshold, str) or is_number(threshold):
        value = float(threshold)
        if not (math.isfinite(value) and -1 <= value <= 1):
            raise ConfigError(
                "a threshold is wrong",
                expected="a cosine in [-1, 1]",
                got=str(threshold),
                vietnamese=f"ngưỡng {threshold} không hợp lệ; cần một giá trị cosine từ -1 đến 1",
            )
        if population is not None:
            raise ConfigError(
                "a cosine has no population",
                expected="a rate such as fmr=1e-4 with it",
                got=f"{threshold} and {population}",
                vietnamese=f"ngưỡng cosine {threshold} không đi cùng nhóm người; hãy dùng tỷ lệ như fmr=1e-4",
            )
        return Threshold(value)
    rate, named = parse_request(threshold)
    if population and named and population != named:
        raise ConfigError(
            "two populations are named",
            expected="one",
            got=f"{named}, {population}",
            vietnamese=f"nêu hai nhóm người khác nhau: {named} và {population}; hãy chọn một",
        )
    wanted = named or population
    known = tuple(points) if points is not None else stored_points(model)
    if wanted is not None and wanted not in {point.population for point in known}:
        raise unknown_population(wanted, rate, known)
    fitting = [
        point
        for point in known
        if (wanted is None or point.population == wanted) and math.isclose(rate_of(point), rate, rel_tol=1e-6)
    ]
    if not fitting:
        raise not_calibrated(rate, wanted, known)
    best = max(fitting, key=lambda point: point.threshold)
    harder = [p for p in known if rate_of(p) > rate and p.threshold > best.threshold]
    if wanted is None and harder:  # the rate would not be kept for them
        raise only_easy_ones(rate, fitting, max(harder, key=lambda point: point.threshold))
    return Threshold(best.threshold, best, len(fitting))
