"""Who comes in: cookies, sign-in, rates, whose page is whose; and what every response carries."""

from __future__ import annotations

import asyncio
import json
import re
from types import SimpleNamespace

import pytest
from door_desk import Desk, file_of

from vnvision_demo.door import login, outward, pages, rates
from vnvision_demo.door.crowd import Crowd, Pages
from vnvision_demo.door.rates import Rate
from vnvision_demo.errors import Refusal
from vnvision_demo.settings import LANGUAGES

USERS = {"lan": "mật khẩu", "minh": "x" * 40}


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


@pytest.fixture
def closed(tmp_path):
    return Desk(tmp_path, users=USERS, host="0.0.0.0")


@pytest.fixture
def stopped_clock(monkeypatch):
    monkeypatch.setattr(rates, "time", SimpleNamespace(monotonic=lambda: 0.0))


def run(work):
    return asyncio.run(work)


async def sign_in(browser, name="lan", password=USERS["lan"], **more):
    return await browser.post("/login", data={"name": name, "password": password}, **more)


def test_no_script_and_no_other_site_gets_the_cookie(desk, tmp_path):
    async def work():
        told = (await desk.browser().get("/")).headers["set-cookie"]
        assert re.fullmatch(r"vnvision_session_7860=[\w-]{43}; Path=/; HttpOnly; SameSite=Strict", told), told
        told = (await desk.browser(host="localhost").get("/")).headers["set-cookie"]
        assert told.startswith("vnvision_session=")
        safe = Desk(tmp_path / "safe", secure=True)
        told = (await safe.browser().get("/")).headers["set-cookie"]
        assert told.startswith("__Host-vnvision_session_7860=")
        assert told.endswith("; Path=/; HttpOnly; SameSite=Strict; Secure")
        browser = await safe.opened()
        browser.cookies.clear()
        browser.cookies.set("vnvision_session_7860", safe.station.sessions.new().id)
        assert (await browser.get("/config")).status_code == 401

    run(work())


def test_a_browser_keeps_its_session(desk):
    async def work():
        browser = await desk.opened()
        assert "set-cookie" not in (await browser.get("/en")).headers
        assert (await browser.get("/config")).status_code == 200

    run(work())


def test_pages_belong_to_the_browser_that_used_them_first(desk):
    async def work():
        browser, other = await desk.opened(), await desk.opened()
        assert (await browser.ask(page="mine")).status_code == 200
        seen = len(desk.inner.scopes)
        assert (await other.ask(page="mine")).status_code == 403
        assert (await other.get("/gradio_api/queue/data?session_hash=mine")).status_code == 403
        assert (await other.get("/gradio_api/heartbeat/mine")).status_code == 403
        taken_back = {"session_hash": "mine", "event_id": "e", "fn_index": 0}
        assert (await other.post("/gradio_api/cancel", json=taken_back)).status_code == 403
        assert len(desk.inner.scopes) == seen
        assert (await browser.get("/gradio_api/queue/data?session_hash=mine&x=1")).status_code == 200
        assert desk.inner.scopes[-1]["query_string"] == b"session_hash=mine"
        for page in ("", "a b", "x" * 65, "%2e%2e"):
            assert (await browser.get(f"/gradio_api/queue/data?session_hash={page}")).status_code == 403
        assert (await browser.get("/gradio_api/queue/data")).status_code == 403

    run(work())


def test_only_questions_of_the_page_are_taken_back(desk):
    async def work():
        browser = await desk.opened()
        body = {"session_hash": "mine", "event_id": "e", "fn_index": 0}
        seen = len(desk.inner.scopes)
        assert (await browser.post("/gradio_api/cancel", json=body)).status_code == 200
        assert len(desk.inner.scopes) == seen
        desk.lean.asked_by.add(("mine", "e"))
        await browser.post("/gradio_api/cancel", json=body | {"more": 1})
        assert json.loads(desk.inner.bodies[-1]) == body
        for bad in ("", "[]", "{}", '{"session_hash": "a", "event_id": 1, "fn_index": 1e999}', "[" * 9000):
            answer = await browser.post("/gradio_api/cancel", content=bad)
            assert answer.status_code == 400, bad[:50]

    run(work())


def test_pages_are_bounded_for_a_browser_and_for_all():
    gone = []
    known = Pages(gone.append, most=5, browser_most=3)
    for page in "abc":
        assert known.belongs(page, "one")
    assert known.belongs("a", "one")
    assert known.belongs("d", "one")
    assert gone == ["b"]
    for page in "xyz":
        assert known.belongs(page, "two")
    assert gone == ["b", "c"]
    assert not known.belongs("x", "one")
    known.drop_all("two")
    assert known.of("two") == []
    assert known.belongs("x", "one")


def test_one_browser_cannot_fill_the_queue(desk):
    async def work():
        browser = await desk.opened()
        desk.lean.waits = 16
        assert (await browser.ask()).status_code == 429
        desk.lean.waits = 15
        assert (await browser.ask()).status_code == 200

    run(work())


def test_open_requests_are_counted_and_let_go():
    crowd = Crowd(2)
    with crowd.one_more("a"), crowd.one_more("a"):
        with pytest.raises(Refusal), crowd.one_more("a"):
            pass
        with crowd.one_more("b"):
            pass
    with crowd.one_more("a"):
        pass
    assert not crowd._here


def test_one_browser_cannot_hold_every_connection(desk):
    async def work():
        browser, other = await desk.opened(), await desk.opened()
        done = asyncio.Event()

        async def stream(scope, receive, send):
            await done.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        desk.inner.answer = stream
        held = [asyncio.create_task(browser.get("/gradio_api/heartbeat/p1")) for _ in range(32)]
        await asyncio.sleep(0.05)
        assert (await browser.get("/config")).status_code == 429
        desk.inner.answer = None
        assert (await other.get("/config")).status_code == 200
        done.set()
        assert {(await one).status_code for one in held} == {200}
        assert (await browser.get("/config")).status_code == 200
        assert not desk.door._open_here._here
        assert not desk.door._open_there._here

    run(work())


def test_a_rate_fills_again_over_a_minute(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(rates, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    rate = Rate(3)
    assert [rate.allows("a") for _ in range(4)] == [True, True, True, False]
    assert rate.allows("b")
    clock[0] = 20.0
    assert [rate.allows("a") for _ in range(2)] == [True, False]
    clock[0] = 1000.0
    assert [rate.allows("a") for _ in range(4)] == [True, True, True, False]
    monkeypatch.setattr(rates, "_MOST", 10)
    for number in range(30):
        rate.allows(str(number))
    assert len(rate._buckets) == 10


def test_questions_are_counted_by_browser_and_by_address(tmp_path, stopped_clock):
    async def work():
        desk = Desk(tmp_path, session_answers=2, address_answers=3)
        one, two = await desk.opened(), await desk.opened()
        assert [(await one.ask(page="p1")).status_code for _ in range(3)] == [200, 200, 429]
        answer = await one.ask(page="p1", headers={"referer": "http://127.0.0.1:7860/"})
        assert answer.status_code in (422, 429)
        assert [(await two.ask(page="p2")).status_code for _ in range(2)] == [200, 429]
        far = await desk.opened(address="127.0.0.9")
        assert (await far.ask(page="p3")).status_code == 200

    run(work())


def test_pictures_and_parcels_are_counted(desk, stopped_clock):
    async def work():
        browser, other = await desk.opened(), await desk.opened()
        codes = [(await browser.get("/get/x/y")).status_code for _ in range(241)]
        assert (codes[0], codes[-1]) == (404, 429)
        assert (await browser.get("/gradio_api/file=x")).status_code == 429
        assert (await browser.post("/gradio_api/upload")).status_code == 429
        assert (await other.get("/get/x/y")).status_code == 404

    run(work())


def test_new_browsers_are_counted_by_address(desk, stopped_clock):
    async def work():
        codes = [(await desk.browser().get("/")).status_code for _ in range(301)]
        assert (set(codes[:300]), codes[-1]) == ({200}, 429)
        answer = await desk.browser().get("/en")
        assert answer.text == "Too many pages were opened from your machine. Wait a minute."
        assert (await desk.browser(address="127.0.0.9").get("/")).status_code == 200

    run(work())


def test_nothing_is_shown_before_signing_in(closed):
    async def work():
        browser = closed.browser(host="192.168.1.5:7860", address="192.168.1.9")
        for path, to in (("/", "/login?lang=vi"), ("/en", "/login?lang=en")):
            answer = await browser.get(path)
            assert (answer.status_code, answer.headers["location"]) == (303, to)
        assert (await browser.get("/config")).status_code == 401
        assert (await browser.ask()).status_code == 401
        assert closed.inner.scopes == []
        browser.cookies.set("vnvision_session_7860", closed.station.sessions.new().id)
        assert (await browser.get("/config")).status_code == 401
        assert (await browser.get("/")).status_code == 303

    run(work())


def test_the_right_password_opens_and_gives_a_new_session(closed):
    async def work():
        browser = closed.browser()
        planted = closed.station.sessions.new().id
        browser.cookies.set("vnvision_session_7860", planted, domain="127.0.0.1")
        answer = await sign_in(browser, headers={"origin": "http://127.0.0.1:7860"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert planted not in answer.headers["set-cookie"]
        assert closed.left == [planted]
        assert planted not in closed.station.sessions._known
        assert (await browser.get("/")).status_code == 200
        assert (await browser.get("/config")).status_code == 200
        owner = browser.owner
        answer = await browser.post("/logout")
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert closed.left == [planted, owner]
        assert (await browser.get("/config")).status_code == 401

    run(work())


@pytest.mark.parametrize(
    ("name", "password"),
    [("lan", "wrong"), ("nobody", "x"), ("", ""), ("lan", ""), ("", USERS["lan"]), ("lan", "mật khẩu "),
     ("LAN", USERS["lan"]), ("lan", USERS["minh"]), ("lan\0", USERS["lan"]), ("nobody", "")],
)  # fmt: skip
def test_anything_else_does_not(closed, name, password):
    async def work():
        answer = await sign_in(closed.browser(), name, password)
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert "Sai tên đăng nhập hoặc mật khẩu." in answer.text

    run(work())


def test_odd_forms_open_nothing(closed):
    async def work():
        browser = closed.browser()
        for body in (
            b"",
            b"name=lan",
            b"\xff\xfe=%ff",
            b"&" * 9000,
            b"a=1&" * 100,
            b"name[]=lan&password=%00",
        ):
            assert (await browser.post("/login", content=body)).status_code == 401
        closed.door._sign_ins = Rate(10)
        assert (await browser.post("/login", content=b"x" * 20_000)).status_code == 413

    run(work())


def test_guessing_is_slow(closed, stopped_clock):
    async def work():
        browser = closed.browser(address="192.168.1.9")
        codes = [(await sign_in(browser, "lan", str(number))).status_code for number in range(12)]
        assert codes == [401] * 10 + [429] * 2
        assert (await sign_in(browser)).status_code == 429
        answer = await browser.post("/login?lang=en", data={"name": "lan"})
        assert answer.text == "Too many attempts to sign in. Wait a minute."
        assert (await sign_in(closed.browser(address="192.168.1.10"))).status_code == 303

    run(work())


def test_passwords_are_compared_in_constant_time(monkeypatch):
    seen = []

    def compared(one, two):
        seen.append((len(one), len(two)))
        return one == two

    monkeypatch.setattr(login.hmac, "compare_digest", compared)
    for name in ("lan", "nobody"):
        for password in ("", "x", "x" * 500):
            assert not login.right(USERS, name, password)
    assert login.right(USERS, "lan", USERS["lan"])
    assert set(seen) == {(32, 32)}
    assert len(seen) == 7


def test_the_sign_in_page_speaks_both_languages_and_escapes(closed):
    async def work():
        browser = closed.browser()
        assert 'lang="vi"' in (await browser.get("/login")).text
        assert "User name" in (await browser.get("/login?lang=en")).text
        answer = await browser.get('/login?lang="><script>alert(1)</script>')
        assert "alert" not in answer.text

    run(work())


def test_every_response_forbids_other_sites(closed):
    async def work():
        browser = closed.browser(host="localhost:7860")
        await sign_in(browser)
        paths = "/ /en /login /health /own/style.css /own/none /assets/a.js /config /nothing /get/a/b"
        paths = (*paths.split(), "/gradio_api/file=x", "/gradio_api/queue/data")
        answers = [await browser.get(path) for path in paths]
        answers += [await browser.put("/"), await closed.browser(host="evil.example").get("/")]
        answers += [await closed.browser().get("/config"), await browser.post("/gradio_api/queue/join")]
        for answer in answers:
            for name, value in pages.SAFE.items():
                assert answer.headers.get_list(name) == [value], (answer.url, name)
            (told,) = answer.headers.get_list("content-security-policy")
            assert "script-src 'self'" in told
            assert "script-src 'self' 'unsafe-inline'" not in told
            kept = answer.url.path.startswith(("/own/", "/assets/")) and answer.status_code == 200
            told = "public, max-age=86400" if kept else "no-store"
            assert answer.headers.get_list("cache-control") == [told], answer.url
        for directive in (
            "frame-ancestors 'none'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
        ):
            assert directive in pages.csp()
        assert "http" not in pages.csp("x")
        assert "unsafe" not in pages.csp().replace("style-src 'self' 'unsafe-inline'", "")

    run(work())


def test_a_browser_that_does_not_read_is_left(desk, monkeypatch):
    monkeypatch.setattr(outward, "_SLOWEST_S", 0.05)

    async def work():
        browser = await desk.opened()

        async def receive():
            return {"type": "http.request", "body": b""}

        async def send(message):
            await asyncio.sleep(30)

        scope = {
            "type": "http", "method": "GET", "path": "/config", "query_string": b"",
            "client": ("127.0.0.1", 1), "headers": [(b"host", b"127.0.0.1:7860"),
                        (b"cookie", f"vnvision_session_7860={browser.owner}".encode())],
        }  # fmt: skip
        await asyncio.wait_for(desk.door(scope, receive, send), 5)
        assert not desk.door._open_here._here

    run(work())


def test_the_page_is_ours(desk):
    async def work():
        browser = await desk.opened()
        for path, language in (("/", "vi"), ("/en", "en")):
            text = (await browser.get(path)).text
            assert f'<html lang="{language}">' in text
            assert f'data-language="{language}"' in text
            assert "elsewhere.example" not in text
            assert re.findall(r"""(?:src|href|content)=["'](?:https?:)?//[^"']*""", text) == []
            assert text.count('id="boot"') == 1

    run(work())


def test_scripts_of_the_page_carry_a_nonce_of_this_answer(desk):
    async def work():
        browser = await desk.opened()
        seen = set()
        for _ in range(2):
            answer = await browser.get("/")
            (nonce,) = re.findall(r"'nonce-([^']+)'", answer.headers["content-security-policy"])
            assert re.findall(r"<script(?! nonce=)", answer.text) == []
            assert answer.text.count(f'nonce="{nonce}"') == answer.text.count("<script")
            seen.add(nonce)
        assert len(seen) == 2
        smuggled = """<script>window.x = "<script>alert(1)"</script>"""
        found = pages.page(smuggled, "vi", "n")
        assert found.count('nonce="n"') == 1

    run(work())


def test_words_cannot_end_the_script(monkeypatch):
    monkeypatch.setattr(pages, "WORDS", {"</script><script>alert(1)": "<!--", "a": "\u2028"})
    found = pages.page('<html lang="en"><meta charset="utf-8"><gradio-app>', "vi")
    assert "</script><script>alert" not in found
    assert "<!--" not in found
    (told,) = re.findall(r"window\.vnvisionWords = (.*?);</script>", found)
    assert json.loads(told)["words"]["</script><script>alert(1)"] == "<!--"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_boot_page_says_what_it_does(language):
    found = pages.page('<html lang="en"><meta charset="utf-8" /><gradio-app>', language)
    assert found.count("<title>") == 1
    assert "<noscript>" in found


def test_own_files_are_those_of_the_folder_only():
    assert pages.own_file("style.css")
    assert pages.own_file("Roboto-Regular.ttf")
    for name in ("", "..", "../door/door.py", "/etc/passwd", "x.ttf", "../../x.ttf", ".ttf", "a/../style.cs"):
        assert pages.own_file(name) is None, name


def test_a_session_unseen_for_long_is_forgotten(desk, monkeypatch):
    async def work():
        browser = await desk.opened()
        monkeypatch.setattr("vnvision_demo.door.sessions._LIFE_S", -1.0)
        assert (await browser.get("/config")).status_code == 401
        assert (await browser.ask(file_of("x"))).status_code == 401

    run(work())


def test_methods_of_the_page_are_get_and_head(desk):
    async def work():
        browser = await desk.opened()
        assert (await browser.post("/")).status_code == 405
        assert (await browser.head("/")).status_code == 200
        assert desk.inner.scopes[-1]["method"] == "GET"
        assert (await browser.get("/health")).text == "ok"

    run(work())
