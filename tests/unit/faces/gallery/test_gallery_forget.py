"""After forget nothing of the person lies in any file of the gallery."""

import sqlite3

import pytest

from vnvision.errors import DataError
from vnvision.faces.gallery.store import Store


def traces(path, person):
    """Every secret byte string of a person's records, as it lies on disk before forgetting."""
    raw = sqlite3.connect(path)
    rows = raw.execute(
        "SELECT id, person, photo, text, embedding FROM record WHERE person = ?", (bytes.fromhex(person),)
    ).fetchall()
    raw.close()
    assert rows
    found = []
    for record, _, photo, text, embedding in rows:
        found += [record, photo, text[:12], embedding[:12]]
        for blob in (text, embedding):
            found += [blob[start : start + 16] for start in range(12, len(blob) - 16, 16)] + [blob[-16:]]
    return found


@pytest.mark.parametrize("others", [0, 25])
def test_forget_leaves_nothing(bench, others):
    gallery, watcher = bench.open(), bench.open()
    photos = bench.units(4)
    for number in range(others):
        bench.enroll(gallery, f"other-{number}", bench.units(2, seed=number + 10))
    bench.enroll(gallery, "Nguyễn Văn Bí", photos, name="Người Bí Mật")
    assert watcher.identify(photos, 0.9)[0].person == "Nguyễn Văn Bí"  # an idle reader is still connected
    secrets = traces(bench.path, gallery.pseudonym("Nguyễn Văn Bí"))
    before = bench.bytes_on_disk()
    assert all(secret in before for secret in secrets)
    plain = [word.encode() for word in ("Nguyễn Văn Bí", "Người Bí Mật", "I agree")]
    plain += [row.tobytes() for row in photos] + [row.tobytes()[:16] for row in photos]
    assert not any(word in before for word in plain), "personal data lies in the clear"

    assert gallery.forget("Nguyễn Văn Bí") == 4
    after = bench.bytes_on_disk()
    assert not [secret.hex() for secret in secrets if secret in after]
    assert not any(word in after for word in plain)
    assert watcher.identify(photos, 0.9)[0].person is None
    assert len(gallery.list()) == others
    assert gallery.forget("Nguyễn Văn Bí") == 0
    assert gallery.verify_audit().count == others + 6


def test_records_larger_than_a_page_go_too(bench):
    gallery = bench.open(dim=3000)
    for person in ("e-1", "e-2"):
        bench.enroll(gallery, person, bench.units(2, seed=len(person), dim=3000))
    secrets = traces(bench.path, gallery.pseudonym("e-1"))
    before = bench.bytes_on_disk()
    assert sum(secret in before for secret in secrets) > 0.95 * len(secrets)  # some straddle two pages
    assert gallery.forget("e-1") == 2
    after = bench.bytes_on_disk()
    assert not any(secret in after for secret in secrets)
    assert [person.person for person in gallery.list()] == ["e-2"]


def test_replaced_terms_go_with_the_person(bench):
    gallery, photos = bench.open(), bench.units(1)
    bench.enroll(gallery, "e-1", photos)
    secrets = traces(bench.path, gallery.pseudonym("e-1"))
    bench.enroll(gallery, "e-1", photos, consent=bench.consent("new words"))
    gallery.forget("e-1")
    after = bench.bytes_on_disk()
    assert not any(secret in after for secret in secrets)


def test_purge_leaves_nothing_either(bench):
    gallery, photos = bench.open(), bench.units(1)
    bench.enroll(gallery, "e-1", photos)
    secrets = traces(bench.path, gallery.pseudonym("e-1"))
    bench.now = bench.now.replace(year=2027)
    assert gallery.purge_expired() == 1
    after = bench.bytes_on_disk()
    assert not any(secret in after for secret in secrets)
    last = gallery.audit_entries()[-1]
    assert (last.action, last.subjects) == ("purge", (gallery.pseudonym("e-1"),))


def test_a_killed_erasing_is_finished_on_opening(bench, monkeypatch):
    gallery = bench.open()
    bench.enroll(gallery, "e-1", bench.units(1))
    secrets = traces(bench.path, gallery.pseudonym("e-1"))
    with monkeypatch.context() as patch:
        patch.setattr(Store, "scrub", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            gallery.forget("e-1")
    assert any(secret in bench.bytes_on_disk() for secret in secrets)  # the write-ahead log still has them
    bench.open()
    assert not any(secret in bench.bytes_on_disk() for secret in secrets)


def test_a_reader_in_the_way_is_said(bench):
    gallery = bench.open(busy_s=0.2)
    bench.enroll(gallery, "e-1", bench.units(1))
    reader = sqlite3.connect(bench.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM record").fetchone()
    with pytest.raises(DataError, match="erased records still lie in its write-ahead log"):
        gallery.forget("e-1")
    assert gallery.list() == ()
    reader.execute("ROLLBACK")
    assert gallery.forget("e-1") == 0  # again, and now it is clean
    assert gallery._store.counter("erased") == gallery._store.counter("scrubbed") == 1
