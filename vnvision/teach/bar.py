"""How far teaching has got: a share and a stage, for a bar on a page or a terminal."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float, str], None]
STAGES = {
    "read": 0.0,
    "groups": 0.6,
    "score": 0.62,
    "background": 0.88,
    "fit": 0.94,
    "write": 0.97,
    "done": 1.0,
}
"""Where each stage begins, as a share of the whole."""


class Bar:
    """Shares and stages for ``progress``."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress

    def __call__(self, stage: str) -> None:
        """Tell that a stage begins."""
        self._tell(STAGES[stage], stage)

    def within(self, stage: str, following: str) -> Callable[[int, int], None]:
        """Steps of a stage that lasts until another begins."""
        start, end = STAGES[stage], STAGES[following]
        return lambda done, total: self._tell(start + (end - start) * done / max(total, 1), stage)

    def _tell(self, share: float, stage: str) -> None:
        if self._progress is not None:
            self._progress(round(share, 4), stage)
