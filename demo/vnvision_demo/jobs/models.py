"""Loaded models by name, each opened once: what jobs ask for, and the plain way to give it."""

from __future__ import annotations

import threading
from typing import Protocol, cast

from vnvision.engines import EngineName
from vnvision.hub import shelf
from vnvision.report.cases import ModelFacts, model_facts
from vnvision.runtime import Predictor, load_bundle, open_bundle
from vnvision.runtime.router import Router


class Models(Protocol):
    """Gives loaded models. May be asked from several threads."""

    def expert(self, name: str) -> Predictor:
        """The model of a name."""
        ...

    def router(self) -> Router:
        """The router over all experts."""
        ...

    def facts(self, name: str) -> ModelFacts:
        """What pages say of a model."""
        ...


class ShelfModels:
    """The models of this machine's shelf, kept once they are open.

    Args:
        engine: as for ``load_bundle``.
        threads: of one inference.
    """

    def __init__(self, *, engine: EngineName | None = None, threads: int | None = None) -> None:
        self._engine, self._threads = engine or "auto", threads
        self._lock = threading.RLock()
        self._router: Router | None = None
        self._experts: dict[str, Predictor] = {}
        self._facts: dict[str, ModelFacts] = {}

    def expert(self, name: str) -> Predictor:
        """The model of a name; the router's own where the router knows it.

        Raises:
            BundleError: there is none, or it is damaged.
        """
        with self._lock:
            if self._router is not None and name in self._router.experts:
                return self._router.expert(name)
            if name not in self._experts:
                self._experts[name] = load_bundle(name, engine=self._engine, threads=self._threads)
            return self._experts[name]

    def router(self) -> Router:
        """The router over all experts.

        Raises:
            BundleError: this installation has none.
        """
        with self._lock:
            if self._router is None:
                opened = load_bundle(shelf.AUTO, engine=self._engine, threads=self._threads)
                self._router = cast(Router, opened)
            return self._router

    def facts(self, name: str) -> ModelFacts:
        """What pages say of a model; its bundle is verified once more."""
        with self._lock:
            if name not in self._facts:
                target = self.expert(name).target
                self._facts[name] = model_facts(open_bundle(shelf.model_folder(name)), target)
            return self._facts[name]

    def forget(self, name: str) -> None:
        """Let go of a model that was replaced or removed."""
        with self._lock:
            self._experts.pop(name, None)
            self._facts.pop(name, None)

    def close(self) -> None:
        """Free all models."""
        with self._lock:
            for model in self._experts.values():
                model.close()
            if self._router is not None:
                self._router.close()
            self._router = None
            self._experts.clear()
