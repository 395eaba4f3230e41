"""What holds for every head: shards, gradients, extremes, autocast, learning, and building by name."""

import pytest
import torch
from torch.nn import functional

from vnvision.errors import ConfigError
from vnvision.losses.margin import HEADS, ClassCentres, Comparison, build_head, head_options, margin_loss

# Heads that differ from the default in more than numbers.
VARIANTS = [(name, {}) for name in HEADS] + [
    ("combined", {"angle_factor": 1.35}),
    ("elasticface", {"margin_cosine": 0.35}),
    ("elasticface", {"sort": True}),
    ("sphereface2", {"detach_similarity": False}),
]
IDS = ["-".join([name, *options]) for name, options in VARIANTS]
every_head = pytest.mark.parametrize(("name", "options"), VARIANTS, ids=IDS)


def out(head, comparison):
    torch.manual_seed(7)  # ElasticFace draws
    return head.logits(comparison) if head.kind == "softmax" else head.terms(comparison)


@every_head
@pytest.mark.parametrize("at", [1, 3, 5])
def test_shards_are_the_columns_of_the_whole(name, options, at, comparison, shards):
    whole = out(build_head(name, **options), comparison)
    parts = [out(build_head(name, **options), part) for part in shards(comparison, at)]
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=1e-12, atol=0)


@every_head
def test_statistics_are_equal_on_all_ranks(name, options, comparison, shards):
    heads = [build_head(name, **options) for _ in range(2)]
    for head, part in zip(heads, shards(comparison, 2), strict=True):
        out(head, part)
    whole = build_head(name, **options)
    out(whole, comparison)
    for key, value in whole.state_dict().items():
        assert torch.equal(heads[0].state_dict()[key], value)
        assert torch.equal(heads[1].state_dict()[key], value)


@every_head
def test_loss_and_gradients_of_shards_make_the_whole(name, options, comparison, shards):
    def tracked():
        leaf = comparison.cosines.clone().requires_grad_()
        own = leaf.gather(1, comparison.column[:, None])[:, 0]
        return leaf, Comparison(leaf, comparison.column, own, comparison.norms, 6)

    def total(head, parts):
        outs = [out(head, part) for part in parts]
        if head.kind == "softmax":
            return functional.cross_entropy(torch.cat(outs, dim=1), comparison.column)
        return sum(terms.sum(dim=1).mean() for terms in outs)

    head = build_head(name, **options).eval()
    (leaf, whole), (other, split) = tracked(), tracked()
    loss = total(head, [whole])
    loss.backward()
    learnt = [parameter.grad.clone() for parameter in head.parameters()]
    head.zero_grad()
    in_parts = total(head, shards(split, 4))
    in_parts.backward()
    torch.testing.assert_close(in_parts, loss)
    torch.testing.assert_close(other.grad, leaf.grad)
    torch.testing.assert_close([parameter.grad for parameter in head.parameters()], learnt)


@pytest.mark.parametrize(
    ("name", "options"),
    [(name, options) for name, options in VARIANTS if (name, options) != ("sphereface2", {})],
    ids=[name for name in IDS if name != "sphereface2"],
)
def test_gradients_are_true(name, options, comparison):
    """All but SphereFace2 by default, which detaches a part of its gradient, as published."""
    head = build_head(name, **options).eval()
    cosines = comparison.cosines.clone().requires_grad_()
    norms = comparison.norms.clone().requires_grad_(name == "magface")

    def loss(cosines, norms):
        own = cosines.gather(1, comparison.column[:, None])[:, 0]
        return margin_loss(head, Comparison(cosines, comparison.column, own, norms, 6))

    assert torch.autograd.gradcheck(loss, (cosines, norms), atol=1e-4)


@every_head
@pytest.mark.parametrize("end", [-1.0, 1.0, 1.0000001, -1.0000001])
def test_gradients_are_finite_at_the_ends(name, options, end):
    head = build_head(name, **options)
    cosines = torch.full((4, 3), end, requires_grad=True)
    norms = torch.tensor([0.0, 5.0, 20.0, 1e4], requires_grad=True)
    column = torch.tensor([0, 1, 2, 0])
    loss = margin_loss(head, Comparison(cosines, column, cosines.gather(1, column[:, None])[:, 0], norms, 3))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(cosines.grad).all()
    assert norms.grad is None or torch.isfinite(norms.grad).all()


@every_head
def test_embeddings_on_and_opposite_their_centre_have_finite_gradients(name, options):
    head = build_head(name, **options)
    centres = ClassCentres(3, 8, sub_centres=head.sub_centres)
    first = centres.weight.detach()[:: head.sub_centres]
    embeddings = torch.cat([first * 900, first * -900]).requires_grad_()
    margin_loss(head, centres(embeddings, torch.tensor([0, 1, 2, 0, 1, 2]))).backward()
    for gradient in (embeddings.grad, centres.weight.grad):
        assert torch.isfinite(gradient).all()
        assert gradient.abs().max() < 1e5


@every_head
def test_the_margin_makes_it_harder_and_nearer_is_better(name, options):
    head = build_head(name, **options).eval()
    own = torch.linspace(-1, 1, 201, dtype=torch.float64)
    cosines = torch.stack([own, torch.full_like(own, 0.1)], dim=1)
    column = torch.zeros(201, dtype=torch.int64)
    comparison = Comparison(cosines, column, own, torch.full_like(own, 30.0), 2)
    if head.kind == "softmax":
        value = head.logits(comparison)[:, 0]
        assert (value <= head.scale * own + 1e-9).all()
    else:
        value = -head.terms(comparison)[:, 0]
    assert (value.diff() >= 0).all()
    assert value[-1] > value[0]


@every_head
def test_float32_inside_autocast(name, options):
    torch.manual_seed(0)
    head = build_head(name, **options).eval()
    centres = ClassCentres(5, 16, sub_centres=head.sub_centres)
    embeddings, target = torch.randn(6, 16) * 5, torch.tensor([0, 1, 2, 3, 4, 0])
    with torch.autocast("cpu", torch.bfloat16):
        inside = margin_loss(head, centres(embeddings.bfloat16(), target))
        logits = out(head, centres(embeddings.bfloat16(), target))
    assert inside.dtype == logits.dtype == torch.float32
    same_input = margin_loss(head, centres(embeddings.bfloat16().float(), target))
    torch.testing.assert_close(inside, same_input)
    torch.testing.assert_close(inside, margin_loss(head, centres(embeddings, target)), rtol=0.02, atol=0.02)


@every_head
def test_two_steps_lower_the_loss(name, options):
    torch.manual_seed(0)
    head = build_head(name, **options)
    net, target = torch.nn.Linear(12, 16), torch.arange(8) % 4
    centres = ClassCentres(4, 16, sub_centres=head.sub_centres)
    pictures = functional.one_hot(target, 12).float() + 0.1 * torch.randn(8, 12)
    modules = torch.nn.ModuleList([head, net, centres])
    optimiser = torch.optim.AdamW(modules.parameters(), lr=3e-3)
    losses = []
    for _ in range(3):
        torch.manual_seed(5)
        loss = margin_loss(head, centres(net(pictures) * 10, target))
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[2] < losses[1] < losses[0]


def test_an_unknown_head_lists_those_that_exist():
    with pytest.raises(
        ConfigError, match=r"unknown margin head: expected one of adaface, .*uniface, got 'x'"
    ):
        build_head("x")


def test_unknown_options_are_named_together_with_those_that_exist():
    with pytest.raises(ConfigError, match=r"expected some of margin_rad, scale, got easy, m"):
        build_head("arcface", m=0.5, easy=True, scale=64.0)


@pytest.mark.parametrize("name", HEADS)
def test_options_are_checked_and_named(name):
    for option in head_options(name):
        for bad in ("much", float("nan"), -1, float("inf")):
            with pytest.raises(ConfigError, match=f"option {option} of {HEADS[name].__name__}: "):
                build_head(name, **{option: bad})


def test_ranges_are_told():
    with pytest.raises(
        ConfigError, match=r"margin_rad of ArcFace: expected a number at least 0 and at most 1\.57"
    ):
        build_head("arcface", margin_rad=28.6)
    with pytest.raises(ConfigError, match=r"norm_high of MagFace: expected a number above 10, got 5"):
        build_head("magface", norm_high=5)
    with pytest.raises(ConfigError, match="ElasticFace has one margin: expected margin_rad"):
        build_head("elasticface", margin_rad=0.5, margin_cosine=0.3)
