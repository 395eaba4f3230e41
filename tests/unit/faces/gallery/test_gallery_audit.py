"""Each kind of tampering with the audit log is found, and none of it stops an erasing."""

import json
import shutil
import sqlite3

import pytest

from vnvision.errors import DataError


@pytest.fixture
def gallery(bench):
    opened, photos = bench.open(), bench.units(3)
    bench.enroll(opened, "e-1", photos[:2], name="An")
    bench.enroll(opened, "e-2", photos[2:])
    opened.identify(photos, 0.9)
    opened.identify(bench.units(2, seed=9), 0.9)
    opened.forget("e-2")
    return opened


@pytest.fixture
def raw(bench, gallery):
    connection = sqlite3.connect(bench.path, isolation_level=None)
    yield connection
    connection.close()


def unlock(raw):
    raw.execute("DROP TRIGGER audit_no_update")
    raw.execute("DROP TRIGGER audit_no_delete")


def relock(raw, triggers):
    for (statement,) in triggers:
        raw.execute(statement)


def triggers_of(raw):
    return raw.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'").fetchall()


def test_every_action_is_logged_without_personal_data(bench, gallery, raw):
    entries = gallery.audit_entries()
    assert [entry.action for entry in entries] == [
        "create", "enroll", "enroll", "identify", "identify", "forget",
    ]  # fmt: skip
    assert [entry.seq for entry in entries] == [1, 2, 3, 4, 5, 6]
    first, second = gallery.pseudonym("e-1"), gallery.pseudonym("e-2")
    assert set(entries[3].subjects) == {first, second}
    assert entries[3].detail == {"queries": 3, "known": 3, "unknown": 0, "threshold": 0.9, "k": 1}
    assert (entries[4].subjects, entries[4].detail["unknown"]) == ((), 2)
    assert (entries[5].subjects, entries[5].detail) == ((second,), {"photos": 1})
    assert entries[1].at == "2026-01-01T00:00:00.000000+00:00"
    written = json.dumps(raw.execute("SELECT subjects, detail, action FROM audit").fetchall())
    assert "e-1" not in written
    assert "An" not in written
    assert gallery.verify_audit().count == 6


def test_the_file_refuses_changes(raw):
    for statement in ("DELETE FROM audit WHERE seq = 3", "UPDATE audit SET action = 'x' WHERE seq = 3"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            raw.execute(statement)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE audit SET detail = '{\"photos\":9}' WHERE seq = 2", "entry 2 was changed or moved"),
        ("UPDATE audit SET at = '2025-01-01' WHERE seq = 4", "entry 4 was changed or moved"),
        ("UPDATE audit SET subjects = '[]' WHERE seq = 3", "entry 3 was changed or moved"),
        ("UPDATE audit SET mac = zeroblob(32) WHERE seq = 6", "entry 6 was changed or moved"),
        ("UPDATE audit SET mac = 'text' WHERE seq = 5", "entry 5 was changed or moved"),
        ("UPDATE audit SET prev = 7 WHERE seq = 5", "entry 5 was changed or moved"),
        ("DELETE FROM audit WHERE seq = 1", "entry 1 is missing"),
        ("DELETE FROM audit WHERE seq = 3", "entry 3 is missing"),
        ("DELETE FROM audit WHERE seq = 6", "ends at entry 5, and the head says 6"),
        ("DELETE FROM audit WHERE seq > 2", "ends at entry 2, and the head says 6"),
        ("DELETE FROM audit", "ends at entry 0"),
        ("DELETE FROM meta WHERE key = 'audit_head'", "its head is missing or was changed"),
        ("UPDATE meta SET value = 'x' WHERE key = 'audit_head'", "its head is missing or was changed"),
        (
            "UPDATE meta SET value = zeroblob(72) WHERE key = 'audit_head'",
            "its head is missing or was changed",
        ),
    ],
)
@pytest.mark.parametrize("go_on", [False, True])
def test_edited_removed_and_cut(bench, gallery, raw, statement, words, go_on):
    triggers = triggers_of(raw)
    unlock(raw)
    raw.execute(statement)
    relock(raw, triggers)
    with pytest.raises(DataError, match=f"the audit log was tampered with: .*{words}") as caught:
        gallery.verify_audit()
    assert "\n" not in str(caught.value)
    if go_on:  # later entries do not cover it up, and people can still be erased
        assert gallery.forget("e-1") == 2
        bench.enroll(gallery, "e-5", bench.units(1))
        with pytest.raises(DataError, match="the audit log was tampered with"):
            gallery.verify_audit()


def test_reordered(gallery, raw):
    unlock(raw)
    for old, new in ((2, 99), (3, 2), (99, 3)):
        raw.execute("UPDATE audit SET seq = ? WHERE seq = ?", (new, old))
    with pytest.raises(DataError, match="entry 2 was changed or moved"):
        gallery.verify_audit()


def test_cut_with_an_older_head_pasted_in(gallery, raw):
    """The head of a shorter log cannot be made up: it carries its own HMAC."""
    unlock(raw)
    mac = raw.execute("SELECT mac FROM audit WHERE seq = 4").fetchone()[0]
    head = raw.execute("SELECT value FROM meta WHERE key = 'audit_head'").fetchone()[0]
    raw.execute("DELETE FROM audit WHERE seq > 4")
    forged = (4).to_bytes(8, "big") + mac + head[40:]
    raw.execute("UPDATE meta SET value = ? WHERE key = 'audit_head'", (forged,))
    with pytest.raises(DataError, match="its head is missing or was changed"):
        gallery.verify_audit()


def test_guards_gone(gallery, raw):
    raw.execute("DROP TRIGGER audit_no_delete")
    with pytest.raises(DataError, match="its guards are gone: audit_no_delete"):
        gallery.verify_audit()


def test_an_old_copy_put_back_is_found_by_a_noted_head(bench, gallery, tmp_path):
    gallery.close()
    copy = shutil.copy(bench.path, tmp_path / "old.db")
    later = bench.open()
    bench.enroll(later, "e-7", bench.units(1))
    noted = later.verify_audit()
    assert later.verify_audit(noted) == noted
    bench.enroll(later, "e-8", bench.units(1))
    assert later.verify_audit(noted).count == noted.count + 1
    later.close()
    shutil.copy(copy, bench.path)
    restored = bench.open()
    restored.verify_audit()  # whole in itself
    with pytest.raises(DataError, match="an older copy was put back"):
        restored.verify_audit(noted)


def test_another_gallerys_log_does_not_fit(bench, gallery, raw, tmp_path):
    bench.path = tmp_path / "second.db"
    bench.open().close()
    raw.execute("ATTACH DATABASE ? AS second", (str(bench.path),))
    unlock(raw)
    raw.execute("DELETE FROM main.audit")
    raw.execute("INSERT INTO main.audit SELECT * FROM second.audit")
    with pytest.raises(DataError, match="entry 1 was changed or moved"):
        gallery.verify_audit()
