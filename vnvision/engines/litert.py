"""LiteRT on the CPU."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from vnvision.engines import base
from vnvision.engines.aside import STDERR, said_aside
from vnvision.errors import MissingExtraError, ModelError

LAYOUTS = ("nhwc", "nchw")
"""Names a file's signature may have: how its input lies. Declared by our exporter, never guessed."""

_PLACE = re.compile(r"^(\d\d)_")
_MAGIC = b"TFL3"


def import_litert() -> ModuleType:
    """Import LiteRT's interpreter. It sends nothing.

    Raises:
        MissingExtraError: ai-edge-litert is not installed.
    """
    try:
        from ai_edge_litert import interpreter  # type: ignore[import-untyped, unused-ignore]
    except ImportError as exc:
        raise MissingExtraError("ai-edge-litert", "export-litert") from exc
    module: ModuleType = interpreter
    return module


class LiteRtEngine:
    """A ``.tflite`` file of our exporter in LiteRT, with XNNPACK; one image and one caller at a time.

    The file says how its input lies by the name of its signature, ``nhwc`` or ``nchw``; a batch comes as
    (N, C, H, W) either way. LiteRT checks the structure of a file before it uses it, so that one cut short
    is refused; changed numbers inside are not seen (a bundle's hashes see them).
    """

    name = "litert"

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        litert = import_litert()
        base.check_file(path)
        self.path = path
        data = _checked(path)
        try:
            with said_aside(STDERR):
                self._model = litert.Interpreter(model_content=data, num_threads=threads)
                self._model.allocate_tensors()
        except (ValueError, RuntimeError) as exc:
            raise base.damaged(path, self.name, str(exc).strip().splitlines()[-1]) from exc
        self._nhwc, self._runner = self._signature()
        entry = next(iter(self._runner.get_input_details().values()))
        sides = tuple(int(size) for size in entry["shape"])
        if self._nhwc and len(sides) == 4:
            sides = (sides[0], sides[3], sides[1], sides[2])
        wanted = (None, *sides[1:]) if sides and sides[0] == 1 else sides
        self.input_shape = base.check_input(path, [(wanted, entry["dtype"] == np.float32)])
        details = self._runner.get_output_details()
        self._keys = sorted(details)
        self.output_names = tuple(_PLACE.sub("", key) for key in self._keys)
        self._empty = [np.empty((0, *details[key]["shape"][1:]), np.float32) for key in self._keys]
        self._one_at_a_time = threading.Lock()

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, ...]:
        """See ``Engine.run``."""
        batch = base.check_batch(batch, self.input_shape, self.name)
        with self._one_at_a_time:
            if self._runner is None:
                raise base.closed(self.name)
            try:
                rows = [self._alone(image[None]) for image in batch]
            except (ValueError, RuntimeError) as exc:
                raise ModelError(f"inference failed in {self.name}", got=str(exc)[:300]) from exc
        if not rows:
            return tuple(item.copy() for item in self._empty)
        return tuple(
            np.concatenate(column).astype(np.float32, copy=False) for column in zip(*rows, strict=True)
        )

    def close(self) -> None:
        """See ``Engine.close``."""
        with self._one_at_a_time:
            self._runner = self._model = None

    def _signature(self) -> tuple[bool, Any]:
        """Whether the input is (N, H, W, C), and the function to call."""
        found = list(self._model.get_signature_list())
        if len(found) != 1 or found[0] not in LAYOUTS:
            raise ModelError(
                f"model file {self.path} cannot be used",
                expected=f"one signature, {' or '.join(LAYOUTS)}, that says how the input lies",
                got=", ".join(found) or "none",
                fix="export it with vnvision",
            )
        self._key = found[0]
        return found[0] == "nhwc", self._model.get_signature_runner(found[0])

    def _alone(self, image: np.ndarray) -> list[np.ndarray]:
        """The outputs of one image; the runner gives copies."""
        value = np.ascontiguousarray(image.transpose(0, 2, 3, 1)) if self._nhwc else image
        found = self._runner(input=value)
        return [found[key] for key in self._keys]


def _checked(path: Path) -> bytes:
    """The bytes of a file that begins as a ``.tflite`` file does."""
    data = path.read_bytes()
    if data[4:8] != _MAGIC:
        raise base.damaged(path, "litert", "it does not begin as a LiteRT file")
    return data
