"""A served demo and a real browser for all tests here; skipped where there is no Chromium."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def chromium():
    """Path of the browser."""
    for package in ("playwright", "gradio"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"the package {package} is not installed")
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.skip("no Chromium: install Debian's package chromium, or name it in CHROMIUM")
    return found


@pytest.fixture(scope="session")
def server(chromium, tmp_path_factory):
    from serving import Server

    started = Server(tmp_path_factory.mktemp("served"))
    yield started
    started.stop()


# A module at a time: while Playwright runs, no other test of this process could start an event loop.
@pytest.fixture(scope="module")
def player(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(player, chromium):
    from serving import ARGS

    found = player.chromium.launch(executable_path=chromium, args=ARGS)
    yield found
    found.close()


@pytest.fixture
def new_context(browser, server):
    """Makes browser contexts, each a visitor of its own, and holds them all to the server's own address."""
    from watching import Watch

    made = []

    def new(**options):
        size = options.pop("viewport", {"width": 1280, "height": 900})
        context = browser.new_context(viewport=size, permissions=["camera"], **options)
        context.set_default_timeout(10_000)
        made.append((context, Watch(context, server.address)))
        return context

    new.made = made
    yield new
    for context, _ in made:
        context.close()
    for _, watch in made:
        assert watch.foreign() == []
        assert watch.stopped == []


@pytest.fixture(params=["vi", "en"])
def language(request):
    return request.param


@pytest.fixture
def opened(new_context, server, language):
    """The page in one language, in a browser that prefers the other."""
    from opened import Opened

    return Opened(
        new_context(locale="en-GB" if language == "vi" else "vi-VN").new_page(), server.address, language
    )


@pytest.fixture(scope="session")
def pdf_text():
    """Reads a PDF's text with poppler."""
    import subprocess
    import unicodedata

    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed (Debian: poppler-utils)")

    def read(path):
        text = subprocess.run(["pdftotext", path, "-"], check=True, capture_output=True).stdout
        return " ".join(unicodedata.normalize("NFC", text.decode()).split())

    return read


@pytest.fixture(scope="session")
def axe():
    """The source of axe-core, as it is run in the page."""
    places = [os.environ.get("AXE_CORE", ""), "~/.cache/vnvision-ci/axe/node_modules/axe-core/axe.min.js"]
    for place in filter(None, places):
        if (path := Path(place).expanduser()).is_file():
            return path.read_text("utf-8")
    pytest.skip("no axe-core: npm install axe-core@4, and name its axe.min.js in AXE_CORE")
