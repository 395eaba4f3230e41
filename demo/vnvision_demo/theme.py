"""Colours and type of the page: those of the printed reports, with the fonts that vnvision carries."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

_FONTS = ["Roboto", "system-ui", "Segoe UI", "Noto Sans", "Arial", "sans-serif"]
_GREEN = gr.themes.Color(
    name="leaf",
    c50="#eef7f3", c100="#d6ece3", c200="#aed9c8", c300="#7cc0a8", c400="#45a385", c500="#1c8569",
    c600="#0b6b57", c700="#095948", c800="#0a473b", c900="#0d3b32", c950="#06251f",
)  # fmt: skip


def theme() -> gr.themes.Base:
    """Gradio's theme in our colours; every font is on this machine."""
    return gr.themes.Base(
        primary_hue=_GREEN,
        neutral_hue=gr.themes.colors.stone,
        font=_FONTS,
        font_mono=["ui-monospace", "Menlo", "Consolas", "monospace"],
        text_size="lg",
        radius_size="lg",
    ).set(
        body_background_fill="#f4f3ee",
        body_text_color="#1a2421",
        body_text_color_subdued="#55625d",
        block_background_fill="#ffffff",
        block_border_color="#dcddd5",
        block_label_background_fill="#ffffff",
        block_label_text_color="#1a2421",
        block_title_text_color="#1a2421",
        button_primary_background_fill="#0b6b57",
        button_primary_background_fill_hover="#095948",
        button_primary_text_color="#ffffff",
        input_border_color="#8a938e",
        border_color_primary="#dcddd5",
    )


def css() -> str:
    """The page's own style."""
    return (Path(__file__).parent / "static" / "style.css").read_text("utf-8")
