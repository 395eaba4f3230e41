"""Drawn pictures through the models that ship: the same answers as one at a time, and nothing more told."""

from __future__ import annotations

import csv
import functools
import io
import itertools
import os
import random
from pathlib import Path

import cv2
import numpy as np
import pytest

from vnvision.data.synthetic import draw_leaf
from vnvision.errors import BundleError, DataError
from vnvision.hub import shelf
from vnvision.imaging import read
from vnvision.imaging.isolated import IsolatedReader
from vnvision.report.cases import model_facts
from vnvision.runtime import load_bundle, open_bundle
from vnvision_demo.jobs.batch import run_batch
from vnvision_demo.jobs.batch_rows import COLUMNS, BatchRow, table

EXPERTS = ("bean", "coffee", "mango", "malaria", "blood_count", "red_cell")


class Shelf:
    """The models that ship, each opened once."""

    @functools.cached_property
    def router(self):
        return load_bundle(shelf.AUTO, threads=1)

    @functools.cache  # noqa: B019
    def model(self, name):
        found = load_bundle(name, threads=1)
        return found, model_facts(open_bundle(shelf.model_folder(name)), found.target)


@pytest.fixture(scope="module")
def models():
    return Shelf()


@pytest.fixture(scope="module")
def reader():
    with IsolatedReader() as one:
        yield one


def save(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[:, :, ::-1])
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A drawn picture of each expert, a leaf of no expert's, noise, and a file that is no picture."""
    root = tmp_path_factory.mktemp("pictures")
    paths = [
        save(root / f"{i:05d}.png", np.load(shelf.model_folder(name) / "golden.npz")["images"][0])
        for i, name in enumerate(EXPERTS)
    ]
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    paths.append(save(root / "00100.png", noise))
    broken = root / "00101.jpg"
    broken.write_bytes(b"\xff\xd8\xff no picture")
    return [(f"=lá số {i}.png", path) for i, path in enumerate([*paths, broken])]


def lines(path: Path) -> list[dict[str, str]]:
    data = path.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_auto_answers_as_the_router_does_for_each_picture_alone(files, models, reader, tmp_path):
    told = []
    found = run_batch(
        files, "auto", models=models, out=tmp_path, reader=reader, progress=lambda *now: told.append(now)
    )
    router = models.router
    for row, (_, path) in zip(found.rows[:-1], files[:-1], strict=True):
        alone = router.predict(read(path).image)
        assert row.expert == alone.expert
        if alone.expert is None:
            assert (row.status, row.reasons) == ("no_expert", alone.reasons)
        else:
            assert row.status == ("abstained" if alone.abstained else "answered")
            assert row.reasons == alone.reasons
    assert [row.number for row in found.rows] == list(range(1, len(files) + 1))
    assert found.rows[-1].status == "unread"
    assert set(found.pdfs) == {row.expert for row in found.rows if row.expert}
    assert all(path.read_bytes().startswith(b"%PDF") for path in found.pdfs.values())
    assert sum(found.counts.values()) == len(files)
    assert [key for key, _ in itertools.groupby(stage for _, stage in told)] == [
        "open", "predict", "write", "done",
    ]  # fmt: skip
    assert [share for share, _ in told] == sorted(share for share, _ in told)


@pytest.mark.parametrize(("model", "named"), [("bean", True), ("malaria", False), ("blood_count", False)])
def test_one_expert_answers_for_all_and_clinics_show_no_file_names(
    files, models, reader, tmp_path, model, named
):
    found = run_batch(files, model, models=models, out=tmp_path, reader=reader, language="en")
    expert = models.model(model)[0]
    for row, (name, path) in zip(found.rows[:-1], files[:-1], strict=True):
        alone = expert.predict(read(path).image)
        assert row.status == ("abstained" if alone.abstained else "answered")
        assert row.name == (name if named else f"{row.number:04d}")
        assert row.thumbnail.startswith(b"\xff\xd8\xff")
        if model == "blood_count" and not alone.abstained:
            assert dict(row.counts) == alone.counts
    told = lines(found.csv)
    assert [line["file"] for line in told] == [f"'{row.name}" if named else row.name for row in found.rows]
    assert found.unread == (found.rows[-1].name,)
    assert len({line["notice"] for line in told if line["status"] != "unread"}) == 1
    assert all(len(line["model_sha256"]) == 64 and line["notice"] for line in told[:-1])
    everything = found.csv.read_text("utf-8") + "".join(row.reason_text for row in found.rows)
    assert str(files[0][1].parent) not in everything
    assert ("lá số" in everything) == named


def test_probabilities_are_those_of_the_whole_picture(models, reader, tmp_path):
    """Pages get a small picture of a large one; the model gets the large one."""
    large = cv2.resize(draw_leaf("healthy", 1).image, (1700, 1500))
    path = save(tmp_path / "a.png", large)
    found = run_batch([("a", path)], "bean", models=models, out=tmp_path, reader=reader)
    answer = models.model("bean")[0].predict(read(path).image)
    (row,) = found.rows
    assert row.status == ("abstained" if answer.abstained else "answered")
    if row.probability is not None:
        assert row.probability == pytest.approx(answer.confidence, abs=1e-6)


def test_the_table_is_safe_and_whole():
    row = BatchRow(1, "=cmd()", "bean", "answered", "rust", "+Gỉ sắt", 0.91234, severity=0.1234,
                   counts=(("RBC", 3), ("WBC", 0)))  # fmt: skip
    lost = BatchRow(2, "0002", None, "unread", reasons=("unreadable",), reason_text="@hỏng")
    text = table([row, lost]).decode("utf-8-sig")
    first, second = list(csv.DictReader(io.StringIO(text, newline="")))
    assert tuple(first) == COLUMNS
    assert (first["file"], first["answer_text"], first["probability"]) == ("'=cmd()", "'+Gỉ sắt", "0.9123")
    assert (first["severity_percent"], first["counts"], first["abstained"]) == ("12.34", "RBC=3; WBC=0", "no")
    assert (second["status"], second["reason_text"]) == ("unread", "'@hỏng")


def test_nothing_readable_gives_a_table_and_no_pages(models, reader, tmp_path):
    broken = tmp_path / "x.jpg"
    broken.write_bytes(b"hello")
    for model in ("auto", "bean"):
        found = run_batch([("x", broken)], model, models=models, out=tmp_path, reader=reader)
        assert (found.pdfs, found.counts["unread"], len(lines(found.csv))) == ({}, 1, 1)


@pytest.mark.parametrize("count", [0, 501])
def test_none_and_too_many_are_refused(models, reader, tmp_path, count):
    with pytest.raises(DataError) as caught:
        run_batch([("x", tmp_path)] * count, "auto", models=models, out=tmp_path, reader=reader)
    assert caught.value.vietnamese


def test_an_unknown_model_is_the_shelfs_own_error(models, reader, tmp_path):
    with pytest.raises(BundleError):
        run_batch([("x", tmp_path)], "nobody", models=models, out=tmp_path, reader=reader)


def test_the_callback_stops_the_work(files, models, reader, tmp_path):
    def stop(share, stage):
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_batch(files, "bean", models=models, out=tmp_path / "out", reader=reader, progress=stop)
    assert not (tmp_path / "out").exists()


@pytest.mark.realdata
@pytest.mark.skipif("VNVISION_DATA" not in os.environ, reason="VNVISION_DATA, the real images, is not set")
def test_fifty_real_leaves_find_their_experts(models, reader, tmp_path):
    root, rng = Path(os.environ["VNVISION_DATA"]) / "agri", random.Random(0)
    sets = {"mango_bd": "mango", "coffee_bracol": "coffee", "ibean": "bean", "chilli": "chilli",
            "uci_rice": "rice"}  # fmt: skip
    files = []
    for name in sets:
        known = sorted(p for p in (root / name / "images").rglob("*") if p.suffix.lower() in (".jpg", ".png"))
        files += [(path.name, path) for path in rng.sample(known, 10)]
    found = run_batch(files, "auto", models=models, out=tmp_path, reader=reader)
    print(found.counts, found.experts, f"{found.images_per_s:.1f} images/s, {found.seconds:.1f} s")
    right = sum(row.expert == expert for row, expert in zip(
        found.rows, (expert for expert in sets.values() for _ in range(10)), strict=True))  # fmt: skip
    assert right >= 45
    assert set(found.pdfs) == set(sets.values())
