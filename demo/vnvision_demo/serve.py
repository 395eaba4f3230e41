"""Start the demo's server."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vnvision.errors import ConfigError
from vnvision_demo.memory import give_memory_back
from vnvision_demo.settings import Settings

if TYPE_CHECKING:
    import uvicorn

    from vnvision_demo.station import Station

_MOST_CONNECTIONS = 600
_HEAD_BYTES = 32 << 10
_STOP_S = 4.0


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

    give_memory_back()
    listening = _listen(settings)
    with _leaving():
        from vnvision_demo.app import application
        from vnvision_demo.protocol import PatientProtocol

        logging.getLogger("vnvision.demo").setLevel(logging.INFO)
        app, station = application(settings)
        certfile, keyfile = certificate or (None, None)
        config = uvicorn.Config(
            app,
            http=PatientProtocol,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=2,
            limit_concurrency=_MOST_CONNECTIONS,
            h11_max_incomplete_event_size=_HEAD_BYTES,
            ws="none",
            ssl_certfile=certfile,
            ssl_keyfile=keyfile,
        )
        server = uvicorn.Server(config)
        address = (
            f"{'https' if certificate else 'http'}://{shown_host(settings)}:{listening.getsockname()[1]}"
        )
        threading.Thread(target=_tell, args=(server, ready, address), daemon=True).start()
        threading.Thread(target=_break_off, args=(server, station), daemon=True).start()
        try:
            server.run(sockets=[listening])
        finally:
            station.close()


@contextlib.contextmanager
def _leaving() -> Iterator[None]:
    """Asked to stop (Ctrl-C, SIGTERM, a closed terminal), leave as at the end: files are deleted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {one: signal.signal(one, _leave) for one in asked}
    try:
        with contextlib.suppress(KeyboardInterrupt):
            yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _leave(number: int, frame: object) -> None:
    raise SystemExit(0)


def _break_off(server: uvicorn.Server, station: Station) -> None:
    """Once the server is to stop, end the process in time even where an answer is still being computed."""
    while not server.should_exit:
        time.sleep(0.2)
    time.sleep(_STOP_S)
    station.close()
    os._exit(0)


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
