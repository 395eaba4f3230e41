"""A ``.pt2`` archive answers as torch does, and no content of it is run as code."""

from __future__ import annotations

import io
import json
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import engine_manners
import torch
from exported_nets import HEAVY, LIGHT, case

from vnvision.engines.torch import TorchEngine
from vnvision.errors import ExportError, MissingExtraError, ModelError
from vnvision.export.reference import one_thread
from vnvision.export.torch_export import to_torch_export

NETWORKS = [*LIGHT, *(pytest.param(name, marks=pytest.mark.slow) for name in HEAVY)]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    wanted = case("small")
    return to_torch_export(wanted.net, wanted.task, tmp_path_factory.mktemp("small"))[0]


@pytest.mark.parametrize("name", NETWORKS)
def test_archive_equals_torch_and_torchs_own_loader(tmp_path, name):
    wanted = case(name)
    (path,) = to_torch_export(wanted.net, wanted.task, tmp_path)
    engine = TorchEngine(path, threads=1)
    assert engine.output_names == wanted.names
    assert engine.input_shape == (None, 3, wanted.size, wanted.size)
    for batch in (5, 1, 3):
        wanted.check(engine.run(wanted.inputs[:batch]))
    with torch.no_grad(), one_thread():  # as our engine sums; our own file, so torch's loader may read it
        theirs = torch.export.load(path).module()(torch.from_numpy(wanted.inputs))
    theirs = theirs if isinstance(theirs, tuple) else (theirs,)
    for got, right in zip(engine.run(wanted.inputs), theirs, strict=True):
        np.testing.assert_allclose(got, right.numpy(), rtol=0, atol=1e-6 * np.ptp(right.numpy()))


def test_manners(small):
    inputs = case("small").inputs
    engine = TorchEngine(small, threads=1)
    engine_manners.any_batch_size_and_strides(engine, inputs, 1e-6)
    engine_manners.wrong_batches_are_refused(engine, inputs)
    engine_manners.no_image_is_no_answer(engine, inputs)
    engine_manners.threads_agree(engine, inputs)
    engine_manners.closed_says_so(engine, inputs)


def test_the_process_keeps_its_thread_count(small):
    before = torch.get_num_threads()
    TorchEngine(small, threads=before + 1).run(case("small").inputs)
    assert torch.get_num_threads() == before


def test_damage_is_named(small, tmp_path):
    def open_file(data: bytes) -> TorchEngine:
        (tmp_path / "bad.pt2").write_bytes(data)
        return TorchEngine(tmp_path / "bad.pt2")

    engine_manners.damage_is_named(open_file, small.read_bytes())
    with pytest.raises(ModelError, match=r"gone\.pt2 does not exist"):
        TorchEngine(tmp_path / "gone.pt2")


def test_changed_bits_are_refused_or_harmless(small, tmp_path):
    """The zip's checksums cover every entry; what is between entries carries nothing."""
    data, wanted = small.read_bytes(), case("small")
    for place in np.random.default_rng(3).choice(len(data), 150, replace=False):
        changed = bytearray(data)
        changed[place] ^= 4
        (tmp_path / "bad.pt2").write_bytes(changed)
        try:
            wanted.check(TorchEngine(tmp_path / "bad.pt2").run(wanted.inputs))
        except ModelError as exc:
            assert "bad.pt2" in str(exc)  # noqa: PT017


def test_equal_weights_give_equal_files_with_no_pickle_and_no_path(small, tmp_path):
    wanted = case("small")
    again = to_torch_export(wanted.net, wanted.task, tmp_path)[0]
    assert again.read_bytes() == small.read_bytes()
    assert str(Path(__file__).parents[1]).encode() not in small.read_bytes()
    with zipfile.ZipFile(small) as archive:
        sample = [name for name in archive.namelist() if "sample_inputs" in name]
        assert [archive.read(name) for name in sample] == [b""]
        assert not [name for name in archive.namelist() if archive.read(name)[:2] == b"\x80\x02"]


class Fires:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def rewritten(source: Path, target: Path, changes) -> Path:
    """A copy of an archive with JSON entries changed, or bytes put in."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            key = name.partition("/")[2]
            if key in changes:
                change = changes[key]
                if callable(change):
                    whole = json.loads(data)
                    change(whole)
                    data = json.dumps(whole).encode()
                else:
                    data = change
            new.writestr(name, data)
    return target


def first(config):
    return next(iter(config["config"].values()))


def test_pickled_weights_are_refused_and_never_loaded(small, tmp_path):
    fired = tmp_path / "fired"
    buffer = io.BytesIO()
    pickle.dump(Fires(fired), buffer)
    changes = {
        "data/weights/model_weights_config.json": lambda whole: first(whole).update(use_pickle=True),
        "data/weights/weight_0": buffer.getvalue(),
    }
    bad = rewritten(small, tmp_path / "bad.pt2", changes)
    with pytest.raises(ModelError, match="is pickled, and pickles can run code; export it"):
        TorchEngine(bad)
    assert not fired.exists()


def test_a_pickle_as_sample_input_is_not_opened(small, tmp_path):
    fired = tmp_path / "fired"
    change = {"data/sample_inputs/model.pt": pickle.dumps(Fires(fired))}
    wanted = case("small")
    wanted.check(TorchEngine(rewritten(small, tmp_path / "odd.pt2", change)).run(wanted.inputs))
    assert not fired.exists()


def test_formulas_and_guards_are_not_evaluated(small, tmp_path):
    fired = tmp_path / "fired"
    code = f"__import__('pathlib').Path({str(fired)!r}).touch()"

    def change(whole):
        whole["guards_code"] = [code]
        for meta in whole["graph_module"]["graph"]["tensor_values"].values():
            for size in meta["sizes"]:
                if "as_expr" in size:
                    size["as_expr"]["expr_str"] = code

    wanted = case("small")
    odd = rewritten(small, tmp_path / "odd.pt2", {"models/model.json": change})
    wanted.check(TorchEngine(odd).run(wanted.inputs))
    assert not fired.exists()


ELSEWHERE = (
    "torch.load", "torch.ops.aten.from_file.default", "torch.ops.aten.conv2d.default.__class__",
    "_operator.call", "torch.hub.load", "math.exp", "os.system",
)  # fmt: skip


@pytest.mark.parametrize("target", ELSEWHERE)
def test_other_operations_are_refused(small, tmp_path, target):
    def change(whole):
        whole["graph_module"]["graph"]["nodes"][1]["target"] = target

    bad = rewritten(small, tmp_path / "bad.pt2", {"models/model.json": change})
    with pytest.raises(ModelError, match="is not among those this engine runs"):
        TorchEngine(bad)


def test_absurd_views_and_other_schemas_are_refused(small, tmp_path):
    config, model = "data/weights/model_weights_config.json", "models/model.json"

    def huge(whole):
        first(whole)["tensor_meta"]["sizes"][0] = {"as_int": 10**12}

    def negative(whole):
        first(whole)["tensor_meta"]["storage_offset"] = {"as_int": -8}

    def newer(whole):
        whole["schema_version"]["major"] = 9

    def unknown(whole):
        spec = whole["graph_module"]["signature"]["output_specs"][0]
        spec["user_output"]["arg"]["as_tensor"]["name"] = "lost"

    cases = {
        "reaches beyond its data": {config: huge},
        "reaches beyond": {config: negative},
        "got schema 9; export to schema 8": {model: newer},
        "lost is never computed": {model: unknown},
    }
    for words, change in cases.items():
        with pytest.raises(ModelError, match=words):
            TorchEngine(rewritten(small, tmp_path / "bad.pt2", change))


def test_a_model_for_one_batch_size_is_refused(tmp_path):
    class OnlyTwo(torch.nn.Module):
        def forward(self, x):
            return x.reshape(2, -1)

    with pytest.raises(ExportError, match=r"cannot be written by torch\.export"):
        to_torch_export(OnlyTwo(), case("small").task, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_missing_package_names_its_extra(monkeypatch, small):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match="torch is not installed"):
        TorchEngine(small)
