"""pydicom without words on the screen: its warnings become notes of the file that caused them.

Warning filters belong to the whole process (until Python 3.14), so they are changed once when the first
thread starts to read and put back when the last one is done; in between every thread keeps its own notes.
pydicom's log is silenced meanwhile: it quotes values, which may name a patient.
"""

from __future__ import annotations

import logging
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from vnvision.imaging.filters import ONE_AT_A_TIME

MAX_NOTES = 8
MAX_LETTERS = 160

_QUOTED = re.compile(r"""(?<!\) )(b?'[^']*'|b?"[^"]*")""")
_COUNTING = threading.Lock()
_MINE = threading.local()
_stack: ExitStack | None = None
_readers = 0


@contextmanager
def notes() -> Iterator[list[str]]:
    """Collect what pydicom and its codecs warn of in this thread, as short lines without values."""
    kept: list[str] = []
    outer = getattr(_MINE, "notes", None)
    _enter()
    _MINE.notes = kept
    try:
        yield kept
    finally:
        _MINE.notes = outer
        _leave()


def plain(text: str) -> str:
    """A message of pydicom's in one short line, with the values it quotes left out.

    Names of attributes, which pydicom quotes behind their tag, stay.
    """
    return " ".join(_QUOTED.sub("...", text).split())[:MAX_LETTERS]


def _enter() -> None:
    global _readers, _stack
    with _COUNTING:
        if _readers == 0:
            ONE_AT_A_TIME.acquire()
            _stack = ExitStack()
            _stack.callback(ONE_AT_A_TIME.release)
            _stack.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("always", module=r"(pydicom|PIL|pylibjpeg|openjpeg|rle|jpeg_ls|gdcm)\b")
            warnings.showwarning = _showing(warnings.showwarning)
            logger = logging.getLogger("pydicom")
            _stack.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.CRITICAL + 1)
        _readers += 1


def _leave() -> None:
    global _readers, _stack
    with _COUNTING:
        _readers -= 1
        if _readers == 0 and _stack is not None:
            _stack.close()
            _stack = None


def _showing(otherwise: Any) -> Any:
    """A ``showwarning`` that notes down in threads that read, and shows as before in all others."""

    def show(message: Any, category: Any, *place: Any, **more: Any) -> None:
        kept = getattr(_MINE, "notes", None)
        if kept is None:
            otherwise(message, category, *place, **more)
            return
        text = plain(str(message))
        if text not in kept and len(kept) < MAX_NOTES:
            kept.append(text)

    return show
