"""The cards of the models that ship: whom a model is for, what it must not be used for, what it learned from.

``cards/<name>.yaml`` holds one card. It never holds a result: a bundle's card takes those from its report.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vnvision.errors import BundleError, ConfigError
from vnvision.hub.card_records import Card, CardStatement, DataSource, Measured
from vnvision.hub.knowledge import library
from vnvision.hub.library import Language, Source, checked_language
from vnvision.spec import explain

__all__ = [
    "Card", "CardStatement", "DataSource", "Measured",
    "card", "card_names", "card_text", "cards", "load_cards",
]  # fmt: skip

CARDS = Path(__file__).parent / "cards"
CARD_FILE = "MODEL_CARD.md"
HEADINGS: dict[Language, str] = {"vi": "## Tiếng Việt", "en": "## English"}
_MOST_BYTES = 1 << 20


@cache
def cards() -> dict[str, Card]:
    """Every card that ships with vnvision, by name, read once."""
    return load_cards(CARDS, library().sources)


def card_names() -> tuple[str, ...]:
    """The names of the cards, sorted. Reads no file."""
    return tuple(sorted(path.stem for path in CARDS.glob("*.yaml")))


def card(name: str) -> Card:
    """One card.

    Raises:
        ConfigError: there is none of this name.
    """
    found = cards().get(name)
    if found is None:
        raise ConfigError(f"there is no card {name!r}", expected=" or ".join(cards()), got=repr(name))
    return found


def load_cards(folder: str | Path, documents: Mapping[str, Source]) -> dict[str, Card]:
    """Read and check a folder of cards.

    A card may name other cards under ``data_of``: their data is its data too.

    Args:
        folder: ``*.yaml``, one card a file, named as the card.
        documents: what may be cited, by id.

    Raises:
        ConfigError: listing every problem of every file in one line.
    """
    problems: list[str] = []
    raw = {path.stem: _read(path, problems) for path in sorted(Path(folder).glob("*.yaml"))}
    found: dict[str, Card] = {}
    for name, fields in raw.items():
        whole = {"name": name, **fields, "data": list(_data(name, raw, problems))}
        whole.pop("data_of", None)
        whole["documents"] = [documents[key] for key in _cited(fields) if key in documents]
        try:
            found[name] = Card.model_validate(whole)
        except ValidationError as exc:
            problems.append(f"{name}.yaml: {explain(exc)}")
            continue
        if found[name].name != name:
            problems.append(f"{name}.yaml: name: is {found[name].name!r}, the file's is {name!r}")
    if problems:
        raise ConfigError(f"the cards in {folder} are wrong: {'; '.join(problems)}")
    return found


def card_text(bundle_root: str | Path, language: Language) -> str:
    """One language's half of a bundle's ``MODEL_CARD.md``, with the model's name, for a terminal.

    Markdown's escapes are taken off, and whatever could steer a terminal.

    Args:
        bundle_root: a bundle folder; open it with ``open_bundle`` first where it comes from a stranger.
        language: vi or en.

    Raises:
        BundleError: there is no card, or it has no part in this language.
    """
    path, heading = Path(bundle_root) / CARD_FILE, HEADINGS[checked_language(language)]
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BundleError(f"{path} is too long for a card", expected=f"at most {_MOST_BYTES} bytes")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise BundleError(
            f"cannot read the model card {path}",
            got=str(exc),
            vietnamese=f"không đọc được thẻ mô hình {path}",
        ) from exc
    if heading not in lines:
        raise BundleError(
            f"{path} has no part headed {heading!r}",
            fix="export the model again",
            vietnamese=f"thẻ mô hình {path} không có phần {heading!r}",
        )
    start = lines.index(heading)
    ends = [index for index, line in enumerate(lines) if line.startswith("## ") and index > start]
    title = lines[:1] if lines[0].startswith("# ") else []
    body = lines[start + 1 : ends[0] if ends else len(lines)]
    return "\n".join(_readable(line) for line in [*title, *body]).strip() + "\n"


def _readable(line: str) -> str:
    """A line without Markdown's escapes, HTML entities and control characters."""
    seen = "".join(" " if unicodedata.category(char)[0] == "C" else char for char in line)
    seen = re.sub(r"\\([\\`*_\[\]|~$])", r"\1", seen)
    for entity, char in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        seen = seen.replace(entity, char)
    return seen.rstrip()


def _read(path: Path, problems: list[str]) -> dict[str, Any]:
    import yaml

    from vnvision.hub.library import OnceLoader

    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=OnceLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        problems.append(f"{path.name}: cannot be read ({' '.join(str(exc).split())})")
        return {}
    return values if isinstance(values, dict) else {}


def _data(name: str, raw: Mapping[str, dict[str, Any]], problems: list[str]) -> Iterable[Any]:
    """The data of a card and of those it names, each set once."""
    for key in ("data", "data_of"):
        given = raw[name].get(key)
        if given is not None and not isinstance(given, list):
            problems.append(f"{name}.yaml: {key}: expected a list, got {type(given).__name__}")
    others = _listed(raw[name], "data_of")
    unknown = [other for other in others if not isinstance(other, str) or other not in raw or other == name]
    if unknown:
        problems.append(f"{name}.yaml: data_of: no card {', '.join(map(str, unknown))}")
    own = _listed(raw[name], "data")
    own += [one for other in others if other not in unknown for one in _listed(raw[other], "data")]
    seen: dict[str, Any] = {}
    for one in own:
        seen.setdefault(repr(one.get("id") if isinstance(one, dict) else one), one)
    return seen.values()


def _listed(fields: Mapping[str, Any], key: str) -> list[Any]:
    """A copy of the list under a key; empty where there is none."""
    given = fields.get(key)
    return list(given) if isinstance(given, list) else []


def _cited(value: Any) -> list[str]:
    """Every id under a key ``sources``, in order, each once."""
    found: list[str] = []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += map(str, inner) if key == "sources" and isinstance(inner, list) else _cited(inner)
    elif isinstance(value, list):
        for inner in value:
            found += _cited(inner)
    return list(dict.fromkeys(found))
