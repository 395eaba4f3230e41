"""Which names the page may be asked for by: keeps other sites from reaching it through a browser's DNS."""

from __future__ import annotations

import ipaddress
import re
import socket

from vnvision_demo.settings import Settings

_HOST = re.compile(r"(?P<name>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Hosts:
    """The names and addresses this server answers to.

    Args:
        settings: where it listens, and its further names.
    """

    def __init__(self, settings: Settings) -> None:
        own = socket.gethostname().lower()
        self._local = settings.is_local
        self._names = {*_LOOPBACK, *map(_as_sent, settings.names)}
        if not settings.is_local:
            self._names |= {own, own.split(".")[0], f"{own.split('.')[0]}.local"}

    def knows(self, host_header: str) -> bool:
        """Whether a request's Host is one of ours; beyond this machine any IP address is."""
        found = _HOST.fullmatch(host_header)
        if found is None:
            return False
        name = found["name"].lower().strip("[]")
        if name in self._names:
            return True
        if self._local:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def same_origin(origin: str | None, host_header: str, *, secure: bool = False) -> bool:
    """Whether a request that changes something comes from our own page (or from no page at all).

    Args:
        origin: what the browser says.
        host_header: what it asked for.
        secure: whether we serve HTTPS: then a page of the same name over HTTP is another's.
    """
    if origin is None:
        return True
    scheme, _, netloc = origin.lower().partition("://")
    return netloc == host_header.lower() and scheme in (("https",) if secure else ("http", "https"))


def _as_sent(name: str) -> str:
    """As a browser writes it: without capitals and accents."""
    try:
        return name.lower().encode("idna").decode("ascii")
    except UnicodeError:
        return name.lower()
