"""What goes into a gallery and what comes out of it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from vnvision.spec import Record


class Consent(Record):
    """Who agreed, when, and to which words.

    Attributes:
        given_by: the person, or the guardian who signed for them.
        given_at: when, with a time zone.
        text: the words agreed to.
        reference: where the signed form lies; one of ``text`` and ``reference`` is needed.
    """

    given_by: str = Field(min_length=1)
    given_at: AwareDatetime
    text: str | None = None
    reference: str | None = None

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if not (self.text or self.reference):
            raise ValueError("consent needs its text or a reference to it")
        return self


class Enrolment(Record):
    """What one ``enroll`` did, in photos: new, already stored, and stored again with new terms."""

    person: str
    added: int = Field(ge=0)
    already: int = Field(ge=0)
    replaced: int = Field(ge=0)


class Candidate(Record):
    """One enrolled person at or above the threshold.

    ``score`` is the cosine of the person's best photo, in [-1, 1].
    """

    person: str
    name: str | None
    score: float


class Identification(Record):
    """The answer for one query: candidates, best first; none means unknown.

    ``best_score`` is the highest cosine to anyone whose record is valid, also below the threshold; None for
    an empty gallery.
    """

    candidates: tuple[Candidate, ...] = ()
    best_score: float | None = None

    @property
    def person(self) -> str | None:
        """The best candidate's id, or None for unknown."""
        return self.candidates[0].person if self.candidates else None


class EnrolledPhoto(Record):
    """The terms under which one photo is stored. ``record`` is its id; times are UTC."""

    record: str
    purpose: str
    consent: Consent
    enrolled_at: AwareDatetime
    expires: AwareDatetime
    expired: bool


class Person(Record):
    """One enrolled person, with every photo's terms."""

    person: str
    name: str | None
    photos: tuple[EnrolledPhoto, ...]

    @property
    def matches(self) -> bool:
        """Whether any photo has not expired."""
        return any(not photo.expired for photo in self.photos)


class PrivateText(Record):
    """The part of a record that is sealed as text."""

    person: str
    name: str | None
    purpose: str
    consent: Consent
    enrolled_at: AwareDatetime

    def same_terms(self, other: PrivateText) -> bool:
        """Whether name, purpose and consent agree; the time of enrolling may differ."""
        return (self.person, self.name, self.purpose, self.consent) == (
            other.person,
            other.name,
            other.purpose,
            other.consent,
        )


EmbeddingForm = Literal["none", "encrypted", "plain"]
