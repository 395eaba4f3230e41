from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from vnvision.models.explained import ends_in_average, explained, pooled_features

timm = pytest.importorskip("timm")


def net_of(name: str, **options) -> torch.nn.Module:
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=5, **options).eval()


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.randn(3, 3, 96, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", ["test_efficientnet", "test_resnet"])
def test_maps_are_the_formula_and_their_mean_is_the_logit(name, pictures):
    net = net_of(name)
    wrapped = explained(net, pictures[:2])
    assert wrapped.output_names == ("output", "features", "cam")
    with torch.inference_mode():
        output, features, cam = (item.numpy() for item in wrapped(pictures))
        last, plain = net.forward_features(pictures).numpy(), net(pictures).numpy()
    weight, bias = (item.detach().numpy() for item in net.get_classifier().parameters())
    np.testing.assert_allclose(output, plain, atol=1e-5)
    np.testing.assert_allclose(features, last.mean((2, 3)), atol=1e-5)
    np.testing.assert_allclose(cam, np.einsum("ck,nkyx->ncyx", weight, last), atol=1e-4)
    np.testing.assert_allclose(cam.mean((2, 3)) + bias, plain, atol=1e-4)


@pytest.mark.parametrize("name", ["mobilenetv4_conv_small", "test_vit"])
def test_networks_that_do_not_end_in_a_mean_have_no_map(name):
    size = 160 if name == "test_vit" else 64
    net, pictures = net_of(name), torch.randn(2, 3, size, size)
    wrapped = explained(net, pictures)
    assert wrapped.output_names == ("output", "features")
    with torch.inference_mode():
        output, features = wrapped(pictures)
        torch.testing.assert_close(net.get_classifier()(features), output)
        torch.testing.assert_close(pooled_features(net, pictures), features)


def test_a_largest_value_is_no_mean(pictures):
    net = net_of("test_resnet", global_pool="max")
    assert not ends_in_average(net, pictures)
    assert ends_in_average(net_of("test_resnet"), pictures)


def test_what_is_not_a_timm_classifier_stays_alone(pictures):
    assert explained(torch.nn.Conv2d(3, 4, 3), pictures) is None
    net = net_of("test_resnet")
    net.reset_classifier(0)
    assert explained(net, pictures) is None


def test_the_network_is_left_as_it_is(pictures):
    net = net_of("test_efficientnet")
    before = copy.deepcopy(net.state_dict())
    explained(net, pictures)
    assert all(torch.equal(value, net.state_dict()[key]) for key, value in before.items())
