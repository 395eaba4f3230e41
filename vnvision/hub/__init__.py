"""What ships beside the models: label texts with their sources, in Vietnamese and English. No torch."""

from __future__ import annotations

from vnvision.hub.knowledge import (
    domain_notice,
    label_text,
    review_notice,
    set_names,
    sources_of,
)
from vnvision.hub.library import LabelText, Language, Source, Statement
from vnvision.hub.reasons import Reason, reason
from vnvision.hub.words import probability_words, scale_legend

__all__ = [
    "LabelText",
    "Language",
    "Reason",
    "Source",
    "Statement",
    "domain_notice",
    "label_text",
    "probability_words",
    "reason",
    "review_notice",
    "scale_legend",
    "set_names",
    "sources_of",
]
