"""Keys: where they come from, wrong ones, and seals that break."""

import sqlite3
import stat
import unicodedata

import pytest

from vnvision.errors import ConfigError, DataError
from vnvision.faces.gallery import KEY_VARIABLE, GalleryKey, create_key_file
from vnvision.faces.gallery.keys import Scrypt

OTHER = GalleryKey(bytes(32))


def edit(path, statement, *values):
    raw = sqlite3.connect(path)
    raw.execute(statement, values)
    raw.commit()
    raw.close()


def test_key_file(bench, tmp_path):
    path = create_key_file(tmp_path / "keys" / "gallery.key")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    bench.open(key=path).close()
    bench.open(key=GalleryKey.from_file(path)).close()
    with pytest.raises(ConfigError, match="cannot create the key file"):
        create_key_file(path)
    path.write_text("short")
    with pytest.raises(ConfigError, match="holds no gallery key: expected 64 hex digits, got 5 characters"):
        bench.open(key=path)
    with pytest.raises(ConfigError, match="cannot read the gallery key"):
        bench.open(key=tmp_path / "absent.key")


def test_key_from_the_environment(bench, monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with pytest.raises(ConfigError, match="VNVISION_GALLERY_KEY is not set"):
        bench.open(key=None)
    assert not bench.path.exists()
    monkeypatch.setenv(KEY_VARIABLE, "ab" * 32)
    bench.open(key=None).close()
    bench.open(key=GalleryKey(b"\xab" * 32)).close()
    with pytest.raises(ConfigError, match="of the wrong type"):
        bench.open(key="ab" * 32)


def test_passphrase_in_either_spelling(bench):
    composed, decomposed = (unicodedata.normalize(form, "mật khẩu của tôi") for form in ("NFC", "NFD"))
    assert composed != decomposed
    bench.open(key=GalleryKey.from_passphrase(composed)).close()
    bench.open(key=GalleryKey.from_passphrase(decomposed)).close()
    with pytest.raises(ConfigError, match="the key does not open"):
        bench.open(key=GalleryKey.from_passphrase("another phrase"))
    with pytest.raises(ConfigError, match="expected a passphrase, got a key file"):
        bench.open()
    with pytest.raises(ConfigError, match="too short"):
        GalleryKey.from_passphrase("short")


def test_scrypt_is_rfc_7914s_and_bounded():
    # RFC 7914, section 12, third vector, first 32 of its 64 bytes (the output is a prefix: PBKDF2 blocks).
    wanted = "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
    assert Scrypt(16384, 8, 1).derive(b"pleaseletmein", b"SodiumChloride").hex() == wanted
    with pytest.raises(DataError, match="scrypt cost was changed"):
        Scrypt(2**30, 8, 1).derive(b"x", b"y")


def test_wrong_key_is_told_at_once_and_shown_nowhere(bench):
    bench.open().close()
    with pytest.raises(ConfigError, match="the key does not open") as caught:
        bench.open(key=OTHER)
    assert "\n" not in str(caught.value)
    assert repr(OTHER) == "GalleryKey(kind='raw')"


def test_changed_settings(bench):
    bench.open().close()
    edit(bench.path, "UPDATE meta SET value = replace(value, 'model-a', 'model-b') WHERE key = 'settings'")
    with pytest.raises(DataError, match=r"the settings of .* were changed"):
        bench.open(model="model-b")


def test_any_flipped_byte_of_an_embedding_is_refused(bench):
    gallery, photos = bench.open(), bench.units(1)
    bench.enroll(gallery, "e-1", photos)
    raw = sqlite3.connect(bench.path)
    record, blob = raw.execute("SELECT id, embedding FROM record").fetchone()
    assert len(blob) == 12 + 4 * 16 + 16
    for place in range(len(blob)):
        bent = bytearray(blob)
        bent[place] ^= 1 << place % 8
        raw.execute("UPDATE record SET embedding = ?", (bytes(bent),))
        raw.commit()
        gallery._cache.clear()
        with pytest.raises(DataError, match=f"gallery record {record.hex()} was changed or damaged"):
            gallery.identify(photos, 0.5)
    for stump in (b"", blob[:20], blob + b"\0", "text", None):
        if stump is not None:
            raw.execute("UPDATE record SET embedding = ?", (stump,))
            raw.commit()
            gallery._cache.clear()
            with pytest.raises(DataError, match=record.hex()):
                gallery.identify(photos, 0.5)
    raw.execute("UPDATE record SET embedding = ?", (blob,))
    raw.commit()
    gallery._cache.clear()
    assert gallery.identify(photos, 0.5)[0].person == "e-1"


@pytest.mark.parametrize(
    "columns", ["embedding", "text", "text, embedding", "person", "photo", "id", "expires"]
)
def test_swapped_records_are_refused(bench, columns):
    gallery, photos = bench.open(), bench.units(2)
    bench.enroll(gallery, "e-1", photos[:1])
    bench.enroll(gallery, "e-2", photos[1:], expires=bench.now.replace(year=2027))
    raw = sqlite3.connect(bench.path)
    first, second = raw.execute(f"SELECT rowid, {columns} FROM record").fetchall()
    names = columns.split(", ")
    for name in names:  # out of the way of the unique columns first
        raw.execute(f"UPDATE record SET {name} = {name} || 'x' WHERE rowid = ?", (first[0],))
    for place, name in enumerate(names, start=1):
        raw.execute(f"UPDATE record SET {name} = ? WHERE rowid = ?", (first[place], second[0]))
        raw.execute(f"UPDATE record SET {name} = ? WHERE rowid = ?", (second[place], first[0]))
    raw.commit()
    fresh = bench.open()
    with pytest.raises(DataError, match=r"gallery record [0-9a-f]{32} was changed or damaged"):
        fresh.identify(photos, 0.5)


def test_a_damaged_record_can_be_discarded(bench):
    gallery, photos = bench.open(), bench.units(2)
    bench.enroll(gallery, "e-1", photos[:1])
    bench.enroll(gallery, "e-2", photos[1:])
    edit(bench.path, "UPDATE record SET embedding = zeroblob(92) WHERE rowid = 1")
    fresh = bench.open()
    with pytest.raises(DataError, match=r"Gallery\.discard") as caught:
        fresh.identify(photos, 0.5)
    assert fresh.discard(str(caught.value).split()[2]) == 1
    assert [answer.person for answer in fresh.identify(photos, 0.9)] == [None, "e-2"]
    with pytest.raises(ConfigError, match="no record id"):
        fresh.discard("e-1")
