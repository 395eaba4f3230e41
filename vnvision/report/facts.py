"""Plain data (counts, licences, a model's record) as headed blocks, whatever keys it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vnvision.report.phrases import Html, known_or, phrase, show

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


def facts(data: Mapping[str, Any]) -> tuple[list[Fact], list[Block]]:
    """Single values first, then one block for each list or mapping.

    Nested mappings become blocks of their own under ``outer: inner``. Long lists are cut with a count.
    """
    single, blocks = [], []
    for key, value in data.items():
        title = show(known_or("fact", str(key)))
        if isinstance(value, Mapping):
            blocks += _blocks(title, value)
        elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
            for item in value[:_MOST]:
                blocks += _blocks(title, item if isinstance(item, Mapping) else {"": item})
        else:
            single.append(Fact(title, _value(value)))
    return single, blocks


def _blocks(title: Html, mapping: Mapping[str, Any]) -> list[Block]:
    inner = {k: v for k, v in mapping.items() if isinstance(v, Mapping)}
    plain = {k: v for k, v in mapping.items() if not isinstance(v, Mapping)}
    numbers = [v for v in plain.values() if isinstance(v, int) and not isinstance(v, bool)]
    largest = max(numbers, default=0) if len(numbers) == len(plain) else 0
    lines = [
        Fact(_key(key), _value(value), value / largest if largest else None)
        for key, value in list(plain.items())[:_MOST]
    ]
    if len(plain) > _MOST:
        lines.append(Fact(Html("…"), show(f"+{len(plain) - _MOST}")))
    out = [Block(title, tuple(lines))] if lines else []
    for key, value in inner.items():
        out += _blocks(Html(f"{title}: {_key(key)}"), value)
    return out


def _key(key: str) -> Html:
    text = str(key)
    return show(phrase("none")) if text in ("", "None") else show(known_or("fact", text) if text else text)


def _value(value: Any) -> Html:
    if value is None or value == "":
        return show(phrase("none"))
    if isinstance(value, list | tuple):
        shown = [show(item) for item in value[:_MOST]]
        more = [show(f"+{len(value) - _MOST}")] if len(value) > _MOST else []
        return Html(", ".join(shown + more)) if shown else show(phrase("none"))
    return show(value)


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
