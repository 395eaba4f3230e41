from __future__ import annotations

import hashlib
import hmac
import os
import stat

import pytest

from vnvision.errors import ConfigError, DataError
from vnvision.imaging.dicom.pseudonym import create_key_file, new_key, pseudonym, read_key

KEY = bytes(range(32))


def test_it_is_an_hmac_of_kind_and_text():
    truth = hmac.new(KEY, b"vnvision patient\0BN-0001", hashlib.sha256).hexdigest()[:32]
    assert pseudonym("BN-0001", KEY, "patient") == truth
    assert pseudonym("BN-0001", bytes(32), "patient") != truth
    assert pseudonym("BN-0001", KEY, "study") != truth
    assert pseudonym("BN-0002", KEY, "patient") != truth


def test_padding_and_the_way_of_writing_an_accent_do_not_count():
    plain = pseudonym("Nguyễn 1", KEY, "patient")
    for text in ("Nguyễn 1 ", " Nguyễn 1\0", "Nguye\u0302\u0303n 1"):
        assert pseudonym(text, KEY, "patient") == plain
    assert pseudonym("nguyễn 1", KEY, "patient") != plain


def test_what_cannot_be_a_pseudonym():
    for text in ("", " ", "\0"):
        with pytest.raises(DataError, match="cannot make a pseudonym of an empty patient identifier"):
            pseudonym(text, KEY, "patient")
    with pytest.raises(ConfigError, match="the pseudonym key is too short: expected 16 bytes or more, got 5"):
        pseudonym("a", b"short", "patient")
    with pytest.raises(ConfigError, match="kind of a pseudonym: expected a plain word"):
        pseudonym("a", KEY, "Patient ID")


def test_keys(tmp_path, monkeypatch):
    monkeypatch.delenv("VNVISION_PSEUDONYM_KEY", raising=False)
    assert read_key() is None
    path = create_key_file(tmp_path / "a.key")
    key = read_key(path)
    assert key is not None
    assert len(key) == len(new_key()) == 32
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match=r"cannot create the key file .*a\.key: got File exists"):
        create_key_file(path)
    assert read_key(path) == key
    monkeypatch.setenv("VNVISION_PSEUDONYM_KEY", KEY.hex())
    assert read_key() == KEY
    assert read_key(path) == key  # a file goes first
    monkeypatch.setenv("VNVISION_PSEUDONYM_KEY", "hunter2")
    with pytest.raises(
        ConfigError, match="the variable VNVISION_PSEUDONYM_KEY holds no pseudonym key"
    ) as caught:
        read_key()
    assert "hunter2" not in str(caught.value)
    with pytest.raises(
        ConfigError, match=r"cannot read the pseudonym key .*none\.key: expected a file of 64"
    ):
        read_key(tmp_path / "none.key")
    (tmp_path / "binary.key").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="got not text"):
        read_key(tmp_path / "binary.key")
