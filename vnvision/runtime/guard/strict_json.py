"""JSON that has one meaning, whoever reads it."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

from vnvision.runtime.guard.refusal import UnfitError, shown

DEEPEST = 32


def parse(data: bytes) -> Any:
    """Parse JSON (RFC 8259) as UTF-8, more strictly than ``json``.

    Of a key that appears twice readers take the first, the last or both, so that a file can say one thing to
    the program that checks it and another to the one that uses it. NaN and infinity are no JSON, nor is a
    number that overflows. Text with control characters other than tab and line ends can rewrite a terminal.

    Raises:
        UnfitError: in one line what is wrong.
    """
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
        )
    except RecursionError as exc:
        raise UnfitError("nests too deeply", expected=f"at most {DEEPEST} levels") from exc
    except (UnicodeDecodeError, json.JSONDecodeError) as exc:
        raise UnfitError("is not JSON", got=str(exc)) from exc
    except ValueError as exc:
        if isinstance(exc, UnfitError):
            raise
        raise UnfitError("holds a number of absurd length") from exc  # more than 4300 digits
    _check(value)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise UnfitError(f"has the key {shown(repr(twice))} twice")
    return found


def _no_constant(text: str) -> Any:
    raise UnfitError(f"holds {text}, which is no number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise UnfitError(f"holds {shown(text, 30)}, which is no number that can be computed with")
    return value


def _check(value: Any) -> None:
    """Depth and characters, level by level: recursion would be bounded by the interpreter, not by us."""
    level = [value]
    for _ in range(DEEPEST):
        for item in level:
            texts = [item] if isinstance(item, str) else list(item) if isinstance(item, dict) else []
            if bad := next((text for text in texts if not _harmless(text)), None):
                raise UnfitError("holds control characters", got=repr(bad))
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return
    raise UnfitError("nests too deeply", expected=f"at most {DEEPEST} levels")


def _harmless(text: str) -> bool:
    return text.isprintable() or not any(
        (ord(c) < 32 and c not in "\t\n\r") or 127 <= ord(c) < 160 or 0xD800 <= ord(c) < 0xE000 for c in text
    )
