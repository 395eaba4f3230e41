"""The benchmark of a bundle: rounds in turn, pooled figures, accuracy, the page, the verb."""

from __future__ import annotations

import json
import re

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("jinja2")

import typer
from kit_bundles import LABELS, bundle_of, task_of, with_record
from typer.testing import CliRunner

from vnvision.cli.bench import bench as verb
from vnvision.errors import ConfigError, DataError, ExportError
from vnvision.export import bench_run
from vnvision.export.bench import bench_bundle
from vnvision.export.bench_page import bench_page, write_bench_page
from vnvision.export.bench_records import BenchReport, BenchRow
from vnvision.records import Calibration
from vnvision.runtime import load_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("b")
    task = task_of("classification", geometry="letterbox")
    plain = bundle_of(folder / "plain", task, calibration=Calibration(temperatures=(0.5,)))
    return with_record(plain, folder / "bundle", "coreml", engine="coreml", precision="fp16")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("m")
    rng, lines = np.random.default_rng(0), ["path,label,split,group_id"]
    for index in range(9):
        picture = cv2.resize(rng.integers(0, 256, (2, 2, 3), np.uint8), (40, 30))
        cv2.imwrite(str(folder / f"{index}.png"), picture[..., ::-1])
        lines.append(f"{index}.png,{LABELS[index % 3].id},test,g{index}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder / "manifest.csv"


@pytest.fixture(scope="module")
def report(bundle, manifest, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    seen = []
    found = bench_bundle(
        bundle, threads=1, repeats=10, rounds=2, data=manifest, out=out, progress=lambda *at: seen.append(at)
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert BenchReport.load(out / "bench.json") == found
    assert (out / "bench.html").read_text("utf-8") == bench_page(found, "en")
    return found


def test_every_target_is_there_run_or_not(report, bundle):
    assert [row.target for row in report.rows] == ["onnx", "coreml"]
    (row,), (skipped,) = report.measured, report.skipped
    assert skipped.target == "coreml"
    assert skipped.reason == "no Python program runs coreml here: see README.md"
    assert skipped.accuracy is None
    assert skipped.accuracy_reason == skipped.reason
    assert row.latency_ms.n == 20
    assert len(row.latency_ms.rounds_p50) == 2
    assert 0 < row.latency_ms.p50 <= row.latency_ms.p95
    assert row.size_bytes == (bundle / "model.onnx").stat().st_size
    assert row.memory_mb.before < row.memory_mb.loaded <= row.memory_mb.peak
    assert row.memory_mb.peak < 300  # numpy and the engine, no torch
    assert row.agrees is True
    assert row.differences["output"] < 1e-5
    assert [(rate.batch, rate.workers) for rate in row.throughput] == [(1, 1), (16, 1)]
    assert all(rate.low <= rate.images_s <= rate.high for rate in row.throughput)
    assert (report.threads, report.rounds, report.repeats, report.n_golden) == (1, 2, 10, 4)
    assert report.machine["cores"] >= 1


def test_accuracy_is_counted_on_the_manifest(report, bundle, manifest):
    predictor = load_bundle(bundle, target="onnx")
    truth = [LABELS[index % 3].id for index in range(9)]
    answers = [predictor.predict(manifest.parent / f"{index}.png").top for index in range(9)]
    right = sum(one == other for one, other in zip(answers, truth, strict=True))
    (row,) = report.measured
    assert report.accuracy_name == "accuracy"
    assert row.accuracy.value == pytest.approx(right / 9)
    assert row.accuracy.n == 9
    assert row.accuracy.low <= row.accuracy.value <= row.accuracy.high
    assert report.split == "test"


def test_the_page_shows_both_languages_and_the_skipped(report):
    english, vietnamese = bench_page(report, "en"), bench_page(report, "vi")
    assert 'id="to-en" checked' in english
    assert 'id="to-vi" checked' in vietnamese
    for text in ("Targets side by side", "Các bản xuất cạnh nhau", "Not run here", "Không chạy ở đây",
                 "no Python program runs coreml here", "leaf &#34;A&#34;", "agrees", "khớp"):  # fmt: skip
        assert text in english, text
    assert not re.search(r"<script|https?://|\{[a-z]", english)


def test_a_page_of_wrong_answers_and_of_nothing(report):
    row = report.measured[0]
    wrong = row.model_copy(update={"agrees": False, "differences": {"output": 0.5}})
    page = bench_page(report.model_copy(update={"rows": (wrong,)}), "en")
    assert "Left out: onnx, whose answers on this machine are not the original" in page
    assert "Quickest on this machine" not in page
    assert "No target could be run on this machine." in bench_page(
        report.model_copy(update={"rows": report.skipped}), "en"
    )


def said(times, *, gap=0.0, rate=10.0, memory=50.0, energy=None):
    """What one run of the script says."""
    return {
        "times_ms": times, "latency_ms": {"p50": sorted(times)[(len(times) - 1) // 2]}, "load_ms": 5.0,
        "prepare_ms": {"p50": 1.0}, "machine": {"engine_version": "1.2", "cores": 2},
        "throughput": [{"batch": 1, "threads": 2, "workers": 1, "images_s": rate}],
        "memory_mb": {"before": 30.0, "loaded": 40.0, "peak": memory},
        "energy": energy or {"not_readable": "no counters"},
        "differences": {"output": gap}, "from_original": {"output": 2 * gap}, "tolerance": {"output": 0.1},
        "agrees": gap <= 0.1,
    }  # fmt: skip


def test_rounds_are_pooled_and_their_spread_kept():
    row = BenchRow(target="t", engine="ncnn", precision="fp32", size_bytes=1)
    runs = [said([1.0, 2.0, 3.0], rate=10, memory=50), said([7.0, 8.0, 9.0], rate=30, memory=60, gap=0.05)]
    found = bench_run.pooled(row, [*runs, said([4.0, 5.0, 60.0], rate=20)])
    every = [1, 2, 3, 4, 5, 7, 8, 9, 60]
    assert found.latency_ms.p50 == np.quantile(every, 0.5, method="inverted_cdf") == 5
    assert found.latency_ms.p95 == 60
    assert found.latency_ms.rounds_p50 == (2.0, 8.0, 5.0)
    (rate,) = found.throughput
    assert (rate.images_s, rate.low, rate.high) == (20, 10, 30)
    assert found.memory_mb.peak == 60
    assert (found.differences, found.agrees) == ({"output": 0.05}, True)
    assert found.from_original == {"output": 0.1}
    assert found.energy.not_readable == "no counters"
    assert bench_run.pooled(row, [*runs, said([1.0], gap=0.2)]).agrees is False
    joules = {"joules_an_image": 0.5, "watts": 9.0, "watts_idle": 3.0}
    assert bench_run.pooled(row, [said([1.0], energy=joules)]).energy.joules_an_image == 0.5


def test_targets_take_turns_forwards_and_backwards(tmp_path, monkeypatch):
    order = []

    def once(kit, *, threads, repeats):
        order.append(kit.name)
        return "not installed" if kit.name == "b" else said([1.0])

    monkeypatch.setattr(bench_run, "run_once", once)
    kits = {name: tmp_path / name for name in "abc"}
    runs, reasons = bench_run.run_rounds(kits, threads=1, repeats=1, rounds=3)
    assert "".join(order) == "abc" + "ca" + "ac"  # what cannot run is not asked again
    assert {name: len(found) for name, found in runs.items()} == {"a": 3, "c": 3}
    assert reasons == {"b": "not installed"}


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        (
            "import sys; print('bench: x is not installed', file=sys.stderr); sys.exit(2)",
            "x is not installed",
        ),
        ("import sys; sys.exit(2)", "no reason given"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
            "the engine ended its process (signal 11)",
        ),
        ("print('{\"b\": 2}'); raise SystemExit(1)", {"b": 2}),  # answers that are not the original's
        ("print('noise'); print('{\"a\": 1}')", {"a": 1}),
    ],
)
def test_what_a_run_says(tmp_path, script, answer):
    (tmp_path / "bench.py").write_text(script)
    assert bench_run.run_once(tmp_path, threads=1, repeats=1) == answer


def test_a_run_that_breaks_is_an_error(tmp_path):
    (tmp_path / "bench.py").write_text("1 / 0")
    with pytest.raises(ExportError, match=r"the benchmark of .* failed: got ZeroDivisionError"):
        bench_run.run_once(tmp_path, threads=1, repeats=1)


def test_refusals(bundle, report, manifest, tmp_path):
    with pytest.raises(ConfigError, match=r"has no target 'mnn': expected onnx, coreml"):
        bench_bundle(bundle, targets=("mnn",))
    for name in ("threads", "repeats", "rounds"):
        with pytest.raises(ConfigError, match=f"{name} is wrong: expected 1 or more, got 0"):
            bench_bundle(bundle, **{name: 0})
    with pytest.raises(DataError, match="split"):
        bench_bundle(bundle, data=manifest, split="nothing")
    with pytest.raises(ConfigError, match="unknown language: expected vi or en, got fr"):
        write_bench_page(report, tmp_path, language="fr")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot write the benchmark to"):
        write_bench_page(report, tmp_path / "file")


def test_the_verb_prints_one_table_or_json(bundle, report, monkeypatch, tmp_path):
    asked = {}

    def fake(folder, **options):
        asked.update(options, folder=folder)
        return report

    monkeypatch.setattr("vnvision.export.bench.bench_bundle", fake)
    app = typer.Typer()
    app.command()(verb)
    words = [str(bundle), "--target", "onnx", "--threads", "1", "--out", str(tmp_path)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert (asked["targets"], asked["threads"], asked["out"]) == (["onnx"], 1, tmp_path)
    head, first = done.stdout.splitlines()[1:3]
    assert head.split()[:3] == ["target", "p50", "ms"]
    assert head.split()[-1] == "accuracy"
    assert first.split()[0] == "onnx"
    assert "coreml: not run: no Python program runs coreml here" in done.stdout
    assert f"report  {tmp_path / 'bench.html'}" in done.stdout
    done = CliRunner().invoke(app, [str(bundle), "--json"])
    assert BenchReport.from_json(done.stdout) == report
    assert json.loads(done.stdout)["rows"][0]["target"] == "onnx"
    done = CliRunner().invoke(app, [str(bundle), "--language", "fr"])
    assert isinstance(done.exception, ConfigError)
