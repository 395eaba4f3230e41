"""One lock for whoever changes Python's warning filters, which belong to the whole process."""

from __future__ import annotations

import threading

ONE_AT_A_TIME = threading.Lock()
