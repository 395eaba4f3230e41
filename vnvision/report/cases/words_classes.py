"""A classifier's answer in words: the label, its probability, where it stands against thresholds."""

from __future__ import annotations

from vnvision.hub.library import Language
from vnvision.records import PRESENT_FROM, ClassPrediction, OperatingPoint
from vnvision.report.cases.facts import ModelFacts, names_of, probability_points
from vnvision.report.cases.model import target_words
from vnvision.report.cases.records import Bar, Verdict
from vnvision.report.cases.texts import say
from vnvision.report.cases.wording import area, in_words, percent, sentence
from vnvision.report.phrases import Quantity

_MOST_BARS = 5


def classes(
    answer: ClassPrediction, present: tuple[str, ...], facts: ModelFacts, language: Language
) -> Verdict:
    """Of ``present``, what the answer says is there."""
    chances = dict(zip(answer.labels, answer.probabilities, strict=True))
    single = answer.kind == "classification"
    big = names_of(facts, present, language) if present else say("none_present", language)
    lines = [] if single else [say("present_rule", language, share=Quantity(PRESENT_FROM, "whole"))]
    if answer.severity is not None:
        lines.append(say("severity", language, number=area(answer.severity, language)))
    return Verdict(
        tone="sure",
        title=say("answer", language),
        big=sentence(big),
        words=sentence(in_words(chances[present[0]], language)) if len(present) == 1 else "",
        lines=(*lines, *_thresholds(chances, facts, language)),
        alerts=tuple(_alerts(chances, present, facts, language)),
        bars_title=say("all_labels", language),
        bars=_bars(chances, present, facts, language),
    )


def _bars(
    chances: dict[str, float], present: tuple[str, ...], facts: ModelFacts, language: Language
) -> tuple[Bar, ...]:
    """The likeliest labels, then the others in one line, where there are many."""
    order = sorted(chances, key=lambda name: -chances[name])
    shown = order if len(order) <= _MOST_BARS else order[: _MOST_BARS - 1]
    bars = [
        Bar(facts.label(one).text(language), percent(chances[one], language), chances[one], one in present)
        for one in shown
    ]
    rest = [chances[one] for one in order[len(shown) :]]
    if rest and facts.task.kind == "classification":
        name = say("rest", language, count=len(rest))
        bars.append(Bar(name, percent(sum(rest), language), min(1.0, sum(rest))))
    return tuple(bars)


def _asked(facts: ModelFacts) -> list[OperatingPoint]:
    """Thresholds of the yes-or-no question, lowest first: that of ``positive``, or the only one there is."""
    points = probability_points(facts)
    asked = facts.task.positive or (points[0].label if len(facts.task.labels) == 2 and points else None)
    return sorted((one for one in points if one.label == asked), key=lambda one: one.threshold)


def _thresholds(chances: dict[str, float], facts: ModelFacts, language: Language) -> list[str]:
    """Where the probability of the label in question stands against its thresholds, in one line."""
    points = _asked(facts)
    if not points:
        return []
    label = points[0].label or ""
    stands = [
        say(
            "threshold_over" if chances[label] >= point.threshold else "threshold_under",
            language,
            limit=Quantity(point.threshold, "percent"),
            target=target_words(point.target, language),
        )
        for point in points
    ]
    name, number = sentence(facts.label(label).text(language)), Quantity(chances[label], "percent")
    return [say("against", language, label=name, number=number, stands="; ".join(stands))]


def _alerts(
    chances: dict[str, float], present: tuple[str, ...], facts: ModelFacts, language: Language
) -> list[str]:
    """A label in question that reaches a threshold without being the answer."""
    points = _asked(facts)
    label = points[0].label or "" if points else ""
    if not points or label in present or chances[label] < points[0].threshold:
        return []
    return [say("alert", language, label=facts.label(label).text(language))]
