"""Tar shards: bytes, determinism, going on after a stop, and what WebDataset itself reads."""

import csv
import hashlib
import io
import json
import multiprocessing
import pickle
import tarfile

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from vnvision.cli import main as entry
from vnvision.data.records.face_rec import write_face_rec
from vnvision.data.records.packing import pack_shards
from vnvision.data.records.shard_index import read_shard_index
from vnvision.data.records.shard_reader import ShardReader
from vnvision.data.records.shard_set import ShardSet
from vnvision.data.records.sources import ManifestPictures, RecordPictures, ShardPictures, open_pictures
from vnvision.errors import ConfigError, DataError

N = 23
MIB = 2**20


def encoded(value, kind=".jpg"):
    image = np.random.default_rng(value).integers(0, 256, (32, 32, 3), np.uint8)
    return cv2.imencode(kind, image)[1].tobytes()


@pytest.fixture
def manifest(tmp_path):
    """23 pictures of seven people, JPEG and PNG; names with dots, spaces and Vietnamese letters."""
    root = tmp_path / "set"
    lines = [["path", "identity", "group", "split", "consent", "licence", "sha256"]]
    for i in range(N):
        kind = ".png" if i % 5 == 0 else ".jpg"
        file = root / f"người {i % 7}" / f"a.b {i}{kind}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded(i, kind))
        digest = hashlib.sha256(file.read_bytes()).hexdigest() if i % 2 else ""
        path = file.relative_to(root).as_posix()
        lines.append([path, f"người {i % 7}", "north", "train", 'said "yes", in writing', "CC0", digest])
    with (root / "faces.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(lines)
    return root / "faces.csv"


def small(manifest, out, **options):
    return pack_shards(manifest, out, shard_mb=20_480 / MIB, **options)


def tree(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_shards_hold_the_pictures_bytes_and_every_column(manifest, tmp_path):
    index = read_shard_index(small(manifest, tmp_path / "out"))
    assert (index.job.n, index.job.identities, index.job.left_out) == (N, 7, 0)
    assert index.job.manifest_sha256 == hashlib.sha256(manifest.read_bytes()).hexdigest()
    assert len(index.shards) > 3
    rows = list(csv.DictReader(io.StringIO(manifest.read_text(encoding="utf-8"))))
    seen = []
    for shard in index.shards:
        file = tmp_path / "out" / shard.file
        data = file.read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (shard.bytes, shard.sha256)
        assert len(data) <= 20_480
        assert len(data) % 10_240 == 0, "whole tar records"
        with tarfile.open(file) as archive:
            members = archive.getmembers()
            assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} == {
                (0, 0, 0, "", "", 0o644)
            }
            seen += [(m.name, archive.extractfile(m).read()) for m in members]
    assert len(seen) == 2 * N
    for i, row in enumerate(rows):
        (picture, data), (columns, text) = seen[2 * i : 2 * i + 2]
        assert picture == f"{i:09d}.{'png' if i % 5 == 0 else 'jpg'}"
        assert columns == f"{i:09d}.json"
        assert data == (manifest.parent / row["path"]).read_bytes()
        assert json.loads(text) == row


def test_the_same_input_gives_the_same_bytes(manifest, tmp_path):
    small(manifest, tmp_path / "a")
    small(manifest, tmp_path / "b")
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    before = tree(tmp_path / "a")
    small(manifest, tmp_path / "a")
    assert tree(tmp_path / "a") == before, "packing again is nothing to do"


@pytest.mark.parametrize("stop", [1, 2, 4])
def test_a_stopped_run_keeps_its_whole_shards(manifest, tmp_path, stop):
    small(manifest, tmp_path / "whole")
    calls = [0]

    def progress(done, total):
        calls[0] += 1
        if calls[0] == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small(manifest, tmp_path / "out", progress=progress)
    kept = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("*.tar")}
    assert len(kept) == stop
    assert not list((tmp_path / "out").glob("*.json"))
    small(manifest, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")
    assert {p: p.stat().st_mtime_ns for p in kept} == kept, "not written again"


def test_another_set_in_the_folder_is_not_touched(manifest, tmp_path):
    small(manifest, tmp_path / "out")
    with pytest.raises(DataError, match=r"is of another set: expected .*, got another shard_bytes; choose"):
        pack_shards(manifest, tmp_path / "out")
    pack_shards(manifest, tmp_path / "out", name="other")
    with pytest.raises(DataError, match=r"holds no set of shards: .*got faces.index.json, other.index.json"):
        ShardSet(tmp_path / "out")
    (tmp_path / "out" / "faces-000001.tar").unlink()
    with pytest.raises(DataError, match=r"names shards that are gone: got faces-000001\.tar"):
        small(manifest, tmp_path / "out")


def test_pictures_that_are_wrong_stop_the_packing_with_their_row(manifest, tmp_path):
    rows = list(csv.DictReader(io.StringIO(manifest.read_text(encoding="utf-8"))))
    file = manifest.parent / rows[1]["path"]
    good = file.read_bytes()
    file.write_bytes(encoded(99))
    with pytest.raises(DataError, match=r"faces\.csv: row 3: .*has changed: expected sha256"):
        small(manifest, tmp_path / "a")
    file.write_bytes(b"%PDF-1.7")
    with pytest.raises(DataError, match=r"row 3: .* is no picture: expected JPEG, PNG"):
        small(manifest, tmp_path / "a")
    file.unlink()
    with pytest.raises(DataError, match=r"row 3: cannot read"):
        small(manifest, tmp_path / "a")
    file.write_bytes(good)
    assert not list((tmp_path / "a").glob("*.tar")), "no half-written shard"
    (manifest.parent / "bad.csv").write_text("path\n../x.jpg\n")
    with pytest.raises(DataError, match=r"bad\.csv: row 2 leaves the root"):
        small(manifest.parent / "bad.csv", tmp_path / "a")
    for options, message in (
        ({"shard_mb": 0}, "shard_mb: expected above 0"),
        ({"name": "a/b"}, "name of the shards"),
    ):
        with pytest.raises(ConfigError, match=message):
            pack_shards(manifest, tmp_path / "b", **options)


def test_webdataset_reads_the_same_samples(manifest, tmp_path):
    wds = pytest.importorskip("webdataset")
    index = small(manifest, tmp_path / "out")
    urls = [str(tmp_path / "out" / shard.file) for shard in read_shard_index(index).shards]
    theirs = {}
    for sample in wds.WebDataset(urls, shardshuffle=False, empty_check=False):
        data = sample.get("jpg") or sample["png"]
        theirs[sample["__key__"]] = (data, json.loads(sample["json"]))
    ours = {sample.key: (sample.data, sample.columns) for sample in ShardReader(index)}
    assert ours == theirs
    assert list(ours) == list(theirs)
    assert len(ours) == N


def test_ranks_and_workers_share_the_samples(manifest, tmp_path):
    index = small(manifest, tmp_path / "out")
    for shuffle in (0, 5):
        for world, workers in ((1, 1), (2, 1), (1, 3), (2, 2)):
            parts = [
                [
                    s.key
                    for s in ShardReader(
                        index, shuffle=shuffle, rank=r, world=world, worker=w, workers=workers
                    )
                ]
                for r in range(world)
                for w in range(workers)
            ]
            assert sorted(key for part in parts for key in part) == [f"{i:09d}" for i in range(N)]
    with pytest.raises(ConfigError, match=r"fewer shards than workers: expected 64 shards .*--shard-mb"):
        ShardReader(index, world=64)
    with pytest.raises(ConfigError, match="share of the shards: expected rank below world"):
        ShardReader(index, rank=2, world=2)


def test_the_order_follows_from_seed_and_epoch_and_goes_on_anywhere(manifest, tmp_path):
    index = small(manifest, tmp_path / "out")

    def keys(**options):
        return [sample.key for sample in ShardReader(index, shuffle=6, **options)]

    whole = keys(seed=1, epoch=2)
    assert whole == keys(seed=1, epoch=2) != keys(seed=1, epoch=3) != keys(seed=2, epoch=3)
    assert whole != sorted(whole)
    reader = ShardReader(index, shuffle=6, seed=1, epoch=2)
    first = [sample.key for sample, _ in zip(reader, range(9), strict=False)]
    assert reader.position in (9, 10)
    rest = ShardReader(index, shuffle=6, seed=1, epoch=2, start=9)
    assert len(rest) == N - 9
    assert first[:9] + [sample.key for sample in rest] == whole


@pytest.mark.parametrize("damage", ["missing", "cut", "garbage", "samples", "json", "picture"])
def test_damaged_shards_are_named(manifest, tmp_path, damage):
    index = small(manifest, tmp_path / "out")
    file = tmp_path / "out" / "faces-000000.tar"
    data = file.read_bytes()
    messages = {
        "missing": r"cannot read .*faces-000000\.tar",
        "cut": r"faces-000000\.tar",
        "garbage": r"faces-000000\.tar is no readable tar file",
        "samples": r"faces-000000\.tar: samples: expected \d+ as in the index, got",
        "json": r"000000000\.json is damaged",
        "picture": r"sample 000000000: expected one picture, got 0",
    }
    if damage == "missing":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(data[: len(data) // 2])
    elif damage == "garbage":
        file.write_bytes(b"x" * len(data))
    elif damage == "samples":
        counts = json.loads(index.read_text())
        counts["shards"][0]["n"] -= 1
        counts["shards"][1]["n"] += 1
        index.write_text(json.dumps(counts))
    elif damage == "json":
        at = data.index(b'{"path"')
        file.write_bytes(data[:at] + b"<" + data[at + 1 :])
    else:
        head = tarfile.TarInfo("000000000.xxx")
        head.size = tarfile.TarInfo.frombuf(data[:512], "utf-8", "strict").size
        file.write_bytes(head.tobuf(tarfile.USTAR_FORMAT) + data[512:])
    with pytest.raises(DataError, match=messages[damage]):
        list(ShardReader(index))


def test_damaged_indices_are_refused(manifest, tmp_path):
    index = small(manifest, tmp_path / "out")
    good = json.loads(index.read_text())
    for change, message in (
        ({"shards": good["shards"][1:]}, "samples: expected 23, got"),
        ({"extra": 1}, "is not a valid ShardIndex"),
        ({"shards": [{**good["shards"][0], "file": "../x.tar"}]}, "is not a valid ShardIndex"),
    ):
        index.write_text(json.dumps({**good, **change}))
        with pytest.raises(DataError, match=message):
            read_shard_index(index)


def test_fuzzed_shards_raise_our_errors_only(manifest, tmp_path):
    index = small(manifest, tmp_path / "out")
    rng = np.random.default_rng(2)
    file = tmp_path / "out" / "faces-000000.tar"
    clean, errors = file.read_bytes(), 0
    for _ in range(300):
        data = bytearray(clean)
        for _ in range(int(rng.integers(1, 5))):
            data[int(rng.integers(512)) if rng.random() < 0.5 else int(rng.integers(len(data)))] = int(
                rng.integers(256)
            )
        file.write_bytes(data)
        try:
            source = ShardPictures(index)
            for i in range(4):
                source.read(i)
        except DataError:
            errors += 1
    assert errors > 50


# --- sources ------------------------------------------------------------------------------------------------


@pytest.fixture
def sources(manifest, tmp_path):
    """The same pictures three ways."""
    plain = ManifestPictures(manifest)
    people = {}
    for i in range(N):
        people.setdefault(plain.identity(i), []).append((manifest.parent / plain.paths[i]).read_bytes())
    rec = write_face_rec(tmp_path / "t.rec", people.values())
    return {
        "manifest": plain,
        "shards": open_pictures(small(manifest, tmp_path / "out")),
        "rec": open_pictures(rec),
    }


def read_all(source):
    return [source.read(i) for i in range(len(source))]


def test_sources_give_the_same_pictures_and_people(sources):
    plain, shards, rec = sources.values()
    assert isinstance(rec, RecordPictures)
    assert isinstance(shards, ShardPictures)
    assert plain.codes.tolist() == shards.codes.tolist() == [i % 7 for i in range(N)]
    assert plain.names == shards.names == tuple(f"người {i}" for i in range(7))
    assert rec.codes.tolist() == sorted(i % 7 for i in range(N))
    assert rec.names == tuple("0123456")
    for a, b in zip(read_all(plain), read_all(shards), strict=True):
        np.testing.assert_array_equal(a, b)
        assert (a.shape, a.dtype) == ((32, 32, 3), np.uint8)
    order = sorted(range(N), key=lambda i: i % 7)
    for a, b in zip([plain.read(i) for i in order], read_all(rec), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(IndexError):
        shards.read(N)


def _sum(source, index, queue):
    queue.put(int(source.read(index).sum()))


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("kind", ["shards", "rec"])
def test_sources_go_to_other_processes(sources, kind, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    source = sources[kind]
    want = [int(picture.sum()) for picture in read_all(source)]  # its files are open now
    if method == "spawn":  # what spawn does with it, without starting an interpreter for each
        other = pickle.loads(pickle.dumps(source))
        assert [int(other.read(i).sum()) for i in range(N)] == want
        return
    context = multiprocessing.get_context("fork")
    queues = [context.Queue() for _ in range(3)]
    children = [context.Process(target=_sum, args=(source, i, q)) for i, q in enumerate(queues)]
    for child in children:
        child.start()
    assert [int(source.read(i).sum()) for i in range(N)] == want
    assert [queue.get(timeout=60) for queue in queues] == want[:3]
    for child in children:
        child.join()


def test_unknown_identities_and_grey_pictures(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((4, 5), 9, np.uint8))
    (tmp_path / "m.csv").write_text("path,identity\na.png,\na.png,x\nnone.png,x\n")
    source = ManifestPictures(tmp_path / "m.csv")
    assert (source.codes.tolist(), source.names, source.identity(0), source.identity(1)) == (
        [-1, 0, 0],
        ("x",),
        "",
        "x",
    )
    assert source.read(0).tolist() == np.full((4, 5, 3), 9).tolist()
    with pytest.raises(DataError, match=r"none\.png does not exist"):
        source.read(2)
    with pytest.raises(DataError, match=r"m\.csv has no column person: got path, identity"):
        ManifestPictures(tmp_path / "m.csv", identity="person")
    (tmp_path / "o.csv").write_text("path,identity\n/etc/x.png,a\n")
    with pytest.raises(DataError, match=r"o\.csv: row 2 has no path in the root"):
        ManifestPictures(tmp_path / "o.csv")


def test_shards_without_the_column_say_what_there_is(manifest, tmp_path):
    index = small(manifest, tmp_path / "out")
    with pytest.raises(DataError, match="has no column person: got path, identity, group"):
        ShardPictures(index, identity="person")


# --- the verb -----------------------------------------------------------------------------------------------


def run(*words):
    return CliRunner().invoke(entry.app, ["data", *(str(word) for word in words)])


def test_the_verb_packs_a_manifest_and_an_aligned_cache(manifest, tmp_path):
    done = run("pack", manifest, "--out", tmp_path / "out", "--shard-mb", "0.02")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"{tmp_path / 'out' / 'faces.index.json'}: {N} samples in ")
    cache = tmp_path / "cache"
    (cache / "images").mkdir(parents=True)
    rows = list(csv.DictReader(io.StringIO(manifest.read_text(encoding="utf-8"))))[:3]
    lines = [["path", "identity", "aligned_from", "face_score", "sha256"]]
    for i, row in enumerate(rows):
        data = encoded(500 + i, ".png")
        (cache / "images" / f"{i}.png").write_bytes(data)
        lines.append([f"images/{i}.png", "older name", row["path"], "0.9", hashlib.sha256(data).hexdigest()])
    with (cache / "manifest.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(lines)
    done = run("pack", manifest, "--out", tmp_path / "crops", "--aligned", cache, "--json")
    job = json.loads(done.stdout)["job"]
    assert (job["n"], job["left_out"]) == (3, N - 3)
    samples = list(ShardReader(tmp_path / "crops"))
    assert [s.data for s in samples] == [encoded(500 + i, ".png") for i in range(3)]
    assert samples[1].columns["identity"] == "người 1", "the manifest's own columns hold"
    assert samples[1].columns["path"] == "images/1.png"
    assert (samples[1].columns["aligned_from"], samples[1].columns["face_score"]) == (rows[1]["path"], "0.9")
    assert isinstance(
        run("pack", manifest, "--out", tmp_path / "x", "--aligned", manifest.parent).exception, DataError
    )
