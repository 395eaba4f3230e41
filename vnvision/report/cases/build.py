"""A picture and its answer to everything its page shows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np

from vnvision.errors import ConfigError, DataError
from vnvision.hub.library import Language, checked_language
from vnvision.imaging.exif import PlaceAndTime
from vnvision.records import ClassPrediction, DetectionPrediction, EmbeddingPrediction, MaskPrediction
from vnvision.report.cases import drawn
from vnvision.report.cases.advice import advice
from vnvision.report.cases.facts import ModelFacts, names_of
from vnvision.report.cases.model import model_lines
from vnvision.report.cases.records import Answer, Case, Fact, Key, Picture, Row
from vnvision.report.cases.texts import say
from vnvision.report.cases.verdict import answered, verdict, why
from vnvision.report.cases.wording import plain, sentence


def case_of(
    image: np.ndarray,
    answer: Answer | EmbeddingPrediction,
    facts: ModelFacts,
    *,
    reference: str,
    language: Language = "vi",
    heatmap: np.ndarray | None = None,
    place_and_time: PlaceAndTime | None = None,
    made: date | None = None,
) -> Case:
    """Everything that the page about one picture shows, in one language.

    A withheld answer brings no heatmap, no label text and, in a clinic, no guess: beside a patient's picture
    a guess is read as an answer. Nothing is taken from file names or headers: who the case is, ``reference``
    says.

    Args:
        image: (H, W, 1) grey or (H, W, 3) RGB, as the model was given it.
        answer: of that image.
        facts: of the bundle that answered, see ``model_facts``.
        reference: what the user calls the case.
        language: of the whole page.
        heatmap: (H, W) 0 to 1 of the answer, as ``Predictor.heatmap`` gives it.
        place_and_time: shown where given, with a note; see ``vnvision.imaging.exif``.
        made: the date on the page.

    Raises:
        ConfigError: an unknown language, an embedding, or an answer of another model or picture.
        DataError: the picture or the heatmap cannot be shown.
    """
    language = checked_language(language)
    if isinstance(answer, EmbeddingPrediction):
        raise ConfigError("an embedding has no report", expected="labels, a mask or boxes", got=answer.kind)
    _fits(answer, facts, image)
    told, picture = answered(answer, facts), drawn.visible(image, facts.task.preprocess)
    overlay, keys = _drawn(picture, answer, facts, language, heatmap, image.shape)
    model = model_lines(facts, language)
    return Case(
        language=language,
        reference=plain(reference),
        model=model,
        picture=_picture(picture, say("picture_alt", language), say("picture", language)),
        thumbnail=drawn.thumbnail(picture),
        verdict=verdict(answer, facts, language),
        row=_row(plain(reference), answer, facts, language, place_and_time),
        drawn=overlay,
        keys=keys,
        advice=advice(told, facts, language),
        place=_place(place_and_time, language),
        made=made,
    )


def _fits(answer: Answer, facts: ModelFacts, image: np.ndarray) -> None:
    if answer.kind != facts.task.kind:
        raise ConfigError("the answer is of another model", expected=facts.task.kind, got=answer.kind)
    if isinstance(answer, ClassPrediction):
        for label in answer.labels:
            facts.label(label)
    if isinstance(answer, DetectionPrediction):
        for label in (*answer.counts, *(box.label for box in answer.boxes)):
            facts.label(label)
    if isinstance(answer, MaskPrediction) and answer.size_px != image.shape[:2]:
        raise ConfigError(
            "the mask is of another picture", expected=str(image.shape[:2]), got=str(answer.size_px)
        )


def _picture(pixels: np.ndarray, alt: str, caption: str) -> Picture:
    return Picture(drawn.jpeg(pixels), (pixels.shape[0], pixels.shape[1]), alt, caption)


def _drawn(
    picture: np.ndarray,
    answer: Answer,
    facts: ModelFacts,
    language: Language,
    heatmap: np.ndarray | None,
    shape: tuple[int, ...],
) -> tuple[Picture | None, tuple[Key, ...]]:
    """The picture with the answer on it, and its legend; nothing where there is nothing to draw."""
    if answer.abstained:
        return None, ()
    task = facts.task
    if isinstance(answer, MaskPrediction):
        found = any(answer.areas_px.get(one) for one in task.label_ids[1:])
        return _masked(picture, answer, facts, language) if found else (None, ())
    if isinstance(answer, DetectionPrediction) and not answer.boxes:
        return None, ()
    if isinstance(answer, DetectionPrediction):
        colours = drawn.colours_of(task.label_ids)
        pixels = drawn.with_boxes(picture, answer, colours, (shape[0], shape[1]))
        alt = say("boxes_alt", language, count=len(answer.boxes))
        seen = [label for label in task.labels if answer.counts.get(label.id)]
        keys = tuple(Key(label.text(language), colours[label.id]) for label in seen)
        return _picture(pixels, alt, say("boxes", language)), keys
    if heatmap is None:
        return None, ()
    if heatmap.shape != shape[:2]:
        raise DataError("the heatmap is of another picture", expected=str(shape[:2]), got=str(heatmap.shape))
    label = facts.label(answer.top).text(language)
    pixels = drawn.with_heat(picture, heatmap)
    alt, caption = (say(key, language, label=label) for key in ("heat_alt", "heat"))
    return _picture(pixels, alt, caption), (Key(say("heat_key", language), None),)


def _masked(
    picture: np.ndarray, answer: MaskPrediction, facts: ModelFacts, language: Language
) -> tuple[Picture, tuple[Key, ...]]:
    """What the answer is about is tinted, other areas are outlined only."""
    ids, about = facts.task.label_ids, answered(answer, facts)
    present = [one for one in ids[1:] if answer.areas_px.get(one)]
    colours = drawn.colours_of(ids[1:], first=about)
    pixels = drawn.with_mask(
        picture,
        answer,
        {ids.index(one): colours[one] for one in present},
        [ids.index(one) for one in about],
    )
    names = names_of(facts, tuple(present), language)
    keys = tuple(Key(facts.label(one).text(language), colours[one]) for one in present)
    return _picture(pixels, say("mask_alt", language, labels=names), say("mask", language)), keys


def _row(
    reference: str,
    answer: Answer,
    facts: ModelFacts,
    language: Language,
    place_and_time: PlaceAndTime | None,
) -> Row:
    told = answered(answer, facts)
    amounts: tuple[tuple[str, float], ...] = ()
    if not answer.abstained:
        values: Mapping[str, float]
        if isinstance(answer, ClassPrediction):
            values = dict(zip(answer.labels, answer.probabilities, strict=True))
        else:
            values = answer.counts if isinstance(answer, DetectionPrediction) else answer.areas_px
        amounts = tuple((one, float(values.get(one, 0))) for one in facts.task.label_ids)
    by_label = dict(amounts)
    sure = isinstance(answer, ClassPrediction) and len(told) == 1
    severity = None if isinstance(answer, DetectionPrediction) or answer.abstained else answer.severity
    return Row(
        reference=reference,
        kind=answer.kind,
        answer="; ".join(told),
        answer_text=sentence(names_of(facts, told, language)),
        abstained=answer.abstained,
        reasons=answer.reasons,
        reason_texts=tuple(why(answer, language)),
        probability=by_label[told[0]] if sure else None,
        severity=severity,
        amounts=amounts,
        place=place_and_time.place if place_and_time is not None else None,
        taken=place_and_time.taken if place_and_time is not None else None,
    )


def _place(found: PlaceAndTime | None, language: Language) -> tuple[Fact, ...]:
    """Time and coordinates as the page shows them; nothing unless asked for."""
    if found is None:
        return ()
    unknown = say("place_unknown", language)
    taken, where = unknown, unknown
    if found.taken is not None:
        form = "%d/%m/%Y %H:%M" if language == "vi" else "%Y-%m-%d %H:%M"
        taken = found.taken.strftime(form) + (found.taken.strftime(" %z") if found.taken.tzinfo else "")
    if found.place is not None:
        where = f"{found.place.latitude_deg:.4f}, {found.place.longitude_deg:.4f}"
    return Fact(say("taken", language), taken), Fact(say("coordinates", language), where)
