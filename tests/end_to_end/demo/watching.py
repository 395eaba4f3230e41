"""Everything that a page asks for, and everything that its safety rules had to stop."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

_STOPPED = """
addEventListener("securitypolicyviolation", (event) =>
  console.warn("stopped: " + event.violatedDirective + " " + event.blockedURI));
"""


class Watch:
    """The requests and complaints of one browser context.

    Args:
        context: of Playwright; watched from its first page on.
        address: the server's own.
    """

    def __init__(self, context: Any, address: str) -> None:
        self._own = urlsplit(address).netloc
        self.urls: list[str] = []
        self.stopped: list[str] = []
        self.failed: list[str] = []
        context.add_init_script(_STOPPED)
        context.on("request", lambda request: self.urls.append(request.url))
        context.on("console", self._said)
        context.on("weberror", lambda error: self.failed.append(str(error.error)))

    def _said(self, message: Any) -> None:
        text = message.text
        if text.startswith("stopped: ") or "Content Security Policy" in text:
            self.stopped.append(text)

    def foreign(self) -> list[str]:
        """Addresses asked for that are not the server's."""
        parts = [(url, urlsplit(url)) for url in self.urls]
        return [url for url, one in parts if one.scheme not in ("data", "blob") and one.netloc != self._own]
