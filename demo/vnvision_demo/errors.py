"""What the demo refuses, by the key of the text that says so."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):  # noqa: N818 - most refusals are no errors of anybody's
    """Something the browser asked for is not done; ``key`` and ``fields`` say why in its language."""

    def __init__(self, key: str, status: int = 400, **fields: Any) -> None:
        super().__init__(key)
        self.key, self.status, self.fields = key, status, fields
