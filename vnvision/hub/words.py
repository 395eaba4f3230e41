"""Probabilities in words: a fixed scale with stated cut points.

Adapted from the likelihood scale of the IPCC (Mastrandrea et al. 2010, Guidance Note for Lead Authors of
the IPCC Fifth Assessment Report on Consistent Treatment of Uncertainties, table 1). Two changes: the steps do
not overlap, and the outermost ones (99 % and beyond) are left out, for a calibration measured on some hundred
pictures cannot vouch for them.
"""

from __future__ import annotations

from vnvision.errors import ConfigError
from vnvision.hub.library import Language, Source, checked_language
from vnvision.spec import Record

SCALE_SOURCE = Source(
    id="mastrandrea2010",
    institution="Intergovernmental Panel on Climate Change",
    title="Guidance Note for Lead Authors of the IPCC Fifth Assessment Report on Consistent Treatment of "
    "Uncertainties (Mastrandrea et al.), adapted",
    year=2010,
)


class Step(Record):
    """One step of the scale: from ``low`` (included) up to the next step's ``low``."""

    low: float
    vi: str
    en: str


SCALE: tuple[Step, ...] = (
    Step(low=0.0, vi="rất ít khả năng", en="very unlikely"),
    Step(low=0.10, vi="ít khả năng", en="unlikely"),
    Step(low=0.33, vi="có thể có, có thể không", en="about as likely as not"),
    Step(low=0.66, vi="nhiều khả năng", en="likely"),
    Step(low=0.90, vi="rất nhiều khả năng", en="very likely"),
)


def probability_words(probability: float, language: Language) -> str:
    """A calibrated probability in words.

    Args:
        probability: 0..1. A value on a cut point belongs to the step above it.
        language: vi or en.

    Raises:
        ConfigError: not within 0..1 (NaN included), or an unknown language.
    """
    if not 0 <= probability <= 1:
        raise ConfigError("a probability must lie between 0 and 1", expected="0..1", got=repr(probability))
    step = next(step for step in reversed(SCALE) if probability >= step.low)
    return str(getattr(step, checked_language(language)))


def scale_legend(language: Language) -> str:
    """The whole scale in one line with its cut points in percent, for the foot of a report."""
    highs = [step.low for step in SCALE[1:]] + [1.0]
    field = checked_language(language)
    parts = [
        f"{getattr(step, field)} {step.low * 100:.0f}–{high * 100:.0f}%"
        for step, high in zip(SCALE, highs, strict=True)
    ]
    return "; ".join(parts)
