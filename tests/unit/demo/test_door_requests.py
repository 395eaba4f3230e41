"""Which requests the door lets in, and what Gradio sees of them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from door_desk import Desk, file_of, loads

from vnvision_demo.door import inward as slow
from vnvision_demo.door.hosts import Hosts, same_origin
from vnvision_demo.errors import Refusal
from vnvision_demo.settings import Settings

CLOSED = """
    /gradio_api/proxy=http://127.0.0.1:1/ /gradio_api/file/etc/passwd /monitoring /monitoring/summary
    /gradio_api/vibe-code /gradio_api/vibe-edit /gradio_api/deep_link /gradio_api/run/predict
    /gradio_api/call/predict /gradio_api/call/predict/1 /gradio_api/api/predict /gradio_api/info
    /gradio_api/openapi.json /openapi.json /docs /gradio_api/dev/reload /gradio_api/stream/1
    /gradio_api/component_server /gradio_api/process_recording /gradio_api/queue/status /svelte/x.js
    /gradio_api/custom_component/1/client/a/b /manifest.json /robots.txt /pwa_icon /gradio_api/runs
    /gradio_api/profiling/traces /logout /en/ /gradio_api/token /gradio_api/user /config/x
    /config// /assets /gradio_api/heartbeat/a/b /gradio_api/heartbeat/ä /gradio_api/queue/data/
    /own/../door.py/x%20y /assets/%00 /assets/a%0d%0ab /assets/a?b%3Fc/%23
"""


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def run(work):
    return asyncio.run(work)


@pytest.mark.parametrize("path", CLOSED.split())
def test_what_is_not_on_the_list_is_not_there(desk, path):
    async def work():
        browser = await desk.opened()
        seen = len(desk.inner.scopes)
        for method in ("GET", "HEAD", "POST"):
            answer = await browser.request(method, path)
            if path != "/logout" or method != "POST":
                assert answer.status_code in (404, 401) or len(desk.inner.scopes) == seen + 1, (method, path)
                if len(desk.inner.scopes) > seen:  # a file of Gradio's own: never another address
                    assert desk.inner.scopes[-1]["path"].startswith("/assets/"), path
                    seen = len(desk.inner.scopes)

    run(work())


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"])
def test_other_methods_are_refused(desk, method):
    async def work():
        browser = await desk.opened()
        for path in ("/", "/config", "/assets/a.js", "/gradio_api/queue/join", "/login"):
            assert (await browser.request(method, path)).status_code == 405

    run(work())


def test_nothing_but_the_page_is_given_without_a_cookie(desk):
    async def work():
        browser = desk.browser()
        for path in (
            "/config",
            "/gradio_api/queue/data?session_hash=a",
            "/gradio_api/heartbeat/a",
            "/get/x/y",
        ):
            answer = await browser.get(path)
            assert (answer.status_code, desk.inner.scopes) == (401, [])
        assert (await browser.ask()).status_code == 401
        assert (await browser.send_files(("a.jpg", b"P"))).status_code == 401
        browser.cookies.set("vnvision_session_7860", "invented")
        assert (await browser.get("/config")).status_code == 401

    run(work())


def test_a_local_page_answers_to_local_names_only():
    hosts = Hosts(Settings())
    good = ("localhost", "localhost:7860", "127.0.0.1:80", "[::1]:7860", "LOCALHOST")
    bad = (
        "", "evil.example", "evil.example:7860", "192.168.1.5", "localhost.evil.example", "localhost/x",
        "a@localhost", "localhost:7860/", "localhost?x", "localhost#", "127.0.0.1:7860@evil.example",
        "localhost:a", "localhost:123456", "[::1", "127.0.0.1\\.evil.example", "localhost ", "127.1",
        "2130706433", "localhost,evil.example",
    )  # fmt: skip
    assert [name for name in good if not hosts.knows(name)] == []
    assert [name for name in bad if hosts.knows(name)] == []


def test_a_page_on_the_network_answers_to_addresses_and_its_own_names():
    hosts = Hosts(Settings(host="0.0.0.0", names=("Phòngkhám.local",)))
    for name in ("192.168.1.5:7860", "[fe80::1]", "10.0.0.1", "xn--phngkhm-mwa2m.local:7860", "localhost"):
        assert hosts.knows(name), name
    for name in ("evil.example", "192.168.1.5.nip.io", "phongkham.local", "1.2.3"):
        assert not hosts.knows(name), name


def test_rebinding_a_name_to_this_machine_gives_nothing(desk):
    async def work():
        browser = desk.browser(host="evil.example:7860")
        answer = await browser.get("/")
        assert answer.status_code == 421
        assert "set-cookie" not in answer.headers
        assert (await browser.get("/health")).status_code == 421

    run(work())


def test_an_origin_is_ours_only_whole():
    host = "localhost:7860"
    assert same_origin(None, host)
    assert same_origin("http://localhost:7860", host)
    for other in (
        "http://localhost:9",
        "null",
        "",
        "http://evil",
        "http://localhost:7860.evil",
        "localhost:7860",
    ):
        assert not same_origin(other, host), other
    assert same_origin("https://phong.local", "phong.local", secure=True)
    assert not same_origin("http://phong.local", "phong.local", secure=True)


def test_posts_of_other_pages_are_refused(desk):
    async def work():
        browser = await desk.opened()
        for origin in ("http://evil.example", "null", "http://127.0.0.1:9999", "http://localhost:7860"):
            for path in (
                "/gradio_api/queue/join",
                "/gradio_api/upload",
                "/logout",
                "/login",
                "/gradio_api/cancel",
            ):
                answer = await browser.post(path, headers={"origin": origin})
                assert answer.status_code == 403, (origin, path)
        own = await browser.post("/gradio_api/reset", headers={"origin": "http://127.0.0.1:7860"})
        assert own.status_code == 200

    run(work())


def test_gradio_sees_neither_foreign_headers_nor_queries_nor_cookies(desk):
    async def work():
        browser = await desk.opened()
        extra = {
            "x-forwarded-host": "evil.example", "x-forwarded-proto": "https", "forwarded": "host=evil",
            "origin": "http://127.0.0.1:7860", "authorization": "x", "x-gradio-user": "x", "referer": "x",
            "cookie": f"vnvision_session_7860={browser.owner}; other=secret",
        }  # fmt: skip
        await browser.get("/config?deep_link=x&page=en&token=1", headers=extra)
        scope, seen = desk.inner.scopes[-1], desk.inner.last
        assert scope["query_string"] == b"page=en"
        assert seen[b"cookie"] == f"vnvision_session={browser.owner}".encode()
        assert set(seen) <= {b"host", b"user-agent", b"accept", b"accept-encoding", b"cookie"}
        await browser.get("/?deep_link=x", headers=extra)
        assert desk.inner.scopes[-1]["query_string"] == b""
        assert b"cookie" not in desk.inner.last
        assert b"accept-encoding" not in desk.inner.last
        await browser.get("/assets/a.js?x=1", headers=extra)
        assert b"cookie" not in desk.inner.last

    run(work())


def test_pages_of_other_ports_cannot_read_answers(desk):
    async def work():
        desk.inner.headers += [
            (b"access-control-allow-origin", b"http://localhost:9999"),
            (b"Access-Control-Allow-Credentials", b"true"),
            (b"server", b"x"),
            (b"Cache-Control", b"public"),
        ]
        browser = await desk.opened()
        answer = await browser.get("/config", headers={"origin": "http://localhost:9999"})
        assert [name for name in answer.headers if name.startswith("access-control")] == []
        assert "server" not in answer.headers
        assert answer.headers.get_list("cache-control") == ["no-store"]

    run(work())


def test_a_question_goes_on_as_plain_values_and_own_files(desk):
    async def work():
        browser = await desk.opened()
        (path,) = (await browser.send_files(("a.jpg", b"P"))).json()
        given = file_of(
            path, url="http://evil.example/x", is_stream=True, mime_type="text/html", size=-1, x={"y": 1}
        )
        assert (await browser.ask(given, "auto", False, 0.5, None, [given])).status_code == 200
        told = loads(desk.inner.bodies[-1])
        clean = {"path": path, "orig_name": "a.jpg", "meta": {"_type": "gradio.FileData"}}
        assert told["data"] == [clean, "auto", False, 0.5, None, [clean]]
        assert set(told) == {"data", "event_data", "fn_index", "trigger_id", "session_hash"}
        assert told["event_data"] is None
        assert int(desk.inner.last[b"content-length"]) == len(desk.inner.bodies[-1])

    run(work())


def test_a_question_about_anything_else_is_refused(desk):
    async def work():
        browser, other = await desk.opened(), await desk.opened()
        (path,) = (await browser.send_files(("a.jpg", b"P"))).json()
        (theirs,) = (await other.send_files(("a.jpg", b"P"))).json()
        seen = len(desk.inner.scopes)
        gone = (
            "/etc/passwd", theirs, f"{path}/../a.jpg/", path + "\0", "http://evil.example/x",
            "data:image/png;base64,AA", str(desk.station.uploads.root), "", ".", "~/.ssh/id_rsa",
            "file:///etc/passwd", path.upper(),
        )  # fmt: skip
        for bad in gone:
            for value in (file_of(bad), [file_of(path), file_of(bad)]):
                assert (await browser.ask(value)).status_code == 410, bad
        link = desk.station.uploads.root / "link"
        link.symlink_to("/etc/passwd")
        assert (await browser.ask(file_of(str(link)))).status_code == 410
        nonsense = (
            {"url": "http://evil.example/x"}, file_of(None, url="data:image/png;base64,AA"), {"path": [path]},
            {"path": None, "url": "data:x"}, {"value": file_of("/etc/passwd")}, {"path": {"path": path}},
            [[file_of("/etc/passwd")]], [[1]], {"path": path, "orig_name": 3}, {},
        )  # fmt: skip
        for bad in nonsense:
            assert (await browser.ask(bad)).status_code == 400, bad
        wrong = (
            {"fn_index": "0"}, {"fn_index": -1}, {"fn_index": True}, {"session_hash": "a/b"}, {"data": None},
            {"session_hash": 3}, {"session_hash": "x" * 65}, {"data": {"path": path}}, {"data": [1] * 65},
            {"trigger_id": 1 << 40},
        )  # fmt: skip
        for more in wrong:
            assert (await browser.ask(**more)).status_code == 400, more
        bodies = (
            b"", b"[]", b"null", b"{", b"[" * 200_000, b"\xff", b'{"data": [NaN], "session_hash": "a"}',
            b'{"data": [1e999], "session_hash": "a"}',
        )  # fmt: skip
        for body in bodies:
            answer = await browser.post("/gradio_api/queue/join", content=body)
            assert answer.status_code == 400, body[:40]
        assert len(desk.inner.scopes) == seen

    run(work())


def test_bodies_are_bounded_told_or_not(desk):
    async def work():
        browser = await desk.opened()
        big = b"x" * ((1 << 20) + 1)

        async def parts():
            for start in range(0, len(big), 1 << 16):
                yield big[start : start + (1 << 16)]

        for content in (big, parts()):
            answer = await browser.post("/gradio_api/queue/join", content=content)
            assert answer.status_code == 413
            assert answer.json() == {"detail": "Yêu cầu quá dài."}
        answer = await browser.post("/gradio_api/queue/join", content=big, headers={"referer": "http://h/en"})
        assert answer.json() == {"detail": "The request is too long."}
        assert (await browser.post("/gradio_api/cancel", content=big)).status_code == 413

    run(work())


def test_a_sender_who_pauses_or_crawls_is_refused(monkeypatch):
    monkeypatch.setattr(slow, "_PAUSE_S", 0.05)
    clock = [1000.0]
    monkeypatch.setattr(slow, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    async def never():
        await asyncio.sleep(30)

    async def crawl():
        clock[0] += 10
        return {"type": "http.request", "body": b"x" * 1000, "more_body": True}

    async def work():
        with pytest.raises(Refusal) as caught:
            await slow.patient(never, 100)()
        assert caught.value.status == 408
        receive = slow.patient(crawl, 1 << 30)
        for _ in range(4):
            await receive()
        with pytest.raises(Refusal) as caught:
            await receive()
        assert caught.value.status == 408

    run(work())


def test_an_unforeseen_error_is_a_line_with_our_headers(desk, caplog):
    async def broken(scope, receive, send):
        raise RuntimeError("/secret/path")

    async def work():
        browser = await desk.opened()
        desk.inner.answer = broken
        answer = await browser.get("/config")
        assert answer.status_code == 500
        assert "secret" not in answer.text
        assert "content-security-policy" in answer.headers
        assert "unforeseen" in caplog.text

    run(work())
