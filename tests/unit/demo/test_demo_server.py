"""``vnvision demo`` as a process: Gradio's addresses, files and addresses of others, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import cv2
import httpx
import pytest

from vnvision_demo.scratch import PREFIX
from vnvision_demo.tabs.shared import STATIC

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
LEAF = STATIC / "leaf-spots.jpg"


class Server:
    """A running demo with its own home and temporary folder."""

    def __init__(self, folder, *options):
        self.tmp = folder / "tmp"
        self.tmp.mkdir(parents=True, exist_ok=True)
        paths = os.pathsep.join((str(ROOT), str(ROOT / "demo")))
        env = os.environ | {
            "PYTHONPATH": paths, "PYTHONUTF8": "1", "TMPDIR": str(self.tmp),
            "VNVISION_HOME": str(folder / "home"),
        }  # fmt: skip
        command = [sys.executable, "-m", "vnvision", "demo", "--port", "0", *options]
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True, encoding="utf-8")
        self.address = self.process.stdout.readline().split()[2]

    def folders(self):
        return list(self.tmp.glob(f"{PREFIX}*"))

    def files(self):
        """What browsers sent."""
        return [path for one in self.folders() for path in (one / "uploads").rglob("*") if path.is_file()]

    def browser(self):
        found = Browser(base_url=self.address, timeout=60)
        assert found.get("/").status_code == 200
        return found

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(20)


class Browser(httpx.Client):
    """Asks as Gradio's page does."""

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.close()

    def upload(self, data, name="a.jpg"):
        answer = self.post("/gradio_api/upload", files=[("files", (name, data))])
        assert answer.status_code == 200, answer.text
        return answer.json()[0]

    @property
    def page(self):
        """A name for the one page that it has open."""
        return f"page{id(self)}"

    def join(self, *data, page=None, index=0, trigger=None):
        page = page or self.page
        body = {
            "data": data,
            "fn_index": index,
            "trigger_id": trigger,
            "session_hash": page,
            "event_data": None,
        }
        return self.post("/gradio_api/queue/join", json=body)

    def told(self, page=None):
        """The messages until the stream closes."""
        found = []
        with self.stream(
            "GET", "/gradio_api/queue/data", params={"session_hash": page or self.page}
        ) as stream:
            assert stream.status_code == 200
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    found.append(json.loads(line[5:]))
        return found

    def answer(self, *data, **more):
        joined = self.join(*data, **more)
        assert joined.status_code == 200, joined.text
        (done,) = [one for one in self.told(more.get("page")) if one["msg"] == "process_completed"]
        return done


def file_of(path, **more):
    return {"path": path, "orig_name": "a.jpg", "meta": {"_type": "gradio.FileData"}} | more


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("demo"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def gradio_routes():
    """Every address of a Gradio application, with something in place of each part that varies."""
    import gradio as gr
    from fastapi import FastAPI
    from gradio.routes import App

    with gr.Blocks() as blocks:
        gr.HTML("x")
    outer = FastAPI()
    gr.mount_gradio_app(outer, blocks, path="/", mcp_server=False)
    (app,) = [one for one in (getattr(route, "app", None) for route in outer.routes) if isinstance(one, App)]
    found = set()

    def walk(routes, prefix=""):
        for route in routes:
            inner = getattr(route, "original_router", None) or getattr(route, "router", None)
            if hasattr(route, "path"):
                found.add(prefix + route.path)
            elif inner is not None:
                walk(inner.routes, prefix)

    walk(app.routes)
    return sorted(re.sub(r"\{[^}]*\}", "x", path) for path in found)


def test_every_other_address_of_gradios_is_closed(server, gradio_routes):
    assert len(gradio_routes) > 60
    assert "/gradio_api/queue/join" in gradio_routes
    assert "/gradio_api/component_server" in gradio_routes
    open_to_get = {
        "/", "/config", "/theme.css", "/favicon.ico", "/assets/x", "/static/x", "/gradio_api/queue/data",
        "/gradio_api/heartbeat/x", "/gradio_api/upload_progress", "/gradio_api/app_id",
        "/gradio_api/startup-events", "/login",
    }  # fmt: skip
    open_to_post = {"/gradio_api/queue/join", "/gradio_api/upload", "/gradio_api/cancel", "/gradio_api/reset",
                    "/login", "/logout"}  # fmt: skip
    with server.browser() as browser:
        for path in gradio_routes:
            if path not in open_to_get:
                assert browser.get(path).status_code == 404, path
                assert browser.head(path).status_code == 404, path
        for path in gradio_routes:
            if path not in open_to_post:
                assert browser.post(path, json={}).status_code in (404, 405), path
        for path in (
            "proxy=http://127.0.0.1:1/x",
            "vibe-code",
            "deep_link",
            "run/x",
            "call/x",
            "api/x",
            "info",
        ):
            assert browser.get(f"/gradio_api/{path}").status_code == 404
            assert browser.post(f"/gradio_api/{path}").status_code == 404


def test_a_question_is_answered_and_the_file_is_gone(server):
    with server.browser() as browser:
        path = browser.upload(LEAF.read_bytes())
        assert browser.get(f"/gradio_api/file={path}").headers["content-type"] == "image/jpeg"
        done = browser.answer(file_of(path), "auto", False)
        assert done["success"]
        assert "v-case" in done["output"]["data"][0]
        assert server.files() == []
        assert browser.join(file_of(path), "auto", False).status_code == 410
        with server.browser() as other:  # its own page may show it for some seconds more, from memory
            assert other.get(f"/gradio_api/file={path}").status_code == 404
        (href,) = re.findall(r'href="(/get/[^"]+)"', done["output"]["data"][0])
        assert browser.get(href).content.startswith(b"%PDF")
        with server.browser() as other:
            assert other.get(href).status_code == 404


def test_a_file_that_cannot_be_answered_is_gone_too(server):
    with server.browser() as browser:
        done = browser.answer(file_of(browser.upload(b"no picture")), "auto", False)
        assert "secret" not in json.dumps(done)
        if done["success"]:
            assert "v-problem" in done["output"]["data"][0]


class Trap(BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self):
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()


def test_gradio_fetches_no_address_and_reads_no_file_of_the_server(server):
    trap = HTTPServer(("127.0.0.1", 0), Trap)
    threading.Thread(target=trap.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{trap.server_port}/x.jpg"
    secret = server.tmp / "secret.jpg"
    secret.write_bytes(LEAF.read_bytes())
    try:
        with server.browser() as browser:
            for bad in ("/etc/passwd", str(secret), url, f"file://{secret}", "data:image/png;base64,AAAA"):
                for index in range(6):
                    for value in (file_of(bad), [file_of(bad)], file_of(bad, is_stream=True)):
                        assert browser.join(value, "auto", False, index=index).status_code in (400, 410)
                assert browser.get(f"/gradio_api/file={bad}").status_code == 404
                assert browser.get(f"/gradio_api/proxy={bad}").status_code == 404
            for bad in ({"url": url}, {"url": "data:image/png;base64,AAAA", "path": None}):
                assert browser.join(bad, "auto", False).status_code == 400
            path = browser.upload(LEAF.read_bytes())
            done = browser.answer(file_of(path, url=url, orig_name="http://x/y.svg"), "auto", False)
            assert done["success"]
            plain = browser.answer(str(secret), "auto", False)
            assert "v-sure" not in json.dumps(plain)
            assert "v-unsure" not in json.dumps(plain)
        assert Trap.asked == []
    finally:
        trap.shutdown()


def test_names_of_files_are_never_markup(server):
    name = "<img src=x onerror=alert(1)>.jpg"
    with server.browser() as browser:
        told = json.dumps(
            browser.answer(file_of(browser.upload(b"no picture", name), orig_name=name), "auto", False)
        )
        assert "<img src=x" not in told


def test_unknown_functions_are_an_error_not_a_crash(server):
    with server.browser() as browser:
        for index in (9999, None):
            assert browser.join("x", index=index, page="odd-page").status_code in (400, 404, 422, 500)
        assert browser.get("/health").text == "ok"


def test_the_page_asks_nobody_else(server):
    with server.browser() as browser:
        for path in ("/", "/en"):
            page = browser.get(path).text
            away = set(re.findall(r"""(?:src|href|content|action)=["'](https?://[^"']+)""", page))
            assert away == set()
        texts = browser.get(re.search(r'"(\./assets/id-[^"]+\.js)"|$', page)[1] or "/theme.css")
        assert texts.status_code == 200


def test_the_vietnamese_texts_stand_in_place_of_one_of_gradios_languages(server):
    from vnvision_demo.door import assets

    assets.patched.cache_clear()
    served = assets.patched()
    lists = [body for body in served.values() if b'"./lang/vi.json"' in body]
    texts = [body for body in served.values() if body.startswith(b"export default")]
    assert lists
    assert len(texts) == 1
    with server.browser() as browser:
        for name, body in served.items():
            assert browser.get(f"/assets/{name}").content == body


def test_two_pages_answer_at_once_and_one_waits_with_its_place(server):
    with server.browser() as browser:
        paths = [browser.upload(_large(LEAF)) for _ in range(6)]
        for path in paths:
            assert browser.join(file_of(path), "auto", True, page="many").status_code == 200
        told = browser.told("many")
        assert sum(one["msg"] == "process_completed" for one in told) == 6
        assert max(one.get("rank") or 0 for one in told if one["msg"] == "estimation") >= 1


def test_asked_to_stop_it_deletes_its_files(tmp_path):
    server = Server(tmp_path)
    browser = server.browser()
    browser.upload(LEAF.read_bytes())
    assert len(server.folders()) == 1
    assert len(server.files()) == 1
    held = threading.Thread(target=_listen, args=(browser,), daemon=True)
    held.start()
    time.sleep(0.5)
    assert server.stop() == 0
    assert server.folders() == []


def test_what_a_killed_one_left_goes_at_the_next_start(tmp_path):
    server = Server(tmp_path)
    with server.browser() as browser:
        browser.upload(LEAF.read_bytes())
    server.stop(signal.SIGKILL)
    (left,) = server.folders()
    again = Server(tmp_path)
    try:
        assert not left.exists()
        assert len(again.folders()) == 1
    finally:
        assert again.stop(signal.SIGINT) == 0
    assert again.folders() == []


def _large(picture):
    """Takes longer to answer than to ask about."""
    image = cv2.resize(cv2.imread(str(picture)), (3200, 3200))
    return cv2.imencode(".jpg", image)[1].tobytes()


def _listen(browser):
    try:
        with browser.stream("GET", "/gradio_api/heartbeat/page") as stream:
            for _ in stream.iter_lines():
                pass
    except httpx.HTTPError:
        pass
