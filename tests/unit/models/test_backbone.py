import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from vnvision.errors import ConfigError, ModelError
from vnvision.models import build_backbone, input_statistics
from vnvision.models.weights import OFFLINE, load_in_order, offline_file


@pytest.mark.parametrize("name", sorted(OFFLINE))
def test_offline_weights_recognise_real_photographs(name):
    """A photograph that scikit-learn ships shows a palace, which ImageNet knows."""
    import cv2
    from sklearn.datasets import load_sample_image

    net = build_backbone(name, 1000, weights="none").eval()
    load_in_order(net, offline_file(name))
    mean, std = input_statistics(name, "offline")
    picture = cv2.resize(load_sample_image("china.jpg")[:, 100:527], (224, 224), interpolation=cv2.INTER_AREA)
    x = (picture / 255.0 - np.array(mean)) / np.array(std)
    batch = torch.from_numpy(x.transpose(2, 0, 1)[None].astype(np.float32))
    with torch.no_grad():
        probs = net(batch).softmax(1)[0]
    palace = 698
    assert palace in probs.topk(3).indices.tolist(), probs.topk(5)


def test_a_fresh_head_has_the_size_asked_for():
    net = build_backbone("tf_efficientnet_lite0", 7)
    assert net.get_classifier().out_features == 7


def test_safetensors_with_another_head_load_but_another_network_does_not(tmp_path):
    donor = build_backbone("test_efficientnet", 3, weights="none")
    save_file(donor.state_dict(), tmp_path / "donor.safetensors")
    net = build_backbone("test_efficientnet", 9, weights=str(tmp_path / "donor.safetensors"))
    assert torch.equal(net.conv_stem.weight, donor.conv_stem.weight)
    with pytest.raises(ModelError, match="does not fit the network"):
        build_backbone("test_resnet", 9, weights=str(tmp_path / "donor.safetensors"))


@pytest.mark.parametrize(
    ("name", "weights", "error", "text"),
    [
        ("efficientnet_lite00", "none", ConfigError, "unknown backbone 'efficientnet_lite00'"),
        (
            "test_resnet",
            "offline",
            ModelError,
            "no offline ImageNet weights for test_resnet.*tf_efficientnet_lite0",
        ),
        ("test_resnet", "missing.safetensors", ModelError, "cannot be loaded.*existing .safetensors"),
    ],
)
def test_bad_choices_are_one_clear_line(name, weights, error, text):
    with pytest.raises(error, match=text):
        build_backbone(name, 2, weights=weights)


def test_group_norm_leaves_no_batch_norm():
    net = build_backbone("test_resnet", 2, weights="none", norm="group")
    kinds = [type(module).__mro__ for module in net.modules()]
    assert any(torch.nn.GroupNorm in kind for kind in kinds)
    assert not any(torch.nn.BatchNorm2d in kind for kind in kinds)


def test_a_changed_weight_file_is_refused(monkeypatch):
    from dataclasses import replace

    entry = replace(OFFLINE["tf_efficientnet_lite0"], sha256="0" * 64)
    monkeypatch.setitem(OFFLINE, "tf_efficientnet_lite0", entry)
    with pytest.raises(ModelError, match="not the pinned file"):
        offline_file("tf_efficientnet_lite0")
