"""Takes README's picture of a running demo: ``python demo/take_screenshot.py http://127.0.0.1:7860``."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

OUT = Path(__file__).parent / "screenshot.jpg"
_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_HEIGHT = 1240


def shot(browser: Browser, address: str, width: int, scroll: bool) -> Image.Image:
    """The crops tab with the answer to its first example."""
    page = browser.new_page(viewport={"width": width, "height": _HEIGHT})
    page.goto(address)
    page.wait_for_selector("[role=tab]")
    page.click(".ex-leaf-spots")
    page.wait_for_selector(".v-case")
    page.wait_for_timeout(1500)
    if scroll:
        page.evaluate("document.querySelector('.v-case').scrollIntoView()")
        page.evaluate("window.scrollBy(0, -16)")
        page.wait_for_timeout(300)
    return Image.open(io.BytesIO(page.screenshot()))


def main(address: str) -> None:
    """Desktop and phone side by side."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=_ARGS)
        desktop, phone = shot(browser, address, 1180, False), shot(browser, f"{address}/en", 390, True)
        browser.close()
    whole = Image.new("RGB", (desktop.width + phone.width + 60, _HEIGHT + 40), "#cfd6ce")
    whole.paste(desktop, (20, 20))
    whole.paste(phone, (desktop.width + 40, 20))
    whole.save(OUT, quality=82, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1])
