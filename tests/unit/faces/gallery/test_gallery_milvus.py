"""The same answers from Milvus Lite as from the SQLite gallery."""

import importlib.util
from datetime import timedelta

import numpy as np
import pytest

from vnvision.errors import ConfigError, DataError, MissingExtraError, ModelError
from vnvision.faces.gallery import GalleryKey
from vnvision.faces.gallery.milvus import MilvusGallery

HAS_MILVUS = all(importlib.util.find_spec(name) is not None for name in ("pymilvus", "milvus_lite"))
lite = pytest.mark.skipif(not HAS_MILVUS, reason="pymilvus with Milvus Lite is not installed")


@pytest.fixture
def connect(bench, tmp_path):
    opened = []

    def call(**options):
        wanted = {"key": bench.key, "model": "model-a", "dim": 16, "create": True, "clock": lambda: bench.now}
        place = {"ledger": tmp_path / "ledger.db"}
        gallery = MilvusGallery.open(str(tmp_path / "lite.db"), **(wanted | place | options))
        opened.append(gallery)
        return gallery

    yield call
    for gallery in opened:
        gallery.close()


@pytest.mark.skipif(importlib.util.find_spec("pymilvus") is not None, reason="pymilvus is installed")
def test_missing_pymilvus_names_its_extra(connect, tmp_path):
    with pytest.raises(MissingExtraError, match=r"pymilvus is not installed; .*vnvision\[gallery\]"):
        connect()
    assert not (tmp_path / "ledger.db").exists()


@lite
def test_the_same_answers_as_the_embedded_gallery(bench, connect, tmp_path):
    milvus, embedded, photos = connect(), bench.open(), bench.units(12)
    for gallery in (milvus, embedded):
        for person in range(4):
            bench.enroll(gallery, f"p{person}", photos[3 * person : 3 * person + 3], name=f"Người {person}")
        assert bench.enroll(gallery, "p0", photos[:3]).already == 3
        bench.enroll(gallery, "short", bench.units(1, seed=5), expires=bench.now + timedelta(days=1))
    assert [p.person for p in milvus.list()] == [p.person for p in embedded.list()]
    queries = np.concatenate([photos, bench.units(5, seed=3)])
    for threshold, k in ((0.9, 1), (-1.0, 3)):
        pairs = zip(
            milvus.identify(queries, threshold, k), embedded.identify(queries, threshold, k), strict=True
        )
        for ours, theirs in pairs:
            assert [c.person for c in ours.candidates] == [c.person for c in theirs.candidates]
            assert [c.name for c in ours.candidates] == [c.name for c in theirs.candidates]
            assert ours.best_score == pytest.approx(theirs.best_score, abs=1e-5)
    bench.now += timedelta(days=1)
    assert milvus.identify(bench.units(1, seed=5), 0.9)[0].person is None
    assert milvus.forget("p1") == 3
    assert milvus.forget("p1") == 0
    assert [answer.person for answer in milvus.identify(photos[::3], 0.9)] == ["p0", None, "p2", "p3"]
    assert milvus.verify_audit().count == len(milvus.audit_entries()) == 1 + 6 + 3 + 2 + 1
    held = b"".join(part.read_bytes() for part in tmp_path.rglob("*") if part.is_file())
    assert "Người".encode() not in held


@lite
def test_refusals(bench, connect):
    with pytest.raises(DataError, match="there is no gallery at"):
        connect(create=False)
    gallery = connect()
    with pytest.raises(DataError, match="not unit-norm"):
        bench.enroll(gallery, "e-1", np.ones((1, 16), np.float32))
    with pytest.raises(ModelError, match="another model"):
        connect(model="model-b")
    with pytest.raises(ConfigError, match="the key does not open"):
        connect(key=GalleryKey(bytes(32)))
    with pytest.raises(DataError, match=r"the Milvus collection absent at .* does not exist"):
        connect(create=False, collection="absent")
