"""Connections of strangers, and the folder that a server leaves."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import uvicorn

from vnvision_demo import protocol, scratch
from vnvision_demo.scratch import Scratch, remove_leftovers


async def answer(scope, receive, send):
    if scope["type"] == "http":
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


async def serving(work):
    config = uvicorn.Config(
        answer, port=0, http=protocol.PatientProtocol, lifespan="off", h11_max_incomplete_event_size=32 << 10,
        log_level="critical",
    )  # fmt: skip
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        await work(lambda: asyncio.open_connection("127.0.0.1", port))
    finally:
        server.should_exit = True
        await running


HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"


def test_who_sends_half_a_head_is_left(monkeypatch):
    monkeypatch.setattr(protocol, "HEAD_S", 0.3)

    async def work(connect):
        silent, half, late = await connect(), await connect(), await connect()
        half[1].write(HEAD)
        late[1].write(HEAD + b"\r\n")
        assert (await late[0].readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        late[1].write(HEAD)  # the second request of a connection
        started = time.monotonic()
        for reader, _ in (silent, half, late):
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await asyncio.wait_for(reader.readexactly(1), 3)
        assert time.monotonic() - started < 2
        slow = await connect()
        for part in (HEAD, b"A: b\r\n", b"\r\n"):
            slow[1].write(part)
            await asyncio.sleep(0.05)
        assert (await slow[0].readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        await asyncio.sleep(0.4)  # kept alive, and idle
        slow[1].write(HEAD + b"\r\n")
        assert (await slow[0].readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        slow[1].close()

    asyncio.run(serving(work))
    assert not protocol._HERE


def test_one_address_has_so_many_connections(monkeypatch):
    monkeypatch.setattr(protocol, "MOST_OF_ONE_ADDRESS", 3)

    async def work(connect):
        held = [await connect() for _ in range(3)]
        await asyncio.sleep(0.05)
        reader, _ = await connect()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(1), 3)
        held[0][1].close()
        await asyncio.sleep(0.1)
        reader, writer = await connect()
        writer.write(HEAD + b"\r\n")
        await reader.readuntil(b"ok")

    asyncio.run(serving(work))


def test_a_long_head_is_refused():
    async def work(connect):
        reader, writer = await connect()
        writer.write(HEAD + b"X: " + b"y" * 100_000)
        told = await reader.read(100)
        assert told.startswith((b"HTTP/1.1 400", b"HTTP/1.1 431"))

    asyncio.run(serving(work))


HEADS = (
    b"", b"Host: a\r\nHost: b\r\n", b"Host: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
    b"Host: a\r\nX\0: b\r\n", b"Host: a\r\nBad Name: x\r\n",
)  # fmt: skip


@pytest.mark.parametrize("head", HEADS)
def test_what_two_servers_could_read_in_two_ways_is_refused(head):
    async def work(connect):
        reader, writer = await connect()
        writer.write(b"POST / HTTP/1.1\r\n" + head + b"\r\n")
        assert (await reader.read(100)).startswith(b"HTTP/1.1 400")

    asyncio.run(serving(work))


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_folder_is_private_and_goes_with_its_server(temporary):
    made = Scratch()
    assert made.path.parent == temporary
    assert made.path.stat().st_mode & 0o077 == 0 or os.name == "nt"
    (made.path / "uploads").mkdir()
    made.close()
    made.close()
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="links")
def test_only_folders_of_dead_servers_are_removed(temporary):
    alive = Scratch()
    dead, young = temporary / "vnvision-demo-dead", temporary / "vnvision-demo-young"
    for folder in (dead, young):
        folder.mkdir()
    (dead / scratch._LOCK).touch()
    other = temporary / "other"
    other.mkdir()
    (other / scratch._LOCK).touch()
    (temporary / "vnvision-demo-link").symlink_to(other)
    (temporary / "vnvision-demo-file").touch()
    remove_leftovers()
    assert alive.path.is_dir()
    assert not dead.exists()
    assert young.is_dir()
    assert other.is_dir()
    alive.close()


CHILD = """
import time
from vnvision_demo.scratch import Scratch
made = Scratch()
print(made.path, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals")
def test_the_next_start_removes_what_a_killed_one_left(temporary):
    root = Path(scratch.__file__).parents[1]
    env = os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": f"{root}{os.pathsep}{root.parent}"}
    with subprocess.Popen([sys.executable, "-c", CHILD], env=env, stdout=subprocess.PIPE, text=True) as child:
        left = Path(child.stdout.readline().strip())
        Scratch().close()
        assert left.is_dir()
        child.kill()
        child.wait()
        assert left.is_dir()
        Scratch().close()
        assert not left.exists()
