"""Facts of the model card as short lines: metrics, data, preprocessing, provenance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vnvision.export.card_text import DATA_NAMES, TEXT
from vnvision.export.card_words import ELSEWHERE, PROVENANCE_NAMES
from vnvision.export.markdown import localised, number, plain, short
from vnvision.export.result import GateResult
from vnvision.metrics.notes import SEPARATOR
from vnvision.records import Metric, TargetRecord
from vnvision.report.phrases import Language, known_or, local, translated
from vnvision.report.texts import TEXTS
from vnvision.spec import PreprocessSpec

_MOST_ENTRIES = 40
_CREDITED = {"regions", "sources", "licences", "consents", "missing"}
_FLAT = ("calibration_images", "export")
_ELSEWHERE = {"warnings", "multilabel"}
"""Keys of a data description that the card says in another place: the results, the task."""


def metric_rows(metrics: Mapping[str, Metric], language: Language) -> list[tuple[str, str, str, str]]:
    """One row a metric: name, value, interval in brackets, n. An undefined value says so, it is never 0."""
    rows = []
    for name, metric in metrics.items():
        words = plain(local(known_or("metric", name), language))
        value = TEXT[language]["undefined"] if metric.value is None else number(metric.value, language)
        interval = "–"
        if metric.low is not None and metric.high is not None:
            mark = "; " if language == "vi" else ", "  # a comma is the decimal mark there
            level = localised(f"{100 * metric.level:g}", language)
            interval = f"[{number(metric.low, language)}{mark}{number(metric.high, language)}] ({level} %)"
        rows.append((words, value, interval, str(metric.n)))
    return rows


def target_rows(
    records: Mapping[str, TargetRecord],
    results: Mapping[str, GateResult],
    sizes_bytes: Mapping[str, int],
    language: Language,
) -> Iterator[tuple[str, ...]]:
    """One row a target: file, engine, precision, megabytes, and the gate's figures."""
    for key, record in records.items():
        result = results[key]
        agreement = result.top1_agreement
        yield (
            plain(key),
            plain(record.file),
            record.engine,
            record.precision,
            number(sizes_bytes[key] / 1e6, language, 1),
            short(result.max_relative or 0.0, language),
            "–" if result.cosine_mean is None else number(result.cosine_mean, language, 6),
            "–" if agreement is None else f"{agreement:.0%} ({result.top1_n})",
        )


def warning_line(text: str, language: Language) -> str:
    """A warning of the report, escaped, in Vietnamese where it is one of ours."""
    whole = translated(text) if language == "vi" else text
    if whole == text and language == "vi":
        whole = SEPARATOR.join(translated(part) for part in text.split(SEPARATOR))
    return plain(whole, 500)


def split_words(name: str, language: Language) -> str:
    """A split in words, the name itself where it is none of ours."""
    return plain(local(known_or("split", name), language) if f"split.{name}" in TEXTS else name)


def data_lines(
    data: Mapping[str, Any],
    language: Language,
    labels: Mapping[str, str] | None = None,
    *,
    credited: bool = False,
) -> Iterator[str]:
    """What the report says of its data, key by key; counts as ``name (count)``.

    Args:
        data: of the report.
        language: vi or en.
        labels: names for label ids.
        credited: the card credits the data itself, in both languages.
    """
    if not data:
        yield TEXT[language]["unknown"]
    for key, value in data.items():
        if key in _ELSEWHERE or (credited and (key in _CREDITED or value in ({}, [], None))):
            continue
        words = DATA_NAMES.get(key, {}).get(language) or plain(key.replace("_", " "))
        yield f"{words}: {_value(_condensed(key, value, language, labels or {}), language)}"


def _condensed(key: str, value: Any, language: Language, labels: Mapping[str, str]) -> Any:
    """The part of ``data.describe`` that fits on a line; anything else as it is."""
    if not isinstance(value, Mapping):
        return value
    if key == "manifest" and "name" in value:
        return [value["name"], value.get("sha256", "")]
    if key == "splits":
        counts = {name: part.get("images", part) if isinstance(part, Mapping) else part
                  for name, part in value.items()}  # fmt: skip
        return {local(known_or("split", name), language): count for name, count in counts.items()}
    if key == "images" and "formats" in value:
        return {**value["formats"], **value.get("commonest_sizes", {})}
    if key in ("labels", "holding", "objects"):
        return {labels.get(name, name): count for name, count in value.items()}
    return {name or TEXT[language]["unknown"]: count for name, count in value.items()}


def provenance_lines(provenance: Mapping[str, Any], language: Language) -> Iterator[str]:
    """Commit, hashes and versions; not what has a heading of its own; of the configuration, where it is."""
    for key, value in provenance.items():
        if key in ELSEWHERE or value in (None, {}, []):
            continue
        words = PROVENANCE_NAMES.get(key, {}).get(language) or plain(key)
        if key == "config":
            yield f"{words}: {TEXT[language]['config_where']}"
            continue
        if key == "starting_weights" and "weights" in provenance:
            continue
        if key == "refused" and isinstance(value, Mapping):
            value = list(value)
        elif key in _FLAT and isinstance(value, Mapping):
            value = {name: one for name, one in value.items() if not isinstance(one, Mapping)}
        elif key == "layers_in_float" and isinstance(value, Mapping):
            value = {name: one for name, one in value.items() if one}
            if not value:
                continue
        yield f"{words}: {_value(value, 'en', '{key} = {entry}')}"


def preprocess_lines(spec: PreprocessSpec, language: Language) -> Iterator[str]:
    """The steps of the spec, in order, in words."""
    text = TEXT[language]
    height, width = spec.size_px
    if spec.voi_window:
        centre, span = (_figure(value, language) for value in spec.voi_window)
        yield text["voi"].format(centre=centre, width=span)
    yield text["colour"].format(dtype=spec.input_dtype, colour=spec.colour.upper())
    yield text[spec.geometry].format(
        width=width,
        height=height,
        pct=f"{spec.crop_pct:.0%}",
        pad=_figure(spec.pad_value, language),
    )
    if spec.geometry not in ("none",):
        yield text["interpolation"].format(name=spec.interpolation)
    low, high = (_figure(value, language) for value in spec.input_range)
    mean, std = ("; ".join(_figure(value, language) for value in values) for values in (spec.mean, spec.std))
    yield text["normalise"].format(low=low, high=high, mean=mean, std=std)
    if spec.flip_average:
        yield text["flip"]


def _figure(value: float, language: Language) -> str:
    return localised(f"{value:g}", language)


def _value(value: Any, language: Language, pair: str = "{key} ({entry})") -> str:
    """Plain data as one escaped line; ``pair`` is how a key and its value are written."""
    if isinstance(value, Mapping):
        shown = list(value.items())[:_MOST_ENTRIES]
        parts = [pair.format(key=plain(key), entry=_value(entry, language, pair)) for key, entry in shown]
        rest = len(value) - len(parts)
        return ", ".join(parts) + (f", … (+{rest})" if rest else "") or "–"
    if isinstance(value, list | tuple):
        return ", ".join(_value(entry, language, pair) for entry in value[:_MOST_ENTRIES]) or "–"
    if isinstance(value, bool) or not isinstance(value, float):
        return "–" if value is None else plain(value)
    return _figure(value, language)
