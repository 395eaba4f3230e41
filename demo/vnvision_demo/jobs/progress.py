"""How far a job is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float, str], None]
"""Called with the share done, 0 to 1, and the code of the stage. What it raises ends the job."""


def silent(share: float, stage: str) -> None:
    """Progress that nobody watches."""
