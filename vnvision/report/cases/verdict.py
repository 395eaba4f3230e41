"""What the model answered, in words; where it withheld its answer, why, and what to do."""

from __future__ import annotations

from vnvision.hub import reason
from vnvision.hub.library import Language
from vnvision.records import PRESENT_FROM, ClassPrediction, DetectionPrediction, MaskPrediction
from vnvision.report.cases.facts import ModelFacts
from vnvision.report.cases.records import Answer, Bar, Verdict
from vnvision.report.cases.texts import say
from vnvision.report.cases.wording import percent
from vnvision.report.cases.words_classes import classes
from vnvision.report.cases.words_dense import areas, counts_of

_MOST_CLOSE = 3
_DOUBT = ("low_confidence",)


def verdict(answer: Answer, facts: ModelFacts, language: Language) -> Verdict:
    """The box that the eye goes to first."""
    if answer.abstained:
        return _withheld(answer, facts, language)
    if isinstance(answer, MaskPrediction):
        return areas(answer, answered(answer, facts), facts, language)
    if isinstance(answer, DetectionPrediction):
        return counts_of(answer, facts, language)
    return classes(answer, answered(answer, facts), facts, language)


def answered(answer: Answer, facts: ModelFacts) -> tuple[str, ...]:
    """Ids of the labels that the answer says are there, likeliest or largest first; none where withheld."""
    if answer.abstained:
        return ()
    if isinstance(answer, DetectionPrediction):
        return _by_size(answer.counts)
    if isinstance(answer, MaskPrediction):
        ground = facts.task.label_ids[0]
        spec = facts.task.severity
        wanted = spec.diseased if spec is not None else tuple(x for x in facts.task.label_ids if x != ground)
        return _by_size({name: answer.areas_px.get(name, 0) for name in wanted})
    if answer.kind == "classification":
        return (answer.top,)
    pairs = sorted(zip(answer.probabilities, answer.labels, strict=True), key=lambda pair: -pair[0])
    return tuple(label for probability, label in pairs if probability >= PRESENT_FROM)


def why(answer: Answer, language: Language) -> list[str]:
    """The reasons of an abstention in words; a code without words as it is."""
    found = [(code, reason(code)) for code in answer.reasons]
    return [one.why.text(language) if one is not None else code for code, one in found]


def _by_size(amounts: dict[str, int]) -> tuple[str, ...]:
    return tuple(sorted((name for name, size in amounts.items() if size), key=lambda name: -amounts[name]))


def _withheld(answer: Answer, facts: ModelFacts, language: Language) -> Verdict:
    """No answer. Beside a patient's picture a guess is read as an answer, so clinics never see it; farms see
    it greyed, without a first place, and only where doubt is the sole reason: of a picture that is out of
    scope or spoilt a guess says nothing.
    """
    known = [one for one in map(reason, answer.reasons) if one is not None]
    may_guess = facts.domain == "crop" and answer.reasons == _DOUBT
    bars: tuple[Bar, ...] = ()
    if may_guess and isinstance(answer, ClassPrediction) and answer.kind == "classification":
        chances = dict(zip(answer.labels, answer.probabilities, strict=True))
        order = sorted(chances, key=lambda name: -chances[name])[:_MOST_CLOSE]
        bars = tuple(
            Bar(facts.label(one).text(language), percent(chances[one], language), chances[one])
            for one in order
        )
    return Verdict(
        tone="unsure",
        title=say("unsure_why", language),
        big=say("unsure", language),
        lines=tuple(why(answer, language)),
        steps=tuple(dict.fromkeys(one.next_step(facts.domain, language) for one in known)),
        bars_title=say("closest", language) if bars else "",
        bars=bars,
    )
