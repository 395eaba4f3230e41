"""Segmentation and detection through the same verbs as classification: train, eval, export, predict."""

import json
import sys

import cv2
import numpy as np
import pytest

from vnvision import api
from vnvision.cli import main as cli
from vnvision.data.boxes import format_boxes
from vnvision.data.manifest import write_manifest
from vnvision.data.rows import Row

COMMON = {
    "backbone": "test_efficientnet", "weights": "none", "size_px": 64, "batch_size": 8, "compile": False,
    "workers": 0, "tensorboard": False, "n_boot": 50, "lr": 3e-3, "threads": 1, "domain": "crop",
}  # fmt: skip
SEGMENT = COMMON | {
    "name": "leafy", "task": "segmentation", "epochs": 4, "augment": "none", "texts": "synthetic_leaf",
    "labels": [{"id": "background"}, {"id": "leaf"}, {"id": "lesion"}],
    "severity": {"diseased": ["lesion"], "whole": ["leaf", "lesion"]},
}  # fmt: skip
DETECT = COMMON | {"name": "discs", "task": "detection", "epochs": 12, "augment": {"hflip": 0.5}}


def draw_discs(folder, n=48):
    """Grey pictures with bright and dark discs, and the manifest that boxes them."""
    rng, rows = np.random.default_rng(0), []
    (folder / "images").mkdir(parents=True)
    for number in range(n):
        image = np.full((80, 100, 3), 128, np.uint8) + rng.integers(0, 12, (80, 100, 3), dtype=np.uint8)
        labels, boxes = [], []
        for _ in range(int(rng.integers(0, 4))):
            radius = int(rng.integers(8, 14))
            x, y = int(rng.integers(radius, 100 - radius)), int(rng.integers(radius, 80 - radius))
            label = ("bright", "dark")[int(rng.integers(2))]
            cv2.circle(image, (x, y), radius, (240,) * 3 if label == "bright" else (20,) * 3, -1)
            labels.append(label)
            boxes.append([x - radius, y - radius, x + radius, y + radius])
        cv2.imwrite(str(folder / "images" / f"{number}.png"), image)
        split = ("train", "train", "train", "val", "test")[number % 5]
        cell = format_boxes(labels, np.array(boxes, float).reshape(-1, 4))
        rows.append(Row(0, f"images/{number}.png", split=split, extra={"boxes": cell}))
    return write_manifest(rows, folder / "manifest.csv")


@pytest.fixture(scope="module")
def discs(tmp_path_factory):
    return draw_discs(tmp_path_factory.mktemp("discs") / "data")


@pytest.fixture(scope="module")
def segmented(leaves, tmp_path_factory):
    return api.train(SEGMENT, data=leaves, output=tmp_path_factory.mktemp("seg") / "run", quiet=True)


@pytest.fixture(scope="module")
def detected(discs, tmp_path_factory):
    return api.train(DETECT, data=discs, output=tmp_path_factory.mktemp("det") / "run", quiet=True)


def report_of(run):
    return json.loads((run / "report.json").read_text())


def predict(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["vnvision", "predict", *(str(word) for word in words)])
    code = 0
    try:
        cli.main()
    except SystemExit as exc:
        code = exc.code or 0
    out = capsys.readouterr()
    assert code == 0, out.err
    return out.out


def test_a_segmenter_goes_all_the_way(segmented, leaves, tmp_path, monkeypatch, capsys):
    metrics = report_of(segmented)["metrics"]
    assert metrics["dice"]["value"] > 0.3
    assert metrics["dice"]["low"] <= metrics["dice"]["value"] <= metrics["dice"]["high"]
    assert {"iou", "severity_mae", "severity_bias"} <= set(metrics)
    assert (segmented / "report.html").is_file()
    bundle = api.export(segmented, out=tmp_path / "bundle")
    again = api.evaluate(bundle, data=leaves, n_boot=0)
    assert again.metrics["dice"].value == pytest.approx(metrics["dice"]["value"], abs=2e-3)
    picture = next((leaves.parent / "images").rglob("*.jpg"))
    answer = json.loads(predict(monkeypatch, capsys, bundle, picture, "--json").splitlines()[0])
    assert answer["kind"] == "segmentation"
    assert answer["size_px"] == [64, 64]
    assert sum(answer["areas_px"].values()) == 64 * 64
    assert picture.name in predict(monkeypatch, capsys, bundle, picture)


def test_a_detector_goes_all_the_way(detected, discs, tmp_path, monkeypatch, capsys):
    report = report_of(detected)
    assert report["metrics"]["map50"]["value"] > 0.3
    assert "count_mae" in report["metrics"]
    assert len(report["task"]["boxes"]["thresholds"]) == 2
    bundle = api.export(detected, out=tmp_path / "bundle")
    again = api.evaluate(bundle, data=discs, n_boot=0)
    assert again.metrics["map50"].value == pytest.approx(report["metrics"]["map50"]["value"], abs=5e-3)
    picture = discs.parent / "images" / "4.png"
    answer = json.loads(predict(monkeypatch, capsys, bundle, picture, "--json").splitlines()[0])
    assert answer["kind"] == "detection"
    assert set(answer["counts"]) == {"bright", "dark"}


def test_resuming_a_finished_run_writes_its_report_again(segmented, leaves):
    before = report_of(segmented)
    (segmented / "report.json").unlink()
    api.train(SEGMENT | {"resume": True}, data=leaves, output=segmented, quiet=True)
    assert report_of(segmented)["metrics"]["dice"] == before["metrics"]["dice"]


def test_masks_that_are_missing_are_said_before_anything_is_trained(leaves, tmp_path):
    rows = leaves.read_text().splitlines()
    header = rows[0].split(",")
    column = header.index("mask")
    cut = tmp_path / "manifest.csv"
    cut.write_text(
        "\n".join(
            [
                rows[0],
                *(",".join(v if i != column else "" for i, v in enumerate(r.split(","))) for r in rows[1:]),
            ]
        )
        + "\n"
    )
    (tmp_path / "images").symlink_to(leaves.parent / "images")
    with pytest.raises(Exception, match="no row of a split has a known mask"):
        api.train(SEGMENT, data=cut, output=tmp_path / "run", quiet=True)
