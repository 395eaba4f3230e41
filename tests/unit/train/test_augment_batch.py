"""Batched augmentation against the augmentation of single pictures, given the same decisions."""

import numpy as np
import pytest
import torch

from vnvision.data import augment
from vnvision.data.augment import Augmenter, AugmentSpec
from vnvision.errors import ConfigError, DataError
from vnvision.train import augment_keys as keyed
from vnvision.train.augment_batch import BatchAugmenter

SIDE, N = 40, 24
EVERYTHING = AugmentSpec(
    random_resized_crop_scale=(0.5, 1.0), random_resized_crop_ratio=(0.8, 1.25), hflip=0.5, vflip=0.3,
    rot90=0.3, rotate_deg=20, brightness=0.3, contrast=0.3, saturation=0.3, hue=0.05, stain=0.2, grey=0.2,
    shadow=0.5, blur=0.5, noise=0.5, cutout=0.5,
)  # fmt: skip


@pytest.fixture(scope="module")
def pictures():
    """Smooth colours with some texture, (N, SIDE, SIDE, 3) uint8."""
    rng = np.random.default_rng(0)
    rough = torch.from_numpy(rng.integers(0, 255, (N, 3, 6, 6)).astype(np.float32))
    smooth = torch.nn.functional.interpolate(rough, size=(SIDE, SIDE), mode="bilinear")
    noisy = smooth + torch.from_numpy(rng.normal(0, 4, smooth.shape).astype(np.float32))
    return noisy.clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def keys(n=N, epoch=0):
    return [(epoch, row) for row in range(n)]


def both(spec, pictures):
    """Ours, and ``Augmenter`` picture by picture, from the numbers the latter draws."""
    names = [name for name in keyed.DRAWS if name in augment._DRAWS]
    draw = {name: np.zeros(N) for name in keyed.DRAWS}
    theirs = []
    for row, picture in enumerate(pictures.numpy()):
        key = (5, 0, row)
        numbers = np.random.Generator(np.random.PCG64(list(key))).random(len(augment._DRAWS))
        for name in names:
            draw[name][row] = numbers[augment._DRAWS.index(name)]
        theirs.append(Augmenter(spec, SIDE)(picture, key))
    ours = BatchAugmenter(spec, 5).changed(pictures, draw, keyed.row_keys(5, keys()))
    return ours.numpy().astype(int), np.stack(theirs).astype(int)


@pytest.mark.parametrize(
    "spec",
    [
        AugmentSpec(hflip=0.5, vflip=0.5),
        AugmentSpec(random_resized_crop_scale=(0.4, 1.0), random_resized_crop_ratio=(0.7, 1.4), hflip=0.5),
        AugmentSpec(rotate_deg=40, rot90=0.5, random_resized_crop_scale=(0.6, 1.0), hflip=0.5),
        AugmentSpec(brightness=0.4, contrast=0.4),
        AugmentSpec(saturation=0.8, hue=0.2, grey=0.3),
        AugmentSpec(stain=0.4),
        AugmentSpec(blur=0.7, blur_sigma_px=(0.3, 3.0)),
        AugmentSpec(cutout=0.7),
    ],
    ids=["flips", "crop", "turn", "light", "colour", "stain", "blur", "cutout"],
)
def test_the_same_decisions_give_the_same_picture(spec, pictures):
    """OpenCV interpolates and blurs with fixed-point weights: a few levels apart at most."""
    ours, theirs = both(spec, pictures)
    assert np.abs(ours - theirs).max() <= (4 if spec.rotate_deg else 2)
    assert np.abs(ours - theirs).mean() < 0.4
    assert np.abs(ours - pictures.numpy()).mean() > 0.5


def test_flips_alone_are_exact(pictures):
    ours, theirs = both(AugmentSpec(hflip=0.5, vflip=0.5, rot90=0.5), pictures)
    np.testing.assert_array_equal(ours, theirs)


def test_nothing_to_change_changes_nothing(pictures):
    assert torch.equal(BatchAugmenter(AugmentSpec(), 0)(pictures, keys()), pictures)


def test_rows_do_not_depend_on_their_batch(pictures):
    change = BatchAugmenter(EVERYTHING, 3, low_resolution=0.5)
    whole = change(pictures, keys())
    order = torch.randperm(N, generator=torch.Generator().manual_seed(1))
    shuffled = change(pictures[order], [(0, int(row)) for row in order])
    assert torch.equal(shuffled, whole[order])
    parts = [change(pictures[a:b], keys()[a:b]) for a, b in ((0, 1), (1, 8), (8, N))]
    assert torch.equal(torch.cat(parts), whole)


def test_epoch_row_and_seed_all_count(pictures):
    change = BatchAugmenter(EVERYTHING, 3)
    whole = change(pictures, keys())
    assert torch.equal(BatchAugmenter(EVERYTHING, 3)(pictures, keys()), whole)
    for other in (
        change(pictures, keys(epoch=1)),
        BatchAugmenter(EVERYTHING, 4)(pictures, keys()),
        change(pictures, [(0, row + 1) for row in range(N)]),
    ):
        assert (other != whole).flatten(1).any(dim=1).all()


def test_numbers_are_uniform_and_independent():
    streams = keyed.row_keys(0, [(epoch, row) for epoch in range(20) for row in range(500)])
    numbers = keyed.uniform(streams, 8).numpy()
    assert numbers.min() >= 0
    assert numbers.max() < 1
    # 10,000 rows: standard error of a mean 0.0029, of a correlation 0.01.
    assert np.abs(numbers.mean(axis=0) - 0.5).max() < 0.012
    assert np.abs(np.corrcoef(numbers.T) - np.eye(8)).max() < 0.045
    assert abs(np.corrcoef(numbers[:-1, 0], numbers[1:, 0])[0, 1]) < 0.045
    grain = keyed.normal(streams[:2000], 200).numpy()
    assert abs(grain.mean()) < 0.01
    assert abs(grain.std() - 1) < 0.01
    assert np.isfinite(grain).all()


def test_splitmix_is_the_published_one():
    """First outputs for seed 1234567, as in the test vectors that go with the generator."""
    bits = keyed.random_bits(torch.tensor([1234567]), 3)[0].tolist()
    assert [value % 2**64 for value in bits] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


def test_noise_has_its_strength(pictures):
    grey = torch.full((N, SIDE, SIDE, 3), 128, dtype=torch.uint8)
    noisy = BatchAugmenter(AugmentSpec(noise=1.0, noise_std=(6.0, 6.0)), 0)(grey, keys())
    assert noisy.float().std().item() == pytest.approx(6.0, abs=0.1)
    assert noisy.float().mean().item() == pytest.approx(128, abs=0.1)


def test_shadow_darkens_as_for_single_pictures():
    white = torch.full((N, SIDE, SIDE, 3), 255, dtype=torch.uint8)
    spec = AugmentSpec(shadow=1.0, shadow_strength=(0.5, 0.5))
    ours = BatchAugmenter(spec, 0)(white.repeat(8, 1, 1, 1), keys(8 * N)).float()
    theirs = np.stack([Augmenter(spec, SIDE)(white[0].numpy(), (1, 0, row)) for row in range(8 * N)])
    assert ours.mean().item() == pytest.approx(theirs.mean(), abs=4)
    assert ours.std().item() == pytest.approx(theirs.std(), rel=0.1)


def test_low_resolution_loses_detail_and_keeps_the_mean(pictures):
    change = BatchAugmenter(AugmentSpec(), 0, low_resolution=1.0, low_resolution_scale=(0.25, 0.25))
    coarse = change(pictures, keys()).float()
    before = pictures.float()
    assert (coarse.mean(dim=(1, 2)) - before.mean(dim=(1, 2))).abs().max() < 2
    assert coarse.diff(dim=1).abs().mean() < 0.7 * before.diff(dim=1).abs().mean()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BatchAugmenter(AugmentSpec(jpeg=0.1), 0), "has no jpeg; leave it out, or resident=false"),
        (lambda: BatchAugmenter(AugmentSpec(extra=({"name": "RandomFog"},)), 0), "has no extra"),
        (lambda: BatchAugmenter(AugmentSpec(), 0, low_resolution=2.0), "low_resolution is wrong"),
    ],
)
def test_what_has_no_batched_form_is_said(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_other_arrays_are_refused(pictures):
    change = BatchAugmenter(EVERYTHING, 0)
    with pytest.raises(DataError, match="expected \\(N, h, w, 3\\) uint8"):
        change(pictures.float(), keys())
    with pytest.raises(DataError, match=f"expected {N}, got 3"):
        change(pictures, keys(3))
