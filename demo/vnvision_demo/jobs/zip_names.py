"""Names inside a zip as people wrote them, whatever system the zip was made on.

The names never reach this machine's file system: they are only shown, and say who a picture is of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import and_
from unicodedata import category, normalize

from vnvision_demo.jobs.zip_directory import Entry

_TONES = "\u0300\u0301\u0303\u0309\u0323"
_LETTERS = frozenset("ăâđêôơưĂÂĐÊÔƠƯ" + _TONES)
_LATIN = frozenset("àáâãèéêìíòóôõùúýÀÁÂÃÈÉÊÌÍÒÓÔÕÙÚÝ")
_SYSTEM = frozenset({"__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "system volume information"})


def decoded_names(entries: Sequence[Entry]) -> list[str]:
    """Each entry's name as text in Unicode form NFC, backslashes as slashes.

    Where the zip says that a name is UTF-8, or it cannot be anything else, it is. Other names are in a code
    page of Windows that the zip does not name: 1258 where all of them then read as Vietnamese, else 437.
    """
    texts = [_unicode(entry) for entry in entries]
    old = [entry.raw_name for entry, text in zip(entries, texts, strict=True) if text is None]
    page = "cp1258" if old and all(_is_vietnamese(raw) for raw in old) else "cp437"
    found = (
        entry.raw_name.decode(page) if text is None else text
        for entry, text in zip(entries, texts, strict=True)
    )
    return [normalize("NFC", text).replace("\\", "/") for text in found]


def _unicode(entry: Entry) -> str | None:
    for raw in (entry.unicode_name, entry.raw_name):
        try:
            if raw:
                return raw.decode("utf-8")
        except UnicodeDecodeError:
            continue
    return None if entry.raw_name else ""


def _is_vietnamese(raw: bytes) -> bool:
    """Whether bytes of code page 1258 spell letters of Vietnamese, and tones where tones may stand."""
    try:
        text = raw.decode("cp1258")
    except UnicodeDecodeError:
        return False
    beyond = [char for char in text if not char.isascii()]
    tones = [i for i, char in enumerate(text) if char in _TONES]
    placed = all(i and text[i - 1].lower() in "aeiouyăâêôơư" for i in tones)
    return placed and all(char in _LETTERS or char in _LATIN for char in beyond)


def leads_out(name: str) -> bool:
    """Whether a name could mean a file outside its folder, or a device: such a zip is not taken at all."""
    parts = name.split("/")
    return "\0" in name or name.startswith("/") or ".." in parts or (len(name) > 1 and name[1] == ":")


def is_system(name: str) -> bool:
    """What macOS and Windows leave beside the user's files."""
    parts = (part for part in name.split("/") if part not in ("", "."))
    return any(part.startswith(".") or part.lower() in _SYSTEM for part in parts)


def shown(name: str) -> str:
    """A name that can be shown: without empty parts, and nothing in it that cannot be seen or turns text."""
    parts = (part.strip() for part in name.split("/"))
    return "/".join("".join(_seen(char) for char in part) for part in parts if part and part != ".")


def _seen(char: str) -> str:
    return char if char.isprintable() or category(char) == "Zs" else "_"


class Spelling:
    """One spelling a folder, the first that was met: Windows and macOS make no difference of case."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def of(self, name: str) -> str:
        """The name with its folders in their first spelling."""
        parts = name.split("/")
        folders = (
            self._known.setdefault("/".join(parts[: i + 1]).casefold(), part)
            for i, part in enumerate(parts[:-1])
        )
        return "/".join([*folders, parts[-1]])


def top_folder(names: Iterable[str]) -> str:
    """The folders that all names share, such as ``photos/``; empty where they share none."""
    shared: list[str] | None = None
    for name in names:
        parts = name.split("/")[:-1]
        if shared is None:
            shared = parts
        fits = (a == b for a, b in zip(shared, parts, strict=False))
        shared = [part for part, same in zip(shared, accumulate(fits, and_), strict=False) if same]
    return "".join(f"{part}/" for part in shared or ())
