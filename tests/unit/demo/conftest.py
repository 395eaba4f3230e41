"""A station without a server, and requests of two browsers."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("gradio", reason="gradio is not installed (extra demo)")

from vnvision_demo.door.sessions import COOKIE, Session
from vnvision_demo.settings import Settings
from vnvision_demo.station import Station

sys.path.insert(0, str(Path(__file__).parent))  # door_desk


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """One demo without its server; its models are opened once a module."""
    home = tmp_path_factory.mktemp("home")
    before = dict(os.environ)
    os.environ["VNVISION_MODELS"] = str(home / "models")
    made = Station(Settings(gallery=home / "faces.db"))
    yield made
    made.close()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def browser(station: Station) -> Session:
    """A browser that opened the page."""
    return station.sessions.new()


@pytest.fixture
def asked(browser: Session) -> Any:
    """What Gradio hands a handler as the request of that browser."""
    return request_of(browser)


def request_of(session: Session) -> Any:
    """A request with a session's cookie."""
    return SimpleNamespace(cookies={COOKIE: session.id})


@pytest.fixture
def send(station: Station, browser: Session) -> Callable[..., str]:
    """Put bytes where an upload of that browser would lie; gives the path."""

    def put(data: bytes | Path, name: str = "leaf.jpg", session: Session = browser) -> str:
        folder = station.uploads.folder()
        folder.mkdir(parents=True)
        path = folder / name
        path.write_bytes(data if isinstance(data, bytes) else data.read_bytes())
        station.uploads.add(session.id, [path])
        return str(path)

    return put


@pytest.fixture
def with_place() -> Callable[[bytes], bytes]:
    """A JPEG with the place it was taken at in its EXIF."""

    def add(jpeg: bytes) -> bytes:
        from PIL import Image

        image, out = Image.open(io.BytesIO(jpeg)), io.BytesIO()
        exif = Image.Exif()
        exif[0x8825] = {1: "N", 2: (10.0, 22.0, 30.0), 3: "E", 4: (106.0, 40.0, 12.0)}
        exif[0x010F] = "SECRETCAMERA"
        image.save(out, format="JPEG", exif=exif)
        return out.getvalue()

    return add
