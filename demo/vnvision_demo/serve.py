"""Start the demo's server."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from vnvision.errors import ConfigError
from vnvision_demo.settings import Settings


def serve(
    settings: Settings, *, certificate: tuple[Path, Path] | None = None, ready: Callable[[str], None]
) -> None:
    """Serve until stopped; every file sent or made is deleted at the end.

    Args:
        settings: how.
        certificate: certificate and key, for HTTPS.
        ready: told the address once the page can be opened.

    Raises:
        ConfigError: the port is taken, or the address is not this machine's.
    """
    import uvicorn

    listening = _listen(settings)
    from vnvision_demo.app import application

    logging.getLogger("vnvision.demo").setLevel(logging.INFO)
    app, station = application(settings)
    certfile, keyfile = certificate or (None, None)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
        ws="none",
        ssl_certfile=certfile,
        ssl_keyfile=keyfile,
    )
    server = uvicorn.Server(config)
    address = f"{'https' if certificate else 'http'}://{shown_host(settings)}:{listening.getsockname()[1]}"
    threading.Thread(target=_tell, args=(server, ready, address), daemon=True).start()
    try:
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listening])
    finally:
        station.close()


def shown_host(settings: Settings) -> str:
    """What to type in a browser: beyond this machine, its name on the network."""
    if settings.host in ("0.0.0.0", "::"):
        return socket.gethostname()
    return f"[{settings.host}]" if ":" in settings.host else settings.host


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((settings.host, settings.port))
        found.listen(128)
    except OSError as exc:
        found.close()
        raise ConfigError(
            f"the demo cannot listen on {settings.host}:{settings.port}",
            got=exc.strerror or str(exc),
            fix="choose another port with --port, such as --port 7861",
            vietnamese=f"không mở được cổng {settings.port}; hãy chọn cổng khác, ví dụ --port 7861",
        ) from exc
    return found


def _tell(server: object, ready: Callable[[str], None], address: str) -> None:
    while not getattr(server, "started", False):
        time.sleep(0.05)
    ready(address)
