"""An ONNX graph as lists and arrays that can be asked and changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

LAYERS = ("Conv", "Gemm", "MatMul")
MOVING = ("Flatten", "Reshape", "Transpose", "MaxPool", "Squeeze", "Unsqueeze", "Slice", "Gather")
FLOAT = 1  # onnx.TensorProto.FLOAT


class Graph:
    """The nodes of a model in order, its constants as arrays, and who makes and reads which tensor.

    Attributes:
        model: the ``onnx.ModelProto`` it came from; ``written`` gives a new one.
        nodes: in topological order; change freely.
        arrays: constants by name.
    """

    def __init__(self, model: Any) -> None:
        from onnx import numpy_helper

        self.model = model
        self.nodes: list[Any] = list(model.graph.node)
        self.arrays = {item.name: numpy_helper.to_array(item).copy() for item in model.graph.initializer}
        self.outputs = tuple(item.name for item in model.graph.output)

    def maker(self, name: str) -> Any | None:
        """The node that makes a tensor; None for an input or a constant."""
        return next((node for node in self.nodes if name in node.output), None)

    def readers(self, name: str) -> list[Any]:
        """The nodes that read a tensor."""
        return [node for node in self.nodes if name in node.input]

    def only_reader(self, name: str) -> Any | None:
        """The one node that reads a tensor, where there is one and the tensor is no output."""
        found = self.readers(name)
        return found[0] if len(found) == 1 and name not in self.outputs else None

    def is_layer(self, node: Any) -> bool:
        """A convolution or matrix product with a constant weight of its own."""
        has_weight = node.op_type in LAYERS and len(node.input) > 1 and node.input[1] in self.arrays
        return has_weight and self.arrays[node.input[1]].dtype == np.float32

    def layers(self) -> list[Any]:
        """Convolutions and matrix products with a constant weight, in order."""
        return [node for node in self.nodes if self.is_layer(node)]

    def remove(self, node: Any) -> None:
        """Take out a node that gives what its first input gives."""
        source, gone = node.input[0], node.output[0]
        if gone in self.outputs:
            maker = self.maker(source)
            assert maker is not None
            maker.output[list(maker.output).index(source)] = gone
            source, gone = gone, source
        for reader in self.readers(gone):
            reader.input[:] = [source if name == gone else name for name in reader.input]
        self.nodes.remove(node)

    def own(self, node: Any, place: int) -> np.ndarray:
        """A constant of a node, made its own where others read it too."""
        name = node.input[place]
        if sum(list(other.input).count(name) for other in self.nodes) > 1:
            node.input[place] = f"{node.output[0]}.{place}"
            self.arrays[node.input[place]] = self.arrays[name].copy()
        return self.arrays[node.input[place]]

    def written(self, *, outputs: Iterable[str] = ()) -> Any:
        """The graph as a new model.

        Args:
            outputs: float32 tensors to give besides.
        """
        import onnx
        from onnx import numpy_helper

        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        graph = model.graph
        del graph.node[:], graph.initializer[:], graph.value_info[:]
        graph.node.extend(self.nodes)
        used = {name for node in self.nodes for name in node.input}
        graph.initializer.extend(
            numpy_helper.from_array(array, name) for name, array in self.arrays.items() if name in used
        )
        for name in outputs:
            graph.output.append(onnx.helper.make_tensor_value_info(name, FLOAT, None))
        return model


def attribute(node: Any, name: str, default: Any = None) -> Any:
    """The value of a node's attribute."""
    import onnx

    found = [item for item in node.attribute if item.name == name]
    return onnx.helper.get_attribute_value(found[0]) if found else default


def set_attribute(node: Any, name: str, value: Any) -> None:
    """Give a node's attribute a value."""
    import onnx

    kept = [item for item in node.attribute if item.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, onnx.helper.make_attribute(name, value)])
