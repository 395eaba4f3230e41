"""How often one browser, or one address, may ask."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

_MOST = 50_000


class Rate:
    """A token bucket a key: so many at once, filled again over a minute.

    Args:
        a_minute: how many.
    """

    def __init__(self, a_minute: int) -> None:
        self._size = float(a_minute)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def allows(self, key: str) -> bool:
        """Take one, if there is one to take."""
        now = time.monotonic()
        with self._lock:
            left, at = self._buckets.pop(key, (self._size, now))
            left = min(self._size, left + (now - at) * self._size / 60)
            allowed = left >= 1
            self._buckets[key] = (left - 1 if allowed else left, now)
            while len(self._buckets) > _MOST:
                self._buckets.popitem(last=False)
        return allowed
