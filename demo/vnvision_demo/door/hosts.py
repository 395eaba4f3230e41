"""Which names the page may be asked for by: keeps other sites from reaching it through a browser's DNS."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from vnvision_demo.settings import Settings

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Hosts:
    """The names and addresses this server answers to.

    Args:
        settings: where it listens, and its further names.
    """

    def __init__(self, settings: Settings) -> None:
        own = socket.gethostname().lower()
        self._local = settings.is_local
        self._names = {*_LOOPBACK, *(name.lower() for name in settings.names)}
        if not settings.is_local:
            self._names |= {own, own.split(".")[0], f"{own.split('.')[0]}.local"}

    def knows(self, host_header: str) -> bool:
        """Whether a request's Host is one of ours; beyond this machine any IP address is."""
        try:
            name = (urlsplit(f"//{host_header}").hostname or "").lower()
        except ValueError:
            return False
        if name in self._names:
            return True
        if self._local:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def same_origin(origin: str | None, host_header: str) -> bool:
    """Whether a request that changes something comes from our own page (or from no page at all)."""
    return origin is None or urlsplit(origin).netloc.lower() == host_header.lower()
