"""No page asks any other machine for anything, and the browser's own log says so too."""

import json
from urllib.parse import urlsplit

from opened import INNER, TABS, Opened

# Chromium's updates, sign-in and form filling. Chrome on a user's machine does this on every site.
BROWSERS_OWN = {"update.googleapis.com", "accounts.google.com", "content-autofill.googleapis.com"}
CLOSED = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"


def asked(log):
    """Of each request in a net log of Chromium's: the host, and the page that made it, if one did."""
    text = log.read_text("utf-8", "replace")
    try:
        told = json.loads(text)
    except json.JSONDecodeError:  # the browser was ended before it closed the list
        told = json.loads(text.rstrip().rstrip(",") + "]}")
    kind = told["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    found = set()
    for event in told["events"]:
        params = event.get("params", {})
        if event["type"] == kind and urlsplit(params.get("url", "")).scheme in ("http", "https", "ws", "wss"):
            by = params["initiator"]
            found.add((urlsplit(params["url"]).hostname, None if by == "not an origin" else by))
    return found


def visit(player, chromium, log, work):
    from serving import ARGS

    started = player.chromium.launch(
        executable_path=chromium,
        args=[*ARGS, CLOSED, f"--log-net-log={log}", "--net-log-capture-mode=Everything"],
    )
    try:
        work(started)
    finally:
        started.close()
    return asked(log)


def test_no_other_host_is_asked_for(player, chromium, server, tmp_path):
    def both_pages(browser):
        for language in ("vi", "en"):
            context = browser.new_context()
            opened = Opened(context.new_page(), server.address, language)
            for tab in TABS:
                opened.tab(tab)
            opened.tab("faces")
            for inner in INNER:
                opened.inner(inner)
            opened.tab("crops")
            opened.answer(lambda opened=opened: opened.press("crops.example.spots"))
            context.close()

    made = visit(player, chromium, tmp_path / "demo.json", both_pages)
    assert ("127.0.0.1", server.address) in made
    assert {host for host, page in made if page} == {"127.0.0.1"}
    # What the browser asks by itself, as it does on an empty page; here it reaches none of them.
    idle = visit(player, chromium, tmp_path / "idle.json", stay)
    strange = {host for host, _ in made} - {host for host, _ in idle} - {"127.0.0.1"} - BROWSERS_OWN
    assert strange == set()


def stay(browser):
    """An empty page for some seconds."""
    page = browser.new_page()
    page.goto("about:blank")
    page.wait_for_timeout(3000)


def test_no_page_holds_a_foreign_address_to_load(opened):
    """In the page as it is served: nothing is to be loaded from elsewhere, now or later."""
    html = opened.page.request.get(opened.page.url).text()
    loads = opened.page.evaluate(
        """(html) => [...new DOMParser().parseFromString(html, "text/html")
          .querySelectorAll("script[src], link[href], img[src], iframe[src], source[src]")]
          .map((one) => one.getAttribute("src") || one.getAttribute("href"))""",
        html,
    )
    assert loads
    assert [one for one in loads if one.startswith(("http:", "https:", "//"))] == []
