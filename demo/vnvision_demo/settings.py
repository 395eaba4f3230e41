"""What the demo is started with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Language = Literal["vi", "en"]
LANGUAGES: tuple[Language, Language] = ("vi", "en")
PATHS: dict[Language, str] = {"vi": "/", "en": "/en"}

MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Settings:
    """How the demo serves. Sizes in bytes, times in seconds.

    Attributes:
        host, port: where it listens; 127.0.0.1 is this machine only.
        names: further host names it may be asked for by, as ``phongkham.local``.
        secure: whether it is served over HTTPS, so that cookies are marked so.
        users: user name and password of those let in; empty lets everyone in who reaches the port.
        file_bytes: largest file a browser may send.
        session_bytes: what one browser may have lying here at a time.
        total_bytes: what all browsers together may have lying here.
        session_answers, address_answers: answers a minute, for one browser and for one address.
        keep_s: how long what was sent or made is kept for its browser, unless it is answered and deleted.
        workers: answers computed at a time.
        queue: browsers that may wait.
        gallery: file of enrolled faces; None takes the user's own.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    names: tuple[str, ...] = ()
    secure: bool = False
    users: dict[str, str] = field(default_factory=dict)
    file_bytes: int = 50 * MB
    session_bytes: int = 400 * MB
    total_bytes: int = 4096 * MB
    session_answers: int = 120
    address_answers: int = 1200
    keep_s: float = 900.0
    workers: int = 2
    queue: int = 64
    gallery: Path | None = None

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in ("127.0.0.1", "::1", "localhost")

    @property
    def is_private(self) -> bool:
        """Whether what stays may be changed (people enrolled, models added): not where strangers come in."""
        return self.is_local or bool(self.users)
