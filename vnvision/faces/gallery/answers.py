"""From scores to answers: people with names at or above the threshold, or unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vnvision.faces.gallery.people import Candidate, Identification
from vnvision.faces.gallery.reading import StoredRecord, newest_name


def build_answers(
    scores: np.ndarray,
    owners: np.ndarray,
    hits: np.ndarray,
    people: Sequence[bytes],
    records: Mapping[bytes, Sequence[StoredRecord]],
) -> tuple[Identification, ...]:
    """One answer a query.

    Args:
        scores: (Q, k) cosines, best first.
        owners: (Q, k) positions in ``people``, -1 for none.
        hits: (Q, k) bool: at or above the threshold.
        people: pseudonyms.
        records: the opened records of every pseudonym hit. An empty list (another process forgot that
            person since the search) makes the hit no candidate.
    """
    named = {
        tag: (items[0].text.person, newest_name(items)) for tag, items in records.items() if len(items) > 0
    }
    answers = []
    for line, who, hit in zip(scores, owners, hits, strict=True):
        found = [(people[owner], float(score)) for score, owner in zip(line[hit], who[hit], strict=True)]
        candidates = tuple(
            Candidate(person=named[tag][0], name=named[tag][1], score=min(1.0, max(-1.0, score)))
            for tag, score in found
            if tag in named
        )
        best = float(line[0]) if who[0] >= 0 else None
        answers.append(Identification(candidates=candidates, best_score=best))
    return tuple(answers)
