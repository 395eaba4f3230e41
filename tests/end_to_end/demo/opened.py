"""One page of the demo in a browser, as a visitor uses it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import TimeoutError as PlaywrightTimeout

from vnvision_demo.settings import PATHS, Language
from vnvision_demo.texts import say

TABS = ("crops", "clinic", "faces", "fairness", "batch", "teach", "models")
INNER = ("compare", "find", "hide")
SIZES = {"phone": (360, 800), "desk": (1280, 900)}
_TOLD = ".v-case, .v-problem, .v-done, .v-audit"


class Opened:
    """A page at rest.

    Args:
        page: of Playwright.
        address: the server's.
        language: which of the two pages.
    """

    def __init__(self, page: Any, address: str, language: Language) -> None:
        self.page, self.address, self.language = page, address, language
        self._streams: list[Any] = []
        self._ended: list[Any] = []
        page.on("request", self._started)
        page.on("requestfinished", self._over)
        page.on("requestfailed", self._over)
        self.load()

    def _started(self, request: Any) -> None:
        """Gradio fetches the answers to all questions that wait in one stream, and ends it after the last."""
        if "/queue/data?" in request.url:
            self._streams.append(request)

    def _over(self, request: Any) -> None:
        self._ended.append(request)

    def _answered(self, since: int, timeout_s: float, least: int = 1) -> bool:
        """Whether the streams after the first ``since`` have come to their end in time."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            mine = self._streams[since:]
            if len(mine) >= least and all(one in self._ended for one in mine):
                return True
            self.page.wait_for_timeout(50)
        return False

    def _idle(self) -> bool:
        """Whether no part of the page shows that it waits."""
        return not self.page.locator("[data-testid=status-tracker]:not(.hide):visible .progress-text").count()

    def load(self) -> None:
        """Open it, or open it again."""
        before = len(self._streams)
        self.page.goto(self.address + PATHS[self.language])
        self.ready()
        self._answered(before, 5)  # the page asks who is enrolled and what models there are

    def ready(self) -> None:
        """Wait until the first tab can be used."""
        self.page.wait_for_selector("#boot", state="detached")
        self.page.wait_for_selector("#tab-crops input[type=file]", state="attached")

    def say(self, key: str, **fields: Any) -> str:
        """One of the demo's texts in this page's language."""
        return say(key, self.language, **fields)

    @property
    def panel(self) -> Any:
        """What is shown of the innermost tab."""
        return self.page.locator("[role=tabpanel]:visible").last

    def tab(self, name: str) -> Any:
        """Open a tab, from the menu of tabs where it stands there."""
        label = re.compile(rf"^\s*{re.escape(self.say(f'tab.{name}'))}\s*$")
        bar = self.page.locator("#v-tabs > .tab-wrapper")
        button = bar.locator("button:not([tabindex='-1']):visible", has_text=label)
        self._click(button, bar.locator(".overflow-menu > button"))
        panel = self.page.locator(f"#tab-{name}")
        panel.wait_for()
        panel.locator("button:visible, input:visible").first.wait_for()
        self.settle()
        return panel

    def inner(self, key: str) -> Any:
        """Open one of the inner tabs of faces."""
        bar = self.page.locator(".v-inner > .tab-wrapper")
        button = bar.locator("button:not([tabindex='-1']):visible", has_text=self.say(f"faces.{key}"))
        self._click(button, bar.locator(".overflow-menu > button"))
        self.panel.locator("button:visible").first.wait_for()
        self.settle()
        return self.panel

    def _click(self, button: Any, more: Any, timeout_s: float = 10) -> None:
        """Click a tab where it stands: a bar that was just resized moves it into its menu or out of it."""
        end = time.monotonic() + timeout_s
        while True:
            try:
                if not button.count():
                    more.click(timeout=500)
                button.first.click(timeout=500)
                return
            except PlaywrightTimeout:
                if time.monotonic() > end:
                    raise

    def settle(self) -> None:
        """Wait until nothing of the page is being loaded or laid out."""
        self.page.wait_for_load_state("networkidle")
        self.page.evaluate("() => document.fonts.ready.then(() => new Promise(requestAnimationFrame))")

    def send(self, files: Path | list[Path], at: int = 0) -> str:
        """Give files to one of the boxes of this tab; the path that the server gave the first."""
        box = self.panel.locator("input[type=file]").nth(at).element_handle()
        with self.page.expect_response(lambda one: "/gradio_api/upload?" in one.url) as sent:
            box.set_input_files(files)
        response = sent.value
        if not response.ok:
            return ""
        self.page.wait_for_function("one => !one.isConnected", arg=box)
        return str(response.json()[0])

    def press(self, key: str) -> None:
        """Press the button with this text."""
        self.panel.get_by_role("button", name=self.say(key), exact=True).click()

    def options(self, key: str) -> list[str]:
        """Open the drop-down with this label; what it offers."""
        self.panel.get_by_label(self.say(key), exact=True).click()
        offered = self.page.locator("[role=option]:visible")
        offered.first.wait_for()
        self.page.wait_for_timeout(300)  # it slides into its place
        return [one.get_attribute("aria-label") for one in offered.all()]

    def choose(self, key: str, option: str) -> None:
        """Open the drop-down with this label and take an option."""
        self.options(key)
        self.page.locator("[role=option]:visible", has_text=option).first.click()

    def answer(self, act: Callable[[], Any], timeout_s: float = 40) -> Any:
        """Do something that asks the server, and wait for what the page then says."""
        self.page.evaluate(f"document.querySelectorAll('{_TOLD}').forEach((one) => (one.dataset.old = 1))")
        self._answered(0, 3, least=0)
        before = len(self._streams)
        act()
        fresh = ", ".join(f"{one}:not([data-old]):visible" for one in _TOLD.split(", "))
        found = self.page.locator(fresh).first
        end = time.monotonic() + timeout_s
        # One stream may serve two questions: an answer with nothing under way will do, too.
        while not self._answered(before, 0.5) and not (found.count() and self._idle()):
            assert time.monotonic() < end, f"no answer within {timeout_s} s"
        found.wait_for()
        self.settle()
        return found

    def fetch(self, link: Any, folder: Path) -> Path:
        """Press a link that downloads, and keep the file."""
        with self.page.expect_download() as coming:
            link.click()
        path = folder / coming.value.suggested_filename
        coming.value.save_as(path)
        return path

    def shoot(self, name: str, folder: Path) -> None:
        """The whole page as a picture, at both sizes."""
        folder = Path(os.environ.get("VNVISION_SHOTS") or folder)
        folder.mkdir(parents=True, exist_ok=True)
        before = self.page.viewport_size
        for size, (width, height) in SIZES.items():
            self.page.set_viewport_size({"width": width, "height": height})
            self.settle()
            self.page.wait_for_timeout(300)
            path = folder / f"{name}-{self.language}-{size}.png"
            self.page.screenshot(path=path, full_page=True)
        self.page.set_viewport_size(before)
        self.settle()
