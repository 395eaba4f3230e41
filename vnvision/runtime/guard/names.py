"""File names that mean one file, inside the folder, on every system."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from pathlib import PurePosixPath

MANIFEST, MANIFEST_HASH, SIGNATURE = "manifest.json", "manifest.sha256", "manifest.sig"
OWN = frozenset({MANIFEST, MANIFEST_HASH, SIGNATURE})
MOST_FILES, DEEPEST, LONGEST = 1000, 8, 200
_FORBIDDEN = '\\:*?"<>|'  # separators and wildcards of Windows
_DEVICES = {"con", "prn", "aux", "nul"} | {f"{port}{i}" for port in ("com", "lpt") for i in "0123456789¹²³"}


def outside(name: str) -> bool:
    """Whether a relative name could mean a file outside the folder, or the same file as another spelling."""
    plain = PurePosixPath(name)
    return (
        "\\" in name or plain.is_absolute() or ".." in plain.parts or str(plain) != name or name in (".", "")
    )


def trouble(name: str) -> str | None:
    """Why a name cannot be one of a bundle's files; None where it can.

    What Windows cannot hold is refused everywhere: it would be another file, or a device, there.
    """
    if not name.isprintable():
        return "has characters that cannot be shown"
    if unicodedata.normalize("NFC", name) != name:
        return "is not in Unicode's composed form (NFC), which some systems would change it to"
    if any(c in _FORBIDDEN for c in name):
        return "has characters that a file's name cannot have on Windows"
    parts = name.split("/")
    if len(name) > LONGEST or len(parts) > DEEPEST:
        return f"is longer than {LONGEST} characters or deeper than {DEEPEST} folders"
    if any(part.endswith((".", " ")) or part.startswith(" ") for part in parts):
        return "ends in a dot or a space, which Windows leaves out"
    if any(part.split(".")[0].rstrip().lower() in _DEVICES for part in parts):
        return "is the name of a device on Windows"
    return None


def same(names: Collection[str]) -> str | None:
    """Two names that are one file where case is ignored (Windows, macOS); None where there are none."""
    seen: dict[str, str] = {}
    for name in sorted(names):
        if (other := seen.setdefault(name.casefold(), name)) != name:
            return f"{other} and {name}"
    return None
