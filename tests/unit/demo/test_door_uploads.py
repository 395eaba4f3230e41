"""Files on their way in and out: whose they are, how many, how large, and when they go."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import numpy as np
import pytest
from door_desk import Desk, file_of

from vnvision_demo.door.parcels import Parcels
from vnvision_demo.door.uploads import Uploads
from vnvision_demo.errors import Refusal
from vnvision_demo.lessons import Lessons

pytest.importorskip("gradio")
MB = 1 << 20
ODD = (
    "../../../etc/passwd", "/etc/passwd", "a\r\nX-Evil: 1.jpg", "<img src=x onerror=alert(1)>.jpg",
    "a/../b.jpg", "..", ".", "x" * 5000 + ".jpg", "lá lúa bệnh.jpg", "C:\\windows\\x.jpg", "a\0b.jpg",
    "-rf", "con.jpg", "a.jpg/", "$(id).jpg", '";x="', "\u202egpj.exe",
)  # fmt: skip


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path, file_bytes=MB, session_bytes=3 * MB, total_bytes=8 * MB)


def run(work):
    return asyncio.run(work)


def files_under(folder):
    return [path for path in folder.rglob("*") if not path.is_dir()]


def test_a_file_is_seen_by_the_browser_that_sent_it_only_as_pixels(desk):
    async def work():
        browser, other = await desk.opened(), await desk.opened()
        (path,) = (await browser.send_files(("a.jpg", b"P"))).json()
        shown = await browser.get(f"/gradio_api/file={path}")
        assert shown.status_code == 200
        assert shown.headers["content-type"] == "image/jpeg"
        assert shown.headers["cache-control"] == "no-store"
        assert b"Exif" not in shown.content
        assert (await browser.get(f"/gradio_api/file={quote(path, safe='')}")).status_code == 200
        assert (await other.get(f"/gradio_api/file={path}")).status_code == 404
        (text,) = (await browser.send_files(("a.html", b"<script>"))).json()
        assert (await browser.get(f"/gradio_api/file={text}")).status_code == 404

    run(work())


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "http://127.0.0.1:1/", "https://evil.example/", "..%2f..%2fetc%2fpasswd", "file:///etc/passwd",
     "", ".", "%2e%2e", "/proc/self/environ", "~/.bashrc", "%00", "\\\\host\\share"],
)  # fmt: skip
def test_no_file_of_the_server_and_no_address_can_be_asked_for(desk, path):
    async def work():
        browser = await desk.opened()
        assert (await browser.get(f"/gradio_api/file={path}")).status_code == 404
        assert desk.station.reader.reads == 0
        assert len(desk.inner.scopes) == 1

    run(work())


def test_the_folder_around_a_file_and_links_give_nothing(desk):
    async def work():
        browser = await desk.opened()
        (path,) = (await browser.send_files(("a.jpg", b"P"))).json()
        for near in map(str, (Path(path).parent, f"{path}/..", f"{path}/x", f"{path}/../a.jpg")):
            assert (await browser.get(f"/gradio_api/file={quote(near, safe='')}")).status_code == 404, near
        Path(path).unlink()
        Path(path).symlink_to("/etc/passwd")
        assert (await browser.get(f"/gradio_api/file={path}")).status_code == 404
        assert (await browser.ask(file_of(path))).status_code == 410

    run(work())


@pytest.mark.parametrize("name", ODD)
def test_odd_names_stay_inside_the_folder(desk, name):
    async def work():
        browser = await desk.opened()
        answer = await browser.send_files((name, b"P"))
        assert answer.status_code in (200, 400)
        root = desk.station.uploads.root
        for path in answer.json() if answer.status_code == 200 else ():
            assert Path(path).resolve().is_relative_to(root.resolve())
            assert len(Path(path).name.encode()) < 256
            assert not set(Path(path).name) & set('/\\\r\n\0<>"')
        assert all("evil" not in header.lower() for header in answer.headers)
        if answer.status_code != 200:
            assert files_under(root) == []

    run(work())


def test_a_file_that_is_too_large_is_refused_in_the_pages_language(desk):
    async def work():
        browser = await desk.opened()
        big = ("a.jpg", b"P" * (MB + 1))
        answer = await browser.send_files(big)
        assert answer.status_code == 413
        assert answer.text.startswith("Tệp quá lớn: tối đa 1 MB")
        answer = await browser.send_files(big, headers={"referer": "http://127.0.0.1:7860/en"})
        assert answer.text.startswith("The file is too large: at most 1 MB")
        assert files_under(desk.station.uploads.root) == []
        assert desk.station.uploads._coming == []

    run(work())


def test_a_length_that_is_not_told_or_wrong_is_refused(desk):
    async def work():
        browser = await desk.opened()

        async def endless():
            while True:
                yield b"x" * 65536

        head = {"content-type": "multipart/form-data; boundary=b"}
        post = browser.post
        assert (await post("/gradio_api/upload", content=endless(), headers=head)).status_code == 411
        for told in ("-1", "1e9", "x", ""):
            answer = await post("/gradio_api/upload", content=b"", headers=head | {"content-length": told})
            assert answer.status_code == 411, told
        for told in (str(4 * MB), "9" * 5000):
            answer = await post("/gradio_api/upload", content=b"", headers=head | {"content-length": told})
            assert answer.status_code == 429, told
        part = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n'
        answer = await post(
            "/gradio_api/upload", content=part + b"x" * 5000, headers=head | {"content-length": "100"}
        )
        assert answer.status_code == 413
        assert files_under(desk.station.uploads.root) == []

    run(work())


FORMS = {
    "no form": (b"hello", "text/plain"),
    "no boundary": (b"hello", "multipart/form-data"),
    "nothing in it": (b"--b--\r\n", "multipart/form-data; boundary=b"),
    "text for a file": (
        b'--b\r\nContent-Disposition: form-data; name="files"\r\n\r\nhello\r\n--b--\r\n',
        "multipart/form-data; boundary=b",
    ),
    "no disposition": (b"--b\r\nX: y\r\n\r\nhello\r\n--b--\r\n", "multipart/form-data; boundary=b"),
    "long header": (
        b"--b\r\nX: " + b"y" * 20000 + b"\r\n\r\nhello\r\n--b--\r\n",
        "multipart/form-data; boundary=b",
    ),
    "cut": (
        b'--b\r\nContent-Disposition: form-data; name="other"; filename="a"\r\n\r\nhel',
        "multipart/form-data; boundary=b",
    ),
    "another field": (
        b'--b\r\nContent-Disposition: form-data; name="other"; filename="a"\r\n\r\nhello\r\n--b--\r\n',
        "multipart/form-data; boundary=b",
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("progress", ["", "?upload_id=x"])
def test_what_is_no_form_is_refused_and_leaves_nothing(desk, form, progress):
    async def work():
        browser = await desk.opened()
        body, kind = FORMS[form]
        answer = await browser.post(
            f"/gradio_api/upload{progress}", content=body, headers={"content-type": kind}
        )
        assert (answer.status_code, answer.text) == (400, "Không nhận được tệp. Hãy gửi lại.")
        assert files_under(desk.station.uploads.root) == []
        assert desk.station.uploads._coming == []

    run(work())


def test_files_of_other_fields_do_not_stay(desk):
    async def work():
        browser = await desk.opened()
        parts = [("files", ("a.jpg", b"P")), ("other", ("b.jpg", b"Q")), ("third", (None, "text"))]
        answer = await browser.post("/gradio_api/upload", files=parts)
        assert [str(path) for path in files_under(desk.station.uploads.root)] == answer.json()

    run(work())


def test_a_file_without_a_name_gets_one(desk):
    async def work():
        browser = await desk.opened()
        body = b'--b\r\nContent-Disposition: form-data; name="files"; filename=""\r\n\r\nP\r\n--b--\r\n'
        answer = await browser.post(
            "/gradio_api/upload", content=body, headers={"content-type": "multipart/form-data; boundary=b"}
        )
        (path,) = answer.json()
        assert Path(path).name.startswith("tmp")

    run(work())


def test_so_many_files_and_no_more(desk):
    async def work():
        browser = await desk.opened()
        many = [(f"{number}.jpg", b"P%d" % number) for number in range(600)]
        assert len((await browser.send_files(*many)).json()) == 600
        answer = await browser.send_files(*many)
        assert answer.status_code == 429
        assert len(files_under(desk.station.uploads.root)) == 600
        assert (await browser.send_files(*many, *many)).status_code in (400, 429)
        assert len(files_under(desk.station.uploads.root)) == 600

    run(work())


def test_a_browser_and_all_together_have_so_much_room(desk):
    async def work():
        browsers = [await desk.opened() for _ in range(5)]
        half = ("a.jpg", b"P" * (MB - 1))
        for browser in browsers[:3]:
            assert [(await browser.send_files(half)).status_code for _ in range(3)] == [200, 200, 429]
        answer = await browsers[3].send_files(half)
        assert answer.status_code == 200
        assert (await browsers[3].send_files(half)).status_code == 507
        assert (await browsers[4].send_files(half)).text.startswith("Máy đang đầy ảnh chờ xử lý")

    run(work())


def test_what_is_under_way_counts(tmp_path):
    uploads = Uploads(tmp_path, session_bytes=100, total_bytes=150, keep_s=9)
    with uploads.room("a", 60):
        with pytest.raises(Refusal, match="session_full"), uploads.room("a", 60):
            pass
        with uploads.room("b", 60), pytest.raises(Refusal, match="server_full"), uploads.room("c", 60):
            pass
        with uploads.room("c", 60):
            pass
    assert uploads._coming == []


def test_an_upload_that_is_broken_off_leaves_nothing(desk):
    async def work():
        browser = await desk.opened()
        start = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\nPPPP'
        sent = []
        scope = {
            "type": "http", "method": "POST", "path": "/gradio_api/upload", "query_string": b"",
            "scheme": "http", "client": ("127.0.0.1", 1), "headers": [
                (b"host", b"127.0.0.1:7860"), (b"content-length", b"5000"),
                (b"content-type", b"multipart/form-data; boundary=b"),
                (b"cookie", f"vnvision_session_7860={browser.owner}".encode()),
            ],
        }  # fmt: skip
        messages = [{"type": "http.request", "body": start, "more_body": True}, {"type": "http.disconnect"}]

        async def receive():
            return messages.pop(0)

        async def send(message):
            sent.append(message)

        await desk.door(scope, receive, send)
        assert sent == []
        assert list(desk.station.uploads.root.iterdir()) == []
        assert desk.station.uploads._coming == []

    run(work())


@pytest.fixture
def uploads(tmp_path):
    return Uploads(tmp_path / "up", session_bytes=MB, total_bytes=MB, keep_s=10)


def put(uploads, owner, name="a.jpg"):
    path = uploads.folder() / "inner" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"P")
    uploads.add(owner, [path])
    return path


def test_answered_files_are_deleted_whatever_happened(uploads):
    path = put(uploads, "a")
    with uploads.taken("a", [str(path)]) as (file,):
        assert file.read_bytes() == b"P"
    path = put(uploads, "a")
    with pytest.raises(ValueError, match="broken"), uploads.taken("a", [path]):
        raise ValueError("broken")
    mine, theirs = put(uploads, "a"), put(uploads, "b")
    with pytest.raises(Refusal, match=r"upload\.gone"), uploads.taken("a", [mine, theirs]):
        pass
    assert files_under(uploads.root) == [theirs]
    assert list(uploads._held) == [theirs]


def test_what_nobody_asks_about_is_swept_with_what_belongs_to_nothing(uploads, monkeypatch):
    path, stray, folder = put(uploads, "a"), uploads.root / "tmpabc", uploads.root / "f"
    stray.write_bytes(b"")
    folder.mkdir()
    link = uploads.root / "link"
    link.symlink_to(uploads.root.parent)
    uploads.sweep()
    assert path.exists()
    assert stray.exists()
    later = time.monotonic() + 11
    for old in (stray, folder, path.parents[1]):
        os.utime(old, (1, 1))
    os.utime(link, (1, 1), follow_symlinks=False)
    monkeypatch.setattr("vnvision_demo.door.uploads.time.monotonic", lambda: later)
    uploads.sweep()
    assert list(uploads.root.iterdir()) == []
    assert uploads.root.parent.exists()
    assert not uploads._held


def test_a_browser_that_leaves_takes_its_files_along(uploads):
    put(uploads, "a"), put(uploads, "a")
    theirs = put(uploads, "b")
    uploads.forget("a")
    assert files_under(uploads.root) == [theirs]


def test_twenty_threads_at_once_lose_and_leave_nothing(uploads):
    start = threading.Barrier(20)

    def work(number):
        start.wait()
        for _ in range(20):
            path = put(uploads, f"b{number}")
            assert uploads.owned(f"b{number + 1}", path) is None
            with uploads.room(f"b{number}", 10), uploads.taken(f"b{number}", [path]) as (file,):
                assert file.read_bytes() == b"P"
            uploads.sweep()

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(work, range(20)))
    assert files_under(uploads.root) == []
    assert not uploads._held
    assert not uploads._coming


def test_a_parcel_is_its_owners_for_a_while(desk):
    async def work():
        browser, other = await desk.opened(), await desk.opened()
        put = desk.station.parcels.put
        href = put(browser.owner, "result.pdf", "application/pdf", lambda: b"%PDF", size=10)
        answer = await browser.get(href)
        assert (answer.status_code, answer.content) == (200, b"%PDF")
        assert answer.headers["content-disposition"] == 'attachment; filename="result.pdf"'
        assert answer.headers["cache-control"] == "no-store"
        assert (await other.get(href)).status_code == 404
        assert (await browser.get("/get/invented/result.pdf")).status_code == 404
        shown = put(browser.owner, "a.jpg", "image/jpeg", b"P", inline=True)
        assert (await browser.get(shown)).headers["content-disposition"] == 'inline; filename="a.jpg"'
        desk.station.parcels._keep_s = -1
        answer = await browser.get(href, headers={"referer": "http://127.0.0.1:7860/en"})
        assert (answer.status_code, answer.text) == (
            404, "This file has expired or is not yours. Ask again for a new one.",
        )  # fmt: skip

    run(work())


@pytest.mark.parametrize(
    "name", ['a"; x="b.pdf', "a\r\nSet-Cookie: x=y", "../../a.pdf", "lá.pdf", "", ".", "x" * 999]
)
def test_a_parcels_name_can_end_no_header(desk, name):
    async def work():
        browser = await desk.opened()
        href = desk.station.parcels.put(browser.owner, name, "text/csv", b"1")
        answer = await browser.get(href)
        assert answer.status_code == 200
        told = answer.headers["content-disposition"].removeprefix('attachment; filename="').removesuffix('"')
        assert told
        assert set(told) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
        assert len(told) <= 100
        assert "set-cookie" not in answer.headers

    run(work())


def test_parcels_are_bounded_and_the_oldest_go_first():
    parcels = Parcels(most_bytes=100, session_most=3, keep_s=9)
    first = parcels.put("a", "x", "text/plain", b"1" * 60).split("/")[2]
    second = parcels.put("b", "x", "text/plain", b"1" * 60).split("/")[2]
    assert parcels.find("a", first) is None
    assert parcels.find("b", second)
    tokens = [parcels.put("c", "x", "text/plain", b"").split("/")[2] for _ in range(4)]
    assert [parcels.find("c", token) is not None for token in tokens] == [False, True, True, True]
    parcels.forget("c")
    assert parcels.find("c", tokens[-1]) is None
    parcels._keep_s = -1
    parcels.sweep()
    assert not parcels._held


def test_a_disk_that_is_nearly_full_takes_nothing(desk, monkeypatch):
    async def work():
        browser = await desk.opened()
        free = SimpleNamespace(free=64 * MB + 1000)
        monkeypatch.setattr("vnvision_demo.door.uploads.shutil.disk_usage", lambda path: free)
        assert (await browser.send_files(("a.jpg", b"P" * 5000))).status_code == 507
        assert (await browser.send_files(("a.jpg", b"P"))).status_code == 200
        monkeypatch.setattr(
            "gradio.route_utils.upload_fn", lambda *_: (_ for _ in ()).throw(OSError(28, "full"))
        )
        assert (await browser.send_files(("a.jpg", b"P"))).status_code == 507

    run(work())


def test_all_lessons_together_have_so_much_room(tmp_path):
    lessons = Lessons(tmp_path / "lessons", most_bytes=100, keep_s=9, total_bytes=150)
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"P" * 60)
    lessons.add("one", "rust", [photo])
    with pytest.raises(Refusal, match="session_full"):
        lessons.add("one", "rust", [photo])
    lessons.add("two", "rust", [photo])
    with pytest.raises(Refusal, match="server_full"):
        lessons.add("three", "rust", [photo])
    lessons.end("one")
    lessons.add("three", "rust", [photo])


def test_a_picture_that_is_answered_while_it_waits_to_be_shown_is_shown(desk, monkeypatch):
    kept = {}
    desk.station.sent_just_now = lambda owner, path: kept.get((owner, path))

    def read(source):
        if isinstance(source, Path):  # the answer comes first
            kept[next(iter(desk.station.uploads._held.values())).owner, str(source)] = b"P"
            desk.station.uploads.delete([source])
            raise FileNotFoundError(source)
        return SimpleNamespace(image=np.zeros((4, 6, 3), np.uint8))

    async def work():
        browser, other = await desk.opened(), await desk.opened()
        (path,) = (await browser.send_files(("a.jpg", b"P"))).json()
        desk.station.reader.read = read
        assert (await browser.get(f"/gradio_api/file={path}")).status_code == 200
        assert (await browser.get(f"/gradio_api/file={path}")).status_code == 200
        assert (await other.get(f"/gradio_api/file={path}")).status_code == 404
        kept.clear()
        assert (await browser.get(f"/gradio_api/file={path}")).status_code == 404

    run(work())
