"""What a label means, what to look for and whom to call, in Vietnamese and English, each statement sourced.

The texts are data (``texts/*.yaml``), read once and checked whole; they never hold the dose of a pesticide
or a drug.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from vnvision.errors import ConfigError
from vnvision.hub.library import (
    LabelSet,
    LabelText,
    Language,
    Library,
    Source,
    Statement,
    checked_language,
    load_library,
)

TEXTS = Path(__file__).parent / "texts"
NOTICES: dict[str, dict[str, str]] = {
    "clinic": {
        "vi": "Chỉ dùng cho nghiên cứu, không phải thiết bị y tế",
        "en": "Research use, not a medical device",
    },
    "crop": {
        "vi": "Chỉ để tham khảo: hãy xem lại cây ngoài đồng trước khi xử lý",
        "en": "For guidance only: look at the plant in the field before you act",
    },
}
NOT_REVIEWED = {
    "vi": "Chưa có bác sĩ hay kỹ sư nông nghiệp nào duyệt các nội dung này: hãy đối chiếu với nguồn",
    "en": "No physician or agronomist has reviewed these texts: check them against their sources",
}
REVIEWED = {"vi": "Người duyệt nội dung: {name}", "en": "Texts reviewed by {name}"}


def label_text(set_name: str, label_id: str) -> LabelText | None:
    """What is known of a label.

    Args:
        set_name: as in ``set_names()``, or its last part (``ibean`` for ``agri/ibean``). Whoever trained the
            model states it; it is never guessed from label ids, for ``benign`` may be of any organ.
        label_id: as in the manifest and the model's task.

    Returns:
        The text, or None where there is none: then say so, and never show another label's text.
    """
    found = _find(set_name)
    return found.labels.get(label_id) if found else None


def set_names() -> tuple[str, ...]:
    """Names of the sets that have texts, sorted."""
    return tuple(sorted(library().sets))


def sources_of(statements: Iterable[Statement]) -> tuple[Source, ...]:
    """The documents behind these statements, each once, in the order they are first cited."""
    ids = dict.fromkeys(key for statement in statements for key in statement.sources)
    return tuple(library().sources[key] for key in ids)


def domain_notice(domain: str, language: Language) -> str:
    """The line that stands on every output: research use for clinics, guidance for crops.

    Raises:
        ConfigError: an unknown domain or language.
    """
    if domain not in NOTICES:
        raise ConfigError("unknown domain", expected=" or ".join(NOTICES), got=repr(domain))
    return NOTICES[domain][checked_language(language)]


def review_notice(language: Language, set_name: str | None = None) -> str:
    """Who has checked the texts of a set; without a set, that nobody has."""
    found = _find(set_name) if set_name else None
    if found is None or found.reviewed_by == "none":
        return NOT_REVIEWED[checked_language(language)]
    return REVIEWED[checked_language(language)].format(name=found.reviewed_by)


@cache
def library() -> Library:
    """The texts that ship with vnvision, read once."""
    return load_library(TEXTS)


def _find(set_name: str) -> LabelSet | None:
    sets = library().sets
    if set_name in sets:
        return sets[set_name]
    ends = [one for name, one in sets.items() if name.rsplit("/", 1)[-1] == set_name]
    return ends[0] if len(ends) == 1 else None
