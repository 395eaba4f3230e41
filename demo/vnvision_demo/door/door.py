"""The one way in: every request passes here before Gradio sees it, and most addresses lead nowhere else."""

from __future__ import annotations

import json
import logging
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vnvision.errors import VnvisionError
from vnvision_demo.door import assets, login, pages, sending
from vnvision_demo.door.crowd import Crowd, Pages
from vnvision_demo.door.hosts import Hosts, same_origin
from vnvision_demo.door.inward import again, asked, inward, whole_body
from vnvision_demo.door.outward import NONCE, Outward
from vnvision_demo.door.parcels import PREFIX
from vnvision_demo.door.preview import preview
from vnvision_demo.door.question import PAGE, question
from vnvision_demo.door.rates import Rate
from vnvision_demo.door.sessions import Session
from vnvision_demo.errors import Refusal
from vnvision_demo.settings import Language
from vnvision_demo.texts import say

if TYPE_CHECKING:
    from vnvision_demo.lean import Lean
    from vnvision_demo.station import Station

API = "/gradio_api"
LOG = logging.getLogger("vnvision.demo")
_JOIN_BYTES = 1 << 20
_FORM_BYTES = 1 << 14
_OPEN = re.compile(r"/(own|assets|static)/[\w./-]+|/theme\.css|/favicon\.ico|/health", re.ASCII)
_HEARTBEAT = re.compile(rf"{API}/heartbeat/({PAGE.pattern})")
_MOST_OPEN, _MOST_OPEN_ADDRESS, _MOST_WAITING = 32, 512, 16
_FETCHES = 240


class Door:
    """An ASGI application around Gradio's.

    Args:
        inner: Gradio's.
        station: what is known of browsers and their files.
        lean: what Gradio keeps of open pages.
    """

    def __init__(self, inner: ASGIApp, station: Station, lean: Lean) -> None:
        self._inner, self._station, self._settings = inner, station, station.settings
        self._hosts, self._lean = Hosts(self._settings), lean
        self._pages = Pages(lean.forget)
        self._by_session = Rate(self._settings.session_answers)
        self._by_address = Rate(self._settings.address_answers)
        self._fetches, self._address_fetches = Rate(_FETCHES), Rate(10 * _FETCHES)
        self._new_sessions, self._sign_ins = Rate(300), Rate(10)
        self._open_here, self._open_there = Crowd(_MOST_OPEN), Crowd(_MOST_OPEN_ADDRESS)
        self._heavy = anyio.CapacityLimiter(max(2, self._settings.workers))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # Gradio's page uses no web socket
        request = Request(scope, receive)
        safe = Outward(send, scope)
        try:
            with self._open_there.one_more(_address(request)):
                answer = await self._answer(request, safe)
                if answer is not None:
                    await answer(scope, receive, safe)
        except Refusal as exc:
            await _refused(request, exc)(scope, receive, safe)
        except (ClientDisconnect, TimeoutError):
            return
        except Exception:
            LOG.exception("unforeseen")
            if not safe.started:
                told = PlainTextResponse(say("error.unknown", _language(request)), 500)
                await told(scope, receive, safe)

    async def _answer(self, request: Request, send: Send) -> Response | None:
        """A response of ours, or None where Gradio has given its own."""
        path, host = str(request.scope["path"]), request.headers.get("host", "")
        if not self._hosts.knows(host):
            return PlainTextResponse("unknown host", 421)
        if request.method not in ("GET", "HEAD", "POST"):
            return PlainTextResponse("not allowed", 405)
        secure = self._settings.secure
        if request.method == "POST" and not same_origin(request.headers.get("origin"), host, secure=secure):
            return PlainTextResponse("another site's page", 403)
        if request.method != "POST" and _OPEN.fullmatch(path):
            return await self._open(request, path, send)
        if path == "/login":
            return await self._login(request)
        session = self._station.sessions.of(request)
        if path in ("/", "/en"):
            return await self._page(request, session)
        if session is None or (self._settings.users and session.user is None):
            raise Refusal("session.gone", 401)
        with self._open_here.one_more(session.id):
            if request.method == "POST":
                return await self._sent(request, path, session, send)
            return await self._fetched(request, path, session, send)

    async def _sent(self, request: Request, path: str, session: Session, send: Send) -> Response | None:
        """What changes something."""
        if path == f"{API}/upload":
            self._count_fetch(request, session)
            station = self._station
            return await sending.receive_files(
                request, session.id, station.uploads, self._settings.file_bytes
            )
        if path == f"{API}/queue/join":
            return await self._join(request, session, send)
        if path == f"{API}/cancel":
            return await self._cancel(request, session, send)
        if path == f"{API}/reset":
            return Response('{"success":true}', media_type="application/json")
        if path == "/logout":
            self._station.sessions.end(session)
            self._station.forget(session.id)
            self._pages.drop_all(session.id)
            return RedirectResponse("/login", 303)
        return PlainTextResponse("not here", 404)

    async def _fetched(self, request: Request, path: str, session: Session, send: Send) -> Response | None:
        """What is only looked at."""
        if path.startswith(f"{API}/file="):
            self._count_fetch(request, session)
            return await self._shown(session, unquote(path.removeprefix(f"{API}/file=")))
        if path.startswith(PREFIX):
            self._count_fetch(request, session)
            return await self._parcel(session, path)
        if path == f"{API}/queue/data":
            query = asked(request, "session_hash")
            self._own_page(dict(query).get("session_hash", ""), session)
            await self._pass(request, session, send, query=query)
        elif beat := _HEARTBEAT.fullmatch(path):
            self._own_page(beat[1], session)
            await self._pass(request, session, send)
        elif path == f"{API}/upload_progress":
            await self._progress(request, session, send)
        elif path in ("/config", f"{API}/app_id", f"{API}/startup-events"):
            await self._pass(request, session, send, query=asked(request, "page"))
        else:
            return PlainTextResponse("not here", 404)
        return None

    def _count_fetch(self, request: Request, session: Session) -> None:
        """Decoding a picture and drawing a PDF take time: so many a minute."""
        if not self._fetches.allows(session.id) or not self._address_fetches.allows(_address(request)):
            raise Refusal("rate.session", 429)

    def _own_page(self, page: str, session: Session) -> None:
        if not PAGE.fullmatch(page) or not self._pages.belongs(page, session.id):
            raise Refusal("session.gone", 403)

    async def _pass(
        self,
        request: Request,
        session: Session | None,
        send: Send,
        *,
        query: list[tuple[str, str]] | None = None,
        body: bytes | None = None,
    ) -> None:
        """On to Gradio."""
        owner = session.id if session else None
        scope = inward(request.scope, owner, query=query or [], body=body)
        await self._inner(scope, again(body or b"", request.receive), send)

    async def _open(self, request: Request, path: str, send: Send) -> Response | None:
        """What needs no session: Gradio's own files and ours."""
        if path == "/health":
            return PlainTextResponse("ok")
        if path.startswith("/own/"):
            file = pages.own_file(path.removeprefix("/own/"))
            return FileResponse(file) if file else PlainTextResponse("not here", 404)
        patched = assets.patched().get(path.removeprefix("/assets/"))
        if patched is not None:
            return Response(patched, media_type="text/javascript")
        await self._pass(request, None, send)
        return None

    async def _page(self, request: Request, session: Session | None) -> Response:
        if request.method == "POST":
            return PlainTextResponse("not allowed", 405)
        if session is None and not self._new_sessions.allows(_address(request)):
            raise Refusal("rate.address", 429)
        if self._settings.users and (session is None or session.user is None):
            return RedirectResponse(f"/login?lang={_language(request)}", 303)
        status, body = await _call(self._inner, request)
        if status != 200:
            raise Refusal("app.broken", 500)
        nonce = request.scope[NONCE] = secrets.token_urlsafe(16)
        answer = HTMLResponse(pages.page(body.decode(), _language(request), nonce))
        if session is None:
            sessions = self._station.sessions
            answer.headers["set-cookie"] = sessions.cookie(sessions.new(), request)
        return answer

    async def _login(self, request: Request) -> Response:
        language, sessions = _language(request), self._station.sessions
        home = "/en" if language == "en" else "/"
        if not self._settings.users:
            return RedirectResponse(home, 303)
        if request.method != "POST":
            return HTMLResponse(login.page(language))
        if not self._sign_ins.allows(_address(request)):
            raise Refusal("rate.login", 429)
        text = (await whole_body(request, _FORM_BYTES)).decode("utf-8", "replace")
        try:
            form = parse_qs(text, max_num_fields=16)
        except ValueError:
            form = {}
        name, password = (form.get(key, [""])[0] for key in ("name", "password"))
        if not login.right(self._settings.users, name, password):
            return HTMLResponse(login.page(language, wrong=True), 401)
        before = sessions.of(request)
        if before is not None:
            sessions.end(before)
            self._station.forget(before.id)
        answer = RedirectResponse(home, 303)
        answer.headers["set-cookie"] = sessions.cookie(sessions.new(name), request)
        return answer

    async def _shown(self, session: Session, told: str) -> Response:
        """A picture that this browser sent, as pixels only."""
        if self._sent_by(session, told) is None:
            return PlainTextResponse("not here", 404)
        try:
            body = await anyio.to_thread.run_sync(self._pixels, session, told, limiter=self._heavy)
        except (VnvisionError, OSError):
            return PlainTextResponse("no picture", 404)
        return Response(body, media_type="image/jpeg")

    def _pixels(self, session: Session, told: str) -> bytes:
        """A JPEG of it. Its answer may delete the file while this waits for its turn, or reads."""
        source = self._sent_by(session, told)
        if source is None:
            raise FileNotFoundError(told)
        try:
            return preview(source, self._station.reader)
        except (VnvisionError, OSError):
            kept = self._station.sent_just_now(session.id, told)
            if kept is None or source == kept:
                raise
            return preview(kept, self._station.reader)

    def _sent_by(self, session: Session, told: str) -> Path | bytes | None:
        """The file, or its bytes where it was answered a moment ago; None where it is not this browser's."""
        station = self._station
        return station.uploads.owned(session.id, told) or station.sent_just_now(session.id, told)

    async def _parcel(self, session: Session, path: str) -> Response:
        found = self._station.parcels.find(session.id, path.removeprefix(PREFIX).partition("/")[0])
        if found is None:
            raise Refusal("parcel.gone", 404)
        body = await anyio.to_thread.run_sync(found.bytes, limiter=self._heavy)
        how = "inline" if found.inline else "attachment"
        headers = {"content-disposition": f'{how}; filename="{found.name}"'}
        return Response(body, media_type=found.kind, headers=headers)

    async def _progress(self, request: Request, session: Session, send: Send) -> None:
        """How far an upload of this browser's has come."""
        told = asked(request, "upload_id")
        if not told:
            raise Refusal("session.gone", 404)
        identity = sending.progress_id(session.id, told[0][1])
        try:
            await self._pass(request, session, send, query=[("upload_id", identity)])
        finally:
            sending.forget_progress(identity)

    async def _join(self, request: Request, session: Session, send: Send) -> Response | None:
        """A question: counted, and only about this browser's own files."""
        if not self._by_session.allows(session.id) or not self._by_address.allows(_address(request)):
            raise Refusal("rate.session", 429)
        body = await whole_body(request, _JOIN_BYTES)
        try:
            told = question(body, lambda path: self._station.uploads.owned(session.id, path))
        except ValueError:
            return PlainTextResponse("not a question", 400)
        self._own_page(told.page, session)
        if self._lean.waiting(self._pages.of(session.id)) >= _MOST_WAITING:
            raise Refusal("rate.session", 429)
        await self._pass(request, session, send, body=told.body)
        return None

    async def _cancel(self, request: Request, session: Session, send: Send) -> Response | None:
        """A question is taken back by the page that asked it."""
        try:
            told: Any = json.loads(await whole_body(request, _FORM_BYTES))
            page, event, index = str(told["session_hash"]), str(told["event_id"]), int(told["fn_index"])
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return PlainTextResponse("not a question", 400)
        self._own_page(page, session)
        if not self._lean.asked(page, event):
            return Response('{"success":true}', media_type="application/json")
        body = json.dumps({"session_hash": page, "event_id": event, "fn_index": index}).encode()
        await self._pass(request, session, send, body=body)
        return None


def _refused(request: Request, why: Refusal) -> Response:
    """Why not, in words. Gradio's page shows a question's refusal only where it comes as JSON."""
    line = say(why.key, _language(request), **why.fields)
    if request.scope["path"] == f"{API}/queue/join":
        return JSONResponse({"detail": line}, why.status)
    return PlainTextResponse(line, why.status)


def _language(request: Request) -> Language:
    """Of the page that asks: by its own address, or by that of the page it came from."""
    path = request.scope["path"]
    if path in ("/", "/en"):
        return "en" if path == "/en" else "vi"
    if path == "/login":
        return "en" if ("lang", "en") in asked(request, "lang") else "vi"
    referer = request.headers.get("referer", "").split("?")[0]
    return "en" if referer.endswith("/en") else "vi"


def _address(request: Request) -> str:
    return request.client.host if request.client else "?"


async def _call(inner: ASGIApp, request: Request) -> tuple[int, bytes]:
    """A page of Gradio's, whole and not compressed."""
    found: dict[str, Any] = {"status": 500, "body": b""}

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            found["status"] = message["status"]
        elif message["type"] == "http.response.body":
            found["body"] += message.get("body", b"")

    scope = {**inward(request.scope, None, plain=True), "method": "GET"}
    await inner(scope, again(b"", request.receive), keep)
    return found["status"], found["body"]
