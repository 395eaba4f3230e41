"""The label texts as records, read from a folder of YAML and checked whole.

``<set>.yaml`` holds the labels of one set, ``sources.yaml`` every document they cite.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError

from vnvision.errors import ConfigError
from vnvision.spec import Record, explain

Language = Literal["vi", "en"]
Domain = Literal["crop", "clinic"]
LANGUAGES: tuple[Language, ...] = ("vi", "en")
SECTIONS = ("what", "look_for", "call_for_help", "care")

Text = Annotated[str, Field(min_length=1)]


class Source(Record):
    """One document. ``year`` is the year of the edition meant."""

    id: Text
    institution: Text
    title: Text
    year: int = Field(ge=1900, le=2100)
    url: str | None = Field(default=None, pattern=r"^https?://\S+$")

    @property
    def text(self) -> str:
        """``Institution, title, year``, as a reader sees it in either language."""
        return f"{self.institution}, {self.title}, {self.year}"


class Statement(Record):
    """One thing said, in both languages, and the ids of the documents it rests on."""

    vi: Text
    en: Text
    sources: Annotated[tuple[str, ...], Field(min_length=1)]

    def text(self, language: Language) -> str:
        """The statement in one language."""
        return str(getattr(self, checked_language(language)))


Statements = Annotated[tuple[Statement, ...], Field(min_length=1)]


class LabelText(Record):
    """Everything said of one label. ``care`` is growing practice without chemicals, empty for clinics."""

    id: Text
    name_vi: Text
    name_en: Text
    scientific_name: str | None = None
    domain: Domain
    what: Statements
    look_for: Statements
    call_for_help: Statements
    care: tuple[Statement, ...] = ()

    def name(self, language: Language) -> str:
        """The label's name in one language."""
        return str(getattr(self, f"name_{checked_language(language)}"))

    def statements(self) -> tuple[Statement, ...]:
        """All statements, in reading order."""
        return self.what + self.look_for + self.call_for_help + self.care


class LabelSet(Record):
    """The labels of one data set, in the order of its file."""

    name: Text
    domain: Domain
    reviewed_by: Text = Field(description="who has checked the texts: a name and profession, or 'none'")
    labels: Annotated[dict[str, LabelText], Field(min_length=1)]


class Library(Record):
    """All sets by name, and all documents by id."""

    sets: dict[str, LabelSet]
    sources: dict[str, Source]


def checked_language(language: str) -> Language:
    """The language, if texts are written in it.

    Raises:
        ConfigError: any other.
    """
    for known in LANGUAGES:
        if language == known:
            return known
    raise ConfigError("unknown language", expected=" or ".join(LANGUAGES), got=repr(language))


def load_library(folder: str | Path) -> Library:
    """Read and check a folder of texts: ``sources.yaml`` and one file a set.

    Raises:
        ConfigError: listing every problem of every file in one line.
    """
    problems: list[str] = []
    documents = _read(Path(folder) / "sources.yaml", problems)
    sources = _parse_sources(documents, problems)
    sets: dict[str, LabelSet] = {}
    for path in sorted(Path(folder).glob("*.yaml")):
        if path.name == "sources.yaml":
            continue
        one = _parse_set(path.name, _read(path, problems), problems)
        if one and one.name in sets:
            problems.append(f"{path.name}: set {one.name} was read before")
        if one:
            sets[one.name] = one
            problems += [f"{path.name}: {text}" for text in _unknown_sources(one, sources)]
    if problems:
        raise ConfigError(f"the label texts in {folder} are wrong: {'; '.join(problems)}")
    return Library(sets=sets, sources=sources)


def _unknown_sources(one: LabelSet, sources: dict[str, Source]) -> Iterator[str]:
    for label in one.labels.values():
        for section in SECTIONS:
            for statement in getattr(label, section):
                for key in statement.sources:
                    if key not in sources:
                        yield f"labels.{label.id}.{section}: unknown source {key}"


def _parse_sources(data: dict[str, Any], problems: list[str]) -> dict[str, Source]:
    found: dict[str, Source] = {}
    problems += [f"sources.yaml: {key}: unknown key" for key in data if key != "sources"]
    for key, fields in _mapping(data.get("sources")).items():
        try:
            found[key] = Source.model_validate({"id": key, **_mapping(fields)})
        except ValidationError as exc:
            problems.append(f"sources.yaml: {key}: {explain(exc)}")
    return found


def _parse_set(file: str, data: dict[str, Any], problems: list[str]) -> LabelSet | None:
    labels = {}
    for key, fields in _mapping(data.get("labels")).items():
        entry = dict(_mapping(fields))
        names = dict(_mapping(entry.pop("names", None)))
        flat = {"id": key, "domain": data.get("domain"), "scientific_name": names.pop("scientific", None)}
        flat |= {f"name_{language}": text for language, text in names.items()}
        labels[key] = flat | entry
    header = {key: value for key, value in data.items() if key not in ("set", "labels")}
    try:
        return LabelSet.model_validate({"name": data.get("set"), "labels": labels, **header})
    except ValidationError as exc:
        problems.append(f"{file}: {explain(exc)}")
        return None


def _read(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        return _mapping(yaml.load(path.read_text(encoding="utf-8"), Loader=OnceLoader))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        problems.append(f"{path.name}: cannot be read ({' '.join(str(exc).split())})")
        return {}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


class OnceLoader(yaml.SafeLoader):
    """Safe YAML in which a key given twice is an error, not silently the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A mapping without a key given twice."""
        keys = [key.value for key, _ in node.value]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.YAMLError(f"line {node.start_mark.line + 1}: given twice: {', '.join(twice)}")
        return super().construct_mapping(node, deep)
