"""What is known of the answer's label: what it is, what to look for, care, whom to call, with sources."""

from __future__ import annotations

from collections.abc import Sequence

from vnvision.hub import LabelText, Statement, review_notice, sources_of
from vnvision.hub.library import Language
from vnvision.report.cases.facts import ModelFacts, names_of
from vnvision.report.cases.records import Advice, Said, Section
from vnvision.report.cases.texts import say
from vnvision.report.cases.wording import sentence

SECTIONS = ("what", "look_for", "care", "call_for_help")
_MOST_LABELS = 3


def advice(label_ids: Sequence[str], facts: ModelFacts, language: Language) -> Advice:
    """Statements on the labels answered, numbered by source.

    Of one label everything is said. Of several, what each is, and whom to call: a page has no room for more.

    Args:
        label_ids: what was answered; nothing for an answer that was withheld, which brings no advice.
        facts: of the model.
        language: of the page.
    """
    if not label_ids:
        return Advice()
    found = [(one, facts.text_of(one)) for one in label_ids[:_MOST_LABELS]]
    texts = [text for _, text in found if text is not None]
    ids = tuple(one for one, text in found if text is not None) or tuple(label_ids[:1])
    title = say("about_label", language, label=names_of(facts, ids, language))
    if not texts:
        return Advice(title=title, sections=(Section("", (Said(say("no_texts", language)),)),))
    wanted = SECTIONS if len(texts) == 1 else ("what", "call_for_help")
    told = {key: _told(texts, key, language) for key in wanted}
    cited = sources_of([statement for part in told.values() for _, statement in part])
    number = {source.id: index for index, source in enumerate(cited, 1)}
    sections = tuple(
        Section(
            say(f"section.{key}", language),
            tuple(
                Said(text, tuple(sorted(number[source] for source in statement.sources)))
                for text, statement in part
            ),
        )
        for key, part in told.items()
        if part
    )
    if len(texts) == 1 and texts[0].scientific_name:
        title = f"{title} ({texts[0].scientific_name})"
    return Advice(
        title=title,
        sections=sections,
        sources=tuple(source.text for source in cited),
        review=review_notice(language, facts.task.texts),
    )


def _told(texts: Sequence[LabelText], key: str, language: Language) -> list[tuple[str, Statement]]:
    """Each statement once; with the label's name before it where there are several labels."""
    out: dict[str, Statement] = {}
    for text in texts:
        for statement in getattr(text, key):
            line = statement.text(language)
            name = text.name(language)
            if len(texts) > 1 and key == "what" and not line.casefold().startswith(name.casefold()):
                line = f"{sentence(name)}: {line}"
            out.setdefault(line, statement)
    return list(out.items())
