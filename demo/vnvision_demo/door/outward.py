"""Every response on its way out: what browsers may do with it, and how long its reader may take."""

from __future__ import annotations

import asyncio

from starlette.types import Message, Send

from vnvision_demo.door import pages

_SLOWEST_S = 60.0


class Outward:
    """Sends a response with our headers.

    Gradio's ``Access-Control`` headers and cookies are left out: they would let pages of other ports of this
    machine read its answers. Only files that never change may be kept by the browser.

    Args:
        send: to the server.
        path: what was asked for.

    Attributes:
        started: whether the browser has been given anything.
    """

    def __init__(self, send: Send, path: str) -> None:
        self._send, self._path, self.started = send, path, False

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
        unchanging = self._path.startswith(("/assets/", "/static/", "/own/")) and message["status"] == 200
        ours = pages.SAFE | {"cache-control": "public, max-age=86400" if unchanging else "no-store"}
        left_out = {name.encode() for name in ours} | {b"server"}
        kept = [
            (key, value)
            for key, value in given
            if key.lower() not in left_out and not key.lower().startswith(b"access-control-")
        ]
        return [*kept, *((name.encode(), value.encode()) for name, value in ours.items())]
