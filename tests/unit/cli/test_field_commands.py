from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from vnvision import api
from vnvision.cli.main import app
from vnvision.data.manifest import Row, read_manifest, write_manifest
from vnvision.errors import ConfigError, DataError
from vnvision.spec import Label, PreprocessSpec, TaskSpec

RUN = CliRunner()


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Two captures; in the white one the class is in the border."""
    folder = tmp_path_factory.mktemp("set")
    rng = np.random.default_rng(0)
    rows = []
    for i in range(120):
        kind, capture = i // 2 % 2, "white" if i < 90 else "field"
        image = rng.integers(100, 156, (64, 64, 3), dtype=np.uint8)
        image[0, 0] = 200 * kind if capture == "white" or i % 4 == 0 else 0
        if capture == "white":
            image[:5] = np.clip(image[:5].astype(int) + rng.normal(60 if kind else -60, 20), 0, 255)
        cv2.imwrite(str(folder / f"{i:03}.png"), image)
        split = "train" if i < 60 else "val"
        cells = {"capture": capture}
        rows.append(Row(0, f"{i:03}.png", label="ab"[kind], split=split, group_id=f"g{i // 2}", extra=cells))
    return write_manifest(rows, folder / "manifest.csv")


@pytest.fixture(scope="module")
def sides(manifest):
    out = []
    for name, more in (("white", ()), ("field", ("--invert",))):
        path = manifest.parent / f"{name}.csv"
        words = ["data", "select", str(manifest), "--where", "capture=white", "--out", str(path), *more]
        result = RUN.invoke(app, words)
        assert result.exit_code == 0, result.output
        out.append((path, result.output))
    return out


def test_select_writes_both_sides_and_says_what(sides):
    (white, said), (field, _) = sides
    found = read_manifest(white)
    assert len(found) == 90
    assert len(read_manifest(field)) == 30
    assert said == f"manifest  {white}  90 rows, 45 groups, sha256 {found.sha256}\n"


def test_select_repeats_and_errors(manifest, tmp_path):
    out = manifest.parent / "two.csv"
    words = [
        "data",
        "select",
        str(manifest),
        "--where",
        "capture=field",
        "--where",
        "label=a",
        "--out",
        str(out),
    ]
    assert RUN.invoke(app, words).exit_code == 0
    assert {(r.label, r.extra["capture"]) for r in read_manifest(out).rows} == {("a", "field")}
    wrong = RUN.invoke(app, ["data", "select", str(manifest), "--where", "capture", "--out", str(out)])
    assert isinstance(wrong.exception, ConfigError)
    assert str(wrong.exception) == "cannot read --where capture: expected COLUMN=VALUE"
    gone = RUN.invoke(app, ["data", "select", str(manifest), "--where", "farm=1", "--out", str(out)])
    assert "has no column 'farm'" in str(gone.exception)


def test_probe_prints_writes_and_answers_json(sides, tmp_path):
    white = str(sides[0][0])
    result = RUN.invoke(app, ["data", "probe", white, "--out", str(tmp_path), "--language", "vi"])
    assert result.exit_code == 0, result.output
    assert "30 pictures, 15 groups; learned from 60" in result.stdout
    assert "Đừng tin kết quả" in result.stdout
    assert f"report  {tmp_path / 'shortcuts.html'}" in result.stdout
    assert (tmp_path / "shortcuts.json").is_file()
    plain = RUN.invoke(app, ["data", "probe", white, "--json"])
    report = json.loads(plain.stdout)
    assert report["test"] == "val"
    assert {row["view"]: row["verdict"] for row in report["rows"]}["border"] == "strong"
    missing = RUN.invoke(app, ["data", "probe", white, "--split", "test"])
    assert isinstance(missing.exception, DataError)
    language = RUN.invoke(app, ["data", "probe", white, "--language", "fr"])
    assert str(language.exception) == "unknown language: expected vi or en, got fr"


@pytest.fixture
def predictor(monkeypatch):
    """Reads the class from the first pixel, in place of a run."""
    task = TaskSpec(
        kind="classification", labels=(Label(id="a"), Label(id="b")), score="softmax",
        preprocess=PreprocessSpec(size_px=(8, 8)),
    )  # fmt: skip

    def logits(images, batch_size=16):
        return np.stack([[3.0, 0.0] if image[0, 0, 0] < 100 else [0.0, 3.0] for image in images])

    toy = SimpleNamespace(name="toy", task=task, logits=logits)

    def opened(subject):
        return (toy, None) if isinstance(subject, Path) else (subject, None)

    monkeypatch.setattr(api, "open_predictor", opened)
    return toy


def test_eval_with_field_adds_its_page_and_json(sides, predictor, tmp_path):
    (white, _), (field, _) = sides
    words = [
        "eval",
        "run",
        "--data",
        str(white),
        "--split",
        "val",
        "--field",
        str(field),
        "--out",
        str(tmp_path),
    ]
    result = RUN.invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "lab: 30 pictures, 15 groups; field: 30 pictures, 15 groups" in result.stdout
    assert f"field   {tmp_path / 'field.html'}" in result.stdout
    names = {path.name for path in tmp_path.iterdir()}
    assert {"report.json", "report.html", "field.json", "field.html"} <= names
    both = json.loads(RUN.invoke(app, [*words[:-2], "--json"]).stdout)
    accuracy = both["field"]["rows"][0]
    assert both["metrics"]["accuracy"]["value"] == accuracy["lab"]["value"] == 1.0
    assert accuracy["field"]["value"] < 0.9


def test_eval_refuses_half_a_request(predictor, sides):
    result = RUN.invoke(app, ["eval", "run", "--data", str(sides[0][0]), "--field-split", "val"])
    assert str(result.exception) == "--field-split without --field; add --field MANIFEST"
