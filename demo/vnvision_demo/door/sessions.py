"""Browsers told apart by a cookie that no script can read."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

COOKIE = "vnvision_session"  # as the tabs see it
_MOST = 20_000
_LIFE_S = 12 * 3600.0


@dataclass(slots=True)
class Session:
    """One browser.

    Attributes:
        id: 256 random bits, the cookie's value.
        user: who signed in; None before, and where nobody needs to.
        seen: clock of its last request.
    """

    id: str
    user: str | None = None
    seen: float = field(default_factory=time.monotonic)


class Sessions:
    """The browsers known; those unseen for long are forgotten, the longest unseen first.

    Args:
        secure: whether the page is served over HTTPS; then no other page of this machine can plant a cookie.
    """

    def __init__(self, *, secure: bool = False) -> None:
        self._secure = secure
        self._known: OrderedDict[str, Session] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, connection: HTTPConnection) -> Session | None:
        """The session of a request's cookie; None where it has none that is known."""
        given = connection.cookies.get(self._name(connection), "")
        with self._lock:
            found = self._known.get(given)
            if found is None or time.monotonic() - found.seen > _LIFE_S:
                return None
            found.seen = time.monotonic()
            self._known.move_to_end(given)
            return found

    def new(self, user: str | None = None) -> Session:
        """A new session."""
        made = Session(secrets.token_urlsafe(32), user)
        with self._lock:
            self._known[made.id] = made
            while len(self._known) > _MOST:
                self._known.popitem(last=False)
        return made

    def end(self, session: Session) -> None:
        """Forget one."""
        with self._lock:
            self._known.pop(session.id, None)

    def cookie(self, session: Session, connection: HTTPConnection) -> str:
        """The header that gives a browser its session."""
        flags = "; Path=/; HttpOnly; SameSite=Strict" + ("; Secure" if self._secure else "")
        return f"{self._name(connection)}={session.id}{flags}"

    def _name(self, connection: HTTPConnection) -> str:
        """Of the cookie. Browsers give a cookie to every port of a machine, so each has a name of its own."""
        port = connection.headers.get("host", "").rpartition(":")[2]
        name = f"{COOKIE}_{port}" if port.isdecimal() else COOKIE
        return f"__Host-{name}" if self._secure else name
