"""HTTP for strangers: a connection that asks for nothing, or is one of too many, is closed."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 20.0
MOST_OF_ONE_ADDRESS = 256
_HERE: Counter[str] = Counter()


class PatientProtocol(H11Protocol):
    """Uvicorn's, which waits for ever for the end of a request's head, made to wait for a while."""

    _timer: asyncio.TimerHandle | None = None
    _counted: str | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it, and wait for its first request."""
        super().connection_made(transport)
        address = self.client[0] if self.client else "?"
        if _HERE[address] >= MOST_OF_ONE_ADDRESS:
            transport.abort()
            return
        _HERE[address] += 1
        self._counted = address
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Wait on while a head is not whole."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._wait()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no more."""
        self._stop_waiting()
        if self._counted is not None:
            _HERE[self._counted] -= 1
            if not _HERE[self._counted]:
                del _HERE[self._counted]
            self._counted = None
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(HEAD_S, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        transport: Any = self.transport
        transport.abort()
