"""The one way in: every request passes here before Gradio sees it, and most addresses lead nowhere else."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vnvision.errors import VnvisionError
from vnvision_demo.door import assets, login, pages, sending
from vnvision_demo.door.hosts import Hosts, same_origin
from vnvision_demo.door.parcels import PREFIX, Parcels
from vnvision_demo.door.preview import Reader, preview
from vnvision_demo.door.rates import Rate
from vnvision_demo.door.sessions import Session, Sessions, cookie
from vnvision_demo.door.uploads import Uploads
from vnvision_demo.errors import Refusal
from vnvision_demo.settings import Language, Settings
from vnvision_demo.texts import say

API = "/gradio_api"
OWN = Path(__file__).parents[1] / "static"
_JOIN_BYTES = 1 << 20
_FORM_BYTES = 1 << 14
_OPEN = re.compile(r"/(own|assets|static)/[\w./-]+|/theme\.css|/favicon\.ico|/health")
_PASSED = re.compile(
    rf"/(own|assets|static)/[\w./-]+|/theme\.css|/favicon\.ico|/config/?|"
    rf"{API}/(upload_progress|queue/data|heartbeat/\w+|reset/?|cancel|startup-events|app_id/?)"
)


class Door:
    """An ASGI application around Gradio's.

    Args:
        inner: Gradio's.
        settings: of the demo.
        sessions, uploads, parcels: what is known of browsers and their files.
        reader: decodes files from strangers.
    """

    def __init__(
        self,
        inner: ASGIApp,
        settings: Settings,
        sessions: Sessions,
        uploads: Uploads,
        parcels: Parcels,
        reader: Reader,
    ) -> None:
        self._inner, self._settings = inner, settings
        self._sessions, self._uploads, self._parcels = sessions, uploads, parcels
        self._reader, self._hosts = reader, Hosts(settings)
        self._by_session, self._by_address = Rate(settings.session_answers), Rate(settings.address_answers)
        self._new_sessions, self._sign_ins = Rate(300), Rate(10)
        self._waits: dict[str, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # Gradio's page uses no web socket
        request = Request(scope, receive)
        safe = _with_headers(send, request)
        try:
            answer = await self._answer(request, safe)
        except Refusal as exc:
            answer = PlainTextResponse(say(exc.key, _language(request), **exc.fields), exc.status)
        except ClientDisconnect:
            return
        if answer is not None:
            await answer(scope, receive, safe)

    async def _answer(self, request: Request, send: Send) -> Response | None:
        """A response of ours, or None where Gradio has given its own."""
        path, host = request.url.path, request.headers.get("host", "")
        if not self._hosts.knows(host):
            return PlainTextResponse("unknown host", 421)
        if request.method not in ("GET", "HEAD", "POST"):
            return PlainTextResponse("not allowed", 405)
        if request.method == "POST" and not same_origin(request.headers.get("origin"), host):
            return PlainTextResponse("another site's page", 403)
        if _OPEN.fullmatch(path):
            return await self._open(request, path, send)
        if path == "/login":
            return await self._login(request)
        session = self._sessions.of(request)
        if path in ("/", "/en"):
            return await self._page(request, session)
        if session is None or (self._settings.users and session.user is None):
            raise Refusal("session.gone", 401)
        return await self._known(request, path, session, send)

    async def _known(self, request: Request, path: str, session: Session, send: Send) -> Response | None:
        if path == f"{API}/upload" and request.method == "POST":
            return await sending.receive_files(request, session.id, self._uploads, self._settings.file_bytes)
        if path.startswith(f"{API}/file=") and request.method == "GET":
            return await self._shown(session, unquote(path.removeprefix(f"{API}/file=")))
        if path.startswith(PREFIX) and request.method == "GET":
            return await self._parcel(session, path)
        if path == f"{API}/queue/join" and request.method == "POST":
            return await self._join(request, session, send)
        if path == f"{API}/queue/data":
            mine = self._waits.get(request.query_params.get("session_hash", ""))
            if mine is not None and mine != session.id:
                raise Refusal("session.gone", 403)
        if path == "/logout" and request.method == "POST":
            self._sessions.end(session)
            return RedirectResponse("/login", 303)
        if not _PASSED.fullmatch(path):
            return PlainTextResponse("not here", 404)
        await self._inner(request.scope, request.receive, send)
        return None

    async def _open(self, request: Request, path: str, send: Send) -> Response | None:
        """What needs no session: Gradio's own files and ours."""
        if path == "/health":
            return PlainTextResponse("ok")
        if path.startswith("/own/"):
            file = _own_file(path.removeprefix("/own/"))
            return FileResponse(file) if file else PlainTextResponse("not here", 404)
        patched = assets.patched().get(path.removeprefix("/assets/"))
        if patched is not None:
            return Response(patched, media_type="text/javascript")
        await self._inner(request.scope, request.receive, send)
        return None

    async def _page(self, request: Request, session: Session | None) -> Response:
        if session is None and not self._new_sessions.allows(_address(request)):
            raise Refusal("rate.address", 429)
        if self._settings.users and (session is None or session.user is None):
            return RedirectResponse(f"/login?lang={_language(request)}", 303)
        status, body = await _call(self._inner, request)
        if status != 200:
            raise Refusal("app.broken", 500)
        answer = HTMLResponse(pages.page(body.decode(), _language(request)))
        if session is None:
            made = self._sessions.new()
            answer.headers["set-cookie"] = cookie(made, secure=self._settings.secure)
        return answer

    async def _login(self, request: Request) -> Response:
        language: Language = "en" if request.query_params.get("lang") == "en" else "vi"
        home = "/en" if language == "en" else "/"
        if not self._settings.users:
            return RedirectResponse(home, 303)
        if request.method != "POST":
            return HTMLResponse(login.page(language))
        if not self._sign_ins.allows(_address(request)):
            raise Refusal("rate.login", 429)
        form = parse_qs((await _body(request, _FORM_BYTES)).decode("utf-8", "replace"))
        name, password = (form.get(key, [""])[0] for key in ("name", "password"))
        if not login.right(self._settings.users, name, password):
            return HTMLResponse(login.page(language, wrong=True), 401)
        answer = RedirectResponse(home, 303)
        answer.headers["set-cookie"] = cookie(self._sessions.new(name), secure=self._settings.secure)
        return answer

    async def _shown(self, session: Session, asked: str) -> Response:
        """A picture that this browser sent, as pixels only."""
        path = self._uploads.owned(session.id, asked)
        if path is None:
            return PlainTextResponse("not here", 404)
        try:
            body = await run_in_threadpool(preview, path, self._reader)
        except (VnvisionError, OSError):
            return PlainTextResponse("no picture", 404)
        return Response(body, media_type="image/jpeg")

    async def _parcel(self, session: Session, path: str) -> Response:
        found = self._parcels.find(session.id, path.removeprefix(PREFIX).partition("/")[0])
        if found is None:
            raise Refusal("parcel.gone", 404)
        body = await run_in_threadpool(found.bytes)
        how = "inline" if found.inline else "attachment"
        headers = {"content-disposition": f'{how}; filename="{found.name}"'}
        return Response(body, media_type=found.kind, headers=headers)

    async def _join(self, request: Request, session: Session, send: Send) -> Response | None:
        """A question: counted, and only about this browser's own files."""
        if not self._by_session.allows(session.id) or not self._by_address.allows(_address(request)):
            raise Refusal("rate.session", 429)
        body = await _body(request, _JOIN_BYTES)
        try:
            asked = json.loads(body)
            key = str(asked["session_hash"])
        except (ValueError, TypeError, KeyError):
            return PlainTextResponse("not a question", 400)
        if self._waits.setdefault(key, session.id) != session.id:
            raise Refusal("session.gone", 403)
        while len(self._waits) > 20_000:
            self._waits.pop(next(iter(self._waits)))
        if any(self._uploads.owned(session.id, path) is None for path in _paths(asked.get("data"))):
            raise Refusal("upload.gone", 410)
        await self._inner(request.scope, _again(body, request.receive), send)
        return None


def _paths(value: Any) -> list[str]:
    """Every path of a file in a question."""
    if isinstance(value, list):
        return [path for one in value for path in _paths(one)]
    if isinstance(value, dict):
        own = [value["path"]] if isinstance(value.get("path"), str) else []
        return own + [path for key, one in value.items() if key != "path" for path in _paths(one)]
    return []


def _language(request: Request) -> Language:
    """Of the page that asks: by its own address, or by that of the page it came from."""
    if request.url.path in ("/", "/en"):
        return "en" if request.url.path == "/en" else "vi"
    referer = request.headers.get("referer", "").split("?")[0]
    return "en" if referer.endswith("/en") else "vi"


def _address(request: Request) -> str:
    return request.client.host if request.client else "?"


def _own_file(name: str) -> Path | None:
    """One of our files: the fonts are those of the printed pages."""
    if name.endswith(".ttf"):
        import vnvision.report

        file = Path(vnvision.report.__file__).parent / "fonts" / Path(name).name
    else:
        file = OWN / Path(name).name
    return file if file.is_file() else None


async def _body(request: Request, most: int) -> bytes:
    parts, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise Refusal("upload.question", 413)
        parts.append(chunk)
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """The same body for the next reader."""
    given = False

    async def once() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once


async def _call(inner: ASGIApp, request: Request) -> tuple[int, bytes]:
    """A response of Gradio's, whole and not compressed."""
    found: dict[str, Any] = {"status": 500, "body": b""}

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            found["status"] = message["status"]
        elif message["type"] == "http.response.body":
            found["body"] += message.get("body", b"")

    plain = [(key, value) for key, value in request.scope["headers"] if key != b"accept-encoding"]
    await inner({**request.scope, "headers": plain}, request.receive, keep)
    return found["status"], found["body"]


def _with_headers(send: Send, request: Request) -> Callable[[Message], Awaitable[None]]:
    """Every response forbids other origins; only Gradio's unchanging files may be kept by the browser."""
    kept = request.url.path.startswith(("/assets/", "/static/", "/own/"))
    headers = pages.SAFE | {"cache-control": "public, max-age=86400" if kept else "no-store"}
    raw = [(key.encode(), value.encode()) for key, value in headers.items()]

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            others = [pair for pair in message.get("headers", []) if pair[0].lower().decode() not in headers]
            message = {**message, "headers": [*others, *raw]}
        await send(message)

    return sent
