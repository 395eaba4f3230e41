"""An ONNX file read as bytes: what it says of itself before an engine believes it.

Field numbers are those of ``onnx.proto`` (ONNX IR version 4 to 11). The package ``onnx`` is not needed.
"""

from __future__ import annotations

import struct
from collections import ChainMap
from dataclasses import dataclass, field

from vnvision.runtime.guard.growth import check_growth
from vnvision.runtime.guard.limits import check_inputs, check_values
from vnvision.runtime.guard.refusal import UnfitError, shown
from vnvision.runtime.guard.tensors import check_tensor, small_values
from vnvision.runtime.guard.wire import Budget, Message, signed
from vnvision.spec import PreprocessSpec

MOST_BYTES = (2 << 30) - 1  # protobuf's own limit
_STANDARD = ("", "ai.onnx", "ai.onnx.ml")
_MICROSOFT = frozenset(
    {
        "QLinearAdd", "QLinearMul", "QLinearConcat", "QLinearAveragePool", "QLinearGlobalAveragePool",
        "QLinearLeakyRelu", "QLinearSigmoid", "QLinearSoftmax", "QGemm", "QuantizeLinear",
        "DequantizeLinear", "FusedConv", "FusedGemm", "FusedMatMul", "Gelu", "BiasGelu", "FastGelu",
        "QuickGelu", "SkipLayerNormalization", "LayerNormalization", "Attention", "MultiHeadAttention",
        "MatMulNBits", "NhwcMaxPool", "QLinearConv",
    }
)  # fmt: skip
_REFUSED = {"Loop": "repeats", "Scan": "repeats", "SequenceMap": "repeats"} | dict.fromkeys(
    (
        "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"
    ),
    "answers by chance",
)  # fmt: skip
_DEEPEST = 4
_SIDES = {"pads": 1024, "strides": 1024, "dilations": 1024, "kernel_shape": 4096, "output_padding": 1024,
          "output_shape": 16384, "image_shape": 16384, "scales": 64}  # fmt: skip


@dataclass(slots=True)
class _Graph:
    """What is known of one graph and those around it."""

    stored: ChainMap[str, tuple[float, ...]] = field(default_factory=ChainMap)
    names: set[str] = field(default_factory=set)


def check_onnx(data: bytes, spec: PreprocessSpec | None = None) -> None:
    """Refuse an ONNX file that reaches outside itself or asks for more than a model of pictures needs.

    Refused: weights in other files; operators of other libraries, functions of its own, loops, chance;
    tensors that say they hold more than they do; absurd shapes; other inputs than the manifest says.
    Not bounded: what many layers make of each other at run time. See ``Bundle``.

    Args:
        data: the file.
        spec: what the manifest says of its input; None leaves the input unchecked.

    Raises:
        UnfitError: in one line what is wrong.
    """
    budget = Budget()
    model = Message(memoryview(data), budget)
    graph = model.one(7)
    if graph is None:
        raise UnfitError("is no ONNX model")
    if model.chunks.get(25):
        raise UnfitError("defines operators of its own (ONNX functions)", expected="standard operators only")
    if model.chunks.get(20):
        raise UnfitError("holds training graphs", expected="a model for inference")
    if not model.chunks.get(8):
        raise UnfitError("is no ONNX model", got="no operator set")
    inputs = _check_graph(graph, budget, _Graph(), 0)
    if spec is not None:
        check_inputs(inputs, spec)


def _check_graph(
    data: memoryview, budget: Budget, outer: _Graph, depth: int
) -> list[tuple[tuple[int | None, ...], bool]]:
    """Check a graph and those inside its nodes; shape, and whether float32, of each of its inputs."""
    if depth > _DEEPEST:
        raise UnfitError("nests graphs too deeply")
    graph = Message(data, budget)
    if graph.chunks.get(15):
        raise UnfitError("holds sparse tensors", expected="plain weights")
    known = _Graph(outer.stored.new_child(), set())
    for chunk in graph.chunks[5]:
        tensor = Message(chunk, budget)
        name = tensor.text(8)
        check_tensor(tensor, name)
        known.names.add(name)
        _remember(known, name, small_values(tensor))
    for chunk in graph.chunks[1]:
        _check_node(Message(chunk, budget), budget, known, depth)
    inputs = [_declared(chunk, budget) for chunk in graph.chunks[11]]
    for number in (12, 13):
        for chunk in graph.chunks[number]:
            _declared(chunk, budget)
    return [(shape, is_float) for name, shape, is_float in inputs if name not in known.names]


def _check_node(node: Message, budget: Budget, known: _Graph, depth: int) -> None:
    kind, domain = node.text(4), node.text(7)
    where = f"{shown(kind, 40)} {shown(node.text(3), 60)}".strip()
    if domain not in _STANDARD and not (domain == "com.microsoft" and kind in _MICROSOFT):
        raise UnfitError(
            "needs an operator of another library",
            expected="standard operators only",
            got=f"{shown(domain, 60)}.{where}",
        )
    if kind in _REFUSED:
        raise UnfitError(f"has an operator that {_REFUSED[kind]}", got=where)
    for chunk in node.chunks[5]:
        attribute = Message(chunk, budget)
        name = attribute.text(1)
        _check_attribute(attribute, name, where, budget, known, depth)
        if kind == "Constant" and (values := _constant(attribute, name, budget)):
            for output in node.chunks[2][:1]:
                _remember(known, str(output, "utf-8", "replace"), values)
    inputs = [str(chunk, "utf-8", "replace") for chunk in node.chunks[1]]
    check_growth(kind, where, [known.stored.get(name) for name in inputs])


def _check_attribute(
    attribute: Message, name: str, where: str, budget: Budget, known: _Graph, depth: int
) -> None:
    for number in (5, 10):
        for chunk in attribute.chunks[number]:
            check_tensor(Message(chunk, budget), f"{where}, {shown(name, 40)}")
    for number in (6, 11):
        for chunk in attribute.chunks[number]:
            _check_graph(chunk, budget, known, depth + 1)
    if attribute.chunks.get(22) or attribute.chunks.get(23):
        raise UnfitError("holds sparse tensors", expected="plain weights")
    limit = _SIDES.get(name)
    values: list[float] = [*attribute.integers(8)] if limit else []
    if limit and len(attribute.chunks[7]):
        values += [abs(value) for value in _floats(attribute)]
    if limit and any(abs(value) > limit for value in values):
        raise UnfitError(
            f"has an absurd {name}", expected=f"at most {limit}", got=f"{max(values, key=abs):g} in {where}"
        )


def _declared(chunk: memoryview, budget: Budget) -> tuple[str, tuple[int | None, ...], bool]:
    """Name, shape and whether float32 of a ValueInfoProto; its size is checked."""
    info = Message(chunk, budget)
    name, kind = info.text(1), info.one(2)
    tensor = Message(kind, budget).one(1) if kind is not None else None
    if tensor is None:
        return name, (), False
    tensor_type = Message(tensor, budget)
    shape = tensor_type.one(2)
    sides: list[int | None] = []
    for side in Message(shape, budget).chunks[1] if shape is not None else ():
        size = Message(side, budget)
        sides.append(signed(size.number(1)) if size.numbers.get(1) else None)
    check_values(shown(name, 60), sides)
    return name, tuple(sides), tensor_type.number(1) == 1


def _constant(attribute: Message, name: str, budget: Budget) -> tuple[float, ...] | None:
    """The values of a Constant node that has few."""
    if name == "value" and (chunk := attribute.one(5)) is not None:
        return small_values(Message(chunk, budget))
    if name in ("value_int", "value_ints"):
        values = attribute.integers(3) + attribute.integers(8)
        return tuple(values[:16])
    return tuple(_floats(attribute)[:16]) if name in ("value_float", "value_floats") else None


def _floats(attribute: Message) -> list[float]:
    joined = b"".join(bytes(chunk) for chunk in (*attribute.chunks[2], *attribute.chunks[7]))
    return list(struct.unpack(f"<{len(joined) // 4}f", joined[: len(joined) // 4 * 4]))


def _remember(known: _Graph, name: str, values: tuple[float, ...] | None) -> None:
    if values is not None:
        known.stored[name] = values
