from __future__ import annotations

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vnvision.errors import BundleError
from vnvision.records import Calibration
from vnvision.runtime import open_bundle

FILES = (
    "MODEL_CARD.md",
    "golden.npz",
    "manifest.json",
    "manifest.sha256",
    "model.onnx",
    "openvino/model.bin",
    "openvino/model.xml",
    "report.json",
)


def manifest_of(folder) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def test_a_sound_bundle_opens(make_bundle):
    folder = make_bundle()
    bundle = open_bundle(str(folder))
    assert bundle.manifest.name == "tiny"
    assert bundle.file("openvino/model.xml").is_file()
    assert set(FILES) == set(bundle.manifest.files) | {"manifest.json", "manifest.sha256"}


@pytest.mark.parametrize("name", FILES)
def test_any_changed_byte_in_any_file_is_refused_by_name(make_bundle, name):
    folder = make_bundle()
    path = folder / name
    whole = path.read_bytes()
    places = range(len(whole)) if len(whole) < 70 else range(0, len(whole), max(1, len(whole) // 40))
    for at in (*places, len(whole) - 1):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x20]) + whole[at + 1 :])
        with pytest.raises(BundleError) as caught:
            open_bundle(folder)
        assert name in str(caught.value)
        assert str(folder) in str(caught.value)
        assert "was changed" in str(caught.value)
    path.write_bytes(whole)
    assert open_bundle(folder).manifest.name == "tiny"


@settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.sampled_from(FILES), st.floats(0, 1, exclude_max=True), st.integers(1, 255), st.booleans())
def test_any_edit_is_refused(make_bundle, name, where, change, shorten):
    folder = make_bundle()
    path = folder / name
    whole = path.read_bytes()
    at = int(where * len(whole))
    path.write_bytes(whole[:at] if shorten else whole[:at] + bytes([whole[at] ^ change]) + whole[at + 1 :])
    with pytest.raises(BundleError, match=name.replace(".", r"\.")):
        open_bundle(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(make_bundle, name):
    folder = make_bundle()
    (folder / name).unlink()
    with pytest.raises(BundleError, match=name.replace(".", r"\.")):
        open_bundle(folder)


@pytest.mark.parametrize("name", ["extra.txt", "openvino/more.bin", ".hidden", "deep/er/file"])
def test_an_unlisted_file_is_named(make_bundle, name):
    folder = make_bundle()
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("x")
    with pytest.raises(BundleError, match=rf"holds files its manifest does not list: {name}; remove them"):
        open_bundle(folder)


def test_links_may_not_leave_the_folder(make_bundle, tmp_path):
    folder = make_bundle()
    outside = tmp_path / "outside.onnx"
    (folder / "model.onnx").rename(outside)
    (folder / "model.onnx").symlink_to(outside)  # the bytes are right, the place is not
    with pytest.raises(BundleError, match=r"model\.onnx is a link out of the bundle: got .*outside\.onnx"):
        open_bundle(folder)
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").symlink_to(folder / "nowhere")
    with pytest.raises(BundleError, match=r"model\.onnx is a link to no file"):
        open_bundle(folder)
    folder = make_bundle()
    (folder / "openvino").rename(tmp_path / "moved")
    (folder / "openvino").symlink_to(tmp_path / "moved")
    with pytest.raises(BundleError, match="openvino is a link out of the bundle"):
        open_bundle(folder)
    folder = make_bundle()
    (folder / "openvino" / "loop").symlink_to(folder / "openvino")
    with pytest.raises(BundleError, match="openvino/loop is a link to no file"):
        open_bundle(folder)


def test_a_link_inside_the_folder_counts_as_its_file(make_bundle):
    folder = make_bundle()
    (folder / "MODEL_CARD.md").rename(folder / "openvino" / "kept")
    (folder / "MODEL_CARD.md").symlink_to(folder / "openvino" / "kept")
    with pytest.raises(BundleError, match="does not list: openvino/kept"):
        open_bundle(folder)


def test_a_bundle_reached_through_a_link_opens(make_bundle, tmp_path):
    (tmp_path / "shortcut").symlink_to(make_bundle())
    assert open_bundle(tmp_path / "shortcut").manifest.name == "tiny"


def test_special_files_are_refused_unread(make_bundle):
    folder = make_bundle()
    os.mkfifo(folder / "pipe")
    with pytest.raises(BundleError, match="pipe is not a plain file"):
        open_bundle(folder)


def test_what_is_no_bundle(tmp_path):
    for path in (tmp_path, tmp_path / "gone"):
        with pytest.raises(BundleError, match=r"is not a bundle: expected a folder with manifest\.json"):
            open_bundle(path)


@pytest.mark.parametrize(
    "seal", ["", "\n", "{hash}", "{hash}\r\n", "{hash}\n\n", "{HASH}\n", " {hash}\n", "{hash} *m\n"]
)
def test_the_manifests_hash_has_one_form(make_bundle, seal):
    folder = make_bundle()
    digest = (folder / "manifest.sha256").read_text().strip()
    (folder / "manifest.sha256").write_bytes(seal.format(hash=digest, HASH=digest.upper()).encode())
    with pytest.raises(
        BundleError, match=r"manifest\.json does not match manifest\.sha256: expected SHA-256"
    ):
        open_bundle(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "[" * 100_000, '{"name": NaN}', "\udcff"])
def test_a_malformed_manifest_is_named(make_bundle, reseal, text):
    folder = make_bundle()
    (folder / "manifest.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BundleError, match=r"manifest\.json is not a valid BundleManifest") as caught:
        open_bundle(reseal(folder))
    assert "\n" not in str(caught.value)


def test_all_wrong_keys_of_a_manifest_are_told_together(make_bundle, reseal):
    folder = make_bundle()
    manifest = manifest_of(folder) | {"colour": 1, "synthetic": "perhaps"}
    del manifest["licences"]
    with pytest.raises(BundleError) as caught:
        open_bundle(reseal(folder, manifest))
    for part in (
        "colour: unknown key",
        "synthetic: Input should be a valid boolean",
        "licences: Field required",
    ):
        assert part in str(caught.value)


def test_a_newer_schema_is_told_apart_from_a_broken_one(make_bundle, reseal):
    folder = make_bundle()
    manifest = manifest_of(folder) | {"schema_version": 2, "key_of_the_future": True}
    with pytest.raises(
        BundleError, match="made by a newer vnvision: expected schema_version up to 1, got 2; update"
    ):
        open_bundle(reseal(folder, manifest))


@pytest.mark.parametrize(
    "name",
    [
        "../secret",
        "/etc/passwd",
        "a/../../b",
        "..\\b",
        "C:\\x",
        "a\\b",
        "./model.onnx",
        "a//b",
        "openvino/",
        ".",
    ],
)
def test_names_that_lead_elsewhere_are_refused(make_bundle, reseal, name):
    folder = make_bundle()
    manifest = manifest_of(folder)
    manifest["files"][name] = "0" * 64
    with pytest.raises(BundleError, match=r"must stay inside the bundle|lists a file outside itself"):
        open_bundle(reseal(folder, manifest))


def test_a_target_without_a_hash_is_refused(make_bundle, reseal):
    folder = make_bundle()
    manifest = manifest_of(folder)
    del manifest["files"]["openvino/model.bin"]
    with pytest.raises(BundleError, match=r"files without a hash: \['openvino/model\.bin'\]"):
        open_bundle(reseal(folder, manifest))


def test_a_scope_file_must_be_the_one_its_calibration_was_fitted_with(make_bundle):
    folder = make_bundle(calibration=Calibration(scope_file="report.json", scope_sha256="0" * 64))
    with pytest.raises(BundleError, match=r"target onnx expects another report\.json"):
        open_bundle(folder)
