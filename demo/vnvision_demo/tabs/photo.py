"""The box for a photo."""

from __future__ import annotations

from typing import Any

import gradio as gr


def photo_box(label: str, *, height: int, clipboard: bool = False, classes: tuple[str, ...] = ()) -> gr.Image:
    """Gradio's box, but nobody opens the file before the reader of strangers' files does.

    Gradio would open it with Pillow in this process, and where that fails the page says "error" and no more.

    Args:
        label: above it.
        height: in pixels.
        clipboard: whether a picture may be pasted.
        classes: of the page's style.
    """
    sources: list[Any] = ["upload", "webcam", *(["clipboard"] if clipboard else [])]
    made = gr.Image(
        label=label,
        type="filepath",
        image_mode=None,
        sources=sources,
        buttons=[],
        height=height,
        elem_classes=["v-photo", *classes],
    )
    made.preprocess = _path
    return made


def _path(payload: Any) -> str | None:
    """Where what was sent lies."""
    return None if payload is None else str(payload.path)
