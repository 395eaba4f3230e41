"""The one threshold that every rate of a report is stated at, and where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vnvision.errors import ConfigError
from vnvision.evaluate.faces import notes
from vnvision.evaluate.faces.merging import together
from vnvision.evaluate.faces.records import FaceOperatingPoint, ThresholdSource
from vnvision.metrics.group_counts import GroupCounts
from vnvision.metrics.intervals import rate_interval
from vnvision.metrics.thresholds import FmrThreshold, TarAtFmr
from vnvision.records import Metric, OperatingPoint


@dataclass(frozen=True, slots=True)
class Choice:
    """A threshold before its rates are known."""

    threshold: float
    source: ThresholdSource
    population: str = ""
    target_fmr: float | None = None
    found: FmrThreshold | None = None

    @property
    def same_data(self) -> bool:
        """It was set on the comparisons it is judged on."""
        return self.found is not None

    def stated(self, fmr: Metric, fnmr: Metric) -> FaceOperatingPoint:
        """With its rates on all comparisons."""
        return FaceOperatingPoint(
            threshold=self.threshold,
            source=self.source,
            population=self.population,
            target_fmr=self.target_fmr,
            supported=None if self.found is None else self.found.supported,
            fmr=fmr,
            fnmr=fnmr,
        )


def choose(
    threshold: float | OperatingPoint | None,
    fmr: float,
    reference: str | None,
    found: Callable[[float], FmrThreshold],
) -> Choice:
    """A number or a stored operating point as given; else the threshold for ``fmr``.

    Args:
        threshold: cosine, or an operating point on the cosine scale.
        fmr: asked for where no threshold is given.
        reference: the group on which ``found`` measures; None for all comparisons.
        found: threshold for an FMR.

    Raises:
        ConfigError: the operating point is not on the cosine scale, or the threshold is not a cosine.
    """
    if isinstance(threshold, OperatingPoint):
        if threshold.scale != "cosine":
            raise ConfigError("threshold of another scale", expected="cosine", got=threshold.scale)
        name, _, rate = threshold.target.partition("=")
        target = float(rate) if name == "fmr" else None
        return Choice(threshold.threshold, "operating point", threshold.population, target)
    if threshold is not None:
        if not -1 <= threshold <= 1:
            raise ConfigError("threshold", expected="a cosine, -1 to 1", got=f"{threshold:g}")
        return Choice(float(threshold), "given")
    at = found(fmr)
    source: ThresholdSource = "all comparisons" if reference is None else "reference group"
    return Choice(at.threshold, source, reference or "", fmr, at)


def cautions(choice: Choice, tars: tuple[TarAtFmr, ...]) -> list[str]:
    """What the thresholds cannot claim."""
    said = [notes.SAME_DATA] if choice.same_data else []
    weak = {at.target: at for at in [one.at for one in tars] if not at.supported}
    if choice.found is not None and not choice.found.supported:
        weak[choice.found.target] = choice.found
    for at in weak.values():
        fields = {"target": f"{at.target:g}", "needed": at.needed, "n": at.n_impostor}
        said.append(notes.FMR_UNSUPPORTED.format(**fields))
    return said


def rates(counts: GroupCounts) -> tuple[Metric, Metric]:
    """FMR and FNMR of all comparisons together."""
    fmr = rate_interval(together(list(counts.impostor.values())))
    return fmr, rate_interval(together(list(counts.genuine.values())))
