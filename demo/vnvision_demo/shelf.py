"""Loaded models by name, each opened once."""

from __future__ import annotations

import threading
from typing import Literal, cast

from vnvision.api import models
from vnvision.hub import shelf
from vnvision.hub.listing import Entry
from vnvision.report.cases import ModelFacts, model_facts
from vnvision.runtime import Predictor, load_bundle, open_bundle
from vnvision.runtime.router import Router
from vnvision_demo.settings import Language


class OpenModels:
    """The models of this machine's shelf, kept once they are open. May be asked from several threads.

    Args:
        threads: of one inference.
    """

    def __init__(self, *, threads: int | None = None) -> None:
        self._threads = threads
        self._lock = threading.RLock()
        self._router: Router | None = None
        self._entries: dict[Language, dict[str, Entry]] = {}
        self._open: dict[str, tuple[Predictor, ModelFacts]] = {}

    @property
    def router(self) -> Router:
        """``auto``: finds the expert for a picture.

        Raises:
            BundleError: this installation has none.
        """
        with self._lock:
            if self._router is None:
                self._router = cast(Router, load_bundle(shelf.AUTO, threads=self._threads))
            return self._router

    def model(self, name: str) -> tuple[Predictor, ModelFacts]:
        """A model, the router's own where the router knows it, and what its pages say of it.

        Raises:
            BundleError: there is none, or it is damaged.
            ConfigError: nothing can have this name.
        """
        with self._lock:
            if name not in self._open:
                folder = shelf.model_folder(name)
                known = shelf.is_shipped(name) and name in self.router.experts
                model = self.router.expert(name) if known else load_bundle(folder, threads=self._threads)
                self._open[name] = model, model_facts(open_bundle(folder), model.target)
            return self._open[name]

    def entries(self, language: Language) -> dict[str, Entry]:
        """Everything there is by name, as ``vnvision models list`` shows it; looked up once."""
        with self._lock:
            if language not in self._entries:
                self._entries[language] = {one.name: one for one in models(language=language)}
            return self._entries[language]

    def experts(self, group: Literal["crops", "clinic"], language: Language) -> dict[str, str]:
        """Models of a group that can be opened: name and title."""
        return {
            one.name: _shown(one)
            for one in self.entries(language).values()
            if one.group == group and one.path is not None and one.status != "damaged"
            if one.name == one.model
        }

    def forget(self, name: str) -> None:
        """Let go of what is known of a model that was added, replaced or removed."""
        with self._lock:
            self._open.pop(name, None)
            self._entries.clear()


def _shown(one: Entry) -> str:
    """A title to choose by; a user's own has its name too, for two may have one title."""
    title = one.title[:1].upper() + one.title[1:]
    return f"{title} · {one.name}" if one.status == "yours" else title
