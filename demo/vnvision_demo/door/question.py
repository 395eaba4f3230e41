"""A question to a tab, taken apart and put together again: nothing in it but plain values and own files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vnvision_demo.errors import Refusal

PAGE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MOST_INPUTS = 64
_FILE = {"_type": "gradio.FileData"}


@dataclass(frozen=True, slots=True)
class Question:
    """What Gradio is asked.

    Attributes:
        page: which open page asks (Gradio's session hash).
        body: the request's body, written anew.
    """

    page: str
    body: bytes


def question(body: bytes, owned: Callable[[str], Path | None]) -> Question:
    """Read a question.

    Every file must be one of the browser's own. Of what the browser says about it only its path and name go
    on: Gradio would follow an address, and unpack a picture written out in one.

    Args:
        body: JSON.
        owned: the path, if the file is this browser's.

    Raises:
        ValueError: no question.
        Refusal: about a file that is not this browser's, or gone.
    """
    try:
        asked = json.loads(body)
    except RecursionError as exc:
        raise ValueError("nested too deeply") from exc
    if not isinstance(asked, dict):
        raise ValueError("no object")
    page, inputs = asked.get("session_hash"), asked.get("data")
    if not isinstance(page, str) or not PAGE.fullmatch(page):
        raise ValueError("no page")
    if not isinstance(inputs, list) or len(inputs) > _MOST_INPUTS:
        raise ValueError("no inputs")
    told = {
        "data": [_input(one, owned) for one in inputs],
        "event_data": None,
        "fn_index": _number(asked.get("fn_index")),
        "trigger_id": _number(asked.get("trigger_id")),
        "session_hash": page,
    }
    return Question(page, json.dumps(told, ensure_ascii=False, allow_nan=False).encode())


def _number(value: Any) -> int | None:
    if value is None or (type(value) is int and 0 <= value < 1 << 31):
        return value
    raise ValueError("no number")


def _input(value: Any, owned: Callable[[str], Path | None]) -> Any:
    """One input: plain, a file, or a list of these."""
    if isinstance(value, list):
        return [_file(one, owned) if isinstance(one, dict) else _plain(one) for one in value]
    return _file(value, owned) if isinstance(value, dict) else _plain(value)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError("neither a plain value nor a file")


def _file(value: dict[str, Any], owned: Callable[[str], Path | None]) -> dict[str, Any]:
    path, name = value.get("path"), value.get("orig_name")
    if not isinstance(path, str) or not (name is None or isinstance(name, str)):
        raise ValueError("no file")
    found = owned(path)
    if found is None:
        raise Refusal("upload.gone", 410)
    return {"path": str(found), "orig_name": name[:255] if name else found.name, "meta": _FILE}
