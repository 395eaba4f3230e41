"""A page to sign in on, for those who are reached over the network."""

from __future__ import annotations

import hashlib
import hmac
from html import escape

from vnvision_demo.settings import Language
from vnvision_demo.texts import say


def right(users: dict[str, str], name: str, password: str) -> bool:
    """Whether name and password belong together; takes as long for a wrong name as for a wrong password."""
    expected = users.get(name)
    same = hmac.compare_digest(_digest(expected or ""), _digest(password))
    return same and expected is not None


def _digest(text: str) -> bytes:
    """As long for a short password as for a long one."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def page(language: Language, *, wrong: bool = False) -> str:
    """The form."""

    def word(key: str) -> str:
        return escape(say(key, language))

    note = f'<p class="wrong" role="alert">{word("login.wrong")}</p>' if wrong else ""
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{word("login.title")}</title><link rel="icon" href="/own/icon.svg">'
        '<link rel="stylesheet" href="/own/boot.css"></head><body><main id="login">'
        f"<h1>vnvision</h1><p>{word('login.lead')}</p>{note}"
        f'<form method="post" action="/login?lang={language}">'
        f'<label for="name">{word("login.name")}</label>'
        '<input id="name" name="name" autocomplete="username" required autofocus>'
        f'<label for="password">{word("login.password")}</label>'
        '<input id="password" name="password" type="password" autocomplete="current-password" required>'
        f"<button>{word('login.enter')}</button></form></main></body></html>"
    )
