"""The parts of a model card that the model's own card (``vnvision.hub.cards``) fills, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vnvision.export.card_text import TEXT
from vnvision.export.markdown import bullets, number, plain
from vnvision.hub.cards import Card, CardStatement, DataSource
from vnvision.hub.knowledge import NOT_REVIEWED, NOTICES, REVIEWED
from vnvision.records import BundleManifest
from vnvision.report.phrases import Language

_LONGEST = 600


@dataclass(frozen=True, slots=True)
class CardSections:
    """One language of a card's own statements; documents and figures they rest on are numbered."""

    card: Card
    language: Language

    @property
    def text(self) -> Mapping[str, str]:
        """This language's words."""
        return TEXT[self.language]

    def banners(self) -> Iterator[str]:
        """What stands before everything else."""
        if self.card.status == "experimental":
            yield " ".join([self.text["experimental"], *map(self._plain, self.card.experimental)])
        if self.card.domain == "crop":
            yield f"**{NOTICES['crop'][self.language]}.**"

    def title(self) -> str:
        """What the model is called for people."""
        return f"**{plain(self.card.title.text(self.language))}**"

    def part(self, name: str) -> list[str]:
        """One part of the card as a list."""
        return [bullets(self._plain(one) for one in getattr(self.card, name))]

    def data(self) -> list[str]:
        """Each set it learned from, credited as its licence asks."""
        return ["\n".join(line for one in self.card.data for line in self._credit(one))]

    def sources(self) -> list[str]:
        """What the numbers in brackets mean, and who has reviewed the card."""
        name = self.card.reviewed_by
        review = NOT_REVIEWED if name == "none" else REVIEWED
        numbered = [f"[{index}] {text}" for text, index in self._numbers().items()]
        body = [bullets(plain(line, _LONGEST) for line in numbered)] if numbered else []
        return [*body, plain(review[self.language].format(name=name), _LONGEST) + "."]

    def _plain(self, statement: CardStatement) -> str:
        numbers = self._numbers()
        marks = sorted({numbers[place] for place in self._places(statement)})
        tail = f" [{', '.join(map(str, marks))}]" if marks else ""
        return plain(statement.text(self.language) + tail, _LONGEST)

    def _places(self, statement: CardStatement) -> Iterator[str]:
        """Where a statement can be looked up, in full."""
        for figure in statement.measured.values():
            yield figure.place
        documents = {source.id: source for source in self.card.documents}
        for key in statement.sources:
            source = documents[key]
            yield f"{source.text}. {source.url}" if source.url else f"{source.text}."

    def _numbers(self) -> dict[str, int]:
        """Every document and every place of a figure, numbered in the order they are first cited."""
        places = (place for _, one in self.card.statements() for place in self._places(one))
        return {place: index for index, place in enumerate(dict.fromkeys(places), start=1)}

    def _credit(self, one: DataSource) -> Iterator[str]:
        """A list entry, and what belongs to it one level deeper."""
        says = {
            name: getattr(one, name)
            for name in ("basis", "country", "changes", "holder", "question", "consent")
        }
        told = {
            name: plain(line.text(self.language), _LONGEST) for name, line in says.items() if line is not None
        }
        named = one.licence_vi if self.language == "vi" and one.licence_vi else one.licence
        licence = f"{named} ({one.licence_url})" if one.licence_url else named
        yield "- " + plain(f"{one.title}. {one.authors}, {one.year}. {one.link}".strip(), _LONGEST)
        yield "  - " + self.text["data_licence"].format(licence=plain(licence), basis=told["basis"])
        if "question" in told:
            yield f"  - **{self.text['open_question']}** {told['question']}"
        if "holder" in told:
            yield f"  - {told['holder']}"
        if "consent" in told:
            yield f"  - {told['consent']}"
        yield "  - " + self.text["data_country"].format(country=told["country"])
        yield "  - " + self.text["data_changes"].format(changes=told["changes"])


def cost_lines(manifest: BundleManifest, language: Language) -> Iterator[str]:
    """Time and energy to train, size, and time to run, as far as they are known."""
    text, told = TEXT[language], manifest.provenance
    yield from _training_lines(told, language)
    network = told.get("network")
    if isinstance(network, Mapping) and "parameters" in network:
        parameters, macs = number(network["parameters"] / 1e6, language, 2), network.get("macs")
        if macs is None:
            yield text["size_alone"].format(parameters=parameters)
        else:
            yield text["size"].format(parameters=parameters, macs=number(macs / 1e9, language))
    machine = told.get("export", {}).get("machine")
    for key, record in manifest.targets.items():
        if record.p50_ms is not None:
            yield text["speed"].format(
                target=plain(key),
                engine=record.engine,
                precision=record.precision,
                ms=number(record.p50_ms, language, 1),
                machine=_machine(machine, language),
            )


def _training_lines(told: Mapping[str, Any], language: Language) -> Iterator[str]:
    text, hardware = TEXT[language], told.get("hardware")
    seconds = told.get("train_seconds")
    if isinstance(seconds, int | float) and isinstance(hardware, Mapping):
        yield text["trained"].format(
            seconds=f"{seconds:.0f}",
            minutes=number(seconds / 60, language, 0),
            cores=hardware.get("cores", "?"),
            device=plain(hardware.get("device", "?")),
        )
        joules = told.get("train_energy_joules")
        if isinstance(joules, int | float):
            yield text["energy"].format(kj=number(joules / 1e3, language, 1))
        else:
            yield text["no_energy"]
    teachers = told.get("teachers")
    if isinstance(teachers, Mapping):
        spent = teachers.get("train_seconds")
        minutes = text["unknown"] if spent is None else number(spent / 60, language, 0)
        yield text["teachers"].format(n=teachers.get("n", "?"), minutes=minutes)


def _machine(machine: Any, language: Language) -> str:
    if not isinstance(machine, Mapping):
        return TEXT[language]["unknown"]
    return TEXT[language]["machine"].format(
        processor=plain(machine.get("processor", "?")), cores=machine.get("cores", "?")
    )


def look_lines(told: Mapping[str, Any], language: Language) -> Iterator[str]:
    """How often the test pictures were looked at, a line a set."""
    looks = told.get("test_looks")
    if not isinstance(looks, Mapping):
        yield TEXT[language]["looks_unknown"]
        return
    for name, count in looks.get("sets", {}).items():
        yield TEXT[language]["looks"].format(
            set=plain(name), labels=count.get("with_labels", "?"), pictures=count.get("pictures_only", "?")
        )
