"""A mask's areas and a detector's counts in words, with the errors that were measured."""

from __future__ import annotations

from vnvision.hub.library import Language
from vnvision.records import DetectionPrediction, MaskPrediction
from vnvision.report.cases.facts import ModelFacts, names_of
from vnvision.report.cases.records import Bar, Verdict
from vnvision.report.cases.texts import say
from vnvision.report.cases.wording import area, sentence
from vnvision.report.phrases import Quantity, local

_MOST_LISTED = 3


def areas(answer: MaskPrediction, found: tuple[str, ...], facts: ModelFacts, language: Language) -> Verdict:
    """Of ``found``, the labels that the answer is about and that are there."""
    total, task = answer.size_px[0] * answer.size_px[1], facts.task
    lines, wanted = [], task.severity.diseased if task.severity is not None else task.label_ids[1:]
    if task.severity is not None and answer.severity is not None:
        big = say("severity_big", language, number=area(answer.severity, language))
        lines.append(_severity_error(facts, language))
    elif found:
        share = area(answer.areas_px[found[0]] / total, language)
        big = say("found_area", language, label=facts.label(found[0]).text(language), number=share)
    else:
        big = say("not_found", language, label=names_of(facts, wanted, language))
    if task.severity is not None and answer.severity is None:
        lines.append(say("severity_none", language))
    if not found:
        lines.append(say("not_found_limit", language))
    dice = facts.metric("dice")
    if dice is not None:
        value = Quantity(dice.value or 0.0, "short")
        lines.append(say("dice", language, value=value, n=dice.n))
    shares = [(label, answer.areas_px.get(label.id, 0) / total) for label in task.labels[1:]]
    return Verdict(
        tone="found",
        title=say("answer", language),
        big=sentence(big),
        lines=tuple(lines),
        bars_title=say("areas", language),
        bars=tuple(Bar(one.text(language), area(x, language), x, one.id in found) for one, x in shares),
    )


def _severity_error(facts: ModelFacts, language: Language) -> str:
    error = facts.metric("severity_mae")
    if error is None:
        return say("severity_no_error", language)
    text = Quantity(error.value or 0.0, "tenth").text(language)
    if error.low is not None and error.high is not None:
        low, high = (Quantity(end, "tenth").text(language) for end in (error.low, error.high))
        text = f"{text} ({low}–{high})"
    return say("severity_error", language, error=text, n=error.n)


def counts_of(answer: DetectionPrediction, facts: ModelFacts, language: Language) -> Verdict:
    """How many of each label."""
    counts = {label.id: answer.counts.get(label.id, 0) for label in facts.task.labels}
    total, most, measured = sum(counts.values()), max(counts.values()), 0
    bars = []
    for label in facts.task.labels:
        count, error = counts[label.id], facts.metric("count_mae", label.id)
        number = Quantity(count, "count").text(language)
        if error is not None:
            measured = error.n
            off = Quantity(error.value or 0.0, "tenth")
            number = say("count_error", language, count=count, error=off)
        bars.append(Bar(label.text(language), number, count / most if most else 0.0, count > 0))
    found = [(label, counts[label.id]) for label in facts.task.labels if counts[label.id]]
    big = say("counted", language, count=total)
    if 0 < len(found) <= _MOST_LISTED:
        big = ", ".join(f"{local(count, language)} {label.text(language)}" for label, count in found)
    if not total:
        big = say("not_found", language, label=names_of(facts, facts.task.label_ids, language))
    lines = [say("count_error_line", language, n=measured)] if measured else []
    return Verdict(
        tone="found",
        title=say("answer", language),
        big=sentence(big),
        lines=tuple(lines if total else [say("not_found_limit", language), *lines]),
        bars_title=say("counts", language),
        bars=tuple(bars),
    )
