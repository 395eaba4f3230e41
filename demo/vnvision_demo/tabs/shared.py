"""What the tabs have in common: whose question it is, errors in words, examples to click on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import gradio as gr

from vnvision.errors import DataError, VnvisionError
from vnvision_demo.door.sessions import COOKIE
from vnvision_demo.errors import Refusal
from vnvision_demo.settings import Language
from vnvision_demo.show import problem
from vnvision_demo.texts import say

LOG = logging.getLogger("vnvision.demo")
STATIC = Path(__file__).parents[1] / "static"


def owner_of(request: gr.Request) -> str:
    """The session that asks.

    Raises:
        Refusal: it has none.
    """
    found = request.cookies.get(COOKIE) if request is not None else None
    if not found:
        raise Refusal("session.gone", 401)
    return str(found)


def in_words(error: Exception, language: Language) -> tuple[str, str]:
    """An error as a line for the user, and what a technician wants to know."""
    if isinstance(error, Refusal):
        return say(error.key, language, **error.fields), ""
    if isinstance(error, VnvisionError):
        if language == "en":
            return _without_paths(str(error)), ""
        if error.vietnamese:
            return error.vietnamese, ""
        known = "error.picture" if isinstance(error, DataError) else "error.unknown"
        return say(known, language), _without_paths(str(error))
    return say("error.unknown", language), type(error).__name__


def _without_paths(line: str) -> str:
    """Without the folders of this machine: a file keeps its name."""
    return " ".join(word.rsplit("/", 1)[-1] if word.count("/") > 1 else word for word in line.split())


def answering(language: Language, *, outputs: int = 1) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A handler whose errors become a fragment in the first of its outputs; the others stay as they are."""

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def answered(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except Exception as exc:  # a visitor gets a line in any case; the log has the rest
                if not isinstance(exc, Refusal | VnvisionError):
                    LOG.exception("unforeseen")
                line, detail = in_words(exc, language)
                told = problem(language, line, detail=detail)
                return told if outputs == 1 else (told, *[gr.skip()] * (outputs - 1))

        return answered

    return wrap


def examples(
    keys: Sequence[tuple[str, str]], language: Language, note: str = "example.drawn"
) -> list[gr.Button]:
    """A row of pictures to click on.

    Args:
        keys: text key and file of ``static`` for each.
        language: of the page.
        note: what they are.
    """
    title, drawn = say("example.title", language), say(note, language)
    gr.HTML(f'<p class="v-ex-title">{title} <small>({drawn})</small></p>')
    with gr.Row(elem_classes="v-examples"):
        return [
            gr.Button(say(key, language), elem_classes=["v-example", f"ex-{Path(file).stem}"], size="sm")
            for key, file in keys
        ]


@dataclass(frozen=True, slots=True)
class Renewed:
    """A part of the page that is made anew whenever the page is loaded.

    Attributes:
        component: of Gradio's.
        now: what it becomes.
    """

    component: Any
    now: Callable[[], Any]


def question(
    trigger: Callable[..., Any],
    handler: Callable[..., Any],
    inputs: Sequence[Any],
    outputs: Any,
    *,
    long: bool = False,
    shown: bool = True,
) -> Any:
    """Connect an event to its handler: in the queue, hidden from any API, one long job at a time."""
    return trigger(
        handler,
        list(inputs),
        outputs,
        api_visibility="private",
        concurrency_id="long" if long else "short",
        concurrency_limit=1 if long else 2,
        show_progress="full" if shown else "hidden",
    )
