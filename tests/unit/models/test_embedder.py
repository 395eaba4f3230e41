import copy

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from vnvision.errors import ConfigError, ModelError
from vnvision.imaging import Preprocessor
from vnvision.models import (
    EMBEDDERS,
    StagedNet,
    build_backbone,
    build_embedder,
    describe_embedder,
    embedder_input,
)
from vnvision.models.edgeface import VARIANTS, EdgeFace
from vnvision.models.iresnet import IResNet
from vnvision.models.mobilefacenet import MobileFaceNet
from vnvision.spec import PreprocessSpec, TaskSpec

SMALL = {
    "iresnet": (lambda: IResNet((1, 1, 2, 1), 12, size_px=32), 32),
    "mobilefacenet": (lambda: MobileFaceNet(12, size_px=32), 32),
    "edgeface": (lambda: EdgeFace(VARIANTS["edgeface_xs"], 12), 64),
    "sface": (lambda: build_embedder("sface", 128), 112),
    "timm": (lambda: build_embedder("timm:test_resnet", 12), 112),
    "timm_vit": (lambda: build_embedder("timm:test_vit", 12), 112),
}
STAGES = {
    "iresnet": ["stem", "layer1", "layer2", "layer3", "layer4", "head"],
    "mobilefacenet": ["stem", *(f"blocks.{i}" for i in range(5)), "conv_head", "head"],
    "edgeface": ["stem", *(f"stages.{i}" for i in range(4)), "head"],
}


def lively(net, x):
    """As after training: BatchNorm statistics of real activations, and layer scales that count."""
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "gamma" in name:
                parameter.fill_(0.5)
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):  # three pictures are too few for one number a picture
                module.momentum = 1.0
        net.train()(x)
    return net


@pytest.fixture(params=SMALL)
def family(request):
    torch.manual_seed(0)
    build, size_px = SMALL[request.param]
    x = torch.randn(3, 3, size_px, size_px)
    x = 127 + 50 * x if request.param == "sface" else x
    return request.param, lively(build(), x), x


def test_every_cut_gives_the_same_embeddings(family):
    name, net, x = family
    staged = StagedNet(net).eval()
    names = [stage.name for stage in staged.stages]
    assert names == STAGES.get(name, names)
    with torch.no_grad():
        expected = net(x)
        for cut in ["all", *names]:
            staged.freeze_before(cut)
            torch.testing.assert_close(staged(staged.frozen(x)), expected, atol=1e-5, rtol=1e-5)


def test_only_what_comes_after_the_cut_learns(family):
    _, net, _ = family
    staged = StagedNet(net)
    for at, stage in enumerate(staged.stages):
        staged.freeze_before(stage.name)
        expected = {id(p) for s in staged.stages[at:] for m in s.modules for p in m.parameters()}
        if at:
            assert {id(p) for p in net.parameters() if p.requires_grad} == expected
    if hasattr(net, "get_classifier"):
        assert expected == {id(p) for p in net.get_classifier().parameters()}
    staged.freeze_before("all")
    assert all(p.requires_grad for p in net.parameters())


def test_frozen_stages_stand_still_and_have_no_dropout():
    for net, size_px in (
        (MobileFaceNet(12, size_px=32, drop_rate=0.5), 32),
        (IResNet((1, 1, 1, 1), 12, size_px=32, drop_rate=0.5), 32),
        (EdgeFace(VARIANTS["edgeface_xs"], 12, drop_rate=0.5), 64),
    ):
        staged = StagedNet(net)
        staged.freeze_before("head")
        staged.train()
        before = copy.deepcopy(dict(net.named_buffers()))
        x = torch.randn(4, 3, size_px, size_px)
        features = staged.frozen(x)
        assert torch.equal(features, staged.frozen(x)), "features to be cached must not be random"
        assert features.shape == (4, net.num_features)
        assert not torch.equal(staged(features), staged(features)), "the head drops out"
        moved = [k for k, v in net.named_buffers() if not torch.equal(v, before[k])]
        assert all(key.startswith("features.") for key in moved)


def test_the_classifier_is_the_embedding_layer(family):
    name, net, x = family
    if name == "sface":
        return
    net.eval()
    with torch.no_grad():
        pooled = net.forward_head(net.forward_features(x), pre_logits=True)
        torch.testing.assert_close(net.get_classifier()(pooled), net(x), atol=1e-5, rtol=1e-5)
    assert pooled.shape == (3, net.num_features)


def test_channels_last_gives_the_same_embeddings(family):
    _, net, x = family
    net.eval()
    with torch.no_grad():
        expected = net(x)
        got = net.to(memory_format=torch.channels_last)(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


def test_the_exported_graph_agrees_for_any_batch(family, tmp_path):
    import onnxruntime

    from vnvision.export.onnx import to_onnx

    _, net, x = family
    side = x.shape[-1]
    task = TaskSpec(
        kind="embedding", embedding_dim=12, score="cosine", preprocess=PreprocessSpec(size_px=(side, side))
    )
    to_onnx(net, task, tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    net.eval()
    for batch in (x[:1], x):
        with torch.no_grad():
            expected = net(batch).numpy()
        (got,) = session.run(None, {"input": batch.numpy()})
        np.testing.assert_allclose(got, expected, atol=1e-4 * max(1, np.abs(expected).max()), rtol=0)
    assert np.abs(got[0] - got[1]).max() > 1e-3, "the network must tell pictures apart"


@pytest.mark.parametrize("name", [*EMBEDDERS, "timm:test_resnet"])
def test_every_name_builds_and_gives_one_vector_a_picture(name):
    size = 128 if name == "sface" else 24
    with torch.device("meta"):
        net = build_embedder(name, size).eval()
        assert net(torch.zeros(2, 3, 112, 112)).shape == (2, size)


@pytest.mark.parametrize("name", ["iresnet18", "mobilefacenet_x2", "sface", "timm:test_resnet"])
def test_the_description_counts_what_hooks_count(name):
    size = 128 if name == "sface" else 16
    net, macs = build_embedder(name, size).eval(), []

    def count(module, inputs, output):
        per_output = module.weight[0].numel()
        macs.append(output.numel() * per_output)

    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    with torch.no_grad():
        net(torch.zeros(1, 3, 112, 112))
    described = describe_embedder(name, size)
    assert described.macs == sum(macs)
    assert described.parameters == sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(
    ("name", "weights", "expected"),
    [
        ("iresnet50", "none", lambda x: (x - 127.5) / 127.5),
        ("mobilefacenet", "none", lambda x: (x - 127.5) / 127.5),
        ("edgeface_xs", "none", lambda x: (x - 127.5) / 127.5),
        ("sface", "offline", lambda x: x),
        ("edgeface_xs", "download", lambda x: (x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]),
        ("timm:tf_efficientnet_lite0", "offline", lambda x: (x - 127.0) / 128.0),
    ],
)
def test_the_input_is_what_the_weights_want(name, weights, expected):
    mean, std = embedder_input(name, weights)
    crop = np.random.default_rng(0).integers(0, 256, (112, 112, 3)).astype(np.uint8)
    spec = PreprocessSpec(size_px=(112, 112), geometry="none", mean=mean, std=std)
    got = Preprocessor(spec).normalise(crop).transpose(1, 2, 0)
    np.testing.assert_allclose(got, expected(crop.astype(np.float64)), atol=2e-4)


def test_a_file_loads_and_leaves_out_an_embedding_layer_of_another_size(tmp_path):
    torch.manual_seed(0)
    for name in ("iresnet18", "mobilefacenet", "edgeface_xs", "timm:test_resnet", "timm:test_vit"):
        path, x = tmp_path / "donor.safetensors", torch.randn(2, 3, 112, 112)
        donor = lively(build_embedder(name, 8), x)
        save_file({key: value.contiguous() for key, value in donor.state_dict().items()}, path)
        same, other = (build_embedder(name, size, weights=str(path)) for size in (8, 5))
        for net in (donor, same, other):
            net.eval()
        with torch.no_grad():
            assert torch.equal(same(x), donor(x)), name
            assert torch.equal(other.forward_features(x), donor.forward_features(x)), name
            assert other(x).shape == (2, 5)


def test_names_of_arcface_torch_load_from_a_file(tmp_path):
    x = torch.randn(2, 3, 112, 112)
    donor = lively(build_embedder("iresnet18", 8), x).eval()
    theirs = {key.replace("features.norm.", "features."): value for key, value in donor.state_dict().items()}
    save_file(theirs | {"features.weight": torch.ones(8)}, tmp_path / "r18.safetensors")
    net = build_embedder("iresnet18", 8, weights=str(tmp_path / "r18.safetensors"))
    with torch.no_grad():
        assert torch.equal(net.eval()(x), donor(x))


def test_a_vit_loads_a_file_of_its_native_size_too(tmp_path):
    donor = build_backbone("test_vit", 8, weights="none")
    save_file(donor.state_dict(), tmp_path / "vit.safetensors")
    net = build_embedder("timm:test_vit", 8, weights=str(tmp_path / "vit.safetensors"))
    assert net.pos_embed.shape != donor.pos_embed.shape
    assert torch.equal(net.blocks[0].attn.qkv.weight, donor.blocks[0].attn.qkv.weight)


def test_statistics_of_sface_stand_still_unless_it_starts_from_nothing(tmp_path):
    donor = build_embedder("sface", 128)
    save_file(donor.state_dict(), tmp_path / "sface.safetensors")
    tuned = build_embedder("sface", 128, weights=str(tmp_path / "sface.safetensors"))
    for net, learns in ((donor, True), (tuned, False)):
        net.train()
        before = net.stem.norm.running_mean.clone()
        net(127 + 50 * torch.randn(2, 3, 112, 112))
        assert torch.equal(net.stem.norm.running_mean, before) != learns


def test_networks_without_stochastic_depth_build_but_do_not_take_a_rate():
    assert build_embedder("timm:ghostnet_050", 8).training
    with pytest.raises(ConfigError, match=r"ghostnet_050 does not take an option given.*drop_path_rate"):
        build_backbone("ghostnet_050", 8, weights="none", drop_path_rate=0.1)


@pytest.mark.parametrize(
    ("name", "in_order"),
    [
        ("iresnet18", ["conv1.weight", "layer1.0.conv1.weight", "layer1.1.bn3.weight", "layer4.1.bn1.bias"]),
        ("mobilefacenet", ["stem.0.conv.weight", "blocks.0.0.expand.bn.bias", "blocks.4.1.project.bn.bias"]),
        ("edgeface_xs", ["stem.0.weight", "stages.0.blocks.0.conv_dw.weight", "stages.3.blocks.2.gamma"]),
    ],
)  # fmt: skip
def test_layerwise_decay_lets_early_layers_learn_less(name, in_order):
    from timm.optim import create_optimizer_v2

    net = build_embedder(name, 8)
    groups = create_optimizer_v2(net, opt="sgd", lr=1.0, layer_decay=0.5).param_groups
    scale = {id(p): group["lr_scale"] for group in groups for p in group["params"]}
    scales = [scale[id(net.get_parameter(key))] for key in in_order]
    assert scales == sorted(set(scales)), "each later one learns faster"
    assert all(scale[id(p)] == 1 for p in net.get_classifier().parameters())
    assert scale.keys() == {id(p) for p in net.parameters()}


def test_checkpointing_can_be_asked_for_by_name():
    assert build_embedder("mobilefacenet", 8, checkpointing=True).checkpointing
    assert build_embedder("edgeface_xs", 8, checkpointing=True).stages[0].grad_checkpointing


@pytest.mark.parametrize(
    ("name", "options", "error", "text"),
    [
        ("iresnet51", {}, ConfigError, "unknown embedder 'iresnet51': expected one of iresnet18.*timm:NAME"),
        ("timm:nothing", {}, ConfigError, "unknown backbone 'nothing'"),
        ("mobilefacenet", {"embedding_size": 0}, ConfigError, "embedding_size is wrong: expected 1 or more"),
        ("edgeface_xs", {"drop_rate": 1.5}, ConfigError, "drop_rate is wrong: expected 0 or more, below 1"),
        ("sface", {}, ConfigError, "sface gives embeddings of one size: expected 128, got 16"),
        ("sface", {"embedding_size": 128, "weights": "download"}, ModelError, "no download weights for"),
        ("iresnet18", {"weights": "offline"}, ModelError, "no offline weights for iresnet18: expected none"),
        ("mobilefacenet", {"weights": "a.safetensors"}, ModelError, "weights 'a.safetensors' cannot be"),
        ("timm:test_vit", {"weights": "a.safetensors"}, ModelError, "weights 'a.safetensors' cannot be"),
        ("timm:levit_128s", {}, ConfigError, "timm:levit_128s does not take 112 px pictures"),
    ],
)  # fmt: skip
def test_bad_choices_are_one_clear_line(name, options, error, text):
    with pytest.raises(error, match=text):
        build_embedder(name, **{"embedding_size": 16, **options})


def test_a_network_without_checkpointing_says_so(monkeypatch):
    from vnvision.models import embedder

    monkeypatch.setattr(embedder, "_own", lambda *_: nn.Module())
    with pytest.raises(ConfigError, match="mobilefacenet has no activation checkpointing"):
        build_embedder("mobilefacenet", 8, checkpointing=True)


def test_a_network_that_gives_maps_is_refused(monkeypatch):
    from vnvision.models import embedder

    monkeypatch.setattr(embedder, "build_backbone", lambda *_, **__: nn.Conv2d(3, 8, 1))
    with pytest.raises(
        ConfigError, match=r"timm:maps gives no vector: expected \(1, 8\), got \(1, 8, 112, 112\)"
    ):
        build_embedder("timm:maps", 8)


def test_an_unknown_name_has_no_input():
    with pytest.raises(ConfigError, match="unknown embedder 'facenet'"):
        embedder_input("facenet", "none")


def test_files_that_do_not_fit_are_refused(tmp_path):
    save_file(build_embedder("mobilefacenet", 8).state_dict(), tmp_path / "mobile.safetensors")
    with pytest.raises(
        ModelError, match=r"mobile\.safetensors does not fit the network.*missing e\.g\. bn1\.bias"
    ):
        build_embedder("iresnet18", 8, weights=str(tmp_path / "mobile.safetensors"))
    (tmp_path / "broken.safetensors").write_bytes(b"not one")
    with pytest.raises(ModelError, match=r"broken\.safetensors is not a safetensors file"):
        build_embedder("mobilefacenet", 8, weights=str(tmp_path / "broken.safetensors"))
