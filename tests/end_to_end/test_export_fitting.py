"""Export through the verb: 8-bit targets, signatures, the best of several trained sizes that fits."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

from vnvision import api
from vnvision.errors import BundleError, ConfigError, DataError, ExportError
from vnvision.export.fitting import Measured, _asked
from vnvision.records import BundleManifest
from vnvision.runtime import load_bundle, open_bundle
from vnvision.runtime.signature import generate_key


def test_limits():
    one = Measured("run", 0.9, "onnx", 3.0, 5.0)
    assert one.fits(None, None)
    assert one.fits(3.0, 5.0)
    assert not one.fits(2.9, None)
    assert not one.fits(None, 4.9)
    assert not one._replace(ms=None).fits(9.0, None)  # a time that nobody measured keeps no limit


def test_the_original_that_lean_leaves_out_has_not_to_fit():
    default, both = ("onnx", "openvino"), ["onnx", "openvino"]
    assert _asked(default, {}, lean=False) == both
    assert _asked(default, {}, lean=True) == ["openvino"]
    assert _asked(("onnx",), {}, lean=True) == ["onnx"]  # where it is alone, it stays
    assert _asked(("onnx",), {"int8": True}, lean=True) == ["onnx-int8"]


def test_a_kit_of_what_lean_leaves_out_is_refused_before_the_run_is_opened(tmp_path):
    from typer.testing import CliRunner

    from vnvision.cli.main import app

    words = ["export", str(tmp_path / "no_run"), "--lean", "--out", str(tmp_path / "out"), "--kit"]
    done = CliRunner().invoke(app, [*words, "onnx"])
    assert "no target 'onnx' to make a kit of: expected openvino" in str(done.exception)
    for further in (["openvino"], ["onnx", "--target", "onnx"]):
        done = CliRunner().invoke(app, [*words, *further])
        assert "no_run" in str(done.exception)


@pytest.fixture(scope="module")
def other(leaves, config_file, tmp_path_factory):
    """A larger network."""
    folder = tmp_path_factory.mktemp("other") / "other"
    return api.train(
        config_file, data=leaves, output=folder, quiet=True, backbone="mobilenetv3_small_050", weights="none"
    )


@pytest.mark.slow
def test_the_best_that_fits_is_exported(run, other, tmp_path):
    def megabytes(folder):
        return (folder / "model.onnx").stat().st_size / 1e6

    def score(folder):
        return json.loads((folder / "run.json").read_text())["progress"]["best"][0]

    def backbone(folder):
        return BundleManifest.load(folder / "manifest.json").provenance["backbone"]

    best = api.export([run, other], targets=("onnx",), out=tmp_path / "best", max_mb=1000)
    wanted = "test_efficientnet" if score(run) >= score(other) else "mobilenetv3_small_050"
    assert backbone(best) == wanted
    fitting = api.export([other, run], targets=("onnx",), out=tmp_path / "fitting", max_mb=2)
    assert backbone(fitting) == "test_efficientnet"
    assert megabytes(fitting) < 2
    load_bundle(fitting).close()
    with pytest.raises(ExportError) as caught:
        api.export([run, other], targets=("onnx",), out=tmp_path / "none", max_mb=0.001, max_ms=1e6)
    assert "no trained size fits: expected at most 1e+06 ms a picture and at most 0.001 MB" in str(
        caught.value
    )
    assert "run as onnx" in str(caught.value)
    assert "other as onnx" in str(caught.value)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["best", "fitting"]
    with pytest.raises(ConfigError, match="max_mb is wrong: expected above 0, got 0"):
        api.export(run, out=tmp_path / "none", max_mb=0)
    lean = api.export([run, other], out=tmp_path / "lean", max_mb=1000, lean=True)
    assert list(BundleManifest.load(lean / "manifest.json").targets) == ["openvino"]


@pytest.mark.slow
def test_8_bits_signed(run, leaves, tmp_path):
    pytest.importorskip("cryptography")
    keys = generate_key(tmp_path / "keys")
    bundle = api.export(
        run, targets=("onnx", "openvino"), int8=True, calibration=leaves, n_calibration=24, max_drop=0.2,
        out=tmp_path / "bundle", sign=keys.private,
    )  # fmt: skip
    assert open_bundle(bundle, trusted=keys.public).signer == keys.fingerprint
    targets = BundleManifest.load(bundle / "manifest.json").targets
    assert list(targets) == ["onnx", "onnx-int8", "openvino-int8"]
    assert targets["onnx-int8"].judged.n > 0
    other = generate_key(tmp_path / "other")
    with pytest.raises(BundleError, match="sign"):
        open_bundle(bundle, trusted=other.public)


def test_calibration_without_validation_rows(run, leaves, tmp_path):
    bare = tmp_path / "m.csv"
    bare.write_text(leaves.read_text().replace(",val,", ",test,"))
    for item in leaves.parent.iterdir():
        if item.is_dir():
            (tmp_path / item.name).symlink_to(item)
    with pytest.raises(DataError, match="no rows to judge an 8-bit model on"):
        api.export(run, targets=("openvino",), int8=True, calibration=bare, out=tmp_path / "bundle")
    with pytest.raises(ConfigError, match="8-bit targets need calibration images"):
        api.export(run, targets=("openvino",), int8=True, out=tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


@pytest.mark.slow
def test_the_verb_writes_a_kit_and_bench_measures(run, tmp_path):
    from typer.testing import CliRunner

    from vnvision.cli.main import app

    call = CliRunner().invoke
    out = tmp_path / "bundle"
    done = call(app, ["export", str(run), "--format", "onnx", "--kit", "onnx", "--out", str(out)])
    assert done.exit_code == 0, done.output
    kit = tmp_path / "bundle-kit-onnx"
    assert f"kit     {kit}" in done.output
    assert (kit / "self_test.py").is_file()
    done = call(app, ["export", str(run), "--kit", "ncnn", "--out", str(tmp_path / "other")])
    assert isinstance(done.exception, ConfigError)
    assert "there will be no target 'ncnn' to make a kit of: expected onnx or openvino" in str(done.exception)
    assert not (tmp_path / "other").exists()
    done = call(app, ["bench", str(out), "--repeats", "3", "--rounds", "1", "--json"])
    assert done.exit_code == 0, done.output
    assert [row["target"] for row in json.loads(done.stdout)["rows"]] == ["onnx"]
