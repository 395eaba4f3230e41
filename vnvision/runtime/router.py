"""``auto``: which expert a picture needs, or none, and that expert's answer.

The router is a bundle like any other, whose labels are names of models and whose scope gate has one part a
label. A label that no model is called by is a kind of picture that is known, and that nobody answers for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vnvision.errors import BundleError, ConfigError, DataError
from vnvision.hub import shelf
from vnvision.imaging import read
from vnvision.records import Prediction
from vnvision.runtime.predictor import Predictor, Reader, Source
from vnvision.runtime.readahead import read_ahead
from vnvision.runtime.scope import OUT_OF_SCOPE
from vnvision.runtime.target import check_batch_size
from vnvision.spec import Record, TaskSpec

ROUTER = "router"
NO_EXPERT = "no_expert"


class RoutedPrediction(Record):
    """Who answered, and what.

    Attributes:
        kind: tells it from the answers of single models.
        expert: name of the model; None where no model here is made for the picture.
        certainty: calibrated probability of the router's choice.
        answer: the expert's; None without an expert.
        abstained: no answer, by the router or by the expert.
        reasons: why not; codes of ``vnvision.hub.reason``.
        source: name of the picture.
    """

    kind: Literal["routed"] = "routed"
    expert: str | None
    certainty: float
    answer: Prediction | None = None
    abstained: bool = False
    reasons: tuple[str, ...] = ()
    source: str | None = None


class Router:
    """Finds the expert for a picture and asks it. Experts are opened when they are first needed, and kept.

    Args:
        chooser: the router's bundle.
        open_expert: name -> model.
        experts: names that can be opened.
        reader: how files and bytes become samples.
    """

    def __init__(
        self,
        chooser: Predictor,
        open_expert: Callable[[str], Predictor],
        experts: Iterable[str],
        reader: Reader = read,
    ) -> None:
        self.chooser, self.read = chooser, reader
        self._open_expert, self.experts = open_expert, frozenset(experts)
        self._opened: dict[str, Predictor] = {}
        self._lock = threading.Lock()

    def predict(self, source: Source) -> RoutedPrediction:
        """Answer for one image.

        Args:
            source: as for ``Predictor.predict``.

        Raises:
            DataError: the image cannot be read, or does not fit the models.
            BundleError: the expert's bundle is damaged.
            ModelError: inference failed.
        """
        (found,) = self._answers([self._picture(source)])
        if isinstance(found, DataError):
            raise found
        return found

    def predict_many(
        self,
        sources: Iterable[Source],
        batch_size: int = 16,
        on_error: Literal["raise", "yield"] = "raise",
    ) -> Iterator[RoutedPrediction | DataError]:
        """Answers in the order of ``sources``, as ``Predictor.predict_many``.

        Holds the decoded pictures of up to three batches.
        """
        check_batch_size(batch_size)
        if on_error not in ("raise", "yield"):
            raise ConfigError("on_error is wrong", expected="raise or yield", got=repr(on_error))
        return self._stream(iter(sources), batch_size, on_error)

    def _stream(
        self, sources: Iterator[Source], batch_size: int, on_error: str
    ) -> Iterator[RoutedPrediction | DataError]:
        with closing(read_ahead(self._tried, sources, workers=2, ahead=batch_size)) as pictures:
            while chunk := list(islice(pictures, batch_size)):
                good = [one for one in chunk if not isinstance(one, DataError)]
                found = iter(self._answers(good))
                for one in chunk:
                    answer = one if isinstance(one, DataError) else next(found)
                    if on_error == "raise" and isinstance(answer, DataError):
                        raise answer
                    yield answer

    def expert(self, name: str) -> Predictor:
        """The model of a name, opened once.

        Raises:
            ConfigError: not one of ``experts``.
        """
        if name not in self.experts:
            raise ConfigError(f"there is no expert {name!r}", expected=", ".join(sorted(self.experts)))
        with self._lock:
            if name not in self._opened:
                self._opened[name] = self._open_expert(name)
            return self._opened[name]

    def task_of(self, name: str) -> TaskSpec:
        """What an expert answers."""
        return self.expert(name).task

    def close(self) -> None:
        """Free all models."""
        with self._lock:
            for model in (self.chooser, *self._opened.values()):
                model.close()
            self._opened.clear()

    def _picture(self, source: Source) -> tuple[np.ndarray, str | None]:
        if isinstance(source, np.ndarray):
            return source, None
        sample = self.read(source)
        return sample.image, sample.source

    def _tried(self, source: Source) -> tuple[np.ndarray, str | None] | DataError:
        try:
            return self._picture(source)
        except DataError as exc:
            return exc

    def _answers(
        self, pictures: Sequence[tuple[np.ndarray, str | None]]
    ) -> list[RoutedPrediction | DataError]:
        """One for each picture; a DataError where the router or the expert cannot take it."""
        images = [image for image, _ in pictures]
        routed = self._chosen(images)
        for expert, rows in _by_expert(routed).items():
            answers = self._all(self.expert(expert), [images[row] for row in rows])
            for row, answer in zip(rows, answers, strict=True):
                routed[row] = _told(routed[row], answer, pictures[row][1])
        return [
            one if isinstance(one, DataError) else one.model_copy(update={"source": name})
            for one, (_, name) in zip(routed, pictures, strict=True)
        ]

    def choose(self, images: Sequence[np.ndarray]) -> list[RoutedPrediction]:
        """The expert for each picture, without asking it.

        Raises:
            DataError: an image does not fit the router.
        """
        found = []
        for one in self._chosen(images):
            if isinstance(one, DataError):
                raise one
            found.append(one)
        return found

    def _chosen(self, images: Sequence[np.ndarray]) -> list[RoutedPrediction | DataError]:
        choices = self._all(self.chooser, images)
        return [one if isinstance(one, DataError) else self._route(one) for one in choices]

    def _route(self, choice: Any) -> RoutedPrediction:
        """The expert that the router names; none for a strange picture, or one nobody answers for."""
        # Too dark or too blurred is for the expert to say, by what it was taught to bear.
        strange = OUT_OF_SCOPE in choice.reasons
        if strange or choice.top not in self.experts:
            why = OUT_OF_SCOPE if strange else NO_EXPERT
            return RoutedPrediction(expert=None, certainty=choice.confidence, abstained=True, reasons=(why,))
        return RoutedPrediction(expert=choice.top, certainty=choice.confidence)

    @staticmethod
    def _all(model: Predictor, images: Sequence[np.ndarray]) -> list[Any]:
        return list(model.predict_many(images, batch_size=max(1, len(images)), on_error="yield"))


def _by_expert(routed: Sequence[RoutedPrediction | DataError]) -> dict[str, list[int]]:
    """The rows that each expert is to answer, in the order of names."""
    rows: dict[str, list[int]] = {}
    for row, one in enumerate(routed):
        if not isinstance(one, DataError) and one.expert is not None:
            rows.setdefault(one.expert, []).append(row)
    return dict(sorted(rows.items()))


def _told(routed: Any, answer: Any, name: str | None) -> RoutedPrediction | DataError:
    """A choice with its expert's answer, or why there is none."""
    if isinstance(answer, DataError):
        return answer
    told = answer.model_copy(update={"source": name})
    update = {"answer": told, "abstained": told.abstained, "reasons": told.reasons}
    found: RoutedPrediction = routed.model_copy(update=update)
    return found


def open_router(**options: Any) -> Router:
    """The router of the shelf over its experts; the router that ships knows those that ship.

    Args:
        **options: of ``load_bundle``, for the router and every expert; a ``target`` is not one of them.

    Raises:
        BundleError: no router is installed, or it is not a router.
        ConfigError: a target was asked for, which each model has of its own.
    """
    from vnvision.runtime import load_bundle

    if options.pop("target", None) is not None:
        raise ConfigError("auto takes no target: each expert has its own", fix="name the model instead")
    chooser = load_bundle(Path(shelf.model_folder(ROUTER)), **options)
    if chooser.task.kind != "classification" or chooser.scope is None:
        raise BundleError(
            f"{ROUTER} is no router", expected="a classifier with a scope gate", fix="reinstall"
        )
    known = set(shelf.model_names()) - {ROUTER}
    if shelf.is_shipped(ROUTER):  # its labels name the models it ships with, not a user's of that name
        known = {name for name in known if shelf.is_shipped(name)}
    experts = known & set(chooser.task.label_ids)
    return Router(
        chooser,
        lambda name: load_bundle(shelf.model_folder(name), **options),
        experts,
        options.get("reader", read),
    )
