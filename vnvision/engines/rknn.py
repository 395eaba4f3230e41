"""Rockchip NPUs: the simulator on a PC, rknn-toolkit-lite2 on the board.

A ``.rknn`` file normalises inside and takes pixels. Both engines take a batch (N, C, H, W) float32 of
*levels* 0 to 255 in the colour order of the model's specification, as ``runtime`` gives them where a target's
``converter_took`` names range and normalise, and refuse anything that is not: normalised a second time, every
picture is nearly the same grey.
"""

from __future__ import annotations

import importlib.util
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np

from vnvision.atomic import sha256_file
from vnvision.engines import base
from vnvision.engines.isolated import RKNN, Worker, WorkerError
from vnvision.engines.published import cache_folder
from vnvision.errors import MissingExtraError, ModelError

SIDECAR = "model.json"
"""Beside every ``model.rknn``: chip, precision, input shape, names of the outputs."""

NOT_PIXELS = "the batch is not pixels, and this file normalises inside"
_MAGIC = b"RKNN"
_LIMIT_S = 600.0


def recipe_folder(sha256: str) -> Path:
    """What the simulator builds a file from, by the file's hash."""
    return cache_folder() / "rknn" / sha256[:32]


def open_rknn(path: Path, *, threads: int | None = None) -> RknnSimulator | RknnLite:
    """The board's own runtime where it is installed, else the simulator."""
    if importlib.util.find_spec("rknnlite") is not None:
        return RknnLite(path, threads=threads)
    return RknnSimulator(path, threads=threads)


class RknnSimulator:
    """A model exported on this machine in Rockchip's PC simulator: float16 and int8 as the chip has them.

    The simulator does not open ``.rknn`` files. It builds the model again from what the exporter kept in the
    cache, found by the SHA-256 of the file, so a file changed by one bit is refused. It runs in a process of
    its own, one caller and one image at a time; a crash in it ends that process alone. It says nothing about
    the speed of a board.

    Args:
        path: ``model.rknn``, with ``model.json`` beside it.
        threads: for the libraries the simulator computes with.

    Raises:
        ModelError: damaged, exported elsewhere, or the environment is not built.
    """

    name = "rknn"

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        self.path = path
        told = _told(path, self.name)
        self.input_shape, self.output_names = _shape(told), tuple(told["outputs"])
        kept = recipe_folder(sha256_file(path))
        if not (kept / "recipe.json").is_file():
            reason = (
                "changed since its export, or exported on another machine: the simulator does not know it"
            )
            raise base.damaged(path, self.name, reason)
        self._worker: Worker | None = Worker(RKNN, threads=threads)
        self._one_at_a_time = threading.Lock()
        try:
            self._worker.ask("simulate", limit_s=_LIMIT_S, folder=str(kept))
            self._empty = [row[:0] for row in self._infer(np.zeros((1, *_sizes(self.input_shape)), np.uint8))]
        except WorkerError as exc:
            self.close()
            raise base.damaged(path, self.name, exc) from exc

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, ...]:
        """See ``Engine.run``; the batch holds levels 0 to 255.

        Raises:
            ModelError: also where it holds anything else.
        """
        pixels = _pixels(base.check_batch(batch, self.input_shape, self.name), self.name)
        with self._one_at_a_time:
            if self._worker is None:
                raise base.closed(self.name)
            if not len(pixels):
                return tuple(item.copy() for item in self._empty)
            try:
                return tuple(self._infer(pixels))
            except WorkerError as exc:
                raise ModelError(f"inference failed in {self.name}", got=str(exc)[:300]) from exc

    def close(self) -> None:
        """See ``Engine.close``."""
        with self._one_at_a_time:
            if self._worker is not None:
                self._worker.close()
            self._worker = None

    def _infer(self, pixels: np.ndarray) -> list[np.ndarray]:
        assert self._worker is not None
        return self._worker.ask("infer", {"pixels": pixels}, limit_s=_LIMIT_S)[1]


class RknnLite:
    """A ``.rknn`` file on the board, through ``rknn-toolkit-lite2``; one caller and one image at a time.

    Written from its documentation and not run here, where there is no board.

    Args:
        path: ``model.rknn``, with ``model.json`` beside it.
        threads: has no meaning on an NPU.

    Raises:
        MissingExtraError: rknn-toolkit-lite2 is not installed.
        ModelError: the file is damaged or for another chip.
    """

    name = "rknn"

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        try:
            from rknnlite.api import RKNNLite  # type: ignore[import-not-found, unused-ignore]
        except ImportError as exc:
            raise MissingExtraError("rknn-toolkit-lite2", "export-rknn") from exc
        self.path = path
        told = _told(path, self.name)
        self.input_shape, self.output_names = _shape(told), tuple(told["outputs"])
        self._one_at_a_time = threading.Lock()
        self._model: Any = RKNNLite(verbose=False)
        if self._model.load_rknn(str(path)) != 0 or self._model.init_runtime() != 0:
            self.close()
            raise base.damaged(path, self.name, f"it does not start on this board; it is for {told['chip']}")

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, ...]:
        """See ``RknnSimulator.run``."""
        pixels = _pixels(base.check_batch(batch, self.input_shape, self.name), self.name)
        with self._one_at_a_time:
            if self._model is None:
                raise base.closed(self.name)
            rows = [self._model.inference(inputs=[image[None]]) for image in pixels]
        if not rows or any(row is None for row in rows):
            raise ModelError(f"inference failed in {self.name}", got=f"no answer to {len(pixels)} image(s)")
        return tuple(np.concatenate(column).astype(np.float32) for column in zip(*rows, strict=True))

    def close(self) -> None:
        """See ``Engine.close``."""
        with self._one_at_a_time:
            if self._model is not None:
                self._model.release()
            self._model = None


def _pixels(batch: np.ndarray, name: str) -> np.ndarray:
    """Levels (N, C, H, W) float32 -> (N, H, W, C) uint8."""
    pixels = batch.astype(np.uint8)
    if not np.array_equal(pixels, batch):
        low, high = float(np.nanmin(batch)), float(np.nanmax(batch))
        raise ModelError(
            f"{NOT_PIXELS} ({name})",
            expected="whole levels 0 to 255",
            got=f"values from {low:.3g} to {high:.3g}",
            fix="leave out range and normalisation, as the manifest's converter_took says",
        )
    return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))


def _told(path: Path, name: str) -> dict[str, Any]:
    """The sidecar of a file that begins as an ``.rknn`` file does."""
    base.check_file(path)
    with open(path, "rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise base.damaged(path, name, "it does not begin as an RKNN file")
    sidecar = path.with_name(SIDECAR)
    try:
        told: dict[str, Any] = json.loads(sidecar.read_text("utf-8"))
        _shape(told), told["outputs"], told["chip"]
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise base.damaged(path, name, f"{SIDECAR} beside it is missing or damaged") from exc
    return told


def _shape(told: dict[str, Any]) -> base.Shape:
    shape = told["input_shape"]
    if len(shape) != 4 or shape[0] is not None or not all(isinstance(item, int) for item in shape[1:]):
        raise ValueError(shape)
    return tuple(shape)


def _sizes(shape: base.Shape) -> tuple[int, int, int]:
    _, channels, height, width = shape
    return height or 0, width or 0, channels or 0
