"""One page of the demo in a browser, as a visitor uses it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vnvision_demo.settings import PATHS, Language
from vnvision_demo.texts import say

TABS = ("crops", "clinic", "faces", "fairness", "batch", "models")
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
        self.load()

    def load(self) -> None:
        """Open it, or open it again."""
        self.page.goto(self.address + PATHS[self.language])
        self.ready()

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
        label = self.say(f"tab.{name}")
        button = self.page.locator(
            "#v-tabs > .tab-wrapper button:not([tabindex='-1'] ):visible", has_text=label
        )
        if not button.count():
            self.page.locator("#v-tabs > .tab-wrapper .overflow-menu > button").click()
        button.first.click()
        panel = self.page.locator(f"#tab-{name}")
        panel.wait_for()
        panel.locator("button:visible, input:visible").first.wait_for()
        self.settle()
        return panel

    def inner(self, key: str) -> Any:
        """Open one of the inner tabs of faces."""
        self.page.locator(".v-inner [role=tab]:visible", has_text=self.say(f"faces.{key}")).click()
        self.panel.locator("button:visible").first.wait_for()
        self.settle()
        return self.panel

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
        ended: list[str] = []

        def note(request: Any) -> None:
            if "/queue/data?" in request.url:
                ended.append(request.url)

        for event in ("requestfinished", "requestfailed"):
            self.page.on(event, note)
        act()
        end = time.monotonic() + timeout_s
        while not ended and time.monotonic() < end:
            self.page.wait_for_timeout(50)
        for event in ("requestfinished", "requestfailed"):
            self.page.remove_listener(event, note)
        assert ended, f"no answer within {timeout_s} s"
        fresh = ", ".join(f"{one}:not([data-old]):visible" for one in _TOLD.split(", "))
        found = self.page.locator(fresh).first
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
