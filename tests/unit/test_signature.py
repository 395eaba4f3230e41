"""Signed bundles: who made them, and that nothing in them was changed since."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cryptography")

import typer
from typer.testing import CliRunner

from vnvision.cli import models_key, models_verify
from vnvision.errors import BundleError, ConfigError, MissingExtraError
from vnvision.records import BundleManifest, Licences, TargetRecord
from vnvision.runtime import open_bundle
from vnvision.runtime.signature import generate_key, sign_bundle, verify_bundle
from vnvision.spec import PreprocessSpec, TaskSpec

PASSPHRASE, TRUSTED = "VNVISION_SIGNING_PASSPHRASE", "VNVISION_TRUSTED_KEYS"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    monkeypatch.delenv(PASSPHRASE, raising=False)
    monkeypatch.delenv(TRUSTED, raising=False)


@pytest.fixture(scope="session")
def sound(tmp_path_factory) -> Path:
    """A whole unsigned bundle."""
    from onnx import TensorProto, helper

    folder = tmp_path_factory.mktemp("unsigned")
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["input"], ["output"])],
        "flat",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, 4, 4])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 48])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    np.savez(folder / "golden.npz", images=np.zeros((2, 4, 4, 3), np.uint8))
    task = TaskSpec(
        kind="embedding", preprocess=PreprocessSpec(size_px=(4, 4)), embedding_dim=48, score="cosine"
    )
    BundleManifest(
        name="flat",
        task=task,
        targets={"onnx": TargetRecord(file="model.onnx", engine="onnxruntime")},
        files={name: digest(folder / name) for name in ("golden.npz", "model.onnx")},
        licences=Licences(weights="Apache-2.0"),
        provenance={"commit": "abc", "config": {"epochs": 3}},
    ).save(folder / "manifest.json")
    return reseal(folder)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def reseal(folder: Path) -> Path:
    """New hashes for everything, as anybody can write them; the signature stays."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"] = {name: digest(folder / name) for name in manifest["files"]}
    path.write_text(json.dumps(manifest))
    (folder / "manifest.sha256").write_text(digest(path) + "\n")
    return folder


@pytest.fixture
def bundle(sound, tmp_path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "bundle"))


@pytest.fixture
def key(tmp_path):
    return generate_key(tmp_path / "key")


@pytest.fixture
def trusted(key, tmp_path) -> Path:
    """A folder with the public key alone."""
    (tmp_path / "trusted").mkdir()
    shutil.copy(key.public, tmp_path / "trusted" / "maker.pem")
    return tmp_path / "trusted"


@pytest.fixture
def signed(bundle, key) -> Path:
    sign_bundle(bundle, key.private)
    return bundle


# Keys


def test_a_key_is_a_private_file_and_a_public_one(key):
    assert stat.S_IMODE(key.private.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.private.parent.stat().st_mode) == 0o700
    assert key.private.read_text().startswith("-----BEGIN PRIVATE KEY-----")
    assert key.public.read_text().startswith("-----BEGIN PUBLIC KEY-----")
    # RFC 8410: the DER form is twelve fixed bytes and the 32 of the key.
    der = base64.b64decode("".join(key.public.read_text().splitlines()[1:-1]))
    assert der[:12].hex() == "302a300506032b6570032100"
    assert len(der) == 44
    assert key.fingerprint == hashlib.sha256(der).hexdigest()


def test_a_key_is_never_overwritten(key):
    before = key.private.read_bytes()
    with pytest.raises(ConfigError, match=r"there is a key already: .*signing\.key\.pem"):
        generate_key(key.private.parent)
    assert key.private.read_bytes() == before
    key.private.unlink()
    with pytest.raises(ConfigError, match=r"there is a key already: .*signing\.pub\.pem"):
        generate_key(key.private.parent)


def test_two_keys_differ(key, tmp_path):
    assert generate_key(tmp_path / "other").fingerprint != key.fingerprint


def test_a_passphrase_encrypts_the_private_key(bundle, tmp_path, monkeypatch):
    monkeypatch.setenv(PASSPHRASE, "đồng bằng sông Cửu Long")
    made = generate_key(tmp_path / "locked")
    assert made.private.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert sign_bundle(bundle, made.private) == made.fingerprint
    monkeypatch.setenv(PASSPHRASE, "wrong")
    with pytest.raises(ConfigError, match="a wrong passphrase, or no key"):
        sign_bundle(bundle, made.private, overwrite=True)
    monkeypatch.delenv(PASSPHRASE)
    with pytest.raises(ConfigError, match=f"is encrypted; set {PASSPHRASE}"):
        sign_bundle(bundle, made.private, overwrite=True)
    made = generate_key(tmp_path / "open")
    monkeypatch.setenv(PASSPHRASE, "x")
    with pytest.raises(ConfigError, match=f"is not encrypted; unset {PASSPHRASE}"):
        sign_bundle(bundle, made.private, overwrite=True)


def test_a_private_key_that_others_may_read_is_refused(bundle, key):
    for mode in (0o640, 0o604, 0o666):
        key.private.chmod(mode)
        with pytest.raises(ConfigError, match=rf"others may read the private key .*mode {mode:o}; chmod 600"):
            sign_bundle(bundle, key.private)
    assert not (bundle / "manifest.sig").exists()


def other_keys() -> dict[str, bytes]:
    """PEM of keys that are no Ed25519 keys."""
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric import ec, ed448

    found = {"nonsense": b"hello", "empty": b"", "cut": b"-----BEGIN PUBLIC KEY-----\nMCow\n"}
    for name, made in (
        ("p256", ec.generate_private_key(ec.SECP256R1())),
        ("448", ed448.Ed448PrivateKey.generate()),
    ):
        found[name] = made.public_key().public_bytes(
            forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo
        )
    return found


@pytest.mark.parametrize("name", ["nonsense", "empty", "cut", "p256", "448"])
def test_an_unfit_trusted_key_is_named_not_skipped(signed, trusted, name):
    (trusted / "bad.pem").write_bytes(other_keys()[name])
    with pytest.raises(ConfigError, match=r"bad\.pem is no Ed25519 public key"):
        verify_bundle(signed, trusted)


def test_a_private_key_among_the_trusted_is_refused(signed, key):
    with pytest.raises(
        ConfigError, match=r"signing\.key\.pem is a private key: expected public keys only"
    ) as caught:
        verify_bundle(signed, key.private.parent)
    assert "khóa riêng" in caught.value.in_both()


def test_special_files_as_keys_do_not_hang(signed, trusted, tmp_path):
    os.mkfifo(trusted / "pipe.pem")
    with pytest.raises(ConfigError, match=r"pipe\.pem is not a plain file"):
        verify_bundle(signed, trusted)
    (trusted / "pipe.pem").unlink()
    (trusted / "zero.pem").symlink_to("/dev/zero")
    with pytest.raises(ConfigError, match=r"zero\.pem is not a plain file"):
        verify_bundle(signed, trusted)
    with pytest.raises(ConfigError, match="cannot read the private key"):
        sign_bundle(signed, tmp_path / "gone.pem")


# Signing and verifying


def test_an_unsigned_bundle_opens_where_nobody_asks(bundle, signed):
    found = open_bundle(bundle)
    assert (found.signed, found.signer) == (False, None)
    assert open_bundle(signed).signed is False, "a signature that nobody checked proves nothing"


def test_a_signed_bundle_is_verified(signed, key, trusted):
    for place in (trusted, key.public, str(trusted)):
        found = verify_bundle(signed, place)
        assert found.signed
        assert found.signer == key.fingerprint
    assert found.digest == digest(signed / "manifest.json")
    assert verify_bundle(signed, trusted, name="flat").manifest.provenance["commit"] == "abc"


def test_the_signature_is_plain_ed25519_over_the_manifests_bytes(signed, key):
    """Checked with the key's 32 bytes and nothing of ours."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    stored = json.loads((signed / "manifest.sig").read_text())
    assert set(stored) == {"schema_version", "algorithm", "key", "signature"}
    assert (stored["algorithm"], stored["key"]) == ("ed25519", key.fingerprint)
    raw = base64.b64decode("".join(key.public.read_text().splitlines()[1:-1]))[12:]
    Ed25519PublicKey.from_public_bytes(raw).verify(
        base64.b64decode(stored["signature"]), (signed / "manifest.json").read_bytes()
    )


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_can_check_it_too(signed, key, tmp_path):
    stored = json.loads((signed / "manifest.sig").read_text())
    (tmp_path / "sig").write_bytes(base64.b64decode(stored["signature"]))
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", key.public, "-rawin"]
    ended = subprocess.run(
        [*command, "-in", signed / "manifest.json", "-sigfile", tmp_path / "sig"],
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


def test_an_unsigned_bundle_is_refused_where_signed_ones_are_asked_for(bundle, trusted, monkeypatch):
    with pytest.raises(
        BundleError, match=r"is not signed, and only signed ones .* no manifest\.sig"
    ) as caught:
        verify_bundle(bundle, trusted)
    assert "chưa được ký" in caught.value.in_both()
    monkeypatch.setenv(TRUSTED, str(trusted))
    with pytest.raises(BundleError, match="is not signed"):
        open_bundle(bundle)
    monkeypatch.setenv(TRUSTED, "")
    assert open_bundle(bundle).signed is False


def test_the_environment_asks_of_every_bundle(signed, trusted, key, monkeypatch):
    monkeypatch.setenv(TRUSTED, str(trusted))
    assert open_bundle(signed).signer == key.fingerprint


@pytest.mark.parametrize("what", ["missing", "empty", "no pem"])
def test_a_folder_without_keys_is_an_error_and_not_no_demand(signed, tmp_path, monkeypatch, what):
    place = tmp_path / "keys"
    if what != "missing":
        place.mkdir()
    if what == "no pem":
        (place / "readme.txt").write_text("keys go here")
    monkeypatch.setenv(TRUSTED, str(place))
    with pytest.raises(ConfigError, match=r"cannot read the public key|there are no trusted keys in"):
        open_bundle(signed)


def test_an_unknown_signer_is_refused_by_fingerprint(signed, key, tmp_path):
    other = generate_key(tmp_path / "other")
    with pytest.raises(
        BundleError, match=rf"not trusted: manifest\.sig names key {key.fingerprint[:16]}"
    ) as caught:
        verify_bundle(signed, other.public)
    assert "không nằm trong danh sách tin cậy" in caught.value.in_both()


def test_naming_a_trusted_key_does_not_help(signed, trusted, tmp_path, key):
    """Signed by a stranger who writes the trusted key's fingerprint over his own."""
    stranger = generate_key(tmp_path / "stranger")
    sign_bundle(signed, stranger.private, overwrite=True)
    path = signed / "manifest.sig"
    path.write_text(path.read_text().replace(stranger.fingerprint, key.fingerprint))
    with pytest.raises(BundleError, match=r"the signature in manifest\.sig is not that of manifest\.json"):
        verify_bundle(signed, trusted)


def edit(folder: Path, change) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
    reseal(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(name="other"),
        lambda m: m["provenance"].update(commit="def"),
        lambda m: m["provenance"]["config"].update(epochs=4),
        lambda m: m["targets"]["onnx"]["calibration"].update(temperatures=[2.0]),
        lambda m: m["targets"]["onnx"]["calibration"].update(abstain_below=0.1),
        lambda m: m["targets"]["onnx"].update(precision="int8"),
        lambda m: m["task"]["preprocess"].update(colour="bgr"),
        lambda m: m["licences"].update(weights="none"),
        lambda m: m.update(synthetic=True),
    ],
)
def test_whatever_the_manifest_says_is_signed(signed, trusted, change):
    edit(signed, change)
    assert open_bundle(signed).manifest, "whole, and with the right hashes"
    with pytest.raises(BundleError, match=r"was changed: the signature in manifest\.sig") as caught:
        verify_bundle(signed, trusted)
    assert "đã bị thay đổi" in caught.value.in_both()


def test_the_same_manifest_in_other_bytes_is_another(signed, trusted):
    path = signed / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()), indent=1))
    (signed / "manifest.sha256").write_text(digest(path) + "\n")
    with pytest.raises(BundleError, match="the signature in"):
        verify_bundle(signed, trusted)


@pytest.mark.parametrize("name", ["model.onnx", "golden.npz"])
def test_a_changed_file_is_named(signed, trusted, name):
    path = signed / name
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(BundleError, match=f"was changed: {name} has another SHA-256") as caught:
        verify_bundle(signed, trusted)
    assert f"đã bị thay đổi: {name}" in caught.value.in_both()
    reseal(signed)
    with pytest.raises(BundleError, match="the signature in"):
        verify_bundle(signed, trusted)


def test_a_signature_does_not_fit_another_bundle(signed, trusted, sound, tmp_path):
    other = Path(shutil.copytree(sound, tmp_path / "other"))
    edit(other, lambda m: m.update(name="other"))
    shutil.copy(signed / "manifest.sig", other)
    with pytest.raises(BundleError, match="the signature in"):
        verify_bundle(other, trusted)


def test_a_signed_bundle_of_another_name_is_refused_where_one_is_named(signed, trusted):
    with pytest.raises(BundleError, match="is signed, and is another model: expected liver, got flat"):
        verify_bundle(signed, trusted, name="liver")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.update(algorithm="none"), "algorithm"),
        (lambda s: s.update(algorithm="rsa"), "algorithm"),
        (lambda s: s.update(schema_version=2), "schema_version"),
        (lambda s: s.update(extra=1), "extra: unknown key"),
        (lambda s: s.pop("key"), "key: Field required"),
        (lambda s: s.update(key="../../etc"), "key"),
        (lambda s: s.update(signature="?"), "not base64"),
        (lambda s: s.update(signature=""), "wrong form"),
        (lambda s: s.update(signature=s["signature"][:-4]), "wrong form"),
        (lambda s: s.update(signature=s["signature"] + "\n"), "not base64|wrong form"),
        (lambda s: s.update(signature=base64.b64encode(bytes(64)).decode()), "is not that of manifest"),
    ],
)
def test_malformed_signatures(signed, trusted, change, words):
    path = signed / "manifest.sig"
    stored = json.loads(path.read_text())
    change(stored)
    path.write_text(json.dumps(stored))
    with pytest.raises(BundleError, match=words) as caught:
        verify_bundle(signed, trusted)
    assert "manifest.sig" in str(caught.value)
    assert "manifest.sig" in (caught.value.vietnamese or "")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b"[" * 4000, b"x" * 5000])
def test_signature_files_that_are_none(signed, trusted, data):
    (signed / "manifest.sig").write_bytes(data)
    with pytest.raises(BundleError, match=r"manifest\.sig"):
        verify_bundle(signed, trusted)


def test_every_changed_byte_of_the_signature_is_refused(signed, trusted):
    path = signed / "manifest.sig"
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(BundleError, match=r"manifest\.sig"):
            verify_bundle(signed, trusted)


def test_a_signature_that_is_a_pipe_does_not_hang(signed, trusted):
    (signed / "manifest.sig").unlink()
    os.mkfifo(signed / "manifest.sig")
    with pytest.raises(BundleError, match=r"manifest\.sig is not a plain file"):
        verify_bundle(signed, trusted)


def test_an_unsigned_manifest_is_not_even_parsed(bundle, trusted):
    (bundle / "manifest.json").write_bytes(b"[" * 100_000)
    with pytest.raises(BundleError, match="is not signed"):
        verify_bundle(bundle, trusted)


def test_signing_verifies_first(bundle, key):
    whole = (bundle / "model.onnx").read_bytes()
    (bundle / "model.onnx").write_bytes(whole[:-1])
    with pytest.raises(BundleError, match=r"was changed: model\.onnx"):
        sign_bundle(bundle, key.private)
    assert not (bundle / "manifest.sig").exists()
    (bundle / "model.onnx").write_bytes(whole)
    shutil.copy(key.private, bundle / "signing.key.pem")
    with pytest.raises(BundleError, match=r"does not list: signing\.key\.pem"):
        sign_bundle(bundle, key.private)


def test_signing_works_where_signed_bundles_are_asked_for(bundle, key, trusted, monkeypatch):
    monkeypatch.setenv(TRUSTED, str(trusted))
    sign_bundle(bundle, key.private)
    assert open_bundle(bundle).signer == key.fingerprint


def test_signing_twice_must_be_meant(signed, key):
    before = (signed / "manifest.sig").read_bytes()
    with pytest.raises(BundleError, match="is signed already"):
        sign_bundle(signed, key.private)
    sign_bundle(signed, key.private, overwrite=True)
    assert (signed / "manifest.sig").read_bytes() == before, "Ed25519 is deterministic"


def test_rotation_and_revocation(signed, key, trusted, tmp_path):
    new = generate_key(tmp_path / "new")
    shutil.copy(new.public, trusted / "new.pem")
    assert verify_bundle(signed, trusted).signer == key.fingerprint
    sign_bundle(signed, new.private, overwrite=True)
    assert verify_bundle(signed, trusted).signer == new.fingerprint
    (trusted / "new.pem").unlink()
    with pytest.raises(BundleError, match="is signed by a key that is not trusted"):
        verify_bundle(signed, trusted)


def test_without_cryptography_bundles_open_and_demands_say_what_is_missing(signed, trusted, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert open_bundle(signed).signed is False
    with pytest.raises(MissingExtraError, match=r"cryptography is not installed; .*vnvision\[faces\]"):
        verify_bundle(signed, trusted)
    with pytest.raises(MissingExtraError, match="cryptography"):
        generate_key(trusted / "more")


def test_verifying_loads_neither_torch_nor_an_engine(signed, trusted):
    code = (
        "import sys; from vnvision.runtime.signature import verify_bundle\n"
        f"assert verify_bundle({str(signed)!r}, {str(trusted)!r}).signed\n"
        "assert not {'torch', 'onnx', 'onnxruntime', 'openvino'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


# Command line


@pytest.fixture
def run():
    """``run("verify", ...)`` as ``vnvision models verify ...``; errors come as they are."""
    app = typer.Typer()
    group = models_verify.app
    if "key" not in [command.name for command in group.registered_commands]:
        group.command("key")(models_key.key)
    app.add_typer(group, name="models")

    def call(*words: object):
        return CliRunner().invoke(app, ["models", *map(str, words)], catch_exceptions=True)

    return call


def test_the_command_verifies(run, signed, trusted, key):
    ended = run("verify", signed, "--trusted", trusted)
    assert ended.exit_code == 0, ended.output
    assert f"signed  by trusted key {key.fingerprint}" in ended.output
    facts = json.loads(run("verify", signed, "--trusted", trusted, "--json").output)
    assert (facts["name"], facts["signed"], facts["files"]) == ("flat", True, 2)
    assert facts["sha256"] == digest(signed / "manifest.json")
    assert "signed  not checked" in run("verify", signed).output
    assert json.loads(run("verify", signed, "--json").output)["signed"] is False


def test_the_command_refuses(run, bundle, trusted, signed):
    assert isinstance(run("verify", bundle.parent).exception, BundleError)
    assert "another model" in str(run("verify", signed, "--name", "liver").exception)
    (signed / "manifest.sig").unlink()
    assert "is not signed" in str(run("verify", signed, "--trusted", trusted).exception)


def test_the_command_makes_a_key(run, tmp_path, bundle):
    ended = run("key", "--out", tmp_path / "made")
    assert ended.exit_code == 0, ended.output
    assert sign_bundle(bundle, tmp_path / "made" / "signing.key.pem") in ended.output
    assert "PRIVATE" not in ended.output
    assert "there is a key already" in str(run("key", "--out", tmp_path / "made").exception)


def test_without_a_verb_the_group_still_lists_models(run):
    pytest.importorskip("timm")
    rows = json.loads(run("--json").output)
    assert {"backbone", "weights", "licence", "installed"} <= set(rows[0])
