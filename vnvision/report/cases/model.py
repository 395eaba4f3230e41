"""What a page says of the model: which one, what it learned from, how good it was, when it stays silent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vnvision.hub import domain_notice
from vnvision.hub.library import Language
from vnvision.records import Calibration, Metric
from vnvision.report.cases.facts import ModelFacts, probability_points
from vnvision.report.cases.records import Fact, Model
from vnvision.report.cases.texts import TEXTS, say
from vnvision.report.phrases import Quantity, known_or, translated

_HEADLINES = {
    "classification": ("accuracy", "auroc"),
    "multilabel": ("auroc", "macro_f1"),
    "segmentation": ("dice", "iou"),
    "detection": ("map50",),
}
_MOST_POINTS, _MOST_NAMES = 3, 4


def model_lines(facts: ModelFacts, language: Language) -> Model:
    """The same in words."""
    manifest, calibrated = facts.manifest, facts.record.calibration.n > 0
    commit = str(manifest.provenance.get("commit") or say("not_stated", language))[:12]
    version = say("version_value", language, sha=facts.sha256[:12], commit=commit)
    with_probability = manifest.task.kind in ("classification", "multilabel")
    warned = {"synthetic": manifest.synthetic, "uncalibrated": with_probability and not calibrated}
    licences = say(
        "licences_value",
        language,
        data=_stated(manifest.licences.training_data, language),
        weights=_stated((manifest.licences.weights,), language),
    )
    told = [
        Fact(say("model", language), manifest.name),
        Fact(say("version", language), version),
        Fact(say("data", language), _data(facts, language)),
        Fact(say("licences", language), licences),
        Fact(say("measured", language), _measured(facts, language)),
        Fact(say("withheld", language), _withheld(facts, language)),
    ]
    points = "; ".join(_points(facts, language))
    return Model(
        name=manifest.name,
        version=version,
        sha256=facts.sha256,
        domain=facts.domain,
        labels={label.id: label.text(language) for label in manifest.task.labels},
        facts=(*told, Fact(say("thresholds", language), points)) if points else tuple(told),
        notice=domain_notice(facts.domain, language),
        warnings=tuple(say(key, language) for key, asked in warned.items() if asked),
    )


def interval(metric: Metric, language: Language, *, share: bool) -> str:
    """A figure with its interval: ``95.0% (90.9–97.7%)`` of a share, else ``0.912 (0.850–0.960)``."""
    value = metric.value if metric.value is not None else 0.0
    text = Quantity(value, "percent" if share else "score").text(language)
    if metric.low is None or metric.high is None:
        return text
    ends = [
        Quantity(end, "percent" if share else "score").text(language) for end in (metric.low, metric.high)
    ]
    return f"{text} ({ends[0].removesuffix('%')}–{ends[1]})"


def target_words(target: str, language: Language) -> str:
    """``specificity=0.95`` in words; another target as it stands."""
    name, _, value = target.partition("=")
    if f"target.{name}" not in TEXTS:
        return target
    try:
        return say(f"target.{name}", language, value=Quantity(float(value), "whole"))
    except ValueError:
        return target


def _data(facts: ModelFacts, language: Language) -> str:
    data = facts.report.data if facts.report is not None else {}
    about = data.get("manifest")
    name = facts.task.texts or (about.get("name") if isinstance(about, Mapping) else None)
    return say(
        "data_value",
        language,
        name=name or say("not_stated", language),
        sources=_names(data.get("sources"), language),
        regions=_names(data.get("regions"), language),
    )


def _names(counts: Any, language: Language) -> str:
    """The names of a count by name, the commonest first."""
    if not isinstance(counts, Mapping):
        return say("not_stated", language)
    names = [str(name) for name in counts if str(name)]
    rest = f", +{len(names) - _MOST_NAMES}" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + rest if names else say("not_stated", language)


def _stated(licences: tuple[str, ...], language: Language) -> str:
    """Licences as they are named; ``not stated``, as export writes where nobody stated one, in words."""
    known = (one if one not in ("", "not stated") else say("not_stated", language) for one in licences)
    return ", ".join(known) or say("not_stated", language)


def _measured(facts: ModelFacts, language: Language) -> str:
    report = facts.report
    found = [(name, facts.metric(name)) for name in _HEADLINES.get(facts.task.kind, ())]
    name, metric = next(((name, one) for name, one in found if one is not None), ("", None))
    if report is None or metric is None:
        return say("not_measured", language)
    return say(
        "measured_value",
        language,
        name=known_or("metric", name),
        value=interval(metric, language, share=name == "accuracy"),
        split=known_or("split", report.split),
        images=report.n,
        groups=report.n_groups,
    )


def _withheld(facts: ModelFacts, language: Language) -> str:
    calibration: Calibration = facts.record.calibration
    rule, parts = calibration.abstention, []
    if rule is not None and rule.bound is None:
        parts.append(say("withheld_all", language))
    elif calibration.abstain_below is not None:
        key = "withheld_least" if facts.task.kind == "multilabel" else "withheld_value"
        limit = say(key, language, limit=Quantity(calibration.abstain_below, "percent"))
        if rule is not None:
            risk, sure = Quantity(rule.risk, "percent"), Quantity(1 - rule.delta, "whole")
            limit = say("withheld_rule", language, limit=limit, risk=risk, sure=sure)
        parts.append(limit)
    if calibration.scope_file is not None:
        parts.append(say("withheld_scope", language))
    if calibration.lesions is not None:
        parts.append(say("withheld_healthy", language))
    return "; ".join(parts) or say("withheld_never", language)


def _points(facts: ModelFacts, language: Language) -> Iterator[str]:
    boxes = facts.task.boxes
    if boxes is not None:
        many = boxes.thresholds * (len(facts.task.labels) if len(boxes.thresholds) == 1 else 1)
        for label, value in zip(facts.task.labels, many, strict=True):
            limit = Quantity(value, "short")
            yield say("box_threshold_value", language, label=label.text(language), limit=limit)
    for point in probability_points(facts)[:_MOST_POINTS]:
        yield say(
            "threshold_value",
            language,
            label=facts.label(point.label).text(language) if point.label else "",
            limit=Quantity(point.threshold, "percent"),
            target=target_words(point.target, language),
            achieved=_achieved(point.achieved, language),
        )


def _achieved(metric: Metric, language: Language) -> str:
    text = interval(metric, language, share=True)
    note = metric.note or ""
    return f"{text}; {translated(note) if language == 'vi' else note}" if note else text
