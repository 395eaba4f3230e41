"""Masks of an 8-bit file against those of the original: Dice a picture, at the picture's own size."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from vnvision.data.manifest import Row, read_manifest, write_manifest
from vnvision.export.judge_dense import MaskJudge
from vnvision.spec import Label, PreprocessSpec, TaskSpec

SIDE = 16


@pytest.fixture
def task():
    spec = PreprocessSpec(size_px=(SIDE, SIDE), mean=(0.0,) * 3, std=(1.0,) * 3, geometry="none")
    labels = tuple(Label(id=name) for name in ("ground", "lesion", "leaf"))
    return TaskSpec(kind="segmentation", preprocess=spec, labels=labels)


@pytest.fixture
def truth():
    masks = np.zeros((4, SIDE, SIDE), np.uint8)
    masks[0, :, :8] = 1
    masks[1, :4] = 2
    masks[2, 4:12, 4:12] = 1
    return masks  # the last holds nothing


@pytest.fixture
def part(tmp_path, truth):
    rows = []
    for index, mask in enumerate(truth):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.full((SIDE, SIDE, 3), index, np.uint8))
        cv2.imwrite(str(tmp_path / f"m{index}.png"), mask)
        rows.append(
            Row(0, f"{index}.png", split="val", group_id=f"g{index}", extra={"mask": f"m{index}.png"})
        )
    unknown = Row(0, "0.png", split="val", group_id="g9", extra={"mask": ""})
    return read_manifest(write_manifest([*rows, unknown], tmp_path / "m.csv"))


def predictor(task, masks):
    """Answers a picture by the number that it is painted with."""

    def logits(images, batch_size=16):
        found = np.stack([masks[image[0, 0, 0]] for image in images])
        return np.stack([found == label for label in range(3)], axis=1).astype(np.float32)

    return SimpleNamespace(name="m", task=task, logits=logits)


def test_change_and_agreement(task, truth, part):
    worse = truth.copy()
    worse[0, :, 4:8] = 0  # half of the lesion is lost: Dice 2 * 64 / (64 + 128) = 2/3
    facts = {"split": "val", "n": len(part), "manifest_sha256": part.sha256}
    found = MaskJudge(predictor(task, truth), part)(predictor(task, worse), facts)
    assert (found.metric, found.n) == ("dice", 4)  # the unknown one is not judged
    assert found.original == 1.0
    assert found.target == pytest.approx((2 / 3 + 3) / 4)
    assert found.change.value == pytest.approx(-1 / 12)
    assert found.change.low <= -1 / 12 <= found.change.high
    assert found.agreement == pytest.approx((2 / 3 + 3) / 4)


def test_a_label_where_there_is_none_costs_all_of_a_picture(task, truth, part):
    worse = truth.copy()
    worse[3, 0, 0] = 1
    facts = {"split": "val", "n": len(part), "manifest_sha256": part.sha256}
    found = MaskJudge(predictor(task, truth), part)(predictor(task, worse), facts)
    assert found.target == pytest.approx(3 / 4)


def test_the_original_is_asked_once(task, truth, part):
    asked = []
    original = predictor(task, truth)
    answer = original.logits
    original.logits = lambda images, batch_size=16: asked.append(len(images)) or answer(images)
    judge = MaskJudge(original, part)
    facts = {"split": "val", "n": len(part), "manifest_sha256": part.sha256}
    for _ in range(3):
        judge(predictor(task, truth), facts)
    assert sum(asked) == 4
