"""Environments of other versions: whole or absent, built once, and workers that fail in one line."""

from __future__ import annotations

import stat
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from vnvision.engines import isolated
from vnvision.engines.isolated import ENVIRONMENTS, LITERT, MARKER, RKNN, Environment, Worker, WorkerError
from vnvision.errors import ConfigError, ExportError, ModelError
from vnvision.export import environments
from vnvision.export.environments import ensure, main, uv_command
from vnvision.export.litert import to_litert
from vnvision.export.rknn import levels, to_rknn
from vnvision.spec import PreprocessSpec

posix = pytest.mark.skipif(sys.platform == "win32", reason="stands in for uv with a shell script")

WORKER = """
import os, sys, time
import numpy as np
from serving import serve

def double(values, plus=0):
    os.write(1, b"noise of a library\\n")
    print("noise of Python")
    return {"n": len(values)}, [values * 2 + plus, values[:1]]

def fail():
    raise ValueError("first line\\nthe reason")

def die():
    os.write(2, b"segmentation fault\\n")
    os._exit(3)

def sleep():
    time.sleep(60)

serve({"double": double, "fail": fail, "die": die, "sleep": sleep})
"""

UV = """#!{python}
import os, pathlib, sys
arguments = sys.argv[1:]
with open({log!r}, "a") as log:
    log.write(" ".join(arguments) + "\\n")
if arguments[0] == "venv":
    place = pathlib.Path(arguments[-1], "bin")
    place.mkdir(parents=True)
    (place / "python").symlink_to({python!r})
elif arguments[1] == "install":
    said = os.environ.get("FAKE_UV_ERROR")
    if said:
        sys.stderr.write(said)
        sys.exit(1)
else:
    print("numpy==2.0")
"""


@pytest.fixture
def environment(tmp_path, monkeypatch) -> Environment:
    workers = tmp_path / "workers"
    workers.mkdir()
    serving = (isolated.WORKERS / "serving.py").read_text()
    (workers / "serving.py").write_text(serving)
    (workers / "fake.txt").write_text("numpy==2.0\n")
    (workers / "fake_worker.py").write_text(WORKER)
    monkeypatch.setattr(isolated, "WORKERS", workers)
    monkeypatch.setenv("VNVISION_CACHE", str(tmp_path / "cache"))
    return Environment("fake", "3.11", 0.001)


@pytest.fixture
def uv(tmp_path, monkeypatch) -> Path:
    """A stand-in on the path that writes down how it was called."""
    place = tmp_path / "tools"
    place.mkdir()
    log = tmp_path / "uv.log"
    log.touch()
    (place / "uv").write_text(UV.format(python=sys.executable, log=str(log)))
    (place / "uv").chmod(0o755 | stat.S_IEXEC)
    monkeypatch.setenv("PATH", str(place))
    return log


@posix
def test_built_once_and_whole(environment, uv):
    assert not environment.is_whole
    python = ensure(environment)
    assert python == environment.folder / "bin" / "python"
    assert environment.is_whole
    calls = uv.read_text().splitlines()
    assert calls[0] == f"venv --python 3.11 {environment.folder}"
    assert calls[1] == f"pip install --python {python} -r {environment.requirements}"
    ensure(environment)
    assert len(uv.read_text().splitlines()) == len(calls)


@posix
def test_what_was_left_half_built_is_built_again(environment, uv):
    (environment.folder / "bin").mkdir(parents=True)
    (environment.folder / "bin" / "python").symlink_to(sys.executable)
    (environment.folder / "rest.txt").write_text("of a killed build")
    assert not environment.is_whole
    ensure(environment)
    assert environment.is_whole
    assert not (environment.folder / "rest.txt").exists()


@posix
def test_two_at_once_build_it_once(environment, uv):
    threads = [threading.Thread(target=ensure, args=(environment,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(line.startswith("venv") for line in uv.read_text().splitlines()) == 1


@posix
@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (
            "error: x\n  cause: dns error\n",
            "no package source answers: got cause: dns error; connect to a network",
        ),
        (
            "  × No solution found when resolving\n  because of this\n",
            "cannot be made: got × No solution found",
        ),
    ],
)
def test_a_failed_build_leaves_nothing_and_says_why(environment, uv, monkeypatch, said, wanted):
    monkeypatch.setenv("FAKE_UV_ERROR", said)
    with pytest.raises(ExportError, match="the environment for fake") as caught:
        ensure(environment)
    assert wanted in str(caught.value)
    assert "uv venv --python 3.11" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not environment.folder.exists()


def test_without_uv_the_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(environments.shutil, "which", lambda _: None)
    monkeypatch.setattr(environments.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ExportError, match="uv is not installed; install it with: pip install uv"):
        uv_command()
    monkeypatch.setattr(environments.importlib.util, "find_spec", lambda _: object())
    assert uv_command() == [sys.executable, "-m", "uv"]


@posix
def test_a_full_disk_is_said_before_anything_is_fetched(environment, uv):
    large = Environment("fake", "3.11", 1e9)
    with pytest.raises(
        ExportError, match=r"the disk is too full for the environment of fake.*VNVISION_CACHE"
    ):
        ensure(large)
    assert uv.read_text() == ""


def test_other_requirements_or_python_are_another_folder(environment):
    first = environment.folder
    assert Environment("fake", "3.12", 0.001).folder != first
    environment.requirements.write_text("numpy==2.1\n")
    assert environment.folder != first
    assert environment.folder.parent == first.parent


def test_every_environment_has_pinned_requirements_and_a_worker():
    for environment in ENVIRONMENTS.values():
        lines = environment.requirements.read_text().splitlines()
        assert lines[0].startswith("#")
        assert all(line.count("==") == 1 and "+" not in line for line in lines[1:])
        assert environment.worker.is_file()


def test_an_unknown_name(capsys):
    assert main(["nothing"]) == 1
    assert "there is no environment 'nothing': expected rknn or litert" in capsys.readouterr().err


@pytest.fixture
def worker(environment):
    environment.interpreter.parent.mkdir(parents=True)
    environment.interpreter.symlink_to(sys.executable)
    (environment.folder / MARKER).write_text("{}")
    with Worker(environment) as running:
        yield running


@posix
def test_arrays_there_and_back_beside_the_noise(worker):
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    for plus in (0, 5):
        answer, (twice, first) = worker.ask("double", {"values": values}, limit_s=60, plus=plus)
        assert answer == {"n": 3}
        np.testing.assert_array_equal(twice, values * 2 + plus)
        np.testing.assert_array_equal(first, values[:1])
    assert [item.name for item in worker.folder.iterdir()] == ["noise.txt"]


@posix
def test_a_worker_fails_in_one_line_and_goes_on(worker):
    with pytest.raises(WorkerError, match=r"^ValueError: the reason$"):
        worker.ask("fail", limit_s=60)
    assert worker.ask("double", {"values": np.ones(2)}, limit_s=60)[0] == {"n": 2}


@posix
def test_a_worker_that_dies_leaves_its_last_words(worker):
    for _ in range(2):
        with pytest.raises(WorkerError, match=r"^segmentation fault \(exit status 3\)$"):
            worker.ask("die", limit_s=60)


@posix
def test_a_worker_that_takes_too_long_is_ended(worker):
    with pytest.raises(WorkerError, match=r"no answer within 0\.5 s"):
        worker.ask("sleep", limit_s=0.5)
    worker.close()
    worker.close()
    assert not worker.folder.exists()


def test_an_environment_that_is_not_there_says_how_to_make_it(environment):
    with pytest.raises(ModelError, match=r"is not built: .*python -m vnvision.export.environments fake"):
        Worker(environment)


SPEC = PreprocessSpec(size_px=(8, 8), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def test_pixels_come_back_from_normalised_inputs():
    pixels = np.random.default_rng(0).integers(0, 256, (4, 3, 8, 8), np.uint8)
    mean, std = (np.array(values)[:, None, None] for values in (SPEC.mean, SPEC.std))
    inputs = ((pixels / 255 - mean) / std).astype(np.float32)
    np.testing.assert_array_equal(levels(inputs, SPEC), pixels)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"chip": "rk9999"}, "there is no RKNN chip 'rk9999' here: expected rk3588 or rk3566 or rv1106"),
        ({"chip": "rv1106"}, "rv1106 computes in 8-bit integers only; export it with int8=True"),
        ({"chip": "rv1106", "int8": True}, "int8 needs calibration images: expected 8 or more, got none"),
        (
            {"chip": "rk3588", "int8": True, "calibration": np.zeros((9, 3, 8, 9), np.float32)},
            r"do not fit the model: expected \(N, 3, 8, 8\), got \(9, 3, 8, 9\)",
        ),
    ],
)
def test_rknn_options_that_cannot_be(tmp_path, options, wanted):
    with pytest.raises(ConfigError, match=wanted):
        to_rknn(tmp_path / "model.onnx", tmp_path, preprocess=SPEC, **options)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"precision": "int4"}, "there is no precision 'int4' for LiteRT: expected fp32 or fp16"),
        ({"precision": "int8"}, "int8 needs calibration images: expected 8 or more, got none"),
        (
            {"precision": "int8", "calibration": np.zeros((9, 1, 8, 8), np.float32)},
            "the calibration images do not fit the model",
        ),
    ],
)
def test_litert_options_that_cannot_be(tmp_path, options, wanted):
    with pytest.raises(ConfigError, match=wanted):
        to_litert(tmp_path / "model.onnx", tmp_path, size_px=(8, 8), **options)


def test_environments_are_of_the_names_they_have():
    assert {RKNN.name, LITERT.name} == set(ENVIRONMENTS)
