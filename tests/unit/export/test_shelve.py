"""``models add`` and ``models remove``: only whole, verified bundles come onto the shelf."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "hub"))
from hub_standins import stand_in

from vnvision.errors import BundleError, ConfigError, DataError, ExportError
from vnvision.export import shelve
from vnvision.export.shelve import add_model, remove_model
from vnvision.hub import shelf
from vnvision.runtime import load_bundle, open_bundle


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.setattr(shelf, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setenv(shelf.VARIABLE, str(tmp_path / "own"))
    monkeypatch.delenv("VNVISION_TRUSTED_KEYS", raising=False)
    stand_in(tmp_path / "shipped" / "mango", "mango")
    return tmp_path / "own"


def hashes(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_bundle_is_copied_whole_and_found_by_name(own, tmp_path):
    source = stand_in(tmp_path / "b", "durian")
    folder = add_model(source)
    assert folder == own / "durian"
    assert hashes(folder) == hashes(source)
    assert load_bundle("durian").name == "durian"
    assert [path.name for path in own.iterdir()] == ["durian"]
    assert add_model(source, "durian-2") == own / "durian-2"
    assert set(shelf.model_names()) == {"mango", "durian", "durian-2"}


def test_files_in_folders_and_signatures_come_along(own, tmp_path):
    pytest.importorskip("cryptography")
    from vnvision.runtime.signature import generate_key, sign_bundle

    source = stand_in(tmp_path / "b", "durian")
    manifest = json.loads((source / "manifest.json").read_text())
    (source / "sub").mkdir()
    (source / "sub" / "note.txt").write_text("note")
    manifest["files"]["sub/note.txt"] = hashlib.sha256(b"note").hexdigest()
    (source / "manifest.json").write_text(json.dumps(manifest))
    digest = hashlib.sha256((source / "manifest.json").read_bytes()).hexdigest()
    (source / "manifest.sha256").write_text(digest + "\n")
    made = generate_key(tmp_path / "keys")
    sign_bundle(source, made.private)
    (tmp_path / "trusted").mkdir()
    shutil.copy(made.public, tmp_path / "trusted")
    folder = add_model(source, trusted=tmp_path / "trusted")
    assert hashes(folder) == hashes(source)
    assert open_bundle(folder, trusted=tmp_path / "trusted").signed
    unsigned = stand_in(tmp_path / "c", "durian")
    with pytest.raises(BundleError, match=r"manifest\.sig|signed|signature"):
        add_model(unsigned, "other", trusted=tmp_path / "trusted")
    assert not (own / "other").exists()


def test_a_damaged_bundle_is_refused_and_leaves_nothing(own, tmp_path):
    source = stand_in(tmp_path / "b", "durian")
    data = bytearray((source / "model.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (source / "model.onnx").write_bytes(data)
    with pytest.raises(BundleError, match=r"model\.onnx has another SHA-256"):
        add_model(source)
    with pytest.raises(BundleError, match="is not a bundle"):
        add_model(tmp_path / "nothing")
    assert not own.exists() or not list(own.iterdir())


def test_taken_names(own, tmp_path):
    first, second = stand_in(tmp_path / "b", "durian"), stand_in(tmp_path / "c", "durian", seed=1)
    add_model(first)
    with pytest.raises(ConfigError, match=r"there is a model called durian already.*--replace"):
        add_model(second)
    assert hashes(own / "durian") == hashes(first)
    add_model(second, replace=True)
    assert hashes(own / "durian") == hashes(second)
    assert [path.name for path in own.iterdir()] == ["durian"]
    with pytest.raises(ConfigError, match="is this very bundle already"):
        add_model(own / "durian", replace=True)


@pytest.mark.parametrize("replace", [False, True])
def test_a_model_that_ships_is_never_replaced_nor_removed(own, tmp_path, replace):
    source = stand_in(tmp_path / "b", "durian")
    with pytest.raises(ConfigError, match="mango ships with vnvision and is never replaced; choose another"):
        add_model(source, "mango", replace=replace)
    with pytest.raises(ConfigError, match="mango ships with vnvision and is not removed"):
        remove_model("mango")
    assert shelf.is_shipped("mango")


@pytest.mark.parametrize("name", ["coffee", "router", "heatmap", "face_detect", "not_a_leaf"])
@pytest.mark.parametrize("replace", [False, True])
def test_names_of_the_catalogue_are_kept_for_what_ships(own, tmp_path, name, replace):
    given = stand_in(tmp_path / "b", "durian")
    for source, words in ((given, {"name": name}), (stand_in(tmp_path / "c", name), {})):
        with pytest.raises(ConfigError, match=f"{name} is the name of a function or model.*--name") as caught:
            add_model(source, replace=replace, **words)
        assert "đặt tên khác bằng --name" in caught.value.vietnamese
    assert not own.exists()


@pytest.mark.parametrize("name", ["../out", "a/b", "Durian", "", "auto", "/tmp/x", ".hidden"])
def test_names_that_lead_elsewhere(own, tmp_path, name):
    source = stand_in(tmp_path / "b", "durian")
    for act in (lambda: add_model(source, name), lambda: remove_model(name)):
        with pytest.raises(ConfigError, match="a model cannot have this name"):
            act()
    assert source.is_dir()


def test_a_bundle_whose_own_name_is_no_name_asks_for_one(own, tmp_path):
    source = stand_in(tmp_path / "b", "Sầu riêng (v2)")
    with pytest.raises(ConfigError, match=r"calls itself 'Sầu riêng.*choose a name with --name"):
        add_model(source)
    assert add_model(source, "durian").name == "durian"


def test_something_else_of_that_name_is_not_overwritten(own, tmp_path):
    source = stand_in(tmp_path / "b", "durian")
    (own / "durian").mkdir(parents=True)
    (own / "durian" / "thesis.txt").write_text("precious")
    with pytest.raises(ExportError, match="is not a bundle, so it is not overwritten"):
        add_model(source, replace=True)
    assert (own / "durian" / "thesis.txt").read_text() == "precious"


def test_too_little_space(own, tmp_path, monkeypatch):
    source = stand_in(tmp_path / "b", "durian")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shelve.shutil, "disk_usage", lambda path: usage(100e6, 99e6, 1e6))
    with pytest.raises(DataError, match=r"too little space in .*: expected 67 MB, got 1 MB free"):
        add_model(source)
    assert list(own.iterdir()) == []


@pytest.mark.parametrize("at", range(4))
def test_a_copy_that_is_cut_short_is_never_a_model(own, tmp_path, monkeypatch, at):
    first, second = stand_in(tmp_path / "b", "durian"), stand_in(tmp_path / "c", "durian", seed=1)
    add_model(first)
    copy, done = shutil.copyfile, []

    def broken(source, target):
        if len(done) == at:
            raise OSError(28, "No space left on device")
        done.append(target)
        return copy(source, target)

    monkeypatch.setattr(shelve.shutil, "copyfile", broken)
    for words in ({"replace": True}, {"name": "other"}):
        done.clear()
        with pytest.raises(DataError, match=r"cannot write .*No space left on device"):
            add_model(second, **words)
    assert set(shelf.model_names()) == {"mango", "durian"}
    assert hashes(own / "durian") == hashes(first)


def test_a_bundle_that_changes_while_it_is_copied_is_refused(own, tmp_path, monkeypatch):
    source, copy = stand_in(tmp_path / "b", "durian"), shutil.copyfile

    def swapped(one, other):
        copy(one, other)
        if Path(other).name == "model.onnx":
            Path(other).write_bytes(b"something else")

    monkeypatch.setattr(shelve.shutil, "copyfile", swapped)
    with pytest.raises(BundleError, match=r"model\.onnx"):
        add_model(source)
    assert "durian" not in shelf.model_names()


def test_removing(own, tmp_path):
    source = stand_in(tmp_path / "b", "durian")
    add_model(source)
    assert remove_model("durian") == own / "durian"
    assert list(own.iterdir()) == []
    with pytest.raises(BundleError, match="there is no model called durian"):
        remove_model("durian")
    (own / "linked").symlink_to(source)
    remove_model("linked")
    assert (source / "manifest.json").is_file()


def test_a_removal_that_is_cut_short_leaves_no_model(own, tmp_path, monkeypatch):
    add_model(stand_in(tmp_path / "b", "durian"))

    def broken(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shelve.shutil, "rmtree", broken)
    with pytest.raises(DataError, match=r"cannot remove .*durian: got Permission denied"):
        remove_model("durian")
    assert "durian" not in shelf.model_names()


def test_adding_needs_the_base_install_alone(tmp_path):
    source = stand_in(tmp_path / "b", "durian")
    code = (
        "import sys\n"
        "for name in ('torch', 'onnx', 'openvino', 'sklearn', 'scipy', 'pyarrow', 'cryptography', 'timm'):\n"
        "    sys.modules[name] = None\n"
        "import vnvision as vv\n"
        f"vv.add_model({str(source)!r}); vv.load_bundle('durian'); vv.remove_model('durian')\n"
        "assert 'durian' not in {entry.name for entry in vv.models()}\n"
    )
    env = {"VNVISION_MODELS": str(tmp_path / "own"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
