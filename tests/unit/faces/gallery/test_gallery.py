"""Enrolling, identifying, expiry, listing and exporting."""

import base64
import json
import sqlite3
import stat
import subprocess
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import numpy as np
import pytest

from vnvision.errors import ConfigError, DataError, ModelError
from vnvision.faces.gallery import Consent
from vnvision.faces.gallery.vault import RecordId


def test_round_trip_over_a_reopening(bench):
    photos = bench.units(3)
    with bench.open() as gallery:
        done = bench.enroll(gallery, "e-1", photos, name="Trần Thị Bình")
        assert (done.added, done.already, done.replaced) == (3, 0, 0)
    gallery = bench.open(create=False)
    answer = gallery.identify(photos[1:2], 0.9)[0]
    assert answer.person == "e-1"
    assert answer.candidates[0].name == "Trần Thị Bình"
    assert answer.candidates[0].score == pytest.approx(1.0, abs=1e-6)
    (person,) = gallery.list()
    assert person.name == "Trần Thị Bình"
    assert len(person.photos) == 3
    assert person.photos[0].consent == bench.consent()
    assert person.photos[0].purpose == "door"
    assert person.photos[0].expires == bench.now + timedelta(days=30)


def test_enrolling_again_stores_nothing_twice(bench):
    gallery, photos = bench.open(), bench.units(3)
    digests = [character * 64 for character in "abc"]
    bench.enroll(gallery, "e-1", photos[:2], digests=digests[:2])
    again = bench.enroll(gallery, "e-1", photos, digests=digests)
    assert (again.added, again.already) == (1, 2)
    # The same photo within one call, too; and a group photo may hold two people.
    assert bench.enroll(gallery, "e-1", photos[:2], digests=["d" * 64] * 2).added == 1
    assert bench.enroll(gallery, "e-2", photos[2:], digests=["a" * 64]).added == 1
    assert [len(person.photos) for person in gallery.list()] == [4, 1]


def test_new_terms_replace_the_old_ones_and_keep_the_name(bench):
    gallery, photos = bench.open(), bench.units(2)
    bench.enroll(gallery, "e-1", photos, name="An")
    later = bench.now + timedelta(days=90)
    renewed = bench.enroll(gallery, "e-1", photos[:1], consent=bench.consent("renewed"), expires=later)
    assert (renewed.added, renewed.already, renewed.replaced) == (0, 0, 1)
    (person,) = gallery.list()
    assert person.name == "An"
    assert sorted(photo.expires for photo in person.photos) == [bench.now + timedelta(days=30), later]


def test_one_spelling_of_a_vietnamese_id(bench):
    gallery, photos = bench.open(), bench.units(1)
    bench.enroll(gallery, "Nguyễn", photos)
    assert bench.enroll(gallery, unicodedata.normalize("NFD", "Nguyễn"), photos).already == 1
    assert gallery.forget(" Nguyễn ") == 1


def test_unknown_below_threshold_and_in_an_empty_gallery(bench):
    gallery, photos = bench.open(), bench.units(2)
    (nobody,) = gallery.identify(photos[:1], -1.0)
    assert nobody.person is None
    assert nobody.best_score is None
    assert gallery.identify(np.empty((0, 16), np.float32), 0.5) == ()
    bench.enroll(gallery, "e-1", photos[:1])
    cosine = float(photos[0] @ photos[1])
    assert gallery.identify(photos[1:], cosine + 1e-4)[0].person is None
    assert gallery.identify(photos[1:], cosine + 1e-4)[0].best_score == pytest.approx(cosine, abs=1e-6)
    assert gallery.identify(photos[1:], cosine - 1e-4)[0].person == "e-1"


def test_a_person_scores_by_the_best_photo(bench):
    gallery, photos = bench.open(), bench.units(40)
    for start in range(0, 40, 4):
        bench.enroll(gallery, f"p{start // 4}", photos[start : start + 4])
    queries = bench.units(7, seed=1)
    wanted = (queries @ photos.T).reshape(7, 10, 4).max(axis=2)
    for answer, scores in zip(gallery.identify(queries, -1.0, k=3), wanted, strict=True):
        order = np.argsort(-scores)[:3]
        assert [candidate.person for candidate in answer.candidates] == [f"p{best}" for best in order]
        assert [candidate.score for candidate in answer.candidates] == pytest.approx(scores[order], abs=1e-6)


def test_expired_photos_match_nobody(bench):
    gallery, photos = bench.open(), bench.units(2)
    bench.enroll(gallery, "e-1", photos[:1], expires=bench.now + timedelta(days=1))
    bench.enroll(gallery, "e-1", photos[1:], expires=bench.now + timedelta(days=2))
    seconds = timedelta(seconds=1)
    for moment, known in [
        (timedelta(days=1) - seconds, [True, True]),
        (timedelta(days=1), [False, True]),
        (timedelta(days=2), [False, False]),
        (timedelta(), [True, True]),  # a clock set back
    ]:
        bench.now = datetime(2026, 1, 1, tzinfo=bench.now.tzinfo) + moment
        assert [answer.person is not None for answer in gallery.identify(photos, 0.9)] == known
    bench.now += timedelta(days=1)
    assert sorted(photo.expired for photo in gallery.list()[0].photos) == [False, True]
    assert gallery.purge_expired() == 1
    assert gallery.purge_expired() == 0
    assert len(gallery.list()[0].photos) == 1


def test_a_later_expiry_written_into_the_file_is_refused(bench):
    gallery = bench.open()
    bench.enroll(gallery, "e-1", bench.units(1))
    raw = sqlite3.connect(bench.path)
    raw.execute("UPDATE record SET expires = expires + 1")
    raw.commit()
    with pytest.raises(DataError, match="was changed or damaged"):
        bench.open().identify(bench.units(1), 0.5)


@pytest.mark.parametrize(
    ("embeddings", "words"),
    [
        (np.ones(16, np.float32), r"wrong shape: expected \(N, 16\), got \(16,\)"),
        (np.ones((1, 15), np.float32), r"expected \(N, 16\), got \(1, 15\)"),
        (np.eye(16, dtype=np.int64)[:1], "wrong type: expected float32, got int64"),
        (np.full((1, 16), np.nan, np.float32), "row 0 is not finite"),
        (np.full((1, 16), np.inf, np.float32), "row 0 is not finite"),
        (np.vstack([np.eye(16)[:1], 2 * np.eye(16)[:1]]), "row 1 is not unit-norm: expected length 1, got 2"),
        (np.zeros((1, 16), np.float32), "not unit-norm"),
    ],
)
def test_bad_embeddings(bench, embeddings, words):
    gallery = bench.open()
    for call in (lambda: bench.enroll(gallery, "e-1", embeddings), lambda: gallery.identify(embeddings, 0.5)):
        with pytest.raises(DataError, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)
    assert gallery.list() == ()


def test_bad_arguments(bench):
    gallery, photo = bench.open(), bench.units(1)
    with pytest.raises(DataError, match="nothing to enrol"):
        bench.enroll(gallery, "e-1", photo[:0])
    with pytest.raises(ConfigError, match="person is empty"):
        bench.enroll(gallery, "  ", photo)
    with pytest.raises(ConfigError, match="purpose is empty"):
        bench.enroll(gallery, "e-1", photo, purpose="")
    with pytest.raises(ConfigError, match="expires is in the past"):
        bench.enroll(gallery, "e-1", photo, expires=bench.now)
    with pytest.raises(ConfigError, match="needs a time zone"):
        bench.enroll(gallery, "e-1", photo, expires=datetime(2027, 1, 1))
    with pytest.raises(DataError, match="differ in number: expected 1, got 2"):
        bench.enroll(gallery, "e-1", photo, digests=["a" * 64] * 2)
    with pytest.raises(DataError, match="no SHA-256"):
        bench.enroll(gallery, "e-1", photo, digests=["photo.jpg"])
    for threshold in (1.5, float("nan")):
        with pytest.raises(ConfigError, match="threshold is no cosine"):
            gallery.identify(photo, threshold)
    with pytest.raises(ConfigError, match=r"consent is of the wrong type: expected .*Consent, got str"):
        bench.enroll(gallery, "e-1", photo, consent="yes")
    assert len(gallery.identify(photo, 0.5, k=10**9)) == 1
    with pytest.raises(ConfigError, match="k is wrong"):
        gallery.identify(photo, 0.5, k=0)
    with pytest.raises(ValueError, match="its text or a reference"):
        Consent(given_by="An", given_at=bench.now)


def test_another_model_is_refused(bench):
    bench.open().close()
    with pytest.raises(ModelError, match="another model's embeddings: expected model model-a, got model b"):
        bench.open(model="b")
    with pytest.raises(ModelError, match="another size: expected 16, got 32"):
        bench.open(dim=32)
    gallery = bench.open(model=None, dim=None, create=False)
    assert gallery.list() == ()
    with pytest.raises(ConfigError, match="cannot identify: the gallery was opened without a model"):
        gallery.identify(bench.units(1), 0.5)


def test_no_gallery_there(bench, tmp_path):
    with pytest.raises(DataError, match="there is no gallery at"):
        bench.open(create=False)
    assert not bench.path.exists()
    with pytest.raises(ConfigError, match="a new gallery needs its model"):
        bench.open(model=None)
    bench.path = tmp_path / "notes.db"
    bench.path.write_text("not a database, but long enough to be read as one" * 50)
    with pytest.raises(DataError, match="is no gallery"):
        bench.open()
    bench.path = tmp_path / "other.db"
    raw = sqlite3.connect(bench.path)
    raw.execute("CREATE TABLE mine (x)")
    raw.close()
    with pytest.raises(DataError, match="another program's database"):
        bench.open()


def test_export_says_what_it_holds(bench, tmp_path):
    gallery, photos = bench.open(), bench.units(3)
    bench.enroll(gallery, "e-1", photos[:2], name="An")
    bench.enroll(gallery, "e-2", photos[2:])
    out = gallery.export(tmp_path / "all.json")
    data = json.loads(out.read_text(encoding="utf-8"))
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert data["embeddings"] == "none"
    assert [person["name"] for person in data["people"]] == ["An", None]
    assert all("embedding" not in photo for person in data["people"] for photo in person["photos"])
    plain = json.loads(gallery.export(tmp_path / "p.json", person="e-2", embeddings="plain").read_text())
    assert "NOT encrypted" in plain["embeddings_are"]
    assert np.array_equal(np.float32(plain["people"][0]["photos"][0]["embedding"]), photos[2])
    sealed = json.loads(gallery.export(tmp_path / "s.json", embeddings="encrypted").read_text())
    entry = sealed["people"][1]["photos"][0]
    record = RecordId(
        bytes.fromhex(entry["record"]),
        bytes.fromhex(gallery.pseudonym("e-2")),
        bytes.fromhex(entry["photo_tag"]),
        int(datetime.fromisoformat(entry["expires"]).timestamp()),
    )
    opened = gallery._vault.open_embedding(base64.b64decode(entry["embedding"]), record, 16)
    assert np.array_equal(opened, photos[2])
    with pytest.raises(DataError, match="nobody is enrolled as 'e-9'"):
        gallery.export(tmp_path / "x.json", person="e-9")
    with pytest.raises(ConfigError, match="none, encrypted or plain"):
        gallery.export(tmp_path / "x.json", embeddings="yes")
    assert [entry.detail.get("embeddings") for entry in gallery.audit_entries()][-3:] == [
        "none",
        "plain",
        "encrypted",
    ]


def test_another_process_is_seen_at_once(bench):
    first, second, photos = bench.open(), bench.open(), bench.units(3)
    bench.enroll(first, "e-1", photos[:1])
    assert second.identify(photos, 0.9)[0].person == "e-1"
    bench.enroll(first, "e-2", photos[1:2])
    assert [answer.person for answer in second.identify(photos, 0.9)] == ["e-1", "e-2", None]
    second.forget("e-1")
    assert [answer.person for answer in first.identify(photos, 0.9)] == [None, "e-2", None]


def test_threads_share_one_gallery(bench):
    gallery, photos = bench.open(), bench.units(24)

    def work(number):
        bench.enroll(gallery, f"p{number}", photos[number : number + 1])
        return gallery.identify(photos[number : number + 1], 0.99)[0].person

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(24))) == [f"p{number}" for number in range(24)]
    assert gallery.verify_audit().count == 1 + 48


def test_closed_gallery_and_private_file(bench):
    gallery = bench.open()
    assert stat.S_IMODE(bench.path.stat().st_mode) == 0o600
    gallery.close()
    gallery.close()
    with pytest.raises(DataError, match="is closed"):
        gallery.list()


def test_importing_it_loads_neither_torch_nor_optional_packages():
    code = (
        "import sys, vnvision.faces.gallery as g, vnvision.faces.gallery.milvus\n"
        "print(sorted({'torch', 'faiss', 'pymilvus', 'cryptography', 'insightface'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
