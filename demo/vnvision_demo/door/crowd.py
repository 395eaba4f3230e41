"""How many requests of one browser, or one address, are open at a time; and which open pages are whose."""

from __future__ import annotations

import contextlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator

from vnvision_demo.errors import Refusal


class Crowd:
    """Counts what is under way by key. For one event loop.

    Args:
        most: at a time, for one key.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._here: Counter[str] = Counter()

    @contextlib.contextmanager
    def one_more(self, key: str) -> Iterator[None]:
        """For the length of one request.

        Raises:
            Refusal: there are too many already.
        """
        if self._here[key] >= self._most:
            raise Refusal("rate.session", 429)
        self._here[key] += 1
        try:
            yield
        finally:
            self._here[key] -= 1
            if not self._here[key]:
                del self._here[key]


class Pages:
    """Open pages (Gradio calls each a session hash) and the browser that each belongs to. For one event loop.

    Args:
        forget: told of a page that is let go of.
        most: all together; the longest unused goes first.
        browser_most: of one browser.
    """

    def __init__(self, forget: Callable[[str], None], *, most: int = 1024, browser_most: int = 16) -> None:
        self._forget, self._most, self._browser_most = forget, most, browser_most
        self._owners: OrderedDict[str, str] = OrderedDict()

    def belongs(self, page: str, owner: str) -> bool:
        """Whether a page is this browser's; one that nobody has used yet becomes so."""
        known = self._owners.setdefault(page, owner)
        if known != owner:
            return False
        self._owners.move_to_end(page)
        mine = self.of(owner)
        for old in mine[: max(0, len(mine) - self._browser_most)]:
            self._drop(old)
        while len(self._owners) > self._most:
            self._drop(next(iter(self._owners)))
        return True

    def of(self, owner: str) -> list[str]:
        """The pages of one browser, the longest unused first."""
        return [page for page, one in self._owners.items() if one == owner]

    def drop_all(self, owner: str) -> None:
        """Let go of a browser's pages."""
        for page in self.of(owner):
            self._drop(page)

    def _drop(self, page: str) -> None:
        del self._owners[page]
        self._forget(page)
