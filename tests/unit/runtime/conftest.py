"""Small whole bundles around a linear model whose answer is written out in numpy."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from vnvision.records import BundleManifest, Calibration, Licences, TargetRecord
from vnvision.spec import Label, PreprocessSpec, TaskSpec

HEIGHT, WIDTH, CLASSES = 8, 6, 4
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
WEIGHTS = (np.random.default_rng(3).normal(size=(3 * HEIGHT * WIDTH, CLASSES)) / 8).astype(np.float32)


def task_spec(kind: str = "classification", **preprocess) -> TaskSpec:
    keys = {"size_px": (HEIGHT, WIDTH), "mean": MEAN, "std": STD} | preprocess
    spec = PreprocessSpec(**keys)
    if kind == "embedding":
        return TaskSpec(kind=kind, preprocess=spec, embedding_dim=CLASSES, score="cosine")
    labels = tuple(Label(id=f"class_{i}", vi=f"lớp {i}", en=f"class {i}") for i in range(CLASSES))
    score = "sigmoid" if kind == "multilabel" else "softmax"
    return TaskSpec(kind=kind, preprocess=spec, labels=labels, score=score)


def linear(image: np.ndarray, *, flip: bool = False) -> np.ndarray:
    """The model on one image of the right size, in float64: normalise, flatten, multiply."""
    x = ((image / 255.0 - MEAN) / STD).transpose(2, 0, 1)
    views = [x, x[:, :, ::-1]] if flip else [x]
    return np.mean([view.reshape(-1) @ WEIGHTS.astype(np.float64) for view in views], axis=0)


def write_model(path: Path) -> Path:
    """The linear model as ONNX: (batch, 3, h, w) to (batch, 4)."""
    from onnx import TensorProto, checker, helper, numpy_helper, save

    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["input"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["output"]),
        ],
        "linear",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, HEIGHT, WIDTH])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", CLASSES])],
        [numpy_helper.from_array(WEIGHTS, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    checker.check_model(model)
    save(model, path)
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def seal(folder: Path, manifest: dict | None = None) -> Path:
    """Write ``manifest.sha256`` (and ``manifest.json`` where given) as an exporter would."""
    path = folder / "manifest.json"
    if manifest is not None:
        path.write_text(json.dumps(manifest))
    (folder / "manifest.sha256").write_text(sha256(path) + "\n")
    return folder


@pytest.fixture(scope="session")
def parts(tmp_path_factory) -> Path:
    """The files of a bundle, without its manifest."""
    from vnvision.engines.openvino import import_openvino

    folder = tmp_path_factory.mktemp("parts")
    write_model(folder / "model.onnx")
    (folder / "openvino").mkdir()
    ov = import_openvino()
    model = ov.Core().read_model(folder / "model.onnx")
    ov.save_model(model, folder / "openvino" / "model.xml", compress_to_fp16=False)
    images = np.random.default_rng(0).integers(0, 256, (3, HEIGHT, WIDTH, 3), dtype=np.uint8)
    outputs = np.stack([linear(image) for image in images]).astype(np.float32)
    np.savez(folder / "golden.npz", images=images, outputs=outputs)
    (folder / "report.json").write_text("{}\n")
    (folder / "MODEL_CARD.md").write_text("# Thẻ mô hình\n")
    return folder


@pytest.fixture
def make_bundle(parts, tmp_path):
    """``make_bundle(kind="multilabel", calibration=..., flip_average=True, ...)`` gives a bundle's folder."""

    def make(
        kind: str = "classification",
        *,
        calibration: Calibration | None = None,
        targets: dict[str, dict] | None = None,
        **preprocess,
    ) -> Path:
        folder = tmp_path / f"bundle_{len(list(tmp_path.iterdir()))}"
        shutil.copytree(parts, folder)
        names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
        shared = {"calibration": calibration or Calibration()}
        kinds = {
            "onnx": {"file": "model.onnx", "engine": "onnxruntime"},
            "openvino": {
                "file": "openvino/model.xml",
                "engine": "openvino",
                "extra_files": ("openvino/model.bin",),
            },
        }
        manifest = BundleManifest(
            name="tiny",
            task=task_spec(kind, **preprocess),
            targets={key: TargetRecord(**keys | shared) for key, keys in (targets or kinds).items()},
            files={name: sha256(folder / name) for name in names},
            licences=Licences(weights="Apache-2.0"),
        )
        manifest.save(folder / "manifest.json")
        return seal(folder)

    return make


@pytest.fixture(scope="session")
def model_answer():
    return linear


@pytest.fixture(scope="session")
def reseal():
    return seal


@pytest.fixture(scope="session")
def picture():
    def make(seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
        return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)

    return make
