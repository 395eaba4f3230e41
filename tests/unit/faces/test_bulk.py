import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from planted import SIZE, planted_engine, save, shot, template

pytest.importorskip("pyarrow")
import pyarrow as pa
import pyarrow.parquet as pq

from vnvision.errors import ConfigError, DataError, MissingExtraError
from vnvision.faces.bulk import embed_in_memory, embed_pictures
from vnvision.faces.listing import list_pictures
from vnvision.faces.parquet import is_embedded, read_embedded

N = 11


@pytest.fixture
def folder(tmp_path):
    """Eleven pictures of six people with a manifest; 3 shows nobody, 5 is no picture, 7 is missing."""
    root = tmp_path / "data"
    lines = ["path,identity,group"]
    for i in range(N):
        faces = [] if i == 3 else [(i // 2, i, 30), (99, i, 20)] if i == 2 else [(i // 2, i, 30)]
        if i != 7:
            save(root / f"{i}.png", shot(*faces))
        lines.append(f"{i}.png,người {i // 2},{'' if i % 2 else 'north'}")
    (root / "5.png").write_bytes(b"%PDF-1.7 not a picture")
    (root / "list.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


@pytest.fixture
def pictures(folder):
    return list_pictures(folder / "list.csv")


def seen(engine):
    """How many pictures the detector was given."""
    return sum(len(batch) for batch in engine.detector.batches)


def same(a, b):
    """Whether two Parquet files hold the same rows, types and metadata."""
    one, two = pq.read_table(a), pq.read_table(b)
    return one.equals(two, check_metadata=True)


def stop_after(calls):
    left = [calls]

    def progress(done, total):
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    return progress


def test_the_file_holds_what_was_found(pictures, tmp_path):
    out = embed_pictures(planted_engine(), pictures, tmp_path / "new" / "faces.parquet", rows_a_part=4)
    found = read_embedded(out)
    assert found.paths == pictures.paths
    assert found.columns == pictures.columns
    assert found.model == "planted-v1"
    assert found.manifest_sha256 == pictures.sha256
    assert found.found.tolist() == [i not in (3, 5, 7) for i in range(N)]
    assert found.reasons[3] == "no face"
    assert found.reasons[5].startswith("unreadable: ")
    assert found.reasons[7].startswith("unreadable: ")
    assert "7.png" in found.reasons[7]
    for i in range(N):
        expected = template(i // 2, i) if found.found[i] else np.zeros(SIZE)
        np.testing.assert_allclose(found.embeddings[i], expected, atol=1e-6)
    table = pq.read_table(out)
    assert table["n_faces"].to_pylist() == [1, 1, 2, 0, 1, 0, 1, 0, 1, 1, 1]
    assert table["box_xyxy_px"][2].as_py() == [0, 0, 30, 30], "the largest face"
    assert table["box_xyxy_px"][3].as_py() is None
    assert len(table["landmarks_px"][0].as_py()) == 10
    assert table["score"][0].as_py() == pytest.approx(0.9)
    assert not (tmp_path / "new" / "faces.parquet.parts").exists()
    assert [p.name for p in out.parent.iterdir()] == ["faces.parquet"]


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_templates_can_be_read_by_their_owner_only(pictures, tmp_path):
    out = tmp_path / "faces.parquet"
    with pytest.raises(KeyboardInterrupt):
        embed_pictures(planted_engine(), pictures, out, progress=stop_after(1), rows_a_part=4)
    assert (tmp_path / "faces.parquet.parts").stat().st_mode & 0o077 == 0
    assert embed_pictures(planted_engine(), pictures, out, rows_a_part=4).stat().st_mode & 0o077 == 0


def test_the_file_equals_what_is_embedded_in_memory(pictures, tmp_path):
    in_file = read_embedded(embed_pictures(planted_engine(), pictures, tmp_path / "f.parquet"))
    done = []
    in_memory = embed_in_memory(planted_engine(), pictures, progress=lambda *at: done.append(at))
    np.testing.assert_array_equal(in_file.embeddings, in_memory.embeddings)
    for name in ("paths", "reasons", "columns", "model", "manifest_sha256"):
        assert getattr(in_file, name) == getattr(in_memory, name)
    assert in_file.embeddings.dtype == in_memory.embeddings.dtype == np.float32
    assert done == [(i + 1, N) for i in range(N)]


def test_the_size_of_a_part_does_not_show(pictures, tmp_path):
    whole = embed_pictures(planted_engine(), pictures, tmp_path / "whole.parquet")
    for size in (1, 4, N):
        assert same(
            whole, embed_pictures(planted_engine(), pictures, tmp_path / f"{size}.parquet", rows_a_part=size)
        )


def test_folders_and_manifests_with_paths_only(folder, tmp_path):
    (folder / "5.png").unlink()
    found = read_embedded(embed_pictures(planted_engine(), list_pictures(folder), tmp_path / "a.parquet"))
    assert found.columns == {"identity": ("",) * (N - 2)}
    (folder / "list.csv").write_text("path\n0.png\n")
    pictures = list_pictures(folder / "list.csv")
    found = read_embedded(embed_pictures(planted_engine(), pictures, tmp_path / "b.parquet"))
    assert (found.paths, found.columns) == (("0.png",), {})


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_stopped_run_goes_on_where_it_was(pictures, tmp_path, stop):
    whole = embed_pictures(planted_engine(), pictures, tmp_path / "whole.parquet", rows_a_part=4)
    out = tmp_path / "faces.parquet"
    with pytest.raises(KeyboardInterrupt):
        embed_pictures(planted_engine(), pictures, out, progress=stop_after(stop), rows_a_part=4)
    assert not out.exists()
    parts = sorted((tmp_path / "faces.parquet.parts").glob("part-*.parquet"))
    assert len(parts) == stop
    engine, calls = planted_engine(), []
    embed_pictures(engine, pictures, out, progress=lambda *at: calls.append(at), rows_a_part=4)
    left = [i for i in range(stop * 4, N) if i not in (5, 7)]
    assert seen(engine) == len(left), "finished parts are not done again"
    assert calls == [(4, N), (8, N), (N, N)]
    assert same(out, whole)
    assert not (tmp_path / "faces.parquet.parts").exists()


def test_an_error_of_the_engine_keeps_the_finished_parts(pictures, tmp_path):
    engine = planted_engine()
    first = engine.embedder.embed

    def fails_later(crops):
        if len(engine.embedder.batches) >= 1:
            raise RuntimeError("out of memory")
        return first(crops)

    engine.embedder.embed = fails_later
    out = tmp_path / "faces.parquet"
    with pytest.raises(RuntimeError, match="out of memory"):
        embed_pictures(engine, pictures, out, rows_a_part=4)
    assert [p.name for p in tmp_path.glob("faces*")] == ["faces.parquet.parts"]
    again = planted_engine()
    embed_pictures(again, pictures, out, rows_a_part=4)
    assert seen(again) == N - 4 - 2
    np.testing.assert_array_equal(
        read_embedded(out).embeddings, embed_in_memory(planted_engine(), pictures).embeddings
    )


KILLED = """
import sys, time
sys.path.insert(0, {tests!r})
from planted import planted_engine
from vnvision.faces.bulk import embed_pictures
from vnvision.faces.listing import list_pictures
engine = planted_engine()
quick = engine.detector.detect
engine.detector.detect = lambda images: (time.sleep(0.2), quick(images))[1]
embed_pictures(engine, list_pictures({manifest!r}), {out!r}, rows_a_part=2)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_killed_run_ends_as_the_run_left_alone(folder, tmp_path):
    out = tmp_path / "faces.parquet"
    parts = tmp_path / "faces.parquet.parts"
    manifest = folder / "list.csv"
    script = KILLED.format(tests=str(Path(__file__).parent), manifest=str(manifest), out=str(out))
    with subprocess.Popen([sys.executable, "-c", script]) as process:
        for _ in range(600):
            if len(list(parts.glob("part-*.parquet"))) >= 2 or process.poll() is not None:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it ended before it could be killed"
    done = sorted(parts.glob("part-*.parquet"))
    assert 2 <= len(done) < 6
    assert not out.exists()
    engine = planted_engine()
    pictures = list_pictures(manifest)
    embed_pictures(engine, pictures, out, rows_a_part=2)
    left = [i for i in range(2 * len(done), N) if i not in (5, 7)]
    assert seen(engine) == len(left)
    assert same(out, embed_pictures(planted_engine(), pictures, tmp_path / "whole.parquet", rows_a_part=2))
    assert not parts.exists()


def leave_parts(pictures, out):
    with pytest.raises(KeyboardInterrupt):
        embed_pictures(planted_engine(), pictures, out, progress=stop_after(1), rows_a_part=4)


def test_parts_of_another_model_are_refused(pictures, tmp_path):
    out = tmp_path / "faces.parquet"
    leave_parts(pictures, out)
    other = planted_engine()
    other.embedder.fingerprint = "planted-v2"
    with pytest.raises(DataError) as caught:
        embed_pictures(other, pictures, out, rows_a_part=4)
    text = str(caught.value)
    assert f"{out}.parts holds parts of another job" in text
    assert "got another model" in text
    assert f"delete {out}.parts, or write to another file" in text
    assert not other.detector.batches


def test_parts_of_other_pictures_are_refused(folder, pictures, tmp_path):
    out = tmp_path / "faces.parquet"
    leave_parts(pictures, out)
    text = (folder / "list.csv").read_text(encoding="utf-8").replace("người 0", "Người 0")
    (folder / "list.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="got another manifest_sha256"):
        embed_pictures(planted_engine(), list_pictures(folder / "list.csv"), out, rows_a_part=4)


def test_parts_of_other_rows_of_the_same_manifest_are_refused(folder, tmp_path):
    """As many rows, the same file, another condition: the parts show other people."""
    (folder / "list.csv").write_text(
        "path,identity,split\n0.png,a,one\n1.png,a,one\n8.png,b,two\n9.png,b,two\n"
    )
    out = tmp_path / "faces.parquet"
    one, two = (list_pictures(folder / "list.csv", where=[f"split={name}"]) for name in ("one", "two"))
    with pytest.raises(KeyboardInterrupt):
        embed_pictures(planted_engine(), one, out, progress=stop_after(1), rows_a_part=1)
    with pytest.raises(DataError, match="holds parts of another job"):
        embed_pictures(planted_engine(), two, out, rows_a_part=1)
    assert read_embedded(embed_pictures(planted_engine(), one, out, rows_a_part=1)).paths == one.paths


def test_a_damaged_note_of_the_parts_is_named(pictures, tmp_path):
    out = tmp_path / "faces.parquet"
    leave_parts(pictures, out)
    (tmp_path / "faces.parquet.parts" / "job.json").write_text("{")
    with pytest.raises(DataError, match=r"job\.json is not a valid Job"):
        embed_pictures(planted_engine(), pictures, out, rows_a_part=4)


def test_an_older_result_stays_until_the_new_one_is_whole(pictures, tmp_path):
    out = tmp_path / "faces.parquet"
    embed_pictures(planted_engine(), pictures, out)
    before = out.read_bytes()
    other = planted_engine()
    other.embedder.fingerprint = "planted-v2"
    with pytest.raises(KeyboardInterrupt):
        embed_pictures(other, pictures, out, progress=stop_after(1), rows_a_part=4)
    assert out.read_bytes() == before
    embed_pictures(other, pictures, out, rows_a_part=4)
    assert read_embedded(out).model == "planted-v2"


def test_a_column_named_like_ours_is_refused_before_any_work(folder, tmp_path):
    (folder / "list.csv").write_text("path,embedding,score\n0.png,1,2\n")
    engine, out = planted_engine(), tmp_path / "faces.parquet"
    with pytest.raises(DataError) as caught:
        embed_pictures(engine, list_pictures(folder / "list.csv"), out)
    assert "a column's name is taken: expected none of path, reason, n_faces" in str(caught.value)
    assert "got embedding, score; rename it in the manifest" in str(caught.value)
    assert not engine.detector.batches
    assert list(tmp_path.glob("faces*")) == [], "nothing is left that the mended manifest would not fit"


@pytest.mark.skipif(sys.platform != "linux", reason="file names of any bytes")
def test_a_name_that_is_not_unicode_is_refused_before_any_work(tmp_path):
    save(tmp_path / "data" / "good.png", shot(1)).rename(
        os.fsdecode(os.fsencode(tmp_path) + b"/data/\xff.png")
    )
    engine = planted_engine()
    with pytest.raises(
        DataError, match=r"a picture's name is not valid Unicode: got '\\udcff\.png'; rename it"
    ):
        embed_pictures(engine, list_pictures(tmp_path / "data"), tmp_path / "faces.parquet")
    assert not engine.detector.batches
    assert embed_in_memory(engine, list_pictures(tmp_path / "data")).found.all(), "in memory any name will do"


def test_no_pictures_and_no_rows_a_part_are_refused(folder, tmp_path):
    import dataclasses

    pictures = list_pictures(folder / "list.csv")
    none = dataclasses.replace(pictures, paths=(), columns={"identity": (), "group": ()})
    for call in (
        lambda: embed_pictures(planted_engine(), none, tmp_path / "f.parquet"),
        lambda: embed_in_memory(planted_engine(), none),
    ):
        with pytest.raises(DataError, match="no pictures to embed: expected one or more, got 0"):
            call()
    with pytest.raises(ConfigError, match="rows_a_part is too small: expected 1 or more, got 0"):
        embed_pictures(planted_engine(), pictures, tmp_path / "f.parquet", rows_a_part=0)


def test_a_place_that_cannot_be_written_is_one_line(pictures, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match=r"cannot write .*faces\.parquet: got"):
        embed_pictures(planted_engine(), pictures, tmp_path / "file" / "faces.parquet")


@pytest.fixture
def _no_pyarrow(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)


@pytest.mark.usefixtures("_no_pyarrow")
def test_a_missing_pyarrow_names_its_extra_before_any_work(pictures, tmp_path):
    import tomllib

    engine = planted_engine()
    calls = (
        lambda: embed_pictures(engine, pictures, tmp_path / "f.parquet"),
        lambda: read_embedded(tmp_path / "f.parquet"),
        lambda: is_embedded(tmp_path / "f.parquet"),
    )
    for call in calls:
        with pytest.raises(MissingExtraError) as caught:
            call()
        assert str(caught.value).startswith(
            "pyarrow is not installed; install it with: pip install 'vnvision["
        )
        assert "chưa cài pyarrow; hãy cài bằng lệnh: pip install 'vnvision[" in caught.value.in_both()
    assert not engine.detector.batches
    project = Path(__file__).parents[3] / "pyproject.toml"
    extras = tomllib.loads(project.read_text())["project"]["optional-dependencies"]
    brought = extras[caught.value.extra]
    within = [name for item in brought if "[" in item for name in item[item.index("[") + 1 : -1].split(",")]
    brought = brought + [item for name in within for item in extras.get(name, ())]
    assert any(item.startswith("pyarrow") for item in brought), "the extra brings it"
    assert not is_embedded(tmp_path / "list.csv"), "other files need no pyarrow"
    assert len(embed_in_memory(engine, pictures).paths) == N, "nor does embedding in memory"


def test_only_our_own_files_are_taken_for_embedded(pictures, tmp_path):
    good = embed_pictures(planted_engine(), pictures, tmp_path / "good.parquet")
    assert is_embedded(good)
    pq.write_table(pa.table({"path": ["a.png"], "identity": ["An"]}), tmp_path / "list.parquet")
    (tmp_path / "torn.parquet").write_bytes(good.read_bytes()[:200])
    bare = pq.read_table(good).replace_schema_metadata({})
    pq.write_table(bare, tmp_path / "bare.parquet")
    for name in ("list.parquet", "torn.parquet", "bare.parquet", "missing.parquet"):
        assert not is_embedded(tmp_path / name)
    with pytest.raises(
        DataError, match=r"list\.parquet holds no embedded faces.*got no box_xyxy_px, embedding"
    ):
        read_embedded(tmp_path / "list.parquet")
    with pytest.raises(DataError, match=r"bare\.parquet holds no embedded faces.*got no model named in it"):
        read_embedded(tmp_path / "bare.parquet")
    for name in ("torn.parquet", "missing.parquet"):
        with pytest.raises(DataError, match=rf"cannot read .*{name}: expected a file of face embed"):
            read_embedded(tmp_path / name)
