"""Near-duplicates: copies are found, look-alikes are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from vnvision.data.fingerprint import ORIENTATIONS, Fingerprint, fingerprint, orient
from vnvision.data.neardup import cluster, near_duplicate_clusters, near_duplicate_pairs
from vnvision.data.unionfind import DisjointSets
from vnvision.errors import DataError


def photo(seed: int, size: tuple[int, int] = (180, 220)) -> np.ndarray:
    """A picture with structure at every scale, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    total = np.zeros((*size, 3))
    for step in (4, 12, 40, 80):
        coarse = rng.normal(size=(size[0] // step + 2, size[1] // step + 2, 3))
        total += cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + 40 * total, 0, 255).astype(np.uint8)


def cell(seed: int) -> np.ndarray:
    """A stained cell cut out on black, centred: round, but no two outlines are the same."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:140, :140] - 70.0
    angle, radius = np.arctan2(y, x), rng.uniform(58, 66)
    for wave in range(2, 6):
        radius = radius * (1 + rng.normal(0, 0.1 / wave) * np.sin(wave * angle + rng.uniform(0, 7)))
    texture = cv2.GaussianBlur(rng.normal(size=(140, 140)), (0, 0), 3)
    tone = rng.uniform(120, 200) + 4 * texture / texture.std()
    for _ in range(rng.integers(0, 3)):
        spot = np.hypot(y - rng.uniform(-40, 40), x - rng.uniform(-40, 40)) < rng.uniform(4, 9)
        tone = np.where(spot, tone - 70, tone)
    grey = np.where(np.hypot(y, x) < radius, np.clip(tone, 0, 255), 0).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def fundus(seed: int) -> np.ndarray:
    """A picture in exactly the same round field of view each time."""
    y, x = np.mgrid[:140, :140] - 70.0
    return np.where((np.hypot(y, x) < 66)[:, :, None], photo(seed, (140, 140)), 0).astype(np.uint8)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


COPIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "jpeg": lambda image: jpeg(image, 20),
    "half size": lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_LINEAR),
    "squashed": lambda image: cv2.resize(image, (150, 150), interpolation=cv2.INTER_AREA),
    "brighter": lambda image: np.clip(image * 1.15 + 10, 0, 255).astype(np.uint8),
    "gamma": lambda image: (255 * (image / 255.0) ** 1.4).astype(np.uint8),
    "noisy": lambda image: np.clip(image + np.random.default_rng(9).normal(0, 6, image.shape), 0, 255).astype(
        np.uint8
    ),
    "grey": lambda image: cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[:, :, None],
    "cropped": lambda image: image[2:-2, 2:-2],
    "16 bit": lambda image: image.astype(np.uint16) * 16,
}


def alike(one: np.ndarray, other: np.ndarray, **options: bool) -> bool:
    return bool(list(near_duplicate_pairs([fingerprint(one), fingerprint(other)], **options)))


@pytest.mark.parametrize("name", COPIES)
def test_copies_are_found(name: str) -> None:
    copy = COPIES[name]
    for seed in range(8):
        image = photo(seed)
        assert alike(image, np.ascontiguousarray(copy(image))), f"{name}, picture {seed}"


@pytest.mark.parametrize("turn", range(ORIENTATIONS))
def test_turned_and_mirrored_copies(turn: int) -> None:
    image = photo(3)
    turned = np.rot90(image[:, ::-1] if turn >= 4 else image, turn % 4)
    turned = jpeg(np.ascontiguousarray(turned), 50)
    assert alike(image, turned)
    assert alike(image, turned, mirrored=False) == (turn == 0)


@pytest.mark.parametrize("orientation", range(ORIENTATIONS))
def test_hash_and_detail_turn_alike(orientation: int) -> None:
    image = photo(5, (64, 64))
    turned = np.ascontiguousarray(np.moveaxis(orient(np.moveaxis(image, 2, 0), orientation), 0, 2))
    one, other = fingerprint(image), fingerprint(turned)
    assert np.bitwise_count(one.bits[orientation] ^ other.bits[0]).sum() <= 4
    assert np.abs(orient(one.detail, orientation).astype(int) - other.detail).max() <= 1


@pytest.mark.parametrize("draw", [photo, cell, fundus])
def test_different_pictures_are_not_joined(draw: Callable[[int], np.ndarray]) -> None:
    prints = [fingerprint(draw(seed)) for seed in range(120)]
    assert list(near_duplicate_pairs(prints)) == []


def test_small_pictures_are_not_joined() -> None:
    def small(seed: int) -> Fingerprint:
        return fingerprint(cv2.resize(cell(seed), (28, 28), interpolation=cv2.INTER_AREA))

    assert list(near_duplicate_pairs([small(seed) for seed in range(120)])) == []
    shrunk = cv2.resize(photo(0), (28, 28), interpolation=cv2.INTER_AREA)
    assert alike(shrunk, jpeg(shrunk, 90))


def test_flat_pictures_are_not_joined_unless_their_bytes_are() -> None:
    rng = np.random.default_rng(0)
    flat = [np.full((90, 90, 1), value, np.uint8) for value in (0, 0, 7, 255)]
    flat += [np.clip(rng.normal(40, 0.7, (90, 90, 1)), 0, 255).astype(np.uint8) for _ in range(4)]
    y, x = np.mgrid[:90, :90]
    vignette = (200 - np.hypot(y - 45, x - 45))[:, :, None]
    flat += [np.clip(vignette + rng.normal(0, 1, vignette.shape), 0, 255).astype(np.uint8) for _ in range(4)]
    prints = [fingerprint(image) for image in flat]
    assert cluster(prints, [None] * len(flat)) == list(range(len(flat)))
    assert cluster(prints[:3], ["same", "same", "other"]) == [0, 0, 1]


def test_clusters_are_transitive_and_numbered_in_order() -> None:
    image = photo(1)
    prints = [fingerprint(one) for one in (photo(0), image, photo(2), jpeg(image, 30), image[:, ::-1].copy())]
    assert cluster(prints, [None] * 5) == [0, 1, 2, 1, 1]
    assert cluster([prints[0], None, None], ["a", "b", "b"]) == [0, 1, 1]
    assert cluster([], []) == []


def test_files(tmp_path: Path) -> None:
    image = photo(4)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    cv2.imwrite(str(tmp_path / "b.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 60])
    cv2.imwrite(str(tmp_path / "c.png"), photo(5))
    calls: list[tuple[int, int]] = []
    files = [tmp_path / name for name in ("c.png", "a.png", "b.jpg")]
    found = near_duplicate_clusters(files, progress=lambda done, total: calls.append((done, total)))
    assert found == [0, 1, 1]
    assert calls == [(1, 3), (2, 3), (3, 3)]
    (tmp_path / "d.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"d\.png"):
        near_duplicate_clusters([tmp_path / "d.png"])
    with pytest.raises(DataError, match=r"cannot read .*none\.png"):
        near_duplicate_clusters([tmp_path / "none.png"])


def test_search_agrees_with_every_pair_compared() -> None:
    rng = np.random.default_rng(0)
    bases = rng.integers(0, 2**63, (40, 4)).astype(np.uint64)
    prints = []
    for number in range(400):
        # Some bits flipped in the high words: a copy of one of 40 pictures.
        bits = np.repeat(bases[number % 40][None], ORIENTATIONS, axis=0)
        bits[:, 1 + number % 3] ^= np.uint64((1 << (number // 40)) - 1)
        detail = np.random.default_rng(number % 40).integers(-60, 60, (64, 64)).astype(np.int8)
        prints.append(Fingerprint(bits, detail, fine=True))
    sets = DisjointSets(len(prints))
    for i, one in enumerate(prints):
        for j in range(i):
            if np.bitwise_count(one.bits[0] ^ prints[j].bits[0]).sum() <= 24:
                sets.union(i, j)
    assert cluster(prints, [None] * 400) == sets.labels()
    assert len(set(sets.labels())) == 40


def test_many_copies_do_not_take_quadratic_checks() -> None:
    one = fingerprint(photo(0))
    assert set(cluster([one] * 3000, [None] * 3000, mirrored=False)) == {0}
