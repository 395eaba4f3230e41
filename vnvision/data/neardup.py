"""Near-duplicate images: one picture saved again, resized, brightened, cropped a little, turned or mirrored.

Two steps, because one is not enough on medical and crop images. A 256-bit perceptual hash finds candidates;
cells cut out on black, or X-rays of the same posture, agree there without being copies. So each candidate
pair is then compared in its fine detail, with the local contrast divided out. Smooth objects of the very same
outline can still pass for copies.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from vnvision.data.fingerprint import ORIENTATIONS, Fingerprint, fingerprint, orient
from vnvision.data.unionfind import DisjointSets
from vnvision.errors import DataError
from vnvision.imaging.read import read

Progress = Callable[[int, int], None]

# Chosen on ten real sets (leaf, blood cell, X-ray, ultrasound; 13 million pairs, each in 8 orientations).
# Different pictures were never nearer than 35 bits; up to 64 bits, their detail correlated by 0.74 at most
# (cells on black). Copies in JPEG at quality 15, at half size, brightened or noisy are within 24 bits; most
# crops of 2 % and overlaid texts within 64 bits and above 0.80. Of the same sets at 28 px, different cells
# correlate up to 0.90: where a picture is smaller than the thumbnail, only the first rule counts.
CLOSE_BITS, CLOSE_DETAIL = 24, 0.60
FAR_BITS, FAR_DETAIL = 64, 0.80
_LOW_BITS = 20  # of the 64 lowest frequencies: a cheap first look
_PAIRS_AT_ONCE = 1 << 20
_CHECKS_AT_ONCE = 1024


def near_duplicate_pairs(
    prints: Sequence[Fingerprint], *, mirrored: bool = True
) -> Iterator[tuple[int, int]]:
    """Pairs (i, j), i < j, of near-duplicates; a pair that earlier pairs already join may be left out.

    Args:
        prints: fingerprints; those without detail match nothing.
        mirrored: whether turned and mirrored copies count.
    """
    alive = [i for i, one in enumerate(prints) if one.detail.any()]
    if len(alive) < 2:
        return
    bits = np.ascontiguousarray(np.stack([prints[i].bits for i in alive]).transpose(1, 2, 0))
    details = np.stack([prints[i].detail for i in alive])
    fine = np.array([prints[i].fine for i in alive])
    sets = DisjointSets(len(alive))
    block = max(1, _PAIRS_AT_ONCE // len(alive))
    for start in range(0, len(alive), block):
        for orientation in range(ORIENTATIONS if mirrored else 1):
            left, right, far = _candidates(bits, start, start + block, orientation)
            if len(left) > len(alive):
                roots = np.asarray(sets.labels())
                apart = roots[left] != roots[right]
                left, right, far = left[apart], right[apart], far[apart]
            needed = np.where(fine[left] & fine[right], FAR_DETAIL, np.inf)
            needed[far <= CLOSE_BITS] = CLOSE_DETAIL
            for begin in range(0, len(left), _CHECKS_AT_ONCE):
                part = slice(begin, begin + _CHECKS_AT_ONCE)
                for i, j in _verified(details, left[part], right[part], needed[part], orientation, sets):
                    sets.union(i, j)
                    yield alive[i], alive[j]


def _candidates(
    bits: np.ndarray, start: int, stop: int, orientation: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of an image in start..stop with a later one, within FAR_BITS, and how many bits differ.

    ``bits`` is (8 orientations, 4 words, N).
    """
    ones, others = bits[0, :, start:stop], bits[orientation, :, start:]
    near = np.bitwise_count(ones[0, :, None] ^ others[0, None, :]) <= _LOW_BITS
    height = near.shape[0]
    near[:, :height] &= np.triu(np.ones((height, height), dtype=bool), 1)
    left, right = np.nonzero(near)
    differ = np.bitwise_count(ones[:, left] ^ others[:, right]).sum(axis=0, dtype=np.int32)
    keep = differ <= FAR_BITS
    return left[keep] + start, right[keep] + start, differ[keep]


def _verified(
    details: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    needed: np.ndarray,
    orientation: int,
    sets: DisjointSets,
) -> list[tuple[int, int]]:
    """Candidates not yet joined whose detail correlates by ``needed`` or more."""
    find = sets.find
    apart = np.array([find(i) != find(j) for i, j in zip(left.tolist(), right.tolist(), strict=True)], bool)
    if not apart.any():
        return []
    left, right = left[apart], right[apart]
    one = details[left].astype(np.float32).reshape(len(left), -1)
    other = orient(details[right], orientation).astype(np.float32).reshape(len(right), -1)
    scale = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    good = np.einsum("nd,nd->n", one, other) >= needed[apart] * scale
    return list(zip(left[good].tolist(), right[good].tolist(), strict=True))


def cluster(
    prints: Sequence[Fingerprint | None], digests: Sequence[str | None], *, mirrored: bool = True
) -> list[int]:
    """Cluster number of each image, counted from 0 in order of first appearance.

    Args:
        prints: fingerprints, None for an image that could not be read (alone, or with equal bytes).
        digests: hash of each file's bytes, None where unknown: equal bytes always share a cluster, which is
            how images without any detail are joined.
        mirrored: whether turned and mirrored copies count.
    """
    sets = DisjointSets(len(prints))
    first: dict[str, int] = {}
    for i, digest in enumerate(digests):
        if digest is not None:
            sets.union(first.setdefault(digest, i), i)
    # One picture for each content: a thousand copies of a file are one row of the search.
    alone = [i for i, digest in enumerate(digests) if digest is None or first[digest] == i]
    known = [(i, one) for i in alone if (one := prints[i]) is not None]
    for a, b in near_duplicate_pairs([one for _, one in known], mirrored=mirrored):
        sets.union(known[a][0], known[b][0])
    return sets.labels()


def near_duplicate_clusters(
    files: Sequence[str | Path],
    *,
    mirrored: bool = True,
    threads: int | None = None,
    progress: Progress | None = None,
) -> list[int]:
    """Cluster number of each image file; files that are near-duplicates share one.

    Args:
        files: image files.
        mirrored: whether turned and mirrored copies count.
        threads: how many files to read at once; one for each CPU, at most 8, unless given.
        progress: called with (files done, files in all).

    Raises:
        DataError: a file cannot be read as an image.
    """

    def look(file: str | Path) -> tuple[str, Fingerprint]:
        try:
            data = Path(file).read_bytes()
        except OSError as exc:
            raise DataError(f"cannot read {file}", got=exc.strerror or str(exc)) from exc
        return hashlib.sha256(data).hexdigest(), fingerprint(read(file).image)

    found = []
    with ThreadPoolExecutor(threads or default_threads()) as pool:
        for done, item in enumerate(pool.map(look, files), 1):
            found.append(item)
            if progress is not None:
                progress(done, len(files))
    return cluster([one for _, one in found], [digest for digest, _ in found], mirrored=mirrored)


def default_threads() -> int:
    """One thread for each CPU, at most 8: beyond that, disks and memory are the limit."""
    return min(8, os.cpu_count() or 1)
