"""Small whole bundles in the place of the models that ship: right in form, and they know nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vnvision.records import BundleManifest, Calibration, Licences, TargetRecord
from vnvision.spec import BoxSpec, Label, PreprocessSpec, SeveritySpec, TaskSpec

SIDE, CELL = 32, 8
FEATURES = 3 * (SIDE // CELL) ** 2


@dataclass(frozen=True)
class Form:
    """What a stand-in looks like from outside."""

    labels: tuple[str, ...]
    domain: str = "crop"
    kind: str = "classification"
    gate: bool = False


FORMS = {
    "router": Form(("mango", "bean", "other"), gate=True),
    "mango": Form(("healthy", "anthracnose")),
    "coffee": Form(("healthy", "rust")),
    "bean": Form(("healthy", "angular_leaf_spot", "bean_rust"), gate=True),
    "chilli": Form(("healthy", "leaf_curl")),
    "rice": Form(("blast", "brown_spot")),
    "leaf_severity": Form(("background", "leaf", "lesion"), kind="segmentation"),
    "malaria": Form(("uninfected", "parasitized"), "clinic"),
    "red_cell": Form(("normal", "target"), "clinic"),
    "chest_xray": Form(("no_finding", "pneumonia"), "clinic"),
    "breast": Form(("normal", "benign", "malignant"), "clinic"),
    "breast_lesion": Form(("background", "lesion"), "clinic", "segmentation"),
    "blood_count": Form(("rbc", "wbc"), "clinic", "detection"),
}


def stand_in(folder: Path, name: str, form: Form | None = None, *, seed: int = 0) -> Path:
    """A bundle of a form at ``folder``."""
    form = form or FORMS.get(name, Form(("a", "b")))
    folder.mkdir(parents=True)
    _write_model(folder / "model.onnx", form, seed)
    np.savez(folder / "golden.npz", images=np.zeros(1), outputs=np.zeros(1))
    (folder / "MODEL_CARD.md").write_text(
        f"# {name}\n\n## Tiếng Việt\n\nthẻ\n\n## English\n\ncard\n", "utf-8"
    )
    calibration = Calibration()
    if form.gate:
        _gate(form).save(folder / "scope.npz")
        calibration = Calibration(scope_file="scope.npz", scope_sha256=_sha256(folder / "scope.npz"), n=24)
    manifest = BundleManifest(
        name=name,
        task=_task(form),
        targets={"onnx": TargetRecord(file="model.onnx", engine="onnxruntime", calibration=calibration)},
        files={path.name: _sha256(path) for path in sorted(folder.iterdir())},
        licences=Licences(weights="Apache-2.0", training_data=("CC BY 4.0",)),
        provenance={"domain": form.domain},
    )
    manifest.save(folder / "manifest.json")
    (folder / "manifest.sha256").write_text(_sha256(folder / "manifest.json") + "\n")
    return folder


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _spec() -> PreprocessSpec:
    return PreprocessSpec(size_px=(SIDE, SIDE), mean=(0.5,) * 3, std=(0.25,) * 3)


def _task(form: Form) -> TaskSpec:
    return TaskSpec(
        kind=form.kind,
        preprocess=_spec(),
        labels=tuple(Label(id=one, vi=one, en=one) for one in form.labels),
        score="sigmoid" if form.kind == "detection" else "softmax",
        severity=SeveritySpec(diseased=("lesion",), whole=("leaf", "lesion"))
        if "leaf" in form.labels
        else None,
        boxes=BoxSpec(stride_px=CELL) if form.kind == "detection" else None,
    )


def _write_model(path: Path, form: Form, seed: int) -> None:
    """Cell means times a random matrix: logits and features, or a plane a label (and four of box sides)."""
    from onnx import TensorProto, checker, helper, numpy_helper, save

    rng, dense = np.random.default_rng(seed), form.kind != "classification"
    width = len(form.labels) + 4 * (form.kind == "detection")
    shape = (width, 3, 1, 1) if dense else (FEATURES, width)
    weights = numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), "weights")
    side = SIDE // CELL

    def value(name, *size):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *size])

    pool = helper.make_node("AveragePool", ["input"], ["cells"], kernel_shape=[CELL] * 2, strides=[CELL] * 2)
    if dense:
        nodes = [pool, helper.make_node("Conv", ["cells", "weights"], ["output"])]
        outputs = [value("output", width, side, side)]
    else:
        nodes = [
            pool,
            helper.make_node("Flatten", ["cells"], ["features"]),
            helper.make_node("MatMul", ["features", "weights"], ["output"]),
        ]
        outputs = [value("output", width), value("features", FEATURES)]
    graph = helper.make_graph(nodes, "stand_in", [value("input", 3, SIDE, SIDE)], outputs, [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    checker.check_model(model)
    save(model, path)


def _gate(form: Form):
    """A scope gate that knows greenish noise."""
    from vnvision.runtime.picture_quality import measure_all
    from vnvision.runtime.scope import fit_scope

    rng, spec = np.random.default_rng(1), _spec()
    images = rng.integers(40, 120, (48, SIDE, SIDE, 3), dtype=np.uint8)
    images[..., 1] += 60
    x = (images / 255.0 - 0.5) / 0.25
    cells = x.reshape(48, SIDE // CELL, CELL, SIDE // CELL, CELL, 3).mean(axis=(2, 4))
    features = cells.transpose(0, 3, 1, 2).reshape(48, -1)
    measures = measure_all(list(images), spec)
    return fit_scope(
        features[:24], measures[:24], range(24), val_features=features[24:], val_measures=measures[24:],
        val_groups=range(24), directions=4,
    )  # fmt: skip
