"""Pictures that no model here is made for."""

from __future__ import annotations

from typing import Literal

import numpy as np

from vnvision.hub.reasons import reason
from vnvision_demo.door.preview import jpeg, shown
from vnvision_demo.settings import Language
from vnvision_demo.show import fragment


def stranger_html(
    image: np.ndarray, reasons: tuple[str, ...], domain: Literal["crop", "clinic"], language: Language
) -> str:
    """Why there is no answer, and what to do.

    Args:
        image: the picture.
        reasons: codes of ``vnvision.hub.reason``.
        domain: who asks.
        language: of the page.
    """
    told = [found for code in reasons if (found := reason(code)) is not None]
    lines = [one.why.text(language) for one in told]
    steps = [one.next_step(domain, language) for one in told]
    return fragment("stranger.html", language, picture=jpeg(shown(image)), lines=lines, steps=steps)
