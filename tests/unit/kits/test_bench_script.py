"""The script that measures on a board: its numbers from planted times, counters and files."""

from __future__ import annotations

import argparse
import json

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

from kit_bundles import bundle_of, changed_spec, run, scripts, task_of

from vnvision.export.kits import write_kit

OPTIONS = ("--repeat", "20", "--batch", "4", "--seconds", "1")


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("b")
    return write_kit(bundle_of(folder / "bundle", task_of("classification")), "onnx", folder / "kit")


@pytest.fixture
def loaded(kit):
    with scripts(kit) as found:
        yield found


def test_it_measures_what_it_says(kit):
    done = run(kit, "bench.py", "--json", "--threads", "2", *OPTIONS)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (found["target"], found["engine"], found["threads"]) == ("onnx", "onnxruntime", 2)
    assert found["size_bytes"] == (kit / "model.onnx").stat().st_size
    times, latency = found["times_ms"], found["latency_ms"]
    assert len(times) == latency["n"] == 20
    assert latency["p50"] == np.quantile(times, 0.5, method="inverted_cdf")
    assert latency["p95"] == np.quantile(times, 0.95, method="inverted_cdf")
    assert latency["mean"] == pytest.approx(np.mean(times))
    ways = [(row["batch"], row["threads"], row["workers"]) for row in found["throughput"]]
    assert ways == [(1, 2, 1), (4, 2, 1), (1, 1, 2)]
    assert found["throughput"][0]["images_s"] == pytest.approx(1000 / np.mean(times))
    assert found["agrees"] is True
    assert found["differences"]["output"] < 1e-5
    import onnxruntime

    assert found["machine"]["engine_version"] == onnxruntime.__version__


def test_memory_is_that_of_the_process_or_unreadable(loaded, monkeypatch):
    psutil = pytest.importorskip("psutil")
    right = psutil.Process().memory_info().rss / 2**20
    assert loaded.meters.memory_mb() == pytest.approx(right, rel=0.1)
    assert loaded.meters.memory_mb("VmHWM") >= loaded.meters.memory_mb() - 1
    monkeypatch.setattr(loaded.meters, "Path", lambda *_: (_ for _ in ()).throw(OSError()))
    assert loaded.meters.memory_mb() is None


def counter(root, name, joules, top=1000.0):
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "name").write_text("package-0\n" if name.count(":") == 1 else "core\n")
    (folder / "energy_uj").write_text(f"{int(joules * 1e6)}\n")
    (folder / "max_energy_range_uj").write_text(f"{int(top * 1e6)}\n")


def test_energy_of_all_packages_over_the_end_of_a_counter(loaded, tmp_path):
    counter(tmp_path, "intel-rapl:0", 10)
    counter(tmp_path, "intel-rapl:1", 998)
    counter(tmp_path, "intel-rapl:0:0", 5)  # a part of package 0: not counted twice

    def call():
        counter(tmp_path, "intel-rapl:0", 14)
        counter(tmp_path, "intel-rapl:1", 3)
        counter(tmp_path, "intel-rapl:0:0", 8)

    spent, seconds = loaded.meters.Energy(tmp_path).during(call)
    assert spent == pytest.approx(4 + 5)
    assert 0 < seconds < 10


def test_energy_that_cannot_be_read_is_said_so(loaded, tmp_path):
    assert loaded.meters.Energy(tmp_path).why == "this machine has no energy counters"
    counter(tmp_path, "intel-rapl:0", 1)
    (tmp_path / "intel-rapl:0" / "energy_uj").unlink()  # as unreadable as a file of root's
    meter = loaded.meters.Energy(tmp_path)
    assert (meter.counters, meter.why) == ([], "the energy counters may only be read by root")


def test_joules_an_image(loaded, monkeypatch):
    class Meter:
        counters, spent = ("one",), iter([(5.0, 1.0), (30.0, 2.0)])

        def during(self, call):
            call()
            return next(self.spent)

    monkeypatch.setattr(loaded.bench, "Energy", Meter)
    monkeypatch.setattr(loaded.bench.time, "sleep", lambda _: None)
    monkeypatch.setattr(loaded.bench, "one", lambda model, inputs: lambda index: None)
    wanted = argparse.Namespace(repeat=10, seconds=1.0)
    found = loaded.bench.energy(None, [0], wanted)
    assert (found["joules_an_image"], found["watts"], found["watts_idle"]) == (3.0, 15.0, 5.0)


def test_slow_boards_stop_in_time_but_not_before_five_runs(loaded, monkeypatch):
    clock = iter(range(0, 10_000, 1))
    monkeypatch.setattr(loaded.bench.time, "perf_counter", lambda: float(next(clock)))
    assert len(loaded.bench.timed(lambda _: None, 100, 0.5)) == 5
    assert len(loaded.bench.timed(lambda _: None, 3, 0.5)) == 3
    assert 5 < len(loaded.bench.timed(lambda _: None, 100, 20.0)) < 30


def test_wrong_answers_end_with_one(kit, tmp_path):
    wrong = changed_spec(kit, tmp_path / "kit", mean=[0.3, 0.3, 0.3])
    done = run(wrong, "bench.py", "--threads", "1", *OPTIONS)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "FAIL")


def test_as_lines_of_text(kit):
    done = run(kit, "bench.py", "--threads", "1", *OPTIONS)
    assert done.returncode == 0
    heads = [line.split()[0] for line in done.stdout.splitlines()]
    assert heads == ["model", "engine", "machine", "latency", "prepare", "throughput", "throughput", "memory",
                     "size", "energy", "agreement", "PASS"]  # fmt: skip
