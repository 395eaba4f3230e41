"""What of a request goes on to Gradio, and how long its sender may take."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.types import Message, Receive, Scope

from vnvision_demo.door.sessions import COOKIE
from vnvision_demo.errors import Refusal

# Neither Origin (Gradio would let other pages of this machine read its answers) nor what a proxy would add.
_KEPT = frozenset(
    (b"host", b"user-agent", b"accept", b"accept-encoding", b"accept-language", b"content-type", b"range")
)
_PAUSE_S = 20.0
_SLOWEST = 16 << 10  # bytes a second, after a first half minute


def inward(
    scope: Scope,
    owner: str | None,
    *,
    query: Iterable[tuple[str, str]] = (),
    body: bytes | None = None,
    plain: bool = False,
) -> Scope:
    """A request as Gradio sees it: nothing in it but what its page needs.

    Args:
        scope: of the request.
        owner: id of the browser's session, the only cookie there is; None for none.
        query: what is asked for.
        body: its length is told.
        plain: the answer is to come uncompressed.
    """
    headers = [
        (key, value)
        for key, value in scope["headers"]
        if key in _KEPT and not (plain and key == b"accept-encoding")
    ]
    if owner is not None:
        headers.append((b"cookie", f"{COOKIE}={owner}".encode("ascii")))
    if body is not None:
        headers.append((b"content-length", str(len(body)).encode("ascii")))
    return {**scope, "headers": headers, "query_string": urlencode(list(query)).encode("ascii")}


def asked(request: Request, *names: str) -> list[tuple[str, str]]:
    """The named parts of a request's query, each once."""
    text = request.scope.get("query_string", b"").decode("latin-1")
    found = dict(parse_qsl(text[:4096], max_num_fields=64)) if text else {}
    return [(name, found[name]) for name in names if name in found]


def patient(receive: Receive, most_bytes: int) -> Receive:
    """The body of a request, whose sender may neither pause for long, nor crawl, nor send too much.

    Raises:
        Refusal: it did.
    """
    start, size = time.monotonic(), 0

    async def receiving() -> Message:
        nonlocal size
        left = start + 30.0 + size / _SLOWEST - time.monotonic()
        if left <= 0:
            raise Refusal("upload.no_form", 408)
        try:
            async with asyncio.timeout(min(_PAUSE_S, left)):
                message = await receive()
        except TimeoutError as exc:
            raise Refusal("upload.no_form", 408) from exc
        size += len(message.get("body", b""))
        if size > most_bytes:
            raise Refusal("upload.question", 413)
        return message

    return receiving


async def whole_body(request: Request, most_bytes: int) -> bytes:
    """A small body.

    Raises:
        Refusal: it is too long, or comes too slowly.
    """
    told = request.headers.get("content-length", "0")
    if not told.isdecimal() or int(told) > most_bytes:
        raise Refusal("upload.question", 413)
    parts = []
    async for chunk in Request(request.scope, patient(request.receive, most_bytes)).stream():
        parts.append(chunk)
    return b"".join(parts)


def again(body: bytes, receive: Receive) -> Receive:
    """The same body for the next reader."""
    given = False

    async def once() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once
