"""Segmentation and detection: what a step learns, and what validation says of planted answers."""

import numpy as np
import pytest
import torch

from vnvision.data.centres import centre_maps
from vnvision.errors import ConfigError
from vnvision.models import StagedNet, build_detector, build_segmenter
from vnvision.spec import BoxSpec, Label, PreprocessSpec, TaskSpec
from vnvision.tasks import Batch, DetectionTask, SegmentationTask, build_task
from vnvision.train.config import load_config

BACKBONE = "test_efficientnet"


def spec(kind, n=2):
    return TaskSpec(
        kind=kind,
        labels=tuple(Label(id=f"l{i}") for i in range(n)),
        preprocess=PreprocessSpec(size_px=(64, 96)),
        score="softmax" if kind == "segmentation" else "sigmoid",
        boxes=BoxSpec(stride_px=4) if kind == "detection" else None,
    )


def test_build_task_picks_by_kind_and_refuses_weights():
    assert isinstance(build_task(spec("segmentation")), SegmentationTask)
    assert isinstance(build_task(spec("detection")), DetectionTask)
    with pytest.raises(ConfigError, match="segmentation training takes no class weights"):
        build_task(spec("segmentation"), class_weights=np.ones(2))


@pytest.mark.parametrize("decoder", ["unet", "fpn"])
def test_a_segmenter_learns_one_picture(decoder):
    torch.manual_seed(0)
    task = SegmentationTask(spec("segmentation", 3))
    net = build_segmenter(BACKBONE, 3, weights="none", decoder=decoder)
    masks = torch.zeros(2, 64, 96, dtype=torch.uint8)
    masks[:, 16:48, 32:64], masks[:, 24:32, 40:56] = 1, 2
    pictures = masks[:, None].float().repeat(1, 3, 1, 1) - 1
    batch = Batch(pictures, masks, torch.ones(2, 1))
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    losses = []
    for _ in range(25):
        loss = task.step(net, batch)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_validation_figures_of_a_planted_answer():
    task = SegmentationTask(spec("segmentation", 2))
    truth = np.zeros((3, 64, 96), np.uint8)
    truth[0, :32], truth[1, :16] = 1, 1  # the third picture holds nothing
    answer = np.zeros_like(truth)
    answer[0, :16], answer[1, :16], answer[2, :8] = 1, 1, 1
    planes = np.stack([answer == 0, answer == 1], axis=1).astype(np.float32) * 8
    figures = task.validate(task.condense(planes, truth), np.zeros(3))
    assert figures["dice"] == pytest.approx((2 * 16 / 48 + 1) / 2)
    assert figures["iou"] == pytest.approx((0.5 + 1) / 2)


def test_coarse_planes_are_judged_at_their_own_size():
    task = SegmentationTask(spec("segmentation", 2))
    truth = np.zeros((1, 64, 96), np.uint8)
    truth[:, :32] = 1
    planes = np.zeros((1, 2, 16, 24), np.float32)
    planes[:, 1, :8], planes[:, 0, 8:] = 5, 5
    assert task.validate(task.condense(planes, truth), np.zeros(1))["dice"] == 1


def test_detection_figures_of_a_planted_answer():
    task = DetectionTask(spec("detection"))
    boxes = np.array([[8, 8, 40, 40], [50, 20, 80, 44]], np.float32)
    maps = centre_maps(boxes, np.array([0, 1]), 2, (64, 96), 4)
    heat = np.clip(maps[:2], 1e-4, 0.98)
    planes = np.concatenate([np.log(heat / (1 - heat)), maps[2:6]])[None].astype(np.float32)
    truth = np.full((1, 3, 5), -1, np.float32)
    truth[0, 0], truth[0, 1] = [0, *boxes[0]], [1, *boxes[1]]
    assert task.validate(task.condense(planes, truth), np.zeros(1))["map50"] == pytest.approx(1)
    truth[0, 1, 0] = 0  # now one object of label 0 was called label 1
    assert task.validate(task.condense(planes, truth), np.zeros(1))["map50"] == pytest.approx(0.5, abs=0.01)


def test_a_detector_learns_one_picture():
    torch.manual_seed(0)
    task = DetectionTask(spec("detection"))
    net = build_detector(BACKBONE, 2, weights="none")
    boxes, labels = np.array([[8, 8, 40, 40], [50, 20, 80, 44]], np.float32), np.array([0, 1])
    picture = torch.full((2, 3, 64, 96), -1.0)
    for x0, y0, x1, y1 in boxes.astype(int):
        picture[:, :, y0:y1, x0:x1] = 1
    maps = torch.from_numpy(np.stack([centre_maps(boxes, labels, 2, (64, 96), 4)] * 2))
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    losses = []
    for _ in range(25):
        loss = task.step(net, Batch(picture, maps, torch.ones(2, 1)))["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    empty = torch.zeros_like(maps)
    assert torch.isfinite(task.step(net, Batch(picture, empty, torch.ones(2, 1)))["loss"])


def test_the_encoder_freezes_and_the_rest_learns():
    staged = StagedNet(build_segmenter(BACKBONE, 2, weights="none"))
    staged.freeze_before("head")
    assert not any(p.requires_grad for p in staged.net.encoder.parameters())
    assert all(p.requires_grad for p in staged.net.decoder.parameters())
    x = torch.randn(2, 3, 64, 64)
    staged.eval()
    torch.testing.assert_close(staged(staged.frozen(x)), staged.net(x))


@pytest.mark.parametrize("backbone", [BACKBONE, "resnet18"])
def test_a_shallower_encoder_answers_at_the_same_size_and_every_weight_learns(backbone):
    pictures = torch.randn(2, 3, 64, 96)
    whole = build_segmenter(backbone, 2, weights="none")
    for depth in (3, 4):
        net = build_segmenter(backbone, 2, weights="none", encoder_depth=depth)
        planes = net(pictures)
        assert planes.shape == whole(pictures).shape
        planes.sum().backward()
        assert all(p.grad is not None for p in net.parameters())
        assert len(list(net.parameters())) < len(list(whole.parameters()))


@pytest.mark.parametrize("task", [{}, {"task": "detection"}, {"task": "segmentation", "decoder": "fpn"}])
def test_encoder_depth_is_for_unets(task):
    with pytest.raises(ConfigError, match="encoder_depth belongs to task: segmentation with decoder: unet"):
        load_config({"data": "m.csv", "encoder_depth": 4, "labels": [{"id": "a"}, {"id": "b"}], **task})
    with pytest.raises(ConfigError, match="the decoder fpn reads all 5 feature maps"):
        build_segmenter(BACKBONE, 2, weights="none", decoder="fpn", encoder_depth=4)


def test_networks_that_cannot_be_built():
    with pytest.raises(ConfigError, match="encoder_depth is from 3 to 5"):
        build_segmenter(BACKBONE, 2, weights="none", encoder_depth=6)
    with pytest.raises(ConfigError, match="unknown backbone 'nothing'"):
        build_segmenter("nothing", 2, weights="none")
    with pytest.raises(ConfigError, match="cannot be an encoder"):
        build_segmenter("vit_tiny_patch16_224", 2, weights="none")
    with pytest.raises(ConfigError, match="BatchNorm only"):
        build_detector(BACKBONE, 2, weights="none", norm="group")
