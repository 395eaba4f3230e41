"""Gradio's page made ours: its language, its title, no address but our own, and something to see at once."""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path

from vnvision_demo.settings import Language
from vnvision_demo.texts import say
from vnvision_demo.texts.gradio_vi import SENTENCES, WORDS

_AWAY = re.compile(r'<meta\s+(?:property="og:|name="twitter:)[^>]*>|<link rel="manifest"[^>]*>', re.DOTALL)
_RESIZER = re.compile(r"<script>\s*\(\(\) => \{\s*const root = .*?</script>", re.DOTALL)

_SCRIPT = re.compile(r"<script(?=[\s>])([^>]*>.*?</script>)", re.DOTALL)
_CSP = (
    "default-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "media-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self' data: blob:",
    "worker-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
)
SAFE: dict[str, str] = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}
OWN = Path(__file__).parents[1] / "static"


def csp(nonce: str | None = None) -> str:
    """What a page may load and run: our own files, and of the scripts written in it those with the nonce.

    Gradio's components make functions of text at run time.
    """
    scripts = f"script-src 'self' 'nonce-{nonce}' 'unsafe-eval' blob:" if nonce else "script-src 'self'"
    return "; ".join((*_CSP, scripts))


def page(html: str, language: Language, nonce: str = "") -> str:
    """What a browser gets for Gradio's page.

    Args:
        html: Gradio's.
        language: of this page.
        nonce: which its scripts carry; one that something smuggles in does not know it.
    """
    html = _RESIZER.sub("", _AWAY.sub("", html), count=1)
    html = html.replace('lang="en"', f'lang="{language}"', 1)
    title = escape(say("app.title", language))
    head = (
        f"<title>{title}</title>"
        f'<meta name="description" content="{escape(say("app.lead", language))}">'
        '<link rel="icon" href="/own/icon.svg" type="image/svg+xml">'
        '<link rel="preload" href="/own/Roboto-Regular.ttf" as="font" type="font/ttf" crossorigin>'
        f"<script>window.vnvisionWords = {_words(language)};</script>"
        f'<script src="/own/shell.js" data-language="{language}" data-title="{title}"></script>'
        '<link rel="stylesheet" href="/own/boot.css">'
    )
    html = re.sub(r'<meta charset="utf-8" ?/?>', lambda found: found[0] + head, html, count=1)
    boot = (
        f'<div id="boot" role="status"><b>vnvision</b><i></i><p>{escape(say("app.opening", language))}</p>'
        f"<noscript>{escape(say('app.noscript', language))}</noscript></div>"
    )
    html = html.replace("<gradio-app", boot + "<gradio-app", 1)
    return _SCRIPT.sub(lambda found: f'<script nonce="{nonce}"{found[1]}', html) if nonce else html


def own_file(name: str) -> Path | None:
    """One of our files: the fonts are those of the printed pages."""
    if name.endswith(".ttf"):
        import vnvision.report

        file = Path(vnvision.report.__file__).parent / "fonts" / Path(name).name
    else:
        file = OWN / Path(name).name
    return file if file.is_file() else None


def _words(language: Language) -> str:
    """Gradio's fixed words and sentences, and what replaces them, as JSON that cannot end a script."""
    words = WORDS if language == "vi" else {}
    sentences = [(pattern, vi if language == "vi" else en) for pattern, vi, en in SENTENCES]
    told = {"words": words, "sentences": sentences}
    return json.dumps(told, ensure_ascii=False).replace("<", "\\u003c")
