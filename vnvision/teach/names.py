"""Names that people give, Vietnamese ones too, as ids that files and programs can hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from vnvision.errors import ConfigError
from vnvision.hub import catalogue, shelf
from vnvision.spec import Label
from vnvision.teach.faults import bad_name

_LONGEST = 80
_ID = 40


def labels_of(names: Iterable[str]) -> tuple[Label, ...]:
    """A label for each class: the name as given in both languages, and an id that no other class has.

    Raises:
        ClassNameError: a name that is empty, too long, or cannot be shown.
    """
    taken: set[str] = set()
    found = []
    for name in names:
        shown = clean(name)
        base = slug(shown) or "class"
        key, turn = base, 2
        while key in taken:
            key, turn = f"{base}_{turn}", turn + 1
        taken.add(key)
        found.append(Label(id=key, vi=shown, en=shown))
    return tuple(found)


def clean(name: str) -> str:
    """A name on one line in composed characters, as macOS does not store it.

    Raises:
        ClassNameError: nothing is left, too much is, or it cannot be shown.
    """
    text = " ".join(unicodedata.normalize("NFC", name).split())
    if not text or len(text) > _LONGEST or not text.isprintable():
        raise bad_name(name)
    return text


def slug(text: str) -> str:
    """Small letters without marks, digits and ``_``: ``Bệnh đốm lá`` is ``benh_dom_la``; may be empty."""
    plain = unicodedata.normalize("NFKD", text.replace("đ", "d").replace("Đ", "d"))
    ascii_only = plain.encode("ascii", "ignore").decode("ascii").lower()
    return re.sub(r"[^a-z0-9]+", "_", ascii_only).strip("_")[:_ID].strip("_")


def model_name(text: str) -> str:
    """What the bundle calls itself, so that ``vnvision models add`` can take it under that name.

    Raises:
        ConfigError: no model can be called so, or one of vnvision's own is.
    """
    name = text if shelf.is_name(text) else slug(text)
    if name and not name[0].isalpha():
        name = f"m_{name}"
    shelf.checked_name(name)
    if shelf.is_shipped(name) or name in catalogue.own_names():
        raise ConfigError(
            f"{name} is the name of a function or model of vnvision's own",
            fix="choose another name",
            vietnamese=f"{name} là tên chức năng hoặc mô hình của vnvision; hãy đặt tên khác",
        )
    return name
