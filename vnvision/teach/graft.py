"""A new head on an old trunk: the classifier of an ONNX file exchanged, every other byte of it as it was.

Field numbers are those of ``onnx.proto``. The package ``onnx`` is not needed: what is kept is copied, and
what is written is two weights, two layers and three names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vnvision.errors import ModelError
from vnvision.runtime.guard.refusal import UnfitError
from vnvision.runtime.guard.wire import Budget, Message

WEIGHT, BIAS, MAP_WEIGHT, MAP_BIAS = "head.weight", "head.bias", "head.map_weight", "head.map_bias"
OUTPUT, FEATURES, CAM = "output", "features", "cam"
_NODE, _GRAPH_NAME, _TENSOR, _GRAPH_OUTPUT = 1, 2, 5, 12
_GRAPH, _NOTES = 7, 14
_FLOAT, _INT = 1, 2


@dataclass(frozen=True, slots=True)
class _Node:
    """A layer: what it is, reads and gives, and its bytes."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    data: bytes


def with_head(
    model: bytes, weight: np.ndarray, bias: np.ndarray, *, name: str, notes: Mapping[str, str] | None = None
) -> bytes:
    """The file with another classifier.

    Args:
        model: an ONNX file whose ``output`` is a linear layer over its output ``features``.
        weight: (C, F).
        bias: (C,).
        name: what the graph is called.
        notes: metadata of the new file; the old file's are left out, as they spoke of another task.

    Returns:
        ONNX with the outputs ``output`` (N, C), ``features`` (N, F), and, where it had one, ``cam``
        (N, C, h, w).

    Raises:
        ModelError: the file does not end like that.
    """
    try:
        whole = Message(memoryview(model), Budget())
        graph_bytes = whole.one(_GRAPH)
        if graph_bytes is None:
            raise UnfitError("is no ONNX model")
        graph = _grafted(Message(graph_bytes, Budget()), weight, bias, name)
    except UnfitError as exc:
        raise ModelError("this trunk cannot take another head", got=str(exc)) from exc
    kept = _fields(whole, leave_out=(_GRAPH, _NOTES))
    told = (_bytes(_NOTES, _text(1, key) + _text(2, value)) for key, value in (notes or {}).items())
    return kept + _bytes(_GRAPH, graph) + b"".join(told)


def _grafted(graph: Message, weight: np.ndarray, bias: np.ndarray, name: str) -> bytes:
    nodes = [_node(chunk) for chunk in graph.chunks[_NODE]]
    by_output = {output: node for node in nodes for output in node.outputs}
    old = by_output.get(OUTPUT)
    if old is None or old.kind != "Gemm" or old.inputs[0] != FEATURES or FEATURES not in by_output:
        raise UnfitError("does not end in a linear layer over its features")
    old_map = by_output.get(CAM)
    if old_map is not None and old_map.kind != "Conv":
        raise UnfitError("has maps that are no convolution")
    gone = [node for node in (old, old_map) if node is not None]
    last = "" if old_map is None else old_map.inputs[0]
    nodes = _without(nodes, gone)
    read = {name for node in nodes for name in node.inputs}
    tensors = [chunk for chunk in graph.chunks[_TENSOR] if _name_of(chunk) in read]
    outputs = {_text_of(chunk, 1): bytes(chunk) for chunk in graph.chunks[_GRAPH_OUTPUT]}
    added = _layer("Gemm", (FEATURES, WEIGHT, BIAS), OUTPUT, _attribute_int("transB", 1))
    weights = _tensor(WEIGHT, weight) + _tensor(BIAS, bias)
    told = _output(OUTPUT, ("batch", len(bias))) + _bytes(_GRAPH_OUTPUT, outputs[FEATURES])
    if old_map is not None:
        added += _layer("Conv", (last, MAP_WEIGHT, MAP_BIAS), CAM, _attribute_ints("kernel_shape", (1, 1)))
        weights += _tensor(MAP_WEIGHT, weight[:, :, None, None]) + _tensor(MAP_BIAS, np.zeros(len(bias)))
        told += _output(CAM, ("batch", len(bias), "map_rows", "map_columns"))
    return b"".join(
        (
            *(_bytes(_NODE, node.data) for node in nodes),
            added,
            _text(_GRAPH_NAME, name),
            *(_bytes(_TENSOR, bytes(chunk)) for chunk in tensors),
            weights,
            told,
            _fields(graph, leave_out=(_NODE, _GRAPH_NAME, _TENSOR, _GRAPH_OUTPUT)),
        )
    )


def _without(nodes: Sequence[_Node], gone: Sequence[_Node]) -> list[_Node]:
    """The layers without some, and without those that only these read."""
    left = [node for node in nodes if node not in gone]
    while True:
        reads = Counter(name for node in left for name in node.inputs)
        idle = [node for node in left if not any(reads[out] or out == FEATURES for out in node.outputs)]
        if not idle:
            return left
        left = [node for node in left if node not in idle]


def _node(chunk: memoryview) -> _Node:
    message = Message(chunk, Budget())
    texts = [tuple(str(one, "utf-8") for one in message.chunks[field]) for field in (1, 2)]
    return _Node(message.text(4), texts[0], texts[1], bytes(chunk))


def _name_of(tensor: memoryview) -> str:
    return _text_of(tensor, 8)


def _text_of(chunk: memoryview, field: int) -> str:
    return Message(chunk, Budget()).text(field)


def _layer(kind: str, inputs: Iterable[str], output: str, attribute: bytes) -> bytes:
    body = b"".join(_text(1, name) for name in inputs) + _text(2, output)
    return _bytes(_NODE, body + _text(3, f"head.{output}") + _text(4, kind) + attribute)


def _attribute_int(name: str, value: int) -> bytes:
    return _bytes(5, _text(1, name) + _number(3, value) + _number(20, _INT))


def _attribute_ints(name: str, values: Iterable[int]) -> bytes:
    return _bytes(5, _text(1, name) + b"".join(_number(8, value) for value in values) + _number(20, 7))


def _tensor(name: str, values: np.ndarray) -> bytes:
    sides = b"".join(_number(1, side) for side in values.shape)
    data = np.ascontiguousarray(values, dtype="<f4").tobytes()
    return _bytes(_TENSOR, sides + _number(2, _FLOAT) + _text(8, name) + _bytes(9, data))


def _output(name: str, sides: Iterable[int | str]) -> bytes:
    shape = b"".join(
        _bytes(1, _text(2, side) if isinstance(side, str) else _number(1, side)) for side in sides
    )
    kind = _bytes(1, _number(1, _FLOAT) + _bytes(2, shape))
    return _bytes(_GRAPH_OUTPUT, _text(1, name) + _bytes(2, kind))


def _fields(message: Message, *, leave_out: Sequence[int]) -> bytes:
    """Numbers and chunks of a message but some fields; models and graphs hold no others."""
    numbers = (
        _number(field, value)
        for field, values in message.numbers.items()
        if field not in leave_out
        for value in values
    )
    chunks = (
        _bytes(field, bytes(chunk))
        for field, found in message.chunks.items()
        if field not in leave_out
        for chunk in found
    )
    return b"".join((*numbers, *chunks))


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode("utf-8"))


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
