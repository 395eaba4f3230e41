"""A face network trained on for 8-bit integers, the whole way: run, teacher, resume, QDQ file, refusals."""

import csv
import shutil

import cv2
import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file, save_file

from vnvision import api
from vnvision.errors import ConfigError, ModelError
from vnvision.export.qdq import to_qdq_onnx
from vnvision.models import build_embedder
from vnvision.models.quantised import QuantisedNet
from vnvision.train.predictor import load_run

BATCH = 8


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Eight people of random colours, four noisy pictures each, and a network to start from."""
    root = tmp_path_factory.mktemp("people")
    rng = np.random.default_rng(0)
    rows = [("path", "identity", "split")]
    for person in range(8):
        base = rng.integers(0, 255, (4, 4, 3)).repeat(28, axis=0).repeat(28, axis=1)
        for number in range(4):
            noisy = np.clip(base + rng.normal(0, 20, base.shape), 0, 255).astype(np.uint8)
            cv2.imwrite(str(root / f"p{person}_{number}.png"), noisy)
            rows.append((f"p{person}_{number}.png", f"p{person}", "train" if person < 4 else "val"))
    with open(root / "manifest.csv", "w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    torch.manual_seed(0)
    save_file(build_embedder("timm:test_efficientnet", 16).state_dict(), root / "start.safetensors")
    return {
        "name": "rounded",
        "domain": "face",
        "task": "embedding",
        "data": str(root / "manifest.csv"),
        "test_split": None,
        "backbone": "timm:test_efficientnet",
        "weights": str(root / "start.safetensors"),
        "drop_rate": 0.0,
        "size_px": 112,
        "augment": "none",
        "batch_size": BATCH,
        "epochs": 3,
        "lr": 1e-3,
        "weight_decay": 0.0,
        "compile": False,
        "channels_last": True,
        "workers": 0,
        "threads": 1,
        "tensorboard": False,
        "n_boot": 20,
        "embedding": {
            "size": 16,
            "margin_weight": 0,
            "distill": {"teacher": "start", "loss": "cosine"},
            "qat": {
                "momentum": 0.8,
                "observe_steps": 6,
                "learned_steps": True,
                "calibration_batches": 2,
                "equalise": 0.7,
            },
        },
    }


@pytest.fixture(scope="module")
def run(config, tmp_path_factory):
    return api.train(config, output=tmp_path_factory.mktemp("runs") / "run", quiet=True)


def test_what_is_kept_is_the_rounded_network(run):
    net = load_run(run).net
    assert isinstance(net, QuantisedNet)
    seen = {int(one.seen) for one in net.quantisers().values()}
    assert seen <= {2 + 2, 2 + 4, 2 + 6}  # batches before training, and steps before the best validation
    assert (run / "report.json").is_file()


def test_it_begins_as_its_float_network(config, tmp_path):
    steps = {"epochs": 1, "lr": 1e-9, "output": tmp_path / "run", "quiet": True}
    net = load_run(api.train(config, **steps)).net.eval()
    start = build_embedder("timm:test_efficientnet", 16)
    start.load_state_dict(load_file(config["weights"]))
    x = torch.randn(4, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        cosine = torch.nn.functional.cosine_similarity(net(x), start.eval()(x))
    assert cosine.min() > 0.9  # noise, on ranges of plain colours; unmeasured ranges give about 0


def test_the_file_answers_as_the_run(run, tmp_path):
    predictor = load_run(run)
    to_qdq_onnx(predictor.net, predictor.task, tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).normal(size=(4, 3, 112, 112)).astype(np.float32)
    found, wanted = session.run(None, {"input": x})[0], predictor.forward(torch.from_numpy(x))
    cosines = (found * wanted).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(wanted, axis=1)
    assert cosines.min() > 0.999


def test_a_run_stopped_in_the_middle_ends_as_the_whole_one(run, config, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    newest = sorted((folder / "checkpoints").glob("step_*"))[-1]
    shutil.rmtree(newest)
    (folder / "report.json").unlink()
    api.train(config, output=folder, resume=True, quiet=True)
    one, other = (
        load_file(root / "checkpoints" / newest.name / "model.safetensors") for root in (run, folder)
    )
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_bundle_of_float_targets_is_refused(run, tmp_path):
    with pytest.raises(ModelError, match="8-bit integers is no float32 file"):
        api.export(run, out=tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    ("outer", "inner", "message"),
    [
        ({"weights": "none"}, {"distill": None, "margin_weight": 1}, "it takes no weights: none"),
        ({"phases": [{"train": "head"}]}, {}, "it takes no phases.0.train: head"),
        ({"checkpointing": True}, {}, "it takes no checkpointing"),
        ({"layer_decay": 0.9}, {}, "it takes no layer_decay"),
        ({}, {"lora": {"rank": 2}}, "qat takes no lora"),
        ({}, {"qat": {"keep_float": ["stem"]}}, "keep_float: no layer is called 'stem'"),
        ({}, {"qat": {"weight_bits": 4}}, "weight_bits"),
        ({}, {"qat": {"equalise": 0.5, "calibration_batches": 0}}, "calibration_batches above 0"),
    ],
)
def test_what_cannot_be_is_said(outer, inner, message, config, tmp_path):
    changed = {**config, **outer, "embedding": {**config["embedding"], **inner}}
    with pytest.raises(ConfigError, match=message):
        api.train(changed, output=tmp_path / "run", quiet=True)
