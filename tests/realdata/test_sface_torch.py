"""SFace in torch against its published ONNX, on real faces."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from vnvision.faces.engine import FaceEngine, largest
from vnvision.faces.listing import list_pictures
from vnvision.models.sface import build_sface

ROOT = os.environ.get("VNVISION_DATA")
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(ROOT is None, reason="VNVISION_DATA, the folder of real images, is not set"),
]


@pytest.fixture(scope="module")
def engine():
    return FaceEngine(engine="onnxruntime", threads=1)


@pytest.fixture(scope="module")
def crops(engine):
    """Every 40th Asian portrait and every 80th LFW picture, largest face: (K, 112, 112, 3) uint8."""
    manifest = Path(ROOT or ".") / "faces" / "manifest.csv"
    files: list[Path] = []
    for name, step in (("asianfaces_dev", 40), ("lfw_2folds", 80)):
        pictures = list_pictures(manifest, where=[f"set={name}"])
        files += [pictures.root / path for path in pictures.paths[::step]]
    faces = [[largest(found, "")] for found in engine.detect(files)]
    return np.concatenate(engine.align(files, faces))


def test_raw_outputs_equal_the_onnx(engine, crops):
    batch = crops.transpose(0, 3, 1, 2).astype(np.float32)
    with torch.no_grad():
        ours = build_sface().eval()(torch.from_numpy(batch)).numpy()
    theirs = np.concatenate(
        [engine.embedder._engine.run(batch[i : i + 2])[0] for i in range(0, len(batch), 2)]
    )
    assert len(crops) > 35
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)


def test_flip_averaged_embeddings_equal_the_engines(engine, crops):
    batch = torch.from_numpy(crops.transpose(0, 3, 1, 2).astype(np.float32))
    with torch.no_grad():
        net = build_sface().eval()
        both = net(batch) + net(batch.flip(3))
    ours = torch.nn.functional.normalize(both, dim=1).numpy()
    np.testing.assert_allclose(ours, engine.embed(crops), rtol=0, atol=1e-5)
