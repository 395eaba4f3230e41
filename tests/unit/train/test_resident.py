"""Pictures kept on the device: the same batches as from the loader, and the same run after a stop."""

import csv
import shutil
from contextlib import nullcontext
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from vnvision import api
from vnvision.data.augment import PRESETS, AugmentSpec
from vnvision.errors import ConfigError
from vnvision.imaging import Preprocessor
from vnvision.spec import PreprocessSpec
from vnvision.train.config import load_config
from vnvision.train.data import Part, Steps
from vnvision.train.inputs import picture_feed
from vnvision.train.resident import device_bytes, keeps_resident, resident_bytes

GIB = 1 << 30


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Ten people, four noisy pictures of a colour each; sizes differ, one is grey."""
    root = tmp_path_factory.mktemp("people")
    rng = np.random.default_rng(0)
    rows = [("path", "identity", "split")]
    for person in range(10):
        base = cv2.resize(rng.integers(0, 255, (4, 4, 3), dtype=np.uint8), (112, 112))
        for number in range(4):
            name = f"p{person}_{number}.png"
            noisy = np.clip(base + rng.normal(0, 15, base.shape), 0, 255).astype(np.uint8)
            noisy = cv2.resize(noisy, (90, 100)) if number == 1 else noisy
            cv2.imwrite(str(root / name), noisy[..., 0] if (person, number) == (0, 2) else noisy)
            rows.append((name, f"p{person}", "train" if person < 5 else "val" if person < 8 else "test"))
    with open(root / "manifest.csv", "w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return root / "manifest.csv"


def configuration(manifest, **more):
    return {
        "name": "resident", "domain": "face", "task": "embedding", "data": str(manifest),
        "backbone": "timm:test_efficientnet", "weights": "none", "size_px": 112, "augment": "none",
        "batch_size": 10, "epochs": 2, "lr": 2e-3, "compile": False, "channels_last": True, "workers": 0,
        "threads": 1, "tensorboard": False, "n_boot": 5,
        "embedding": {"size": 16, "head_options": {"margin_rad": 0.2, "scale": 16}},
    } | more  # fmt: skip


def fake_run(files, resident, **more):
    """As much of a run as feeds look at."""
    n = len(files)
    spec = PreprocessSpec(size_px=(32, 32), geometry="squash", mean=(0.5, 0.4, 0.3), std=(0.5, 0.6, 0.7))
    return SimpleNamespace(
        config=SimpleNamespace(
            seed=3, workers=0, low_resolution=0.0, low_resolution_scale=(0.25, 0.75), **more
        ),
        train=Part(None, tuple(files), np.arange(n), torch.arange(n), torch.ones(n, 1)),
        preprocessor=Preprocessor(spec),
        device=torch.device("cpu"),
        channels_last=True,
        net=SimpleNamespace(n_frozen=0),
        fabric=SimpleNamespace(autocast=nullcontext),
        log=SimpleNamespace(say=lambda text: None),
        facts={"resident": resident},
    )


def batches(manifest, resident, augment, start=0):
    files = sorted(manifest.parent.glob("*.png"))
    steps = Steps(len(files), 8, accumulate=1, seed=3, start=start, stop=12)
    return list(picture_feed(fake_run(files, resident), 32, augment)(steps))


def test_without_augmentation_batches_are_the_loaders(manifest):
    for ours, theirs in zip(*(batches(manifest, kind, AugmentSpec()) for kind in (True, False)), strict=True):
        assert torch.equal(ours.inputs, theirs.inputs)
        assert ours.inputs.stride() == theirs.inputs.stride()
        assert torch.equal(ours.targets, theirs.targets)
        assert torch.equal(ours.known, theirs.known)


def test_augmented_batches_can_start_anywhere(manifest):
    whole = batches(manifest, True, PRESETS["light"])
    for ours, theirs in zip(batches(manifest, True, PRESETS["light"], start=7), whole[7:], strict=True):
        assert torch.equal(ours.inputs, theirs.inputs)
    plain = batches(manifest, True, AugmentSpec())
    assert not torch.equal(whole[0].inputs, plain[0].inputs)


def weights(folder):
    newest = sorted((folder / "checkpoints").glob("step_*"))[-1]
    centres = sorted((newest / "centres").glob("*.safetensors"))
    return [load_file(path) for path in (newest / "model.safetensors", *centres)]


def assert_equal(left, right):
    for one, other in zip(weights(left), weights(right), strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_run_equals_the_loaders_run(manifest, tmp_path):
    for resident in (True, False):
        api.train(
            configuration(manifest, resident=resident, epochs=1, optimiser="sgd", lr=0.01),
            output=tmp_path / str(resident),
            quiet=True,
        )
    assert_equal(tmp_path / "True", tmp_path / "False")


def test_a_resumed_run_equals_the_whole_one(manifest, tmp_path):
    config = configuration(manifest, resident=True, augment="light", low_resolution=0.3)
    whole = api.train(config, output=tmp_path / "whole", quiet=True)
    shutil.copytree(whole, tmp_path / "stopped")
    shutil.rmtree(sorted((tmp_path / "stopped" / "checkpoints").glob("step_*"))[-1])
    (tmp_path / "stopped" / "report.json").unlink()
    api.train(config, output=tmp_path / "stopped", resume=True, quiet=True)
    assert_equal(whole, tmp_path / "stopped")


def test_what_fits():
    size = resident_bytes(500_000, 112)
    assert size == 500_000 * 112 * 112 * 3
    assert keeps_resident("auto", 500_000, 112, 3 * size)
    assert not keeps_resident("auto", 500_000, 112, int(1.5 * size))
    assert keeps_resident(True, 500_000, 112, int(1.5 * size))
    assert not keeps_resident(False, 1, 112, 100 * GIB)
    assert device_bytes(torch.device("cpu")) > GIB // 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: keeps_resident(True, 6_000_000, 112, 24 * GIB), "got 210.3 GiB; use resident=false or auto"),
        (lambda: load_config(configuration("m.csv", low_resolution=0.1)), "needs resident: true"),
        (
            lambda: load_config({"data": "m.csv", "resident": "auto"}),
            "resident belongs to task: embedding",
        ),
    ],
)
def test_what_cannot_be_is_said(call, message):
    with pytest.raises(ConfigError, match=message):
        call()


def test_cuda_graphs_need_cuda(manifest, tmp_path):
    with pytest.raises(ConfigError, match="cuda_graphs needs CUDA"):
        api.train(
            configuration(manifest, cuda_graphs=True, accelerator="cpu"), output=tmp_path / "run", quiet=True
        )
