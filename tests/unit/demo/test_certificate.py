"""The certificate of --https: the user's own is checked, one made here is right and stays."""

from __future__ import annotations

import os
import signal
import ssl
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from vnvision.errors import ConfigError, MissingExtraError
from vnvision_demo import certificate as module
from vnvision_demo.certificate import fingerprint, pair_for
from vnvision_demo.settings import Settings

x509 = pytest.importorskip("cryptography.x509")
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("VNVISION_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(module, "lan_addresses", lambda: ["192.168.7.20"])
    monkeypatch.setattr(module, "host_names", lambda: ["may-kham", "may-kham.local"])
    return tmp_path / "home"


def loaded(file: Path):
    return x509.load_pem_x509_certificate(file.read_bytes())


def own(**more) -> tuple[Path, Path]:
    return pair_for(Settings(**more), None, None)


def test_a_made_certificate_is_for_this_machine_and_nothing_else():
    pair = own(names=("phòngkhám.local", "10.1.2.3"))
    found = loaded(pair[0])
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {
        "localhost", "may-kham", "may-kham.local", "xn--phngkhm-mwa2m.local",
    }  # fmt: skip
    assert {str(one) for one in names.get_values_for_type(x509.IPAddress)} == {
        "127.0.0.1", "::1", "192.168.7.20", "10.1.2.3",
    }  # fmt: skip
    assert found.not_valid_after_utc - found.not_valid_before_utc <= timedelta(days=397)
    assert found.public_key().curve.name == "secp256r1"
    basic = found.extensions.get_extension_for_class(x509.BasicConstraints)
    assert basic.critical
    assert basic.value.ca is False
    assert not found.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*pair)


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_nobody_else_may_read_the_key(home):
    key = own()[1]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert sorted(one.name for one in key.parent.iterdir()) == ["certificate.pem", "key.pem"]


def test_it_is_used_again_until_the_names_change_or_it_is_about_to_expire(monkeypatch):
    first = fingerprint(own()[0])
    assert fingerprint(own()[0]) == first
    monkeypatch.setattr(module, "lan_addresses", lambda: ["192.168.7.21"])
    second = fingerprint(own()[0])
    assert second != first
    monkeypatch.setattr(module, "_RENEW", timedelta(days=400))
    assert fingerprint(own()[0]) != second


def test_damaged_files_are_made_anew():
    certificate, key = own()
    certificate.write_text("no certificate")
    assert loaded(own()[0])
    key.write_text("no key")
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*own())


def test_the_fingerprint_is_that_of_the_standard_library():
    import hashlib

    certificate, _ = own()
    der = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    assert fingerprint(certificate).replace(":", "").lower() == hashlib.sha256(der).hexdigest()
    assert fingerprint(certificate).count(":") == 31


def test_a_pair_of_the_users_is_taken_as_it_is(tmp_path):
    certificate, key = own()
    for file in (certificate, key):
        file.rename(tmp_path / file.name)
    given = tmp_path / certificate.name, tmp_path / key.name
    assert pair_for(Settings(), *given) == given


def test_a_pair_that_cannot_serve_is_refused(tmp_path, monkeypatch):
    certificate, key = own()
    other = tmp_path / "other.pem"
    other.write_bytes(key.read_bytes())
    key.unlink()
    own()  # another key, and a certificate of it
    text = tmp_path / "text.pem"
    text.write_text("hello")
    cases = [
        ((certificate, None), "go together"),
        ((None, key), "go together"),
        ((tmp_path / "absent.pem", key), "cannot read"),
        ((certificate, tmp_path), "cannot read"),
        ((text, key), "no certificate"),
        ((certificate, text), "no private key"),
        ((certificate, other), "not the key of"),
    ]
    for pair, words in cases:
        with pytest.raises(ConfigError, match=words) as caught:
            pair_for(Settings(), *pair)
        assert caught.value.vietnamese


def test_an_expired_certificate_and_a_locked_key_are_refused(tmp_path, monkeypatch):
    from cryptography.hazmat.primitives import serialization

    certificate, key = own()
    made = serialization.load_pem_private_key(key.read_bytes(), None)
    locked = tmp_path / "locked.pem"
    locked.write_bytes(
        made.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ConfigError, match="locked with a password"):
        pair_for(Settings(), certificate, locked)

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(days=500)

    monkeypatch.setattr(module, "datetime", Later)
    with pytest.raises(ConfigError, match="not valid today") as caught:
        pair_for(Settings(), certificate, key)
    assert f"{datetime.now(UTC):%Y}" in str(caught.value)


def test_without_cryptography_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(MissingExtraError, match=r"vnvision\[demo\]"):
        own()


def test_a_folder_that_cannot_be_written_is_said(home, tmp_path):
    (home).parent.mkdir(exist_ok=True)
    home.write_text("a file")
    with pytest.raises(ConfigError, match="VNVISION_HOME"):
        own()


@pytest.mark.slow
def test_the_demo_serves_https_with_it(home, tmp_path):
    command = [sys.executable, "-m", "vnvision", "demo", "--https", "--port", "0"]
    env = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'demo'}", "PYTHONUTF8": "1"}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True, encoding="utf-8") as server:
        try:
            said = [server.stdout.readline()]
            while "Ctrl-C" not in said[-1]:
                said.append(server.stdout.readline())
                assert said[-1], "the server is gone"
            address = said[0].split()[2]
            certificate = home / "demo" / "certificate.pem"
            assert fingerprint(certificate) in "".join(said)
            assert "điện thoại" in "".join(said)
            trusting = ssl.create_default_context(cafile=str(certificate))
            with httpx.Client(verify=trusting) as client:
                page = client.get(address)
                assert page.status_code == 200
                assert "Secure" in page.headers["set-cookie"]
                assert client.get(address.replace("127.0.0.1", "localhost")).status_code == 200
            with httpx.Client() as stranger, pytest.raises(httpx.ConnectError):
                stranger.get(address)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(20)
