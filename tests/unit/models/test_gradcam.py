from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from vnvision.errors import DataError, ModelError
from vnvision.models.explained import ExplainedNet
from vnvision.models.gradcam import grad_cam, last_map

timm = pytest.importorskip("timm")
pytest.importorskip("pytorch_grad_cam")


@pytest.fixture
def net() -> torch.nn.Module:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    return timm.create_model("test_resnet", num_classes=4).eval()


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.randn(4, 3, 96, 64, generator=torch.Generator().manual_seed(1))


def test_grad_cam_of_the_last_map_is_the_class_activation_map(net, pictures):
    """Selvaraju et al. 2017, section 3.1: equal up to a positive factor, for a mean and a linear layer."""
    with torch.inference_mode():
        cams = ExplainedNet(net, has_cam=True)(pictures)[2].numpy()
    labels = cams.max(axis=(2, 3)).argmax(axis=1).tolist()  # of a map below zero nothing would be left
    found = grad_cam(net.requires_grad_(False), pictures, labels)
    assert found.shape == (4, 96, 64)
    assert found.dtype == np.float32
    for heat, cam, label in zip(found, cams, labels, strict=True):
        expected = cv2.resize(np.maximum(cam[label], 0), (64, 96))
        assert heat.max() <= 1.0
        assert np.corrcoef(heat.ravel(), expected.ravel())[0, 1] > 0.999


def test_another_layer_gives_another_map(net, pictures):
    last, earlier = (grad_cam(net, pictures, [0] * 4, layer) for layer in (None, net.layer2))
    assert np.abs(last - earlier).max() > 0.1


def test_the_network_is_left_as_it_is(net, pictures):
    net.train()
    net.layer1.requires_grad_(False)
    grad_cam(net, pictures, [0] * 4)
    assert net.training
    assert not any(p.requires_grad for p in net.layer1.parameters())
    assert all(p.grad is None for p in net.parameters())


def test_errors(net, pictures):
    with pytest.raises(DataError, match="not one label a picture: expected 4 labels, got 1"):
        grad_cam(net, pictures, [0])
    with pytest.raises(ModelError, match=r"the network has no last feature map: .*give layer="):
        last_map(torch.nn.Conv2d(3, 2, 3), pictures)
    with pytest.raises(ModelError, match="layer is no module of the network: got Linear"):
        grad_cam(net, pictures, [0] * 4, torch.nn.Linear(2, 2))
