"""A job's stages as Gradio's progress bar, in the words of a tab."""

from __future__ import annotations

import gradio as gr

from vnvision_demo.jobs.progress import Progress
from vnvision_demo.settings import Language
from vnvision_demo.texts import say


def bar(
    progress: gr.Progress, tab: str, language: Language, start: float = 0.0, end: float = 1.0
) -> Progress:
    """Told the share of a job and its stage, moves the bar between two places.

    Args:
        progress: Gradio's.
        tab: whose words: ``TAB.stage.CODE``.
        language: of the page.
        start, end: where this job begins and ends on the bar.
    """
    last_share, last_stage = -1.0, ""

    def tell(share: float, stage: str) -> None:
        nonlocal last_share, last_stage
        if share - last_share < 0.01 and stage == last_stage:
            return
        last_share, last_stage = share, stage
        progress(start + (end - start) * min(1.0, share), desc=say(f"{tab}.stage.{stage}", language))

    return tell
