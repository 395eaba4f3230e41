"""Plain data (counts, licences, a model's record) as headed blocks, whatever keys it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vnvision.records import EvalReport
from vnvision.report.phrases import Html, Quantity, known_or, phrase, show
from vnvision.report.texts import TEXTS
from vnvision.spec import Label

_MOST = 40


@dataclass(frozen=True, slots=True)
class Fact:
    """One line: a name, a value, and for counts the share of the largest (0..1)."""

    name: Html
    value: Html
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """A headed list of facts."""

    title: Html
    facts: tuple[Fact, ...]


def facts(
    data: Mapping[str, Any], labels: Mapping[str, Label] | None = None
) -> tuple[list[Fact], list[Block]]:
    """Single values first, then one block for each list or mapping.

    Nested mappings become blocks of their own under ``outer: inner``. Long lists are cut with a count.
    Keys that are label ids print as the label's text.
    """
    labels = labels or {}
    single, blocks = [], []
    for key, value in data.items():
        title = show(known_or("fact", str(key)))
        if isinstance(value, Mapping):
            blocks += _blocks(title, value, labels)
        elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
            for item in value[:_MOST]:
                blocks += _blocks(title, item if isinstance(item, Mapping) else {"": item}, labels)
        else:
            single.append(Fact(title, _value(value)))
    return single, blocks


def _blocks(title: Html, mapping: Mapping[str, Any], labels: Mapping[str, Label]) -> list[Block]:
    inner = {k: v for k, v in mapping.items() if isinstance(v, Mapping)}
    plain = {k: v for k, v in mapping.items() if not isinstance(v, Mapping)}
    numbers = [v for v in plain.values() if isinstance(v, int) and not isinstance(v, bool)]
    largest = max(numbers, default=0) if len(numbers) == len(plain) else 0
    lines = [
        Fact(_key(key, labels), _value(value), value / largest if largest else None)
        for key, value in list(plain.items())[:_MOST]
    ]
    if len(plain) > _MOST:
        lines.append(Fact(Html("…"), show(f"+{len(plain) - _MOST}")))
    out = [Block(title, tuple(lines))] if lines else []
    for key, value in inner.items():
        out += _blocks(Html(f"{title}: {_key(key, labels)}"), value, labels)
    return out


def _key(key: str, labels: Mapping[str, Label]) -> Html:
    text = str(key)
    if text in labels:
        return show(labels[text])
    if text in ("", "None"):
        return show(phrase("none"))
    return show(phrase(f"fact.{text}") if f"fact.{text}" in TEXTS else text)


def _value(value: Any) -> Html:
    if value is None or value == "":
        return show(phrase("none"))
    if isinstance(value, list | tuple):
        shown = [show(item) for item in value[:_MOST]]
        more = [show(f"+{len(value) - _MOST}")] if len(value) > _MOST else []
        return Html(", ".join(shown + more)) if shown else show(phrase("none"))
    return show(value)


def described(data: Mapping[str, Any]) -> dict[str, Any]:
    """A description of data (``vnvision.data.card.describe``) with what a reader needs, in reading order.

    What the page says elsewhere (the manifest's hash, its only split) is left out, as are counts of 0.
    Descriptions of another form pass through unchanged.
    """
    about, images = data.get("manifest"), data.get("images")
    if not isinstance(about, Mapping):
        return dict(data)
    out = {key: value for key, value in about.items() if key != "sha256" and value != 0}
    rest = {
        key: value
        for key, value in data.items()
        if key not in ("manifest", "images", "multilabel", "warnings")
    }
    if len(rest.get("splits") or ()) <= 1:
        rest.pop("splits", None)
    if isinstance(images, Mapping):
        out |= {key: _range(images[key]) for key in ("width_px", "height_px") if key in images}
        out |= {key: images[key] for key in ("unreadable",) if images.get(key)}
        rest |= {key: images[key] for key in ("formats", "commonest_sizes") if images.get(key)}
    return out | {key: value for key, value in rest.items() if value not in (None, {}, [])}


def _range(edges: Mapping[str, Any]) -> str:
    """Pixels from the smallest to the largest image, once where they agree."""
    low, high = edges.get("min"), edges.get("max")
    return f"{low} px" if low == high else f"{low}–{high} px"


def mentions_synthetic(data: Mapping[str, Any], model: Mapping[str, Any]) -> bool:
    """Whether the sources or the model's record say that pictures are synthetic."""
    if model.get("synthetic") is True or data.get("synthetic") is True:
        return True
    return any("source" in str(key) and "synthetic" in _flat(value) for key, value in data.items())


def _flat(value: Any) -> str:
    """All text of nested plain data, keys included, in lower case."""
    if isinstance(value, Mapping):
        return " ".join(f"{str(key).lower()} {_flat(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return " ".join(_flat(item) for item in value)
    return str(value).lower()


def provenance(report: EvalReport) -> list[Fact]:
    """What every model has: calibration or thresholds, input, fingerprints."""
    spec = report.task.preprocess
    height, width = spec.size_px
    return [
        *(_thresholds(report) if report.task.kind == "detection" else _calibration(report)),
        Fact(
            show(phrase("input")),
            show(phrase("input_value", height=str(height), width=str(width), colour=spec.colour.upper())),
        ),
        Fact(show(phrase("preprocess")), Html(f"<code>{spec.fingerprint()}</code>")),
        Fact(show(phrase("manifest")), Html(f"<code>{report.manifest_sha256}</code>")),
    ]


def _calibration(report: EvalReport) -> list[Fact]:
    """How probabilities were calibrated; nothing for masks, which are not."""
    if report.task.kind == "segmentation":
        return []
    calibration = report.calibration
    fitted: Any = phrase("not_calibrated")
    if calibration.n:
        split = known_or("split", calibration.fitted_on)
        fitted = phrase("fitted_on_n", split=split, n=calibration.n)
    temperatures = ", ".join(show(Quantity(t, "short")) for t in calibration.temperatures)
    return [
        Fact(show(phrase("fitted_on")), show(fitted)),
        Fact(show(phrase("temperatures")), Html(temperatures)),
    ]


def _thresholds(report: EvalReport) -> list[Fact]:
    """The score above which a box counts, once or a label."""
    values = report.task.boxes.thresholds if report.task.boxes is not None else ()
    said = [show(Quantity(value, "short")) for value in values]
    if len(values) == len(report.task.labels):
        said = [Html(f"{show(label)} {text}") for label, text in zip(report.task.labels, said, strict=True)]
    return [Fact(show(phrase("box_thresholds")), Html(", ".join(said)))]
