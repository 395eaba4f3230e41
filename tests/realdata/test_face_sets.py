"""Faces cut out once, packed, and held against each other, on real portraits."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from vnvision.data.records.face_rec import write_face_rec
from vnvision.data.records.packing import pack_shards
from vnvision.data.records.sources import open_pictures
from vnvision.faces.aligned_cache import build_aligned
from vnvision.faces.embedded import EmbeddedFaces
from vnvision.faces.engine import FaceEngine, largest
from vnvision.faces.listing import Pictures, list_pictures
from vnvision.faces.overlap import find_overlap

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif("VNVISION_DATA" not in os.environ, reason="VNVISION_DATA is not set"),
]
N = 80


def engine():
    return FaceEngine(threads=1)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """The first 80 pictures of the development set, cut out."""
    faces = Path(os.environ["VNVISION_DATA"]) / "faces" / "manifest.csv"
    if not faces.is_file():
        pytest.skip(f"no {faces}")
    found = list_pictures(faces, where=["set=asianfaces_dev"])
    some = {name: values[:N] for name, values in found.columns.items()}
    pictures = Pictures(found.root, found.paths[:N], some, found.sha256)
    done = build_aligned(engine, pictures, tmp_path_factory.mktemp("cache") / "a", rows_a_part=32)
    assert done.n_aligned == N
    return pictures, done.manifest


def test_crops_are_those_that_the_engine_embeds(cache):
    pictures, manifest = cache
    source, faces = open_pictures(manifest), engine()
    for i in range(0, N, 16):
        file = pictures.root / pictures.paths[i]
        chosen = [largest(some, file) for some in faces.detect([file])]
        np.testing.assert_array_equal(source.read(i), faces.align([file], [chosen])[0][0])
        assert source.identity(i) == pictures.columns["identity"][i]


def test_manifest_shards_and_rec_hold_the_same_faces(cache, tmp_path):
    _, manifest = cache
    plain = open_pictures(manifest)
    shards = open_pictures(pack_shards(manifest, tmp_path / "tars", shard_mb=0.5))
    with manifest.open(encoding="utf-8", newline="") as stream:
        files = [manifest.parent / row["path"] for row in csv.DictReader(stream)]
    people = [
        [files[i].read_bytes() for i in np.flatnonzero(plain.codes == c)] for c in range(len(plain.names))
    ]
    rec = open_pictures(write_face_rec(tmp_path / "t.rec", people))
    order = np.argsort(plain.codes, kind="stable")
    assert len(plain) == len(shards) == len(rec) == N
    for i in range(N):
        np.testing.assert_array_equal(plain.read(i), shards.read(i))
        np.testing.assert_array_equal(plain.read(int(order[i])), rec.read(i))


def test_people_put_into_both_sets_are_found(cache):
    """Each person's first picture against the others: who has two is in both, under another name."""
    _, manifest = cache
    source, faces = open_pictures(manifest), engine()
    templates = faces.embed(np.stack([source.read(i) for i in range(N)]))
    firsts = np.unique(source.codes, return_index=True)[1]

    def part(rows, letter):
        names = tuple(f"{letter}{source.codes[i]}" for i in rows)
        paths = tuple(map(str, rows))
        return EmbeddedFaces(templates[rows], paths, ("",) * len(rows), {"identity": names}, "sface")

    rest = np.setdiff1d(np.arange(N), firsts)
    limit = faces.threshold("fmr=1e-5@lfw").value
    found = find_overlap(part(firsts, "a"), part(rest, "b"), limit)
    planted = {(f"a{c}", f"b{c}") for c in source.codes[rest]}
    hits = {(pair.first, pair.second) for pair in found.pairs}
    assert len(planted) >= 10
    assert len(hits & planted) >= 0.9 * len(planted)
    assert len(hits - planted) <= 0.1 * len(planted)
