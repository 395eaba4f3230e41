"""Small networks in the layouts of insightface's packs whose answers can be written out in numpy."""

import hashlib

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

from vnvision.records import BundleManifest, Licences, TargetRecord
from vnvision.spec import Label, PreprocessSpec, TaskSpec

DIM, CELL = 16, 8
# Distances to left, top, right, bottom and five landmarks, in strides, of each of the two anchors.
SIDES = np.array([[1.5, 2.0, 1.25, 2.5], [0.5, 0.25, 0.75, 1.0]], np.float32)
MARKS = np.array(
    [
        [[-0.6, -0.7], [0.6, -0.7], [0.0, 0.1], [-0.4, 0.8], [0.4, 0.9]],
        [[-0.2, -0.1], [0.3, -0.15], [0.05, 0.2], [-0.1, 0.4], [0.2, 0.5]],
    ],
    np.float32,
)
SECOND = 0.8  # the second anchor's score over the first's


def projection(seed=0, dim=DIM):
    """(3 * 14 * 14, dim): what the toy embedder multiplies the means of 8 x 8 cells by."""
    return np.random.default_rng(seed).normal(size=(3 * (112 // CELL) ** 2, dim)).astype(np.float32)


def embedding(crop, *, mean=127.5, std=127.5, flip=False, seed=0):
    """The toy embedder on one crop (112, 112, 3), channels as the network takes them: (dim,) unit-norm."""
    total = 0
    for view in [crop, crop[:, ::-1]] if flip else [crop]:
        x = (view.astype(np.float64).transpose(2, 0, 1) - mean) / std
        cells = x.reshape(3, 112 // CELL, CELL, 112 // CELL, CELL).mean(axis=(2, 4))
        total = total + cells.reshape(-1) @ projection(seed)
    return total / np.linalg.norm(total)


def write(path, nodes, inputs, outputs, constants, **options):
    """Save a checked graph; ``inputs`` and ``outputs`` are (name, shape)."""

    def values(items):
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in items]

    graph = helper.make_graph(
        nodes,
        "toy",
        values(inputs),
        values(outputs),
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    save(model, str(path), **options)
    return path


def arcface(path, *, seed=0, batch="N", before=(), traced_batch=False, constant_nodes=False, **options):
    """An embedder: cell means times ``projection(seed)``.

    ``before`` holds arithmetic in front, as ("Sub", 127.5), its constants in nodes with ``constant_nodes``;
    ``traced_batch`` reshapes to a batch of 1, as a trace of ``view`` leaves it.
    """
    nodes, constants, name = [], {"weights": projection(seed)}, "data"
    for number, (kind, *values) in enumerate(before):
        names = [f"c{number}{place}" for place in range(len(values))]
        arrays = [np.asarray(value, np.float32) for value in values]
        if constant_nodes:
            nodes += [
                helper.make_node("Constant", [], [one], value=numpy_helper.from_array(array))
                for one, array in zip(names, arrays, strict=True)
            ]
        else:
            constants |= dict(zip(names, arrays, strict=True))
        nodes.append(helper.make_node(kind, [name, *names], [f"x{number}"]))
        name = f"x{number}"
    pool = {"kernel_shape": [CELL, CELL], "strides": [CELL, CELL]}
    nodes.append(helper.make_node("AveragePool", [name], ["cells"], **pool))
    if traced_batch:
        constants["one"] = np.array([1, len(constants["weights"])], np.int64)
        nodes.append(helper.make_node("Reshape", ["cells", "one"], ["flat"]))
    else:
        nodes.append(helper.make_node("Flatten", ["cells"], ["flat"]))
    nodes.append(helper.make_node("MatMul", ["flat", "weights"], ["fc1"]))
    return write(path, nodes, [("data", [batch, 3, 112, 112])], [("fc1", [batch, DIM])], constants, **options)


def scrfd(path, *, batch="N", size=("H", "W"), ranks=3, gain=1.0, levels=(8, 16, 32)):
    """A detector: a red cell of 8 px is a face at stride 8, a green one of 16 at 16, a blue one of 32 at 32.

    A cell's score is its mean brightness on the input's scale, 0 to 1. Outputs as SCRFD's exports have them:
    scores, boxes, landmarks, each by stride; (N, places, k), or (places, k) with ``ranks=2``.
    """
    lead = [0] if ranks == 3 else []
    constants = {
        "none": np.float32(0),
        "full": np.float32(1),
        "gain": np.float32(gain),
        "zero": np.float32(0),
        "both": np.array([1, SECOND], np.float32).reshape(1, 2, 1, 1),
        "score_rows": np.array([*lead, -1, 1], np.int64),
    }
    for kind, table in {"sides": SIDES, "marks": MARKS.reshape(2, 10)}.items():
        constants[kind] = table.reshape(1, 1, 2, -1)
        constants[f"{kind}_rows"] = np.array([*lead, -1, table.shape[1]], np.int64)
    constants["pairs"] = np.array([0, -1, 2, 1], np.int64)
    nodes, named = [], {"score": [], "sides": [], "marks": []}

    def add(kind, inputs, output, **options):
        nodes.append(helper.make_node(kind, inputs, [output], **options))
        return output

    for channel, stride in enumerate(levels):
        s = str(stride)
        constants[f"channel{s}"] = np.array([channel], np.int64)
        one = add("Gather", ["input.1", f"channel{s}"], f"one{s}", axis=1)
        mean = add("AveragePool", [one], f"mean{s}", kernel_shape=[stride] * 2, strides=[stride] * 2)
        clipped = add(
            "Clip", [add("Mul", [mean, "gain"], f"gained{s}"), "none" if gain == 1 else "", ""], f"clipped{s}"
        )
        two = add("Mul", [clipped, "both"], f"two{s}")
        last = add("Transpose", [two], f"last{s}", perm=[0, 2, 3, 1])
        named["score"].append(add("Reshape", [last, "score_rows"], f"score{s}"))
        pairs = add("Mul", [add("Reshape", [last, "pairs"], f"pairs{s}"), "zero"], f"empty{s}")
        for kind in ("sides", "marks"):
            filled = add("Add", [pairs, kind], f"{kind}_all{s}")
            named[kind].append(add("Reshape", [filled, f"{kind}_rows"], f"{kind}{s}"))
    widths = {"score": 1, "sides": 4, "marks": 10}
    outputs = [
        (name, ([batch] if ranks == 3 else []) + [f"{name}_places", widths[kind]])
        for kind in named
        for name in named[kind]
    ]
    return write(path, nodes, [("input.1", [batch, 3, *size])], outputs, constants)


def planted(cells, size=64):
    """(size, size, 3) uint8, black, with lit cells: (stride, row, column, brightness)."""
    image = np.zeros((size, size, 3), np.uint8)
    for stride, row, column, brightness in cells:
        channel = {8: 0, 16: 1, 32: 2}[stride]
        top, left = row * stride, column * stride
        image[top : top + stride, left : left + stride, channel] = brightness
    return image


def expected(stride, row, column, anchor):
    """Box (4,) and landmarks (5, 2) of a lit cell, in pixels of the input."""
    place = np.array([column, row], np.float64) * stride
    left, top, right, bottom = SIDES[anchor] * stride
    box = [place[0] - left, place[1] - top, place[0] + right, place[1] + bottom]
    return np.array(box), place + MARKS[anchor] * stride


def bundle(folder, *, kind="embedding", seed=0, **preprocess):
    """A bundle around ``arcface``."""
    arcface(folder / "model.onnx", seed=seed)
    np.savez(folder / "golden.npz", seed=seed)
    values = {"size_px": (112, 112), "geometry": "align", "mean": (0.5,) * 3, "std": (0.5,) * 3} | preprocess
    spec = PreprocessSpec(**values)
    if kind == "embedding":
        task = TaskSpec(kind=kind, preprocess=spec, embedding_dim=DIM, score="cosine")
    else:
        task = TaskSpec(kind=kind, preprocess=spec, labels=(Label(id="a"), Label(id="b")))
    digest = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ("model.onnx", "golden.npz")
    }
    manifest = BundleManifest(
        name="toy",
        task=task,
        targets={"onnx": TargetRecord(file="model.onnx", engine="onnxruntime")},
        files=digest,
        licences=Licences(weights="Apache-2.0"),
    )
    path = manifest.save(folder / "manifest.json")
    (folder / "manifest.sha256").write_text(hashlib.sha256(path.read_bytes()).hexdigest() + "\n")
    return folder
