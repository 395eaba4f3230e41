"""Facts of the model card as short lines: metrics, data, preprocessing, provenance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vnvision.export.card_text import METRIC_NAMES, TEXT, Language
from vnvision.export.markdown import localised, number, plain
from vnvision.records import Metric
from vnvision.spec import PreprocessSpec

_MOST_ENTRIES = 40


def metric_rows(metrics: Mapping[str, Metric], language: Language) -> list[tuple[str, str, str, str]]:
    """One row a metric: name, value, interval in brackets, n. An undefined value says so, it is never 0."""
    rows = []
    for name, metric in metrics.items():
        words = METRIC_NAMES.get(name, {}).get(language) or plain(name)
        value = TEXT[language]["undefined"] if metric.value is None else number(metric.value, language)
        interval = "–"
        if metric.low is not None and metric.high is not None:
            mark = "; " if language == "vi" else ", "  # a comma is the decimal mark there
            level = localised(f"{100 * metric.level:g}", language)
            interval = f"[{number(metric.low, language)}{mark}{number(metric.high, language)}] ({level} %)"
        rows.append((words, value, interval, str(metric.n)))
    return rows


def data_lines(data: Mapping[str, Any], language: Language) -> Iterator[str]:
    """What the report says of its data, key by key; counts as ``name (count)``."""
    if not data:
        yield TEXT[language]["unknown"]
    for key, value in data.items():
        yield f"{plain(key).replace(chr(92) + '_', ' ')}: {_value(value, language)}"


def provenance_lines(provenance: Mapping[str, Any]) -> Iterator[str]:
    """Commit, hashes and versions, as they stand in the manifest; the purpose has its own heading."""
    for key, value in provenance.items():
        if key != "purpose":
            yield f"{plain(key)}: {_value(value, 'en')}"


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


def _value(value: Any, language: Language) -> str:
    """Plain data as one escaped line: counts in brackets, lists with commas, nested parts in braces."""
    if isinstance(value, Mapping):
        parts = [
            f"{plain(key)} ({_value(entry, language)})" for key, entry in list(value.items())[:_MOST_ENTRIES]
        ]
        rest = len(value) - len(parts)
        return ", ".join(parts) + (f", … (+{rest})" if rest else "") or "–"
    if isinstance(value, list | tuple):
        return ", ".join(_value(entry, language) for entry in value[:_MOST_ENTRIES]) or "–"
    if isinstance(value, bool) or not isinstance(value, float):
        return "–" if value is None else plain(value)
    return _figure(value, language)
