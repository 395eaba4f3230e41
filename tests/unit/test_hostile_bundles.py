"""Bundles written by an enemy: whoever writes a bundle writes its hashes too, so every case here is resealed.

Run as a program it is the worker of the fuzz test: a mutated bundle goes through the engine in a process with
limited memory, since what kills an engine kills its process.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import json
import math
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import tracemalloc
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from vnvision.engines.openvino_shapes import check_shapes
from vnvision.errors import BundleError, ModelError, VnvisionError
from vnvision.records import BundleManifest, Calibration, Licences, TargetRecord
from vnvision.runtime import load_bundle, open_bundle
from vnvision.runtime.guard.refusal import UnfitError
from vnvision.runtime.guard.strict_json import parse
from vnvision.runtime.target import check_outputs
from vnvision.spec import Label, PreprocessSpec, TaskSpec

SIDE, CLASSES = 8, 3
WEIGHTS = (np.random.default_rng(5).normal(size=(3 * SIDE * SIDE, CLASSES)) / 8).astype(np.float32)
ENGINES = {"onnx": "onnxruntime", "openvino": "openvino"}
OWN = ("manifest.json", "manifest.sha256", "manifest.sig")


def linear_graph():
    """``Flatten`` and ``MatMul``: (batch, 3, 8, 8) to (batch, 3)."""
    from onnx import TensorProto, helper, numpy_helper

    return helper.make_graph(
        [
            helper.make_node("Flatten", ["input"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["output"]),
        ],
        "linear",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", CLASSES])],
        [numpy_helper.from_array(WEIGHTS, "weights")],
    )


def model_of(graph, **keys):
    from onnx import helper

    sets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=sets, ir_version=10, **keys)


def reseal(folder: Path, change=None) -> Path:
    """Hash all files anew, let ``change`` edit the manifest, and write it with its hash."""
    manifest = json.loads((folder / "manifest.json").read_text())
    names = (path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file())
    manifest["files"] = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names if name not in OWN
    }
    if change is not None:
        change(manifest)
    return seal(folder, json.dumps(manifest).encode())


def seal(folder: Path, manifest: bytes) -> Path:
    (folder / "manifest.json").write_bytes(manifest)
    (folder / "manifest.sha256").write_text(hashlib.sha256(manifest).hexdigest() + "\n")
    return folder


@pytest.fixture(scope="session")
def sound(tmp_path_factory) -> Path:
    """A whole bundle for both engines."""
    from vnvision.engines.openvino import import_openvino

    folder = tmp_path_factory.mktemp("sound")
    (folder / "model.onnx").write_bytes(model_of(linear_graph()).SerializeToString())
    ov = import_openvino()
    model = ov.Core().read_model(folder / "model.onnx")
    (folder / "openvino").mkdir()
    ov.save_model(model, folder / "openvino" / "model.xml", compress_to_fp16=False)
    images = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), dtype=np.uint8)
    np.savez_compressed(folder / "golden.npz", images=images, outputs=np.zeros((2, CLASSES), np.float32))
    labels = tuple(Label(id=f"class_{i}") for i in range(CLASSES))
    task = TaskSpec(kind="classification", preprocess=PreprocessSpec(size_px=(SIDE, SIDE)), labels=labels)
    files = ("golden.npz", "model.onnx", "openvino/model.bin", "openvino/model.xml")
    BundleManifest(
        name="small",
        task=task,
        targets={
            "onnx": TargetRecord(file="model.onnx", engine="onnxruntime"),
            "openvino": TargetRecord(
                file="openvino/model.xml", engine="openvino", extra_files=("openvino/model.bin",)
            ),
        },
        files=dict.fromkeys(files, "0" * 64),
        licences=Licences(weights="Apache-2.0"),
    ).save(folder / "manifest.json")
    return reseal(folder)


@pytest.fixture
def bundle(sound, tmp_path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "bundle"))


def refused(folder: Path, *words: str) -> str:
    """The one line that a bundle is refused with; it names the folder and holds every word."""
    tracemalloc.start()
    try:
        with pytest.raises(BundleError) as caught:
            open_bundle(folder)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    line = str(caught.value)
    assert "\n" not in line
    assert str(folder) in line
    for word in words:
        assert word in line, line
    assert peak < 64 << 20, "refused before anything large is allocated"
    return line


def with_model(folder: Path, model) -> Path:
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return reseal(folder)


def with_xml(folder: Path, old: str, new: str) -> Path:
    path = folder / "openvino" / "model.xml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return reseal(folder)


def test_the_sound_bundle_is_answered_by_both_engines(bundle):
    image = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    logits = (image / 255.0).transpose(2, 0, 1).reshape(-1) @ WEIGHTS.astype(np.float64)
    wanted = np.exp(logits) / np.exp(logits).sum()
    for target in ENGINES:
        with contextlib.closing(load_bundle(bundle, target=target)) as predictor:
            assert predictor.predict(image).probabilities == pytest.approx(tuple(wanted), abs=1e-5)


# Weights elsewhere


def external(tensor, location: str):
    """The tensor as one whose values lie in another file."""
    from onnx import TensorProto

    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


@pytest.mark.parametrize(
    "location", ["/etc/passwd", "../../secret.bin", "weights.bin", "link.bin", "C:\\w.bin", "/dev/zero", ""]
)
def test_weights_outside_the_onnx_file_are_refused(bundle, tmp_path, location):
    (bundle / "weights.bin").write_bytes(WEIGHTS.tobytes())  # even those that are listed, with the right hash
    (bundle / "link.bin").symlink_to("weights.bin")
    graph = linear_graph()
    external(graph.initializer[0], location)
    line = refused(with_model(bundle, model_of(graph)), "model.onnx keeps weights outside itself")
    assert not location or repr(location)[1:-1].replace("\\\\", "\\") in line.replace("\\\\", "\\")


def test_external_weights_are_found_wherever_a_tensor_can_be(bundle):
    from onnx import TensorProto, helper, numpy_helper

    far = external(numpy_helper.from_array(WEIGHTS, "far"), "/etc/passwd")
    constant = helper.make_node("Constant", [], ["unused"])
    constant.attribute.add(name="value", type=5).t.CopyFrom(far)
    inner = helper.make_graph(
        [constant], "inner", [], [helper.make_tensor_value_info("unused", TensorProto.FLOAT, None)]
    )
    branch = helper.make_node("If", ["flag"], ["chosen"], then_branch=inner, else_branch=inner)
    for node in (constant, branch):
        graph = linear_graph()
        graph.node.insert(0, node)
        refused(with_model(bundle, model_of(graph)), "model.onnx keeps weights outside itself", "/etc/passwd")
    graph = linear_graph()
    graph.initializer[0].data_location = TensorProto.EXTERNAL  # without saying where
    refused(with_model(bundle, model_of(graph)), "model.onnx keeps weights outside itself")


def test_a_graph_given_twice_cannot_hide_half_of_itself(bundle):
    """Protocol Buffers merges a field that comes twice: a reader that looks at one of them sees half."""
    good = model_of(linear_graph()).SerializeToString()
    graph = linear_graph()
    external(graph.initializer[0], "/etc/passwd")
    (bundle / "model.onnx").write_bytes(good + model_of(graph).SerializeToString())
    refused(reseal(bundle), "model.onnx has its field 7 twice")


# Names and places


@pytest.mark.parametrize(
    "name",
    [
        "../secret", "/etc/passwd", "a/../../b", "..\\b", "C:\\x", "C:x", "a\\b", "\\\\host\\share",
        "./model.onnx", "a//b", "openvino/", ".", "", "a:b", "NUL", "con.txt", "lpt1.bin", "openvino/AUX.xml",
        "trailing.", "space ", "a*", "a?b", "a\nb", "a\x1b[2Jb", "a\x00b", "a\u202eb", "e\u0301", "x" * 300,
        "/".join("abcdefghijkl"), "manifest.json", "manifest.sha256", "manifest.sig",
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["files", "target", "extra", "golden", "scope"])
def test_names_that_mean_another_file_somewhere_are_refused(bundle, name, where):
    def change(manifest: dict) -> None:
        manifest["files"][name] = "0" * 64
        record = manifest["targets"]["onnx"]
        if where == "target":
            record["file"] = name
        elif where == "extra":
            record["extra_files"] = [name]
        elif where == "golden":
            manifest["golden"] = name
        elif where == "scope":
            record["calibration"] |= {"scope_file": name, "scope_sha256": "0" * 64}

    line = refused(reseal(bundle, change))
    assert "\x1b" not in line
    assert "\u202e" not in line


def test_names_that_differ_in_case_only_are_refused(bundle):
    shutil.copy(bundle / "model.onnx", bundle / "Model.onnx")
    refused(reseal(bundle), "Model.onnx and model.onnx", "differ in case only")


def test_too_many_files_are_refused_unread(bundle):
    refused(
        reseal(bundle, lambda manifest: manifest["files"].update({f"f{i}": "0" * 64 for i in range(2000)})),
        "lists too many files",
    )
    for i in range(30):
        (bundle / "/".join(["d"] * (i + 1))).mkdir()
    refused(reseal(bundle), "d/d/d", "is too deep a folder")


@pytest.mark.parametrize("name", ["openvino", "openvino/..", "nothing"])
def test_a_folder_or_nothing_is_no_file(bundle, name):
    refused(reseal(bundle, lambda manifest: manifest["files"].update({name: "0" * 64})), name)


def test_links(bundle, tmp_path):
    (tmp_path / "outside.bin").write_bytes(b"x")
    cases = {
        "/etc/passwd": "is a link out of the bundle",
        "../outside.bin": "is a link out of the bundle",
        "/dev/zero": "is a link out of the bundle",
        "openvino": "is a link to no file",
        "self": "is a link",
        "gone": "is a link to no file",
    }
    for goal, words in cases.items():
        (bundle / "self").symlink_to(goal)
        refused(bundle, "self", words)
        (bundle / "self").unlink()
    outside = Path(shutil.copytree(bundle / "openvino", tmp_path / "moved"))
    shutil.rmtree(bundle / "openvino")
    (bundle / "openvino").symlink_to(outside)
    refused(bundle, "openvino is a link out of the bundle")


@pytest.mark.parametrize("name", ["model.onnx", "golden.npz", "openvino/model.bin", "manifest.sha256"])
def test_pipes_and_devices_are_refused_without_waiting(bundle, name):
    (bundle / name).unlink()
    os.mkfifo(bundle / name)
    refused(bundle, f"{name} is not a plain file")


def test_a_pipe_for_a_manifest_is_no_bundle(bundle):
    (bundle / "manifest.json").unlink()
    os.mkfifo(bundle / "manifest.json")
    refused(bundle, "is not a bundle")
    (bundle / "manifest.json").unlink()
    (bundle / "manifest.json").symlink_to("/dev/zero")
    refused(bundle, "is not a bundle")


def test_a_file_with_holes_is_refused_before_it_is_hashed(bundle):
    with (bundle / "openvino" / "model.bin").open("r+b") as stream:
        stream.truncate(1 << 40)
    refused(bundle, "is too large", "openvino/model.bin")
    with (bundle / "manifest.json").open("r+b") as stream:
        stream.truncate(1 << 40)
    refused(bundle, "manifest.json is too large")


@pytest.mark.parametrize("form", ["zip", "tar"])
def test_archives_are_not_unpacked(bundle, tmp_path, form):
    path = tmp_path / f"bundle.{form}"
    if form == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(bundle / "manifest.json", "manifest.json")
    else:
        with tarfile.open(path, "w") as archive:
            archive.add(bundle, "bundle")
    refused(path, "is not a bundle: expected a folder with manifest.json")


# The manifest


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'{"name": "a", "name": "b"}', "has the key 'name' twice"),
        (b'{"a": {"b": 1, "\\u0062": 2}}', "has the key 'b' twice"),
        (b'{"name": NaN}', "holds NaN"),
        (b'{"provenance": {"x": -Infinity}}', "holds -Infinity"),
        (b'{"provenance": {"x": 1e999}}', "holds 1e999"),
        (b'{"x": ' + b"9" * 5000 + b"}", "number of absurd length"),
        (b"[" * 100_000, "nests too deeply"),
        (b'{"a":' * 60 + b"1" + b"}" * 60, "nests too deeply"),
        (b"\xff\xfe{}", "is not JSON"),
        (b"\xef\xbb\xbf{}", "is not JSON"),
        (b'{"a": "\\u001b[2J"}', "holds control characters"),
        (b'{"a": "\\ud800"}', "holds control characters"),
        (b"{} {}", "is not JSON"),
        (b'{"a": 1,}', "is not JSON"),
    ],
)
def test_json_with_two_meanings_is_refused(bundle, text, words):
    refused(seal(bundle, text), "manifest.json is not a valid BundleManifest", words)


def test_json_of_one_meaning_is_read():
    assert parse('{"a": [1, 2.5, -1e-3, null, "Huế\\n"]}'.encode()) == {"a": [1, 2.5, -1e-3, None, "Huế\n"]}


def test_many_keys_are_compared_in_reasonable_time():
    keys = [f'"k{i}": {i}' for i in range(200_000)]
    with pytest.raises(UnfitError, match="has the key 'k199999' twice"):
        parse(("{" + ", ".join([*keys, keys[-1]]) + "}").encode())


def test_a_huge_manifest_is_refused_unread(bundle):
    padded = (bundle / "manifest.json").read_bytes() + b" " * (17 << 20)
    refused(seal(bundle, padded), "manifest.json is too large: expected at most 16777216 bytes")


@pytest.mark.parametrize("what", ["name", "target"])
def test_names_that_rewrite_a_terminal_are_refused(bundle, what):
    def change(manifest: dict) -> None:
        if what == "name":
            manifest["name"] = "good\u202edab"
        else:
            manifest["targets"]["a\u2028b"] = manifest["targets"].pop("onnx")

    refused(reseal(bundle, change), "manifest.json holds a name that cannot be shown")


def test_a_picture_of_absurd_size_is_refused(bundle):
    change = lambda manifest: manifest["task"]["preprocess"].update(size_px=[16384, 16384])  # noqa: E731
    refused(reseal(bundle, change), "manifest.json asks for pictures of absurd size", "16384, 16384")


@pytest.mark.parametrize(
    ("engine", "name"),
    [("onnxruntime", "a.ort"), ("onnxruntime", "a"), ("openvino", "a.pdmodel"), ("openvino", "a.pb")],
)
def test_a_name_that_would_call_another_reader_is_refused(bundle, engine, name):
    shutil.copy(bundle / "model.onnx", bundle / name)
    record = {"engine": engine, "file": name}
    change = lambda manifest: manifest["targets"]["onnx"].update(record)  # noqa: E731
    refused(reseal(bundle, change), f"{name} is not a file for {engine}")


# Shapes


def grown(kind: str, values, dtype, **attributes):
    """The linear graph with one more operator that makes a tensor as large as ``values`` say."""
    from onnx import helper, numpy_helper

    graph = linear_graph()
    graph.initializer.append(numpy_helper.from_array(np.array(values, dtype), "size"))
    inputs = {
        "ConstantOfShape": ["size"],
        "Resize": ["input", "", "size"],
        "Sizes": ["input", "", "", "size"],
        "Range": ["zero", "size", "one"],
    }.get(kind, ["input", "size"])
    if kind == "Range":
        graph.initializer.append(numpy_helper.from_array(np.array(0, dtype), "zero"))
        graph.initializer.append(numpy_helper.from_array(np.array(1, dtype), "one"))
    graph.node.append(helper.make_node("Resize" if kind == "Sizes" else kind, inputs, ["huge"], **attributes))
    return model_of(graph)


@pytest.mark.parametrize(
    ("kind", "values", "dtype"),
    [
        ("ConstantOfShape", [100_000, 1_000_000], np.int64),
        ("ConstantOfShape", [1 << 62, 4], np.int64),
        ("Expand", [1, 3, 1_000_000, 1_000_000], np.int64),
        ("Tile", [1, 1, 100_000, 100_000], np.int64),
        ("Resize", [1, 1, 1e5, 1e5], np.float32),
        ("Resize", [1, 1, np.nan, 1], np.float32),
        ("Sizes", [1, 3, 100_000, 100_000], np.int64),
        ("Pad", [0, 0, 10**9, 0, 0, 0, 0, 0], np.int64),
        ("Range", 10**12, np.int64),
    ],
)
def test_operators_that_make_a_huge_tensor_of_a_small_one_are_refused(bundle, kind, values, dtype):
    name = "Resize" if kind == "Sizes" else kind
    refused(with_model(bundle, grown(kind, values, dtype)), "model.onnx", "absurd size", name)


def test_ordinary_sizes_are_not_refused(bundle):
    for kind, values, dtype in (
        ("ConstantOfShape", [64, 64], np.int64),
        ("Tile", [1, 1, 2, 2], np.int64),
        ("Resize", [1, 1, 2, 2], np.float32),
        ("Pad", [0, 0, 1, 1, 0, 0, 1, 1], np.int64),
    ):
        assert open_bundle(with_model(bundle, grown(kind, values, dtype))).manifest.name == "small"


def test_absurd_attributes_are_refused(bundle):
    from onnx import helper, numpy_helper

    for name, value in (("pads", [10**9] * 4), ("strides", [10**6, 1]), ("output_shape", [10**6, 10**6])):
        graph = linear_graph()
        graph.initializer.append(numpy_helper.from_array(np.ones((3, 1, 1, 1), np.float32), "kernel"))
        graph.node.append(helper.make_node("ConvTranspose", ["input", "kernel"], ["more"], **{name: value}))
        refused(with_model(bundle, model_of(graph)), "model.onnx", f"absurd {name}")


@pytest.mark.parametrize(
    "dims", [[1_000_000, 1_000_000], [-1, 4], [1 << 62, 1 << 62], [CLASSES * 192 + 1], [0]]
)
def test_tensors_that_claim_another_length_are_refused(bundle, dims):
    graph = linear_graph()
    del graph.initializer[0].dims[:]
    graph.initializer[0].dims.extend(dims)
    refused(with_model(bundle, model_of(graph)), "model.onnx", "weights")


def test_values_may_come_as_raw_bytes_or_as_numbers(bundle):
    from onnx import TensorProto, helper

    graph = linear_graph()
    del graph.initializer[:]
    graph.initializer.append(
        helper.make_tensor("weights", TensorProto.FLOAT, WEIGHTS.shape, WEIGHTS.reshape(-1).tolist())
    )
    assert open_bundle(with_model(bundle, model_of(graph))).manifest.name == "small"
    del graph.initializer[0].float_data[-1:]
    refused(with_model(bundle, model_of(graph)), "is not as long as it says (weights)", "576", "575")


@pytest.mark.parametrize(
    "shape",
    [["n", 3, 10**6, 10**6], [10**9, 3, SIDE, SIDE], ["n", 1, SIDE, SIDE], ["n", 3], [], ["n", 3, -5, 8]],
)
def test_another_input_than_the_manifest_says_is_refused(bundle, shape):
    from onnx import TensorProto, helper

    graph = linear_graph()
    graph.input[0].CopyFrom(helper.make_tensor_value_info("input", TensorProto.FLOAT, shape))
    refused(with_model(bundle, model_of(graph)), "model.onnx")


def test_several_inputs_and_other_types_are_refused(bundle):
    from onnx import TensorProto, helper

    graph = linear_graph()
    graph.input.append(helper.make_tensor_value_info("secret", TensorProto.FLOAT, [1]))
    refused(with_model(bundle, model_of(graph)), "model.onnx takes another input", "got 2 inputs")
    graph = linear_graph()
    graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    refused(with_model(bundle, model_of(graph)), "model.onnx takes another input", "another type")
    graph = linear_graph()
    graph.input[0].type.ClearField("tensor_type")
    graph.input[0].type.sequence_type.elem_type.tensor_type.elem_type = TensorProto.FLOAT
    refused(with_model(bundle, model_of(graph)), "model.onnx takes another input")


def test_weights_listed_as_inputs_are_still_weights(bundle):
    """IR version 3 lists every weight as an input."""
    from onnx import TensorProto, helper

    graph = linear_graph()
    graph.input.append(helper.make_tensor_value_info("weights", TensorProto.FLOAT, WEIGHTS.shape))
    assert open_bundle(with_model(bundle, model_of(graph))).manifest.name == "small"


# Operators


@pytest.mark.parametrize(
    ("domain", "kind"),
    [("ai.onnx.contrib", "PyOp"), ("com.microsoft", "PythonOp"), ("org.pytorch.aten", "ATen"),
     ("com.microsoft", "EPContext"), ("evil", "MatMul")],
)  # fmt: skip
def test_operators_of_other_libraries_are_refused(bundle, domain, kind):
    from onnx import helper

    graph = linear_graph()
    graph.node.append(helper.make_node(kind, ["output"], ["more"], domain=domain))
    refused(with_model(bundle, model_of(graph)), "model.onnx needs an operator of another library", kind)


@pytest.mark.parametrize("kind", ["Loop", "Scan", "RandomNormal", "Bernoulli"])
def test_operators_that_never_end_or_answer_by_chance_are_refused(bundle, kind):
    from onnx import helper

    graph = linear_graph()
    graph.node.append(helper.make_node(kind, ["output"], ["more"]))
    refused(with_model(bundle, model_of(graph)), "model.onnx has an operator that", kind)


def test_functions_and_sparse_tensors_are_refused(bundle):
    from onnx import helper

    sets = [helper.make_opsetid("", 18)]
    twice = helper.make_function(
        "own", "Twice", ["x"], ["y"], [helper.make_node("Add", ["x", "x"], ["y"])], sets
    )
    refused(
        with_model(bundle, model_of(linear_graph(), functions=[twice])),
        "model.onnx defines operators of its own (ONNX functions)",
    )
    graph = linear_graph()
    graph.sparse_initializer.add().dims.extend([10**6, 10**6])
    refused(with_model(bundle, model_of(graph)), "model.onnx holds sparse tensors")


def test_graphs_in_graphs_end_somewhere(bundle):
    from onnx import helper

    inner = helper.make_graph([helper.make_node("Loop", [], ["x"])], "g", [], [])
    graph = linear_graph()
    graph.node.append(helper.make_node("If", ["c"], ["x"], then_branch=inner, else_branch=inner))
    refused(with_model(bundle, model_of(graph)), "model.onnx has an operator that repeats")
    for _ in range(8):
        inner = helper.make_graph(
            [helper.make_node("If", ["c"], ["x"], then_branch=inner, else_branch=inner)], "g", [], []
        )
    graph = linear_graph()
    graph.node.extend(inner.node)
    refused(with_model(bundle, model_of(graph)), "model.onnx nests graphs too deeply")


def test_millions_of_tiny_parts_are_refused_before_they_fill_the_memory(bundle, monkeypatch):
    monkeypatch.setattr("vnvision.runtime.guard.wire.Budget.__init__.__defaults__", (20_000,))
    (bundle / "model.onnx").write_bytes(model_of(linear_graph()).SerializeToString() + b"\x10\x01" * 30_000)
    refused(reseal(bundle), "model.onnx has too many parts")


@pytest.mark.parametrize("name", ["model.onnx", "openvino/model.xml", "openvino/model.bin", "golden.npz"])
def test_a_file_cut_anywhere_is_refused_by_name(bundle, name):
    whole = (bundle / name).read_bytes().rstrip(b"\n")
    for at in sorted({0, 1, *range(7, len(whole), max(1, len(whole) // 60)), len(whole) - 1}):
        (bundle / name).write_bytes(whole[:at])
        with pytest.raises(BundleError) as caught:
            open_bundle(reseal(bundle))
        wanted = (
            "openvino/model.xml" if name.endswith(".bin") else name
        )  # the description outgrows its weights
        assert wanted in str(caught.value)


# OpenVINO


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('version="opset1"', 'version="extension"', "needs an operator of another library"),
        ('type="MatMul"', 'type="Loop"', "has an operator that repeats"),
        ('type="MatMul"', 'type="ReadValue"', "remembers earlier pictures"),
        ('type="MatMul"', 'type="Parameter"', "model.xml"),
        ('shape="?,3,8,8"', 'shape="?,3,1000000,1000000"', "absurd size"),
        ('shape="?,3,8,8"', 'shape="2000,3,8,8"', "takes another input"),
        ('shape="?,3,8,8"', 'shape="?,3,8..9999999999999999999999,8"', "absurd size"),
        ('element_type="f32"', 'element_type="string"', "model.xml"),
        ('offset="', 'offset="9999', "lies outside its weights"),
        ("<dim>3</dim>", "<dim>99999999999</dim>", "absurd size"),
        ("<dim>3</dim>", "<dim>many</dim>", "absurd size"),
        ("<net ", '<!DOCTYPE n [<!ENTITY a "aaaa">]><net ', "has a document type or entities"),
        ("<net ", "<tent ", "model.xml is"),
        ("</layers>", "", "is not XML"),
    ],
)
def test_openvino_descriptions(bundle, old, new, words):
    refused(with_xml(bundle, old, new), "openvino/model.xml", words)


def test_entities_that_expand_to_gigabytes_are_refused(bundle):
    path = bundle / "openvino" / "model.xml"
    levels = "".join(f'<!ENTITY e{i + 1} "{f"&e{i};" * 10}">' for i in range(12))
    text = f'<?xml version="1.0"?><!DOCTYPE net [<!ENTITY e0 "lol">{levels}]><net name="&e12;"></net>'
    path.write_text(text)
    refused(reseal(bundle), "openvino/model.xml has a document type or entities")


def test_openvino_weights_must_be_listed(bundle):
    (bundle / "openvino" / "model.bin").unlink()

    def change(manifest: dict) -> None:
        manifest["targets"]["openvino"]["extra_files"] = []

    refused(reseal(bundle, change), "lacks openvino/model.bin")


def openvino_model(folder: Path, pattern: tuple[int, int]):
    """The bundle's OpenVINO model with another target shape in its Reshape."""
    from vnvision.engines.openvino import shared_core

    path = folder / "openvino" / "model.bin"
    weights = path.read_bytes()
    assert np.frombuffer(weights[:16], np.int64).tolist() == [0, -1]
    path.write_bytes(np.array(pattern, np.int64).tobytes() + weights[16:])
    return shared_core().read_model(folder / "openvino" / "model.xml")


@pytest.mark.parametrize(
    "pattern",
    [(7, -1), (1, -1), (5, -1), (0x7F000000000000, -1), (0, (1 << 63) - 1), (1, 192)],
)
def test_layers_that_do_not_fit_each_other_are_refused_before_openvino_computes(bundle, pattern):
    """With an open batch OpenVINO computes these all the same, outside its buffers."""
    model = openvino_model(bundle, pattern)
    with pytest.raises(ModelError, match=r"model\.xml") as caught:
        check_shapes(bundle / "openvino" / "model.xml", model, (None, 3, SIDE, SIDE))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pattern", [(0, -1), (-1, 192), (0, 192)])
def test_layers_that_fit_are_let_through_and_left_as_they_are(bundle, pattern):
    model = openvino_model(bundle, pattern)
    for shape in ((None, 3, SIDE, SIDE), (2, 3, SIDE, SIDE), (None, 3, None, None)):
        check_shapes(bundle / "openvino" / "model.xml", model, shape)
    assert model.inputs[0].partial_shape.to_string() == "[?,3,8,8]"


def test_layers_that_make_much_of_little_are_refused_unrun(bundle):
    """Each step within limits, all of them together 3 TiB for one picture."""
    from onnx import helper, numpy_helper

    from vnvision.engines.openvino import shared_core

    graph = linear_graph()
    graph.initializer.append(numpy_helper.from_array(np.array([1, 1, 32, 32], np.int64), "times"))
    before = "input"
    for step in range(4):
        graph.node.append(helper.make_node("Tile", [before, "times"], [f"wide{step}"]))
        before = f"wide{step}"
    graph.output.append(helper.make_tensor_value_info(before, 1, None))
    folder = with_model(bundle, model_of(graph))
    model = shared_core().read_model(folder / "model.onnx")
    with pytest.raises(
        ModelError, match="has an absurd size: expected a fixed size of at most 268435456 values"
    ):
        check_shapes(folder / "model.onnx", model, (None, 3, SIDE, SIDE))


# Arrays


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def zipped(entries: dict[str, bytes], form: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", form) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return buffer.getvalue()


class _Exploit:
    def __reduce__(self):
        return os.system, ("touch exploited",)


HEADER = b"\x93NUMPY\x01\x00"
BOMB = {"descr": "<f4", "fortran_order": False, "shape": (100_000, 100_000)}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no end of the archive"),
        (b"not a zip" * 100, "no end of the archive"),
        (pickle.dumps(_Exploit()), "no end of the archive"),
        (npy(np.zeros(3, np.float32)), "no end of the archive"),
        (zipped({"images.npy": npy(np.array([_Exploit()], object))}), "not of plain numbers ('images.npy')"),
        (zipped({"images.npy": npy(np.array(["text"]))}), "not of plain numbers"),
        (zipped({"images.npy": npy(np.zeros(2, [("a", "f4")]))}), "not of plain numbers"),
        (zipped({"images.npy": npy(np.zeros(4, np.float32))[:-1]}), "not as long as it says"),
        (zipped({"images.npy": npy(np.zeros(4, np.float32)) + b"x"}), "not as long as it says"),
        (zipped({"images.npy": pickle.dumps(_Exploit())}), "no array"),
        (zipped({"../images.npy": npy(np.zeros(1))}), "no array"),
        (zipped({"readme.txt": b"hello"}), "no array"),
        (zipped({f"a{i}.npy": npy(np.zeros(1)) for i in range(65)}), "too many arrays"),
        (zipped({"images.npy": npy(np.zeros(1))}, zipfile.ZIP_LZMA), "in a way that is not expected"),
        (zipped({"images.npy": npy(np.zeros(1))}, zipfile.ZIP_BZIP2), "in a way that is not expected"),
        (zipped({"a.npy": HEADER + b"\xff\xff" + b"(" * 60_000}), "not of plain numbers"),
    ],
)  # fmt: skip
def test_archives_that_are_no_arrays_of_numbers_are_refused(bundle, data, words):
    (bundle / "golden.npz").write_bytes(data)
    refused(reseal(bundle), "golden.npz", words)
    assert not Path("exploited").exists()


def test_bombs_are_refused_packed(bundle):
    zeros, whole = bytes(1 << 20), io.BytesIO()
    with (
        zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("images.npy", "w") as entry,
    ):
        for _ in range(520):  # half a megabyte packed
            entry.write(zeros)
    (bundle / "golden.npz").write_bytes(whole.getvalue())
    refused(reseal(bundle), "golden.npz", "unpacks to an absurd size")
    head = str({**BOMB}).replace("}", ", }").encode() + b"\n"
    data = HEADER + len(head).to_bytes(2, "little") + head + bytes(100)
    (bundle / "golden.npz").write_bytes(zipped({"images.npy": data}))
    refused(reseal(bundle), "golden.npz", "not as long as it says", "40000000")


def test_a_bomb_that_lies_about_its_size_stays_within_it(bundle):
    """``zipfile`` reads no more than the list of contents says, so the lie is cut off, not unpacked."""
    packed = bytearray(zipped({"images.npy": npy(np.zeros(1 << 22, np.uint8))}))
    at = packed.rfind(b"PK\x01\x02")
    packed[at + 24 : at + 28] = (1000).to_bytes(4, "little")
    (bundle / "golden.npz").write_bytes(packed)
    refused(reseal(bundle), "golden.npz", "Bad CRC-32")


def test_a_gate_whose_parts_do_not_fit_is_refused(bundle):
    """The scope gate is computed with at every picture: NaN or 0 there would let everything through."""
    arrays = {
        "version": np.array(1), "centre": np.zeros(4), "directions": np.eye(4)[:2], "variances": np.ones(3),
        "look_centre": np.zeros(10), "look_precision": np.eye(10), "units": np.ones(2),
        "limit": np.array(9.0), "quality": np.zeros(3), "facts": np.zeros(3),
    }  # fmt: skip
    for name, wrong in (("variances", np.ones(2)), ("units", np.zeros(2)), ("quality", np.zeros(7))):
        np.savez(bundle / "scope.npz", **arrays | {name: wrong})
        gate = {
            "scope_file": "scope.npz",
            "scope_sha256": hashlib.sha256((bundle / "scope.npz").read_bytes()).hexdigest(),
        }

        def change(manifest: dict, gate=gate) -> None:
            for record in manifest["targets"].values():
                record["calibration"] = Calibration(**gate).model_dump(mode="json")

        with pytest.raises(BundleError, match=r"the scope gate .*scope\.npz does not fit together"):
            load_bundle(reseal(bundle, change))


# What changes meanwhile


def test_a_file_exchanged_after_it_was_hashed_is_noticed(bundle, tmp_path):
    opened = open_bundle(bundle)
    opened.confirm()
    for name in ("model.onnx", "openvino/model.bin"):
        opened = open_bundle(bundle)
        path = bundle / name
        path.write_bytes(path.read_bytes())  # the same bytes, but another could have been read in between
        with pytest.raises(BundleError, match=f"was changed while it was opened: {name}") as caught:
            opened.confirm()
        assert f"bị thay đổi trong lúc đang mở: {name}" in caught.value.in_both()


def test_what_was_exchanged_and_put_back_is_noticed(bundle, tmp_path):
    opened = open_bundle(bundle)
    (bundle / "model.onnx").rename(tmp_path / "kept")
    (bundle / "model.onnx").write_bytes(b"evil")
    (bundle / "model.onnx").unlink()
    (tmp_path / "kept").rename(bundle / "model.onnx")
    with pytest.raises(BundleError, match="was changed while it was opened"):
        opened.confirm()
    opened = open_bundle(bundle)
    (bundle / "openvino").rename(tmp_path / "folder")
    shutil.copytree(tmp_path / "folder", bundle / "openvino")
    shutil.rmtree(bundle / "openvino")
    (tmp_path / "folder").rename(bundle / "openvino")
    with pytest.raises(BundleError, match="was changed while it was opened"):
        opened.confirm()
    (bundle / "model.onnx").unlink()
    with pytest.raises(BundleError, match="was changed while it was opened"):
        opened.confirm()


# What a model answers


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        ([], "wrong output"),
        ([np.zeros((2, 4), np.float32)], "wrong output"),
        ([np.zeros((1, 3), np.float32)], "wrong output"),
        ([np.zeros((2, 3, 1), np.float32)], "wrong output"),
        ([np.zeros((2, 3), np.float32), np.zeros((1, 5), np.float32)], "wrong output"),
        ([np.zeros((2, 3), np.float64)], "gives another type"),
        ([np.zeros((2, 3), object)], "gives another type"),
        ([np.full((2, 3), np.nan, np.float32)], "NaN or infinity"),
        ([np.zeros((2, 3), np.float32), np.full((2, 5), np.inf, np.float32)], "NaN or infinity"),
    ],
)
def test_what_is_no_answer_is_refused(outputs, words):
    with pytest.raises(ModelError, match=words):
        check_outputs(outputs, "small", rows=2, width=3, dense=False)
    good = [np.zeros((2, 3), np.float32), np.zeros((2, 5), np.float32)]
    check_outputs(good, "small", rows=2, width=3, dense=False)


# Mutations


def mutated(rng: np.random.Generator, data: bytes) -> bytes:
    """One to four bytes flipped, set, cut out, or doubled."""
    kind, changed = rng.integers(4), bytearray(data)
    for _ in range(rng.integers(1, 5)):
        at = int(rng.integers(len(changed)))
        if kind == 0:
            changed[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            changed[at] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF]))
        elif kind == 2:
            del changed[at : at + int(rng.integers(1, 9))]
        else:
            changed[at:at] = changed[at : at + int(rng.integers(1, 9))]
    return bytes(changed)


def names_of(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_two_thousand_mutations_are_refused_by_name(bundle):
    """Without new hashes: any change at all, of any file."""
    rng, names = np.random.default_rng(6), names_of(bundle)
    whole = {name: (bundle / name).read_bytes() for name in names}
    refusals = 0
    for _ in range(2000):
        name = names[rng.integers(len(names))]
        data = mutated(rng, whole[name])
        if data == whole[name]:
            continue
        (bundle / name).write_bytes(data)
        with pytest.raises(BundleError) as caught:
            open_bundle(bundle)
        assert name in str(caught.value)
        (bundle / name).write_bytes(whole[name])
        refusals += 1
    assert refusals > 1900
    assert open_bundle(bundle).manifest.name == "small"


def outcome(folder: Path, target: str, image: np.ndarray, wanted: tuple[float, ...]) -> str:
    """What became of one mutated bundle."""
    try:
        open_bundle(folder)
    except BundleError as exc:
        return "refused" if "\n" not in str(exc) else f"two lines: {exc}"
    try:
        predictor = load_bundle(folder, target=target, threads=1)
    except VnvisionError as exc:
        return "engine" if "\n" not in str(exc) else f"two lines: {exc}"
    with contextlib.closing(predictor):
        try:
            answer = predictor.predict(image).probabilities
        except VnvisionError:
            return "no answer"
    if len(answer) != len(wanted) or not math.isclose(sum(answer), 1, abs_tol=1e-5):
        return f"wrong: {answer}"
    same = np.allclose(answer, wanted, atol=1e-5)
    return "same" if same else "other weights"


def work(folder: Path, target: str, first: int, last: int) -> None:
    """Mutate, reseal, run; a line before each case, which stays if the engine ends the process."""
    import resource

    image = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    with contextlib.closing(load_bundle(folder, target=target, threads=1)) as predictor:
        wanted = predictor.predict(image).probabilities
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * 4096 + (2 << 30),) * 2)
    manifest = json.loads((folder / "manifest.json").read_text())
    record = manifest["targets"][target]
    names = [record["file"], *record["extra_files"], "manifest.json", "golden.npz"]
    whole = {name: (folder / name).read_bytes() for name in names}
    for case in range(first, last):
        print(f"start {case}", flush=True)
        rng = np.random.default_rng([7, case])
        name = names[rng.choice(len(names), p=_shares(len(names)))]
        data = mutated(rng, whole[name])
        if name == "manifest.json":
            seal(folder, data)
        else:
            (folder / name).write_bytes(data)
            changed = copy.deepcopy(manifest)
            changed["files"][name] = hashlib.sha256(data).hexdigest()
            seal(folder, json.dumps(changed).encode())
        try:
            said = outcome(folder, target, image, wanted)
        except Exception as exc:  # noqa: BLE001 - whatever escapes is what the test looks for
            said = f"escaped: {type(exc).__name__}: {exc}"
        print(f"end {case} {' '.join(said.split())}", flush=True)
        (folder / name).write_bytes(whole[name])
    seal(folder, whole["manifest.json"])


def _shares(count: int) -> list[float]:
    """Most cases go to the model's own files."""
    return [0.8 / (count - 2)] * (count - 2) + [0.1, 0.1]


def fuzz(folder: Path, target: str, cases: int, timeout_s: float = 600) -> Counter[str]:
    """Outcomes of ``cases`` mutations; a worker that dies or hangs is counted, and the rest goes on."""
    found: Counter[str] = Counter()
    whole = {name: (folder / name).read_bytes() for name in names_of(folder)}
    first = 0
    while first < cases:
        command = [sys.executable, __file__, str(folder), target, str(first), str(cases)]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
            text, code = ended.stdout, str(ended.returncode)
            assert text, ended.stderr
        except subprocess.TimeoutExpired as exc:
            text, code = (exc.stdout or b"").decode(), "hang"
        lines = text.splitlines()
        found.update(line.split(maxsplit=2)[2] for line in lines if line.startswith("end "))
        found.update(f"said: {line[:60]}" for line in lines if not line.startswith(("start ", "end ")))
        first = 1 + max(int(line.split()[1]) for line in lines if line.startswith("start "))
        if not lines[-1].startswith("end "):
            found[f"died {code} in case {first - 1}"] += 1
        for name, data in whole.items():
            (folder / name).write_bytes(data)
    return found


FINE = {"refused", "engine", "no answer", "same", "other weights"}


@pytest.mark.parametrize("target", ENGINES)
def test_mutations_with_new_hashes_end_in_one_line_or_an_answer(bundle, target):
    found = fuzz(bundle, target, 100)
    assert set(found) <= FINE, found
    assert sum(found.values()) == 100


@pytest.mark.slow
@pytest.mark.parametrize("target", ENGINES)
def test_two_thousand_mutations_with_new_hashes(bundle, target):
    found = fuzz(bundle, target, 2000)
    print(target, dict(found))
    assert set(found) <= FINE, found
    assert sum(found.values()) == 2000


if __name__ == "__main__":
    work(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
