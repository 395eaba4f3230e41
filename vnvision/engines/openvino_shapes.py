"""What OpenVINO leaves unchecked while the batch is open, checked with the batch closed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vnvision.engines import base
from vnvision.errors import ModelError

MOST_VALUES = 1 << 28
"""Of one tensor and one picture: 1 GiB of float32."""


def check_shapes(path: Path, model: Any, shape: base.Shape) -> None:
    """Refuse a model whose layers do not fit each other, or make a tensor of absurd size.

    With an open batch OpenVINO (2026.4) cannot tell whether a Reshape divides what it is given, and computes
    all the same: ``[7, -1]`` on 192 values a picture reads outside its buffers, and gives the memory it found
    there as an answer, or ends the program later. With the batch at one number every shape of the model
    follows, and OpenVINO compares each with the next. Two batches tell apart what fits one picture by chance.
    The sizes are known then too, before anything is allocated.

    Not ``Model.reshape``: it mends such layers first, and so finds nothing.

    Args:
        path: for the error.
        model: an ``openvino.Model`` with one input; left as it is.
        shape: of its input; with open height or width only the layers are compared.

    Raises:
        ModelError: see above.
    """
    for rows in (1, 2) if shape[0] is None else (shape[0],):
        closed = model.clone()
        sides = [rows, *(-1 if side is None else side for side in shape[1:])]
        try:
            closed.get_parameters()[0].set_partial_shape(type(closed.inputs[0].partial_shape)(sides))
            closed.validate_nodes_and_infer_types()
        except RuntimeError as exc:
            # The last line says what does not fit; those before it, where in OpenVINO's sources.
            raise base.damaged(path, "openvino", str(exc).strip().splitlines()[-1]) from exc
        if None not in shape[1:]:
            _check_sizes(path, closed, rows)


def _check_sizes(path: Path, model: Any, rows: int) -> None:
    for layer in model.get_ops():
        for output in layer.outputs():
            found = output.partial_shape
            if found.is_static and output.get_element_type().is_static():
                count = 1
                for side in found:
                    count *= side.get_length()
                if count <= MOST_VALUES * rows:
                    continue
            raise ModelError(
                f"model file {path} cannot be used: {layer.get_friendly_name()[:60]} has an absurd size",
                expected=f"a fixed size of at most {MOST_VALUES} values a picture",
                got=str(found)[:80],
                fix="export the model again",
            )
