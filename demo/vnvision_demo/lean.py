"""What Gradio keeps for each open page, made small: nothing here uses it, and strangers open pages.

Of each page that has ever asked something, up to 10,000 of them, Gradio holds a copy of the settings of all
components with the last answer in it: half a megabyte and 60 ms of computing each. Of the last 10,000
answers it keeps how long they took, and after each answer makes a table of all of them with pandas.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from copy import copy
from typing import Any

from gradio.blocks import Blocks
from gradio.routes import App
from gradio.state_holder import SessionState, StateHolder
from gradio.utils import LRUCache

_PAGES = 1024


class Lean:
    """Gradio's memory of pages, and how to let go of one.

    Args:
        app: Gradio's.
    """

    def __init__(self, app: App) -> None:
        blocks = app.get_blocks()
        self._holder = _Holder()
        self._holder.set_blocks(blocks)
        self._holder.capacity = _PAGES
        self._queue = blocks._queue
        app.state_holder = self._holder
        self._queue.pending_messages_per_session = LRUCache(_PAGES)
        self._queue.ANALYTICS_MAX_EVENTS = 1
        self._queue.ANAYLTICS_CACHE_FREQUENCY = sys.maxsize  # answers between two tables; spelt as there
        for block in blocks.blocks.values():
            block.temp_files = _Nothing()
        blocks.upload_file_set = _Nothing()
        blocks.temp_file_sets = []

    def forget(self, page: str) -> None:
        """Let go of a page: its settings, and answers that nobody fetched."""
        with self._holder.lock:
            self._holder.session_data.pop(page, None)
            self._holder.time_last_used.pop(page, None)
        if not self.waiting([page]):
            self._queue.pending_messages_per_session.pop(page, None)
            self._queue.pending_event_ids_session.pop(page, None)

    def asked(self, page: str, event: str) -> bool:
        """Whether a question is that page's."""
        found = self._queue.event_ids_to_events.get(event)
        return found is not None and found.session_hash == page

    def waiting(self, pages: list[str]) -> int:
        """How many questions of these pages wait or are being answered."""
        events = list(self._queue.event_ids_to_events.values())
        return sum(event.session_hash in pages for event in events)


class _State(SessionState):
    """A page's state without the copy of all settings that only deep links need, which are off."""

    def __init__(self, blocks: Blocks) -> None:
        self.blocks_config = copy(blocks.default_config)
        self.config_values: dict[int, dict[str, Any]] = {}
        self.state_data: dict[int, Any] = {}
        self._state_ttl: dict[int, Any] = {}
        self.is_closed = False
        self.STATE_TTL_WHEN_CLOSED = 3600

    def __setitem__(self, key: int, value: Any) -> None:
        block = self.blocks_config.blocks.get(key)  # one that an answer changed has a number of its own
        if block is not None and block.stateful:
            self.state_data[key] = value
        else:
            self.blocks_config.blocks[key] = value

    def _update_config(self, key: int) -> None:
        """Nothing to update."""

    def _update_value_in_config(self, key: int, value: Any) -> None:
        """Nothing to update."""


class _Holder(StateHolder):
    def __init__(self) -> None:
        super().__init__()
        self.session_data: OrderedDict[str, SessionState] = OrderedDict()

    def __getitem__(self, session_id: str) -> SessionState:
        if session_id not in self.session_data:
            self.session_data[session_id] = _State(self.blocks)
        return super().__getitem__(session_id)


class _Nothing(set[str]):
    """A set that stays empty: Gradio notes every path it has ever seen, and the door deletes files itself."""

    def add(self, element: str) -> None:
        """Not kept."""

    def update(self, *others: Any) -> None:
        """Not kept."""
