"""Errors as they cross from the decoder process to the reader."""

from __future__ import annotations

from typing import Any

from vnvision import errors
from vnvision.imaging.isolated.errors import DecoderError

_PARTS = ("problem", "expected", "got", "fix", "vietnamese")
_KINDS = {
    kind.__name__: kind
    for kind in (errors.ConfigError, errors.DataError, errors.ModelError, errors.VnvisionError)
}


def describe(exc: errors.VnvisionError) -> dict[str, str | None]:
    """A typed error in words that can be sent."""
    if isinstance(exc, errors.MissingExtraError):
        return {"class": "MissingExtraError", "package": exc.package, "extra": exc.extra}
    kind = next(name for name, kind in _KINDS.items() if isinstance(exc, kind))
    return {"class": kind} | {part: getattr(exc, part) for part in _PARTS}


def failure(name: str, head: dict[str, Any], memory_bytes: int) -> errors.VnvisionError:
    """The error that an answer without a sample stands for.

    Args:
        name: of the file.
        head: of the answer; nothing in it is trusted.
        memory_bytes: the limit that applied.
    """
    if head.get("ran_out") is True:
        return DecoderError.memory(name, memory_bytes)
    if isinstance(head.get("untyped"), str):
        return DecoderError(name, "untyped", head["untyped"])
    error = head.get("error")
    if not isinstance(error, dict) or not all(isinstance(text, str | None) for text in error.values()):
        return DecoderError(name, "protocol", "neither an image nor an error")
    texts = dict(error)
    kind = texts.pop("class", None)
    if kind == "MissingExtraError" and set(texts) == {"package", "extra"}:
        return errors.MissingExtraError(str(texts["package"]), str(texts["extra"]))
    if kind not in _KINDS or set(texts) != set(_PARTS):
        return DecoderError(name, "protocol", "an unknown error")
    return _KINDS[kind](str(texts.pop("problem")), **texts)
