"""The aligned cache: what is cut out, what is listed, and that a killed run ends as one left alone."""

import csv
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from face_cli import run
from planted import planted_engine, save, shot

from vnvision.data.records.packing import pack_shards
from vnvision.data.records.shard_reader import ShardReader
from vnvision.data.records.sources import ManifestPictures
from vnvision.errors import ConfigError, DataError
from vnvision.faces.aligned_cache import build_aligned
from vnvision.faces.listing import list_pictures

N = 11


@pytest.fixture
def manifest(tmp_path):
    """Eleven pictures of six people; 3 shows nobody, 5 is no picture, 7 is missing, 2 shows a second face."""
    root = tmp_path / "data"
    lines = ["path,identity,group,split,consent,licence,source_path,sha256,boxes"]
    for i in range(N):
        faces = [] if i == 3 else [(99, i, 20), (i // 2, i, 30)] if i == 2 else [(i // 2, i, 30)]
        if i != 7:
            save(root / f"{i}.png", shot(*faces))
        lines.append(f"{i}.png,người {i // 2},north,train,signed,CC0,raw/{i}.dng,{'a' * 64},x 1 2 3 4")
    (root / "5.png").write_bytes(b"%PDF-1.7 not a picture")
    (root / "list.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root / "list.csv"


def build(manifest, out, **options):
    return build_aligned(planted_engine, list_pictures(manifest), out, **{"rows_a_part": 2, **options})


def table(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def tree(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_crops_columns_and_the_list_of_the_others(manifest, tmp_path):
    done = build(manifest, tmp_path / "out")
    assert (done.n, done.n_aligned, done.n_unreadable) == (N, 8, 2)
    rows = table(done.manifest)
    assert list(rows[0]) == [
        "path", "identity", "group", "split", "consent", "licence", "source_path",
        "aligned_from", "face_score", "n_faces", "sha256",
    ]  # fmt: skip
    assert [row["aligned_from"] for row in rows] == [f"{i}.png" for i in range(N) if i not in (3, 5, 7)]
    for row in rows:
        i = int(row["aligned_from"].split(".")[0])
        data = (tmp_path / "out" / row["path"]).read_bytes()
        crop = cv2.imread(str(tmp_path / "out" / row["path"]))[:, :, ::-1]
        assert crop.shape == (112, 112, 3)
        assert (crop == [i // 2, i, 30]).all(), "the largest face, without loss"
        assert hashlib.sha256(data).hexdigest() == row["sha256"]
        assert (row["identity"], row["group"], row["source_path"]) == (
            f"người {i // 2}",
            "north",
            f"raw/{i}.dng",
        )
        assert (row["consent"], row["licence"], row["face_score"]) == ("signed", "CC0", "0.9")
        assert row["n_faces"] == ("2" if i == 2 else "1")
    others = table(done.skipped)
    assert [row["path"] for row in others] == ["3.png", "5.png", "7.png"]
    assert others[0]["reason"] == "no face"
    assert others[0]["identity"] == "người 1"
    assert all(row["reason"].startswith("unreadable: ") for row in others[1:])
    assert not (tmp_path / "out" / ".parts").exists()


def test_jpeg_and_the_size_of_a_part(manifest, tmp_path):
    done = build(manifest, tmp_path / "out", encoding="jpg", rows_a_part=100)
    first = tmp_path / "out" / table(done.manifest)[0]["path"]
    assert first.suffix == ".jpg"
    assert first.read_bytes().startswith(b"\xff\xd8\xff")
    build(manifest, tmp_path / "a", rows_a_part=1)
    build(manifest, tmp_path / "b", rows_a_part=5)
    one, two = tree(tmp_path / "a"), tree(tmp_path / "b")
    assert {k for k in one if one[k] != two[k]} == {"aligned.json"}


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_a_stopped_run_goes_on(manifest, tmp_path, stop):
    build(manifest, tmp_path / "whole")
    calls = []

    def progress(done, total):
        calls.append((done, total))
        if len(calls) == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(manifest, tmp_path / "out", progress=progress)
    assert not (tmp_path / "out" / "manifest.csv").exists()
    calls.clear()
    engines = []

    def opened():
        engines.append(planted_engine())
        return engines[-1]

    build_aligned(opened, list_pictures(manifest), tmp_path / "out", rows_a_part=2,
                  progress=lambda *at: calls.append(at))  # fmt: skip
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")
    assert calls[0] == (2 * stop, N)
    left = [i for i in range(2 * stop, N) if i not in (5, 7)]
    assert sum(len(batch) for batch in engines[0].detector.batches) == len(left)
    assert engines[0].detector.closed
    assert build(manifest, tmp_path / "out").n_aligned == 8, "a finished one is left as it is"


KILLED = """
import sys, time
sys.path.insert(0, {tests!r})
from planted import planted_engine
from vnvision.faces.aligned_cache import build_aligned
from vnvision.faces.listing import list_pictures
def opened():
    engine = planted_engine()
    quick = engine.detector.detect
    engine.detector.detect = lambda images: (time.sleep(0.2), quick(images))[1]
    return engine
build_aligned(opened, list_pictures({manifest!r}), {out!r}, rows_a_part=2)
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_killed_run_ends_as_the_run_left_alone(manifest, tmp_path):
    out = tmp_path / "out"
    script = KILLED.format(tests=str(Path(__file__).parent), manifest=str(manifest), out=str(out))
    with subprocess.Popen([sys.executable, "-c", script]) as process:
        for _ in range(1200):
            if len(list(out.glob(".parts/part-*.json"))) >= 2 or process.poll() is not None:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it ended before it could be killed"
    assert 2 <= len(list(out.glob(".parts/part-*.json"))) < 6
    assert not (out / "manifest.csv").exists()
    build(manifest, out)
    build(manifest, tmp_path / "whole")
    assert tree(out) == tree(tmp_path / "whole")


@pytest.mark.slow
def test_several_processes_give_the_same_bytes(manifest, tmp_path):
    build(manifest, tmp_path / "one")
    build(manifest, tmp_path / "two", workers=2)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_what_is_refused(manifest, tmp_path):
    build(manifest, tmp_path / "out")
    before = tree(tmp_path / "out")
    with pytest.raises(DataError, match=r"belongs to another cache: .*got another encoding; delete"):
        build(manifest, tmp_path / "out", encoding="jpg")
    assert tree(tmp_path / "out") == before
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "manifest.csv").write_text("path\nx.png\n")
    with pytest.raises(DataError, match="holds another data set"):
        build(manifest, tmp_path / "own")
    with pytest.raises(DataError, match=r"a column's name is taken: .*got aligned_from, face_score, n_faces"):
        build(tmp_path / "out" / "manifest.csv", tmp_path / "again")
    with pytest.raises(ConfigError, match="encoding of the crops: expected png or jpg, got gif"):
        build(manifest, tmp_path / "x", encoding="gif")
    with pytest.raises(ConfigError, match="workers, rows_a_part: expected 1 or more, got 0, 2"):
        build(manifest, tmp_path / "x", workers=0)
    (manifest.parent / "none.csv").write_text("path\n3.png\n7.png\n")
    with pytest.raises(DataError, match=r"no face in any of 2 pictures; see .*not_aligned.csv"):
        build(manifest.parent / "none.csv", tmp_path / "none")
    assert not (tmp_path / "none" / "manifest.csv").exists()


def test_a_cache_is_read_and_packed(manifest, tmp_path):
    done = build(manifest, tmp_path / "out")
    source = ManifestPictures(done.manifest)
    assert source.names == tuple(f"người {i}" for i in (0, 1, 2, 3, 4, 5))
    assert (source.read(1) == [0, 1, 30]).all()
    text = manifest.read_text(encoding="utf-8").replace("a" * 64, "")
    manifest.write_text(text, encoding="utf-8")  # the pictures' hashes were made up
    index = pack_shards(manifest, tmp_path / "tars", aligned=tmp_path / "out")
    samples = list(ShardReader(index))
    assert len(samples) == 8
    np.testing.assert_array_equal(
        [s.data for s in samples],
        [(tmp_path / "out" / row["path"]).read_bytes() for row in table(done.manifest)],
    )


def test_the_verb(manifest, planted, tmp_path):
    done = run("align", manifest, "--out", tmp_path / "out")
    assert done.exit_code == 1, "two pictures could not be read"
    assert done.stdout == f"manifest  {tmp_path / 'out' / 'manifest.csv'}  8 of 11 pictures\n"
    assert done.stderr == f"3 pictures have no crop: see {tmp_path / 'out' / 'not_aligned.csv'}\n"
    done = run("align", manifest, "--out", tmp_path / "some", "--where", "identity=người 0")
    assert (done.exit_code, done.stderr) == (0, "")
