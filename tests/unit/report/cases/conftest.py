"""Bundles' facts, pictures and answers made by hand: no model is run here."""

from __future__ import annotations

import numpy as np
import pytest

from vnvision.imaging.rle import encode
from vnvision.records import (
    AbstentionRule,
    Box,
    BundleManifest,
    Calibration,
    ClassPrediction,
    DetectionPrediction,
    EvalReport,
    Licences,
    MaskPrediction,
    Metric,
    OperatingPoint,
    TargetRecord,
)
from vnvision.report.cases import ModelFacts
from vnvision.spec import BoxSpec, Label, PreprocessSpec, SeveritySpec, TaskSpec

HASH = "ab" * 32
MALARIA = (
    Label(id="uninfected", vi="không nhiễm", en="uninfected"),
    Label(id="parasitized", vi="nhiễm ký sinh trùng", en="parasitized"),
)
BEAN = (
    Label(id="angular_leaf_spot", vi="đốm góc lá", en="angular leaf spot"),
    Label(id="bean_rust", vi="gỉ sắt đậu", en="bean rust"),
    Label(id="healthy", vi="khỏe mạnh", en="healthy"),
)
LEAF = (
    Label(id="background", vi="nền", en="background"),
    Label(id="leaf", vi="lá", en="leaf"),
    Label(id="lesion", vi="vết bệnh", en="lesion"),
)
CELLS = (
    Label(id="RBC", vi="hồng cầu", en="red blood cell"),
    Label(id="WBC", vi="bạch cầu", en="white blood cell"),
    Label(id="Platelets", vi="tiểu cầu", en="platelet"),
)


def measured(value, low=None, high=None, n=72):
    return Metric(value=value, low=low, high=high, n=n)


def point(label, threshold, specificity):
    return OperatingPoint(
        threshold=threshold,
        scale="probability",
        target=f"specificity={specificity}",
        label=label,
        achieved=measured(specificity, specificity - 0.05, specificity + 0.04, 210),
        population="manifest.csv, test",
        n=210,
        manifest_sha256=HASH,
    )


def facts_of(
    kind="classification",
    labels=BEAN,
    *,
    name="bean",
    domain="crop",
    texts="agri/ibean",
    metrics=None,
    per_class=None,
    synthetic=False,
    calibration=None,
    points=(),
    report=True,
    **spec,
):
    score = "softmax" if kind in ("classification", "segmentation") else "sigmoid"
    preprocess = PreprocessSpec(size_px=(32, 32))
    task = TaskSpec(kind=kind, preprocess=preprocess, labels=labels, score=score, texts=texts, **spec)
    manifest = BundleManifest(
        name=name,
        task=task,
        targets={
            "onnx": TargetRecord(
                file="model.onnx",
                engine="onnxruntime",
                calibration=calibration or Calibration(n=300, fitted_on="val"),
                operating_points=tuple(points),
            )
        },
        files={"model.onnx": HASH, "golden.npz": HASH},
        licences=Licences(weights="Apache-2.0", training_data=("CC-BY-4.0",)),
        provenance={"commit": "0123456789abcdef"} | ({"domain": domain} if domain else {}),
        synthetic=synthetic,
    )
    told = EvalReport(
        task=task,
        split="test",
        n=423,
        n_groups=30,
        manifest_sha256=HASH,
        metrics=metrics if metrics is not None else {"accuracy": measured(0.95, 0.909, 0.977, 423)},
        per_class=per_class or {},
        data={"sources": {"Makerere": 423}, "regions": {"Uganda": 423}},
    )
    return ModelFacts(manifest, "c0ffee" + HASH[6:], "onnx", told if report else None)


def malaria_facts(**changes):
    fields = {
        "labels": MALARIA,
        "name": "malaria",
        "domain": "clinic",
        "texts": "med/malaria",
        "positive": "parasitized",
        "points": (point("parasitized", 0.096, 0.90), point("parasitized", 0.255, 0.95)),
    }
    return facts_of(**(fields | changes))


def leaf_facts(**changes):
    severity = SeveritySpec(diseased=("lesion",), whole=("leaf", "lesion"))
    metrics = {"dice": measured(0.93, 0.92, 0.94), "severity_mae": measured(1.63, 1.31, 1.98)}
    fields = {
        "labels": LEAF,
        "name": "leaf",
        "texts": "synthetic_leaf",
        "metrics": metrics,
        "severity": severity,
    }
    return facts_of("segmentation", **(fields | changes))


def cell_facts(**changes):
    per_class = {label.id: {"count_mae": measured(1.4, 1.1, 1.8)} for label in CELLS}
    fields = {
        "labels": CELLS,
        "name": "bccd",
        "domain": "clinic",
        "texts": "med/bccd",
        "metrics": {"map50": measured(0.88, 0.85, 0.9)},
        "per_class": per_class,
        "boxes": BoxSpec(thresholds=(0.35, 0.4, 0.3)),
    }
    return facts_of("detection", **(fields | changes))


def classes(facts, *probabilities, reasons=(), kind="classification"):
    ids = facts.task.label_ids
    return ClassPrediction(
        kind=kind, labels=ids, probabilities=probabilities, abstained=bool(reasons), reasons=tuple(reasons)
    )


def areas(facts, mask, severity):
    counts = np.bincount(mask.ravel(), minlength=len(facts.task.labels)).tolist()
    return MaskPrediction(
        size_px=mask.shape,
        mask_rle=encode(mask),
        areas_px=dict(zip(facts.task.label_ids, counts, strict=True)),
        severity=severity,
    )


def boxes(facts, found):
    return DetectionPrediction(
        boxes=tuple(Box(box_xyxy_px=box, label=label, score=0.9) for label, box in found),
        counts={one: sum(label == one for label, _ in found) for one in facts.task.label_ids},
    )


@pytest.fixture
def make():
    """The factories, since a conftest cannot be imported."""

    class Make:
        facts, malaria, leaf, cells = map(staticmethod, (facts_of, malaria_facts, leaf_facts, cell_facts))
        classes, areas, boxes, point = map(staticmethod, (classes, areas, boxes, point))
        rule = AbstentionRule(risk=0.05, delta=0.05, bound=0.048, coverage=0.9, n=300)

    return Make


@pytest.fixture
def picture():
    """A smooth picture (60, 80, 3): its colours survive JPEG."""
    rows, columns = np.mgrid[0:60, 0:80]
    return np.stack([rows * 4, columns * 3, 255 - rows * 4], axis=2).astype(np.uint8)
