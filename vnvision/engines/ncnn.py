"""ncnn on the CPU."""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from vnvision.atomic import sha256_file
from vnvision.engines import base
from vnvision.engines.aside import STDERR, said_aside
from vnvision.engines.seal import checked_bytes
from vnvision.errors import MissingExtraError, ModelError

MAGIC = "7767517"
"""The first line of every ``.param``."""

WEIGHTS_HASH = "sha256:"
"""How the layer's name begins in which our exporter keeps the hash of the ``.bin``."""

_HALF = ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_packed", "bf16_storage")
_HASH = re.compile(rf"\b{WEIGHTS_HASH}([0-9a-f]{{64}})\b")


def import_ncnn() -> ModuleType:
    """Import ncnn. It sends nothing; what its package can download lies in ``ncnn.model_zoo``, unused here.

    Raises:
        MissingExtraError: ncnn is not installed.
    """
    try:
        import ncnn
    except ImportError as exc:
        raise MissingExtraError("ncnn", "export-ncnn") from exc
    module: ModuleType = ncnn
    return module


class NcnnEngine:
    """A ``.param`` with its ``.bin`` beside it in ncnn, one image at a time; a batch goes through row by row.

    Several callers run at once, each with an extractor of its own on the one set of weights. Light mode frees
    what a layer has used up. Arithmetic is float32: ncnn would by default store and compute in half
    precision wherever a processor can, which no parity check on another processor has seen. Weights stored in
    half precision are read as such, and widened.

    ncnn trusts its files: of changed bytes some end the process (a division by zero was seen). Files of our
    exporter carry the hashes of both parts, which are checked before ncnn sees them; files of another origin
    are only as safe as ncnn is.

    Raises:
        ModelError: see ``open_engine``.
    """

    name = "ncnn"

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        self._ncnn = import_ncnn()
        self.path = path
        weights = path.with_suffix(".bin")
        for file in (path, weights):
            base.check_file(file)
        text = checked_bytes(path, self.name).decode("utf-8", "replace")
        found = _HASH.search(text)
        if found and sha256_file(weights) != found[1]:
            raise base.damaged(weights, self.name, "its bytes are not those that were exported")
        try:
            layers = parse_param(text)
            inputs = {layer.tops[0]: _shape(layer) for layer in layers if layer.kind == "Input"}
        except (ValueError, IndexError) as exc:
            raise base.damaged(path, self.name, f"no .param in text form: {exc}") from exc
        self.input_shape = base.check_input(path, [(shape, True) for shape in inputs.values()])
        self._input = next(iter(inputs))
        taken = {name for layer in layers for name in layer.bottoms}
        self.output_names = tuple(name for layer in layers for name in layer.tops if name not in taken)
        self._net = self._opened(weights, threads)

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, ...]:
        """See ``Engine.run``."""
        batch = base.check_batch(batch, self.input_shape, self.name)
        net = self._net  # a reference of this call: a close meanwhile takes effect when it ends
        if net is None:
            raise base.closed(self.name)
        if not len(batch):
            if None in self.input_shape[1:]:
                raise ModelError("no image is no answer here", expected="one image or more", got="none")
            one = self._row(net, np.zeros(batch.shape[1:], np.float32))
            return tuple(np.empty((0, *np.shape(item)), np.float32) for item in one)
        rows = [self._row(net, image) for image in batch]
        return tuple(np.stack(column) for column in zip(*rows, strict=True))

    def close(self) -> None:
        """See ``Engine.close``."""
        self._net = None

    def _row(self, net: Any, image: np.ndarray) -> list[np.ndarray]:
        """Outputs of one image (C, H, W); they borrow ncnn's memory and keep it alive."""
        extractor = net.create_extractor()
        # The copy has its planes aligned, as ncnn's own layers leave them.
        code = extractor.input(self._input, self._ncnn.Mat(image).clone())
        found = []
        for name in self.output_names:
            code, answer = (code, None) if code else extractor.extract(name)
            if code:
                raise ModelError(f"inference failed in {self.name}", got=f"code {code} at {name}")
            found.append(np.asarray(answer))
        return found

    def _opened(self, weights: Path, threads: int | None) -> Any:
        net = self._ncnn.Net()
        net.opt.lightmode = True
        net.opt.use_vulkan_compute = False
        for option in _HALF:
            setattr(net.opt, f"use_{option}", False)
        if threads is not None:
            net.opt.num_threads = threads
        with said_aside(STDERR) as said:
            for load, file in ((net.load_param, self.path), (net.load_model, weights)):
                if load(os.fspath(file)):
                    raise base.damaged(file, self.name, "".join(said()[:1]) or "it ends too early")
        return net


class Layer(NamedTuple):
    """One line of a ``.param``: type, name, what it takes in, what it makes, its numbers as text."""

    kind: str
    name: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    numbers: tuple[str, ...]


def parse_param(text: str) -> list[Layer]:
    """The layers of a ``.param`` in text form.

    Raises:
        ValueError: it is none, or cut short.
    """
    magic, counts, *lines = (line.split() for line in text.splitlines() if line.strip())
    layers = []
    for kind, name, n_bottoms, n_tops, *rest in lines:
        taken, made = int(n_bottoms), int(n_bottoms) + int(n_tops)
        if not 0 <= taken <= made <= len(rest):
            raise ValueError(f"layer {name} lists {len(rest)} blobs of {made}")
        layers.append(Layer(kind, name, *map(tuple, (rest[:taken], rest[taken:made], rest[made:]))))
    n_layers, n_blobs = map(int, counts)
    if magic != [MAGIC] or (n_layers, n_blobs) != (len(layers), sum(len(layer.tops) for layer in layers)):
        raise ValueError(f"it has {len(layers)} layers where it promises {n_layers}")
    return layers


def _shape(layer: Layer) -> base.Shape:
    """Of an ``Input``: (None, C, H, W); None too for sizes that it does not give."""
    given = dict(item.split("=", 1) for item in layer.numbers)
    sizes = (int(given.get(key, "0")) for key in ("2", "1", "0"))
    return (None, *(size if size > 0 else None for size in sizes))
