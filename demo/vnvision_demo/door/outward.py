"""Every response on its way out: what browsers may do with it, and how long its reader may take."""

from __future__ import annotations

import asyncio

from starlette.types import Message, Scope, Send

from vnvision_demo.door import pages

NONCE = "vnvision.nonce"
_UNCHANGING = ("/assets/", "/static/", "/own/")
_SLOWEST_S = 60.0


class Outward:
    """Sends a response with our headers.

    Gradio's ``Access-Control`` headers and cookies are left out: they would let pages of other ports of this
    machine read its answers. Only files that never change may be kept by the browser.

    Args:
        send: to the server.
        scope: what was asked for, and the nonce of its scripts where it is the page.

    Attributes:
        started: whether the browser has been given anything.
    """

    def __init__(self, send: Send, scope: Scope) -> None:
        self._send, self._scope, self.started = send, scope, False

    async def __call__(self, message: Message) -> None:
        """Pass on one message.

        Raises:
            TimeoutError: the browser does not read.
        """
        if message["type"] == "http.response.start":
            self.started = True
            message = {**message, "headers": self._headers(message)}
        async with asyncio.timeout(_SLOWEST_S):
            await self._send(message)

    def _headers(self, message: Message) -> list[tuple[bytes, bytes]]:
        given = list(message.get("headers", []))
        unchanging = message["status"] == 200 and self._scope["path"].startswith(_UNCHANGING)
        ours = pages.SAFE | {
            "content-security-policy": pages.csp(self._scope.get(NONCE)),
            "cache-control": "public, max-age=86400" if unchanging else "no-store",
        }
        left_out = {name.encode() for name in ours} | {b"server"}
        kept = [
            (key, value)
            for key, value in given
            if key.lower() not in left_out and not key.lower().startswith(b"access-control-")
        ]
        return [*kept, *((name.encode(), value.encode()) for name, value in ours.items())]
