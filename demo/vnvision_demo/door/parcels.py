"""Files made for one browser: fetched by it alone, for a while, from memory or from a private folder."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PREFIX = "/get/"
Content = bytes | Path | Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Parcel:
    """A file for one browser.

    Attributes:
        owner: id of its session.
        name: what the browser saves it as.
        kind: media type.
        content: the bytes, a file, or what makes the bytes when they are fetched.
        size: bytes it holds while it waits.
        inline: shown in the browser rather than saved.
    """

    owner: str
    name: str
    kind: str
    content: Content
    size: int
    inline: bool
    at: float

    def bytes(self) -> bytes:
        """What the browser gets."""
        if isinstance(self.content, bytes):
            return self.content
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content()


class Parcels:
    """What waits to be fetched: bounded in bytes and time, the oldest go first.

    Args:
        most_bytes: all together.
        session_most: parcels of one browser.
        keep_s: how long.
    """

    def __init__(self, *, most_bytes: int = 96 << 20, session_most: int = 24, keep_s: float = 900.0) -> None:
        self._most, self._session_most, self._keep_s = most_bytes, session_most, keep_s
        self._held: OrderedDict[str, Parcel] = OrderedDict()
        self._lock = threading.Lock()

    def put(
        self, owner: str, name: str, kind: str, content: Content, *, size: int = 0, inline: bool = False
    ) -> str:
        """Keep a file for a browser, and give its address.

        Args:
            owner: id of the session.
            name: file name; what could end a header or an address in it is left out.
            kind: media type.
            content: see ``Parcel``.
            size: bytes that ``content`` holds on to, where it is no bytes.
            inline: to be shown, not saved.
        """
        token = secrets.token_urlsafe(24)
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[-100:].lstrip(".-") or "file"
        held = len(content) if isinstance(content, bytes) else size
        with self._lock:
            mine = [key for key, one in self._held.items() if one.owner == owner]
            for key in mine[: max(0, len(mine) + 1 - self._session_most)]:
                del self._held[key]
            self._held[token] = Parcel(owner, name, kind, content, held, inline, time.monotonic())
            while sum(one.size for one in self._held.values()) > self._most and len(self._held) > 1:
                self._held.popitem(last=False)
        return f"{PREFIX}{token}/{name}"

    def find(self, owner: str, token: str) -> Parcel | None:
        """The parcel of a token, for its owner only."""
        found = self._held.get(token)
        if found is None or not secrets.compare_digest(found.owner, owner):
            return None
        return found if time.monotonic() - found.at <= self._keep_s else None

    def forget(self, owner: str) -> None:
        """Let go of everything of one browser."""
        with self._lock:
            for token in [key for key, one in self._held.items() if one.owner == owner]:
                del self._held[token]

    def sweep(self) -> None:
        """Let go of what was kept too long."""
        now = time.monotonic()
        with self._lock:
            for token in [key for key, one in self._held.items() if now - one.at > self._keep_s]:
                del self._held[token]
