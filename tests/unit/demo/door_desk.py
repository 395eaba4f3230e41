"""The door around a small application that stands in for Gradio and notes what it is given."""

from __future__ import annotations

import json
from types import SimpleNamespace

import httpx
import numpy as np

from vnvision.errors import DataError
from vnvision_demo.door.door import Door
from vnvision_demo.door.parcels import Parcels
from vnvision_demo.door.sessions import Sessions
from vnvision_demo.door.uploads import Uploads
from vnvision_demo.settings import Settings

HTML = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8" />'
    '<meta property="og:image" content="https://elsewhere.example/x.png" /></head>'
    "<body><gradio-app></gradio-app></body></html>"
)


class Inner:
    """Answers everything, and remembers it."""

    def __init__(self):
        self.scopes, self.bodies = [], []
        self.answer = None
        self.headers = [(b"content-type", b"text/html")]

    async def __call__(self, scope, receive, send):
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.scopes.append(scope)
        self.bodies.append(body)
        if self.answer is not None:
            await self.answer(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        await send({"type": "http.response.body", "body": HTML.encode()})

    @property
    def last(self):
        return dict(self.scopes[-1]["headers"])


class Lean:
    """What Gradio knows of pages."""

    def __init__(self):
        self.forgotten, self.waits, self.asked_by = [], 0, set()

    def forget(self, page):
        self.forgotten.append(page)

    def waiting(self, pages):
        return self.waits

    def asked(self, page, event):
        return (page, event) in self.asked_by


class Reader:
    """Decodes whatever begins with P."""

    def __init__(self):
        self.reads = 0

    def read(self, source):
        self.reads += 1
        if not source.read_bytes().startswith(b"P"):
            raise DataError("no picture")
        return SimpleNamespace(image=np.full((4, 6, 3), 128, np.uint8))


class Desk:
    """A door, what stands around it, and browsers."""

    def __init__(self, folder, **settings):
        self.settings = Settings(**settings)
        self.inner, self.lean = Inner(), Lean()
        self.left = []
        self.station = SimpleNamespace(
            settings=self.settings,
            sessions=Sessions(secure=self.settings.secure),
            uploads=Uploads(
                folder / "uploads",
                session_bytes=self.settings.session_bytes,
                total_bytes=self.settings.total_bytes,
                keep_s=self.settings.keep_s,
            ),
            parcels=Parcels(keep_s=self.settings.keep_s),
            reader=Reader(),
            forget=self.left.append,
            sent_just_now=lambda owner, path: None,
        )
        self.door = Door(self.inner, self.station, self.lean)

    def browser(self, host="127.0.0.1:7860", address="127.0.0.1"):
        """A client with a cookie of its own."""
        scheme = "https" if self.settings.secure else "http"
        transport = httpx.ASGITransport(self.door, client=(address, 1))
        return Browser(transport=transport, base_url=f"{scheme}://{host}", follow_redirects=False)

    async def opened(self, **more):
        """A browser with the page open."""
        found = self.browser(**more)
        assert (await found.get("/")).status_code == 200
        return found


class Browser(httpx.AsyncClient):
    """With the requests that Gradio's page makes."""

    @property
    def owner(self):
        return next(iter(self.cookies.values()))

    async def send_files(self, *files, field="files", **more):
        parts = [(field, (name, data)) for name, data in files]
        return await self.post("/gradio_api/upload", files=parts, **more)

    async def ask(self, *data, page="page1", **more):
        body = {"data": list(data), "fn_index": 0, "trigger_id": 1, "session_hash": page, "event_data": None}
        return await self.post("/gradio_api/queue/join", json=body | more)


def file_of(path, **more):
    """A file as Gradio's page tells of it."""
    return {"path": path, "orig_name": "a.jpg", "meta": {"_type": "gradio.FileData"}} | more


def loads(body):
    return json.loads(body)
